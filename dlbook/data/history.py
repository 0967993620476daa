"""The history that the first chapter tells, as records: each fact once, each with its source.

A source is a key of the book's bibliography. A year is that of the publication cited, unless the
record's note says otherwise. Where the lecture decks that the book grew out of give another
number, the errata page says so.

Five tables: :func:`events` (who did what, and which chapter builds it), :func:`datasets`,
:func:`frameworks`, :func:`challenge` (the best error in each year's ImageNet challenge) and
:func:`counts` (single numbers).
"""

from typing import NamedTuple

__all__ = [
    "Dataset",
    "Event",
    "Fact",
    "Framework",
    "challenge",
    "counts",
    "datasets",
    "events",
    "frameworks",
]


class Event(NamedTuple):
    """Something that was done, and the chapter of this book that builds it.

    Attributes:
        year: of the publication, or what the note says.
        name: a few words.
        who: family names.
        source: key of the bibliography.
        chapter: its page below ``book/``, without the ending, whether or not it is written yet;
            None if the book tells of it only here.
        note: what the year means, where it is not that of the source.
    """

    year: int
    name: str
    who: str
    source: str
    chapter: str | None
    note: str = ""


class Dataset(NamedTuple):
    """A collection that networks have been trained on.

    Attributes:
        year: of the publication cited, or what the note says.
        name: its name.
        task: what it was made for.
        items: how many images; None for text.
        size: bytes, as the deck's table has it.
        source: key of the bibliography.
        found: bytes by another count, or None where none was found.
        note: how the counts differ.
    """

    year: int
    name: str
    task: str
    items: int | None
    size: float
    source: str
    found: float | None = None
    note: str = ""


class Framework(NamedTuple):
    """A library for building and training networks.

    Attributes:
        year: of the publication cited.
        name: its name.
        licence: its kind of licence.
        begun: where its authors were, or what they were.
        source: key of the bibliography.
        later: who backed it in later years, if somebody else.
    """

    year: int
    name: str
    licence: str
    begun: str
    source: str
    later: str = ""


class Fact(NamedTuple):
    """A number with its unit and source.

    Attributes:
        year: what it belongs to.
        name: what it says.
        value: the number.
        unit: its unit.
        source: key of the bibliography.
        note: what else has to be known.
    """

    year: int
    name: str
    value: float
    unit: str
    source: str
    note: str = ""


_EVENTS = (
    Event(1943, "threshold unit", "McCulloch, Pitts", "mcculloch1943", "foundations/neurons"),
    Event(1949, "Hebb's rule", "Hebb", "hebb1949", "foundations/neurons"),
    Event(
        1951,
        "SNARC",
        "Minsky, Edmonds",
        "minsky1954",
        "foundations/neurons",
        "the machine was built in 1951; the thesis is of 1954",
    ),
    Event(1958, "perceptron", "Rosenblatt", "rosenblatt1958", "foundations/neurons"),
    Event(1959, "cells that see edges", "Hubel, Wiesel", "hubel1959", "images/neocognitron"),
    Event(1960, "Adaline", "Widrow, Hoff", "widrow1960", "foundations/neurons"),
    Event(1969, "Perceptrons, the book", "Minsky, Papert", "minsky1969", "foundations/neurons"),
    Event(
        1970,
        "reverse mode",
        "Linnainmaa",
        "linnainmaa1976",
        "foundations/autodiff",
        "his master's thesis, in Finnish; the article is of 1976",
    ),
    Event(1974, "slopes through models", "Werbos", "werbos1974", "foundations/backpropagation"),
    Event(1980, "neocognitron", "Fukushima", "fukushima1980", "images/neocognitron"),
    Event(
        1986,
        "backpropagation",
        "Rumelhart, Hinton, Williams",
        "rumelhart1986",
        "foundations/backpropagation",
    ),
    Event(1989, "zip codes read", "LeCun and others", "lecun1989", "images/cnn-architectures"),
    Event(
        1989,
        "universal approximation",
        "Cybenko",
        "cybenko1989",
        "foundations/universal-approximation",
    ),
    Event(1991, "vanishing gradient", "Hochreiter", "hochreiter1991", "sequences/recurrent"),
    Event(1997, "LSTM", "Hochreiter, Schmidhuber", "hochreiter1997", "sequences/lstm-gru"),
    Event(1998, "LeNet-5, MNIST", "LeCun and others", "lecun1998", "images/cnn-architectures"),
    Event(2006, "deep belief nets", "Hinton, Osindero, Teh", "hinton2006", None),
    Event(2009, "ImageNet", "Deng and others", "deng2009", None),
    Event(
        2012,
        "AlexNet",
        "Krizhevsky, Sutskever, Hinton",
        "krizhevsky2012",
        "images/cnn-architectures",
    ),
    Event(2013, "word2vec", "Mikolov and others", "mikolov2013", "sequences/embeddings"),
    Event(2014, "GAN", "Goodfellow and others", "goodfellow2014", "generative/gans"),
    Event(2015, "attention", "Bahdanau, Cho, Bengio", "bahdanau2015", "sequences/attention"),
    Event(2015, "Atari by DQN", "Mnih and others", "mnih2015", "decisions/reinforcement"),
    Event(2016, "ResNet", "He and others", "he2016", "images/cnn-architectures"),
    Event(2016, "WaveNet", "van den Oord and others", "oord2016", "sequences/speech"),
    Event(2017, "transformer", "Vaswani and others", "vaswani2017", "sequences/transformers"),
    Event(2017, "AlphaGo Zero", "Silver and others", "silver2017", "decisions/games"),
    Event(2020, "GPT-3", "Brown and others", "brown2020", "sequences/transformers"),
    Event(2020, "diffusion", "Ho, Jain, Abbeel", "ho2020", "generative/diffusion"),
    Event(2021, "AlphaFold", "Jumper and others", "jumper2021", "science/alphafold"),
    Event(2023, "GPT-4", "OpenAI", "openai2023", None),
)

_MB, _GB, _TB = 1e6, 1e9, 1e12

_DATASETS = (
    Dataset(
        1998,
        "MNIST",
        "classification",
        60_000,
        12 * _MB,
        "lecun1998",
        11_594_722,
        "60,000 images to train with; 10,000 more to test",
    ),
    Dataset(
        2004,
        "Caltech 101",
        "classification",
        9_100,
        130 * _MB,
        "feifei2004",
        125.64 * 2**20,
    ),
    Dataset(2007, "Caltech 256", "classification", 30_000, 1.2 * _GB, "griffin2007", 1_199_630_975),
    Dataset(
        2009,
        "CIFAR-10",
        "classification",
        60_000,
        160 * _MB,
        "krizhevsky2009",
        162.17 * 2**20,
        "50,000 to train with and 10,000 to test",
    ),
    Dataset(
        2012,
        "ImageNet",
        "classification",
        1_200_000,
        150 * _GB,
        "russakovsky2015",
        144.02 * 2**30,
        "the part that the challenge of 2012 trains with; the paper is of 2015",
    ),
    Dataset(
        2014,
        "MS-COCO",
        "segmentation",
        328_000,
        32 * _GB,
        "lin2014",
        37.57 * 2**30,
        "the images are the paper's count; the notes with the sizes count 200,000",
    ),
    Dataset(
        2016,
        "Cityscapes",
        "segmentation",
        25_000,
        60 * _GB,
        "cordts2016",
        (11 + 44 + 0.241 + 1.3) * _GB,
        "5,000 images labelled finely and 20,000 coarsely",
    ),
    Dataset(2013, "SST-2", "sentiment", None, 20 * _MB, "socher2013"),
    Dataset(2018, "WMT-18", "translation", None, 7 * _GB, "bojar2018"),
    Dataset(
        2019,
        "OSCAR",
        "language model",
        None,
        6 * _TB,
        "ortiz2019",
    ),
)

_FRAMEWORKS = (
    Framework(2002, "Torch", "BSD", "IDIAP", "collobert2002", "Facebook, among others"),
    Framework(2010, "Theano", "BSD", "U. of Montreal", "bergstra2010"),
    Framework(2014, "Caffe", "BSD 2 clauses", "U. of CA, Berkeley", "jia2014"),
    Framework(
        2015, "MXNet", "Apache", "people at several universities", "chen2015", "Amazon, Apache"
    ),
    Framework(2016, "TensorFlow", "Apache", "Google", "abadi2016"),
    Framework(2016, "CNTK", "MIT", "Microsoft", "seide2016"),
    Framework(2017, "PyTorch", "BSD", "Facebook and others", "paszke2017"),
    Framework(2018, "JAX", "Apache", "Google", "frostig2018"),
)

_CHALLENGE = (
    Fact(2010, "NEC", 28.2, "%", "russakovsky2015", "hand-crafted features"),
    Fact(2011, "XRCE", 25.8, "%", "russakovsky2015", "hand-crafted features"),
    Fact(2012, "AlexNet", 16.4, "%", "russakovsky2015", "deep network"),
    Fact(2013, "Clarifai", 11.7, "%", "russakovsky2015", "deep network"),
    Fact(2014, "GoogLeNet", 6.7, "%", "russakovsky2015", "deep network"),
    Fact(2015, "ResNet", 3.57, "%", "he2016", "deep network"),
    Fact(2016, "Trimps-Soushen", 2.991, "%", "hu2018", "deep network"),
    Fact(2017, "SENet", 2.251, "%", "hu2018", "deep network"),
)

_COUNTS = (
    Fact(2014, "a trained person's error in the challenge", 5.1, "%", "russakovsky2015"),
    Fact(2017, "growth of compute since AlexNet", 300_000, "times", "amodei2018", "AlphaGo Zero"),
    Fact(2018, "doubling time of compute", 3.4, "months", "amodei2018", "3.5 as first published"),
    Fact(2020, "parameters of GPT-3", 175e9, "parameters", "brown2020"),
    Fact(2009, "neurons in a human brain", 86.1e9, "neurons", "azevedo2009", "± 8.1e9"),
    Fact(2009, "images in ImageNet when it was published", 3.2e6, "images", "deng2009"),
)


def events() -> tuple[Event, ...]:
    """Return what was done from 1943 to 2023, in the order of the years.

    Example:
        >>> from dlbook.data import history
        >>> first, *_, last = history.events()
        >>> first.year, first.who, last.year
        (1943, 'McCulloch, Pitts', 2023)
    """
    return _EVENTS


def datasets() -> tuple[Dataset, ...]:
    """Return ten collections of data: the seven of images by year, then the three of text.

    Example:
        >>> from dlbook.data import history
        >>> [f"{d.name} {d.size:.0e}" for d in history.datasets()][::9]
        ['MNIST 1e+07', 'OSCAR 6e+12']
    """
    return _DATASETS


def frameworks() -> tuple[Framework, ...]:
    """Return eight frameworks, in the order of the papers that describe them.

    Example:
        >>> from dlbook.data import history
        >>> [f.name for f in history.frameworks() if f.licence == "Apache"]
        ['MXNet', 'TensorFlow', 'JAX']
    """
    return _FRAMEWORKS


def challenge() -> tuple[Fact, ...]:
    """Return the lowest error of each year's ImageNet challenge, 2010 to 2017.

    It is the top-5 error of classification: the share of images for which none of five guesses,
    among a thousand classes, is right. Entries that trained with data of their own are left out.

    Example:
        >>> from dlbook.data import history
        >>> [(fact.year, fact.name, fact.value) for fact in history.challenge()][2]
        (2012, 'AlexNet', 16.4)
    """
    return _CHALLENGE


def counts() -> dict[str, Fact]:
    """Return single numbers by their names.

    Example:
        >>> from dlbook.data import history
        >>> history.counts()["parameters of GPT-3"].value
        175000000000.0
    """
    return {fact.name: fact for fact in _COUNTS}
