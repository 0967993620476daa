"""Data sets, one a file: each is a module with ``load() -> Splits(train, validation, test)``.

Most come with the installed packages. MNIST, Fashion-MNIST and CIFAR-10 are downloaded, by
:mod:`dlbook.data.downloads`, when a reader asks for it.

:mod:`dlbook.data.splits` cuts any examples, and :mod:`dlbook.data.augmentation` makes more of them.
:mod:`dlbook.data.mixtures` draws points of a known density;
:mod:`dlbook.data.handmade` measures features on images; :mod:`dlbook.data.history` holds the facts
of the first chapter.
"""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=[
        "augmentation",
        "cifar10",
        "dates",
        "digits",
        "downloads",
        "facts",
        "glyphs",
        "handmade",
        "history",
        "idx",
        "mixtures",
        "mnist",
        "photographs",
        "sequences",
        "source_code",
        "splits",
        "tokenizers",
    ],
    names={"splits": ["Part", "Splits", "k_fold", "split"]},
)
