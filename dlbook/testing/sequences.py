"""Rows for networks on series and for word vectors: the same from PyTorch's layers, or by loops."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn

import dlbook.nn
from dlbook.testing._row import Bad, Row, Sample, Samples, calls, integers, normal, uniform
from dlbook.testing.attention import Bahdanau


def theirs(layer: Any) -> Any:
    """PyTorch's layer of the same name."""
    return getattr(nn, layer.__name__)


# --- reading and writing series -----------------------------------------------------------------


class LanguageModel(nn.Module):
    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        layer: Any = nn.LSTM,
        embedding_dim: int | None = None,
        num_layers: int = 1,
    ) -> None:
        super().__init__()
        self.size = vocabulary_size
        self.embedding = None if embedding_dim is None else nn.Embedding(self.size, embedding_dim)
        features = embedding_dim or vocabulary_size
        self.rnn = theirs(layer)(features, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, input: Tensor, state: Any = None) -> Any:
        codes = torch.eye(self.size, dtype=self.head.weight.dtype)[input]
        x = codes if self.embedding is None else self.embedding(input)
        y, state = self.rnn(x, state)
        return self.head(y), state


class Reader(nn.Module):
    """One to one, many to one, or many to many, one series by itself."""

    def __init__(
        self, read: Callable[[Tensor], Tensor], sizes: tuple[int, ...], layer: Any, both: bool
    ) -> None:
        super().__init__()
        inputs, hidden, outputs = sizes
        self.read = read
        self.rnn = theirs(layer)(inputs, hidden, bidirectional=both)
        self.head = nn.Linear(hidden * (2 if both else 1), outputs)

    def forward(self, input: Tensor, lengths: Any = None) -> Tensor:
        found = []
        for n, series in enumerate(input):
            x = series.reshape(-1, series.shape[-1])
            y = self.rnn(x if lengths is None else x[: lengths[n]])[0]
            padding = y.new_zeros(len(x) - len(y), y.shape[1])
            found.append(self.head(self.read(y if lengths is None else torch.cat([y, padding]))))
        return torch.stack(found)


def one_to_one(*sizes: int, layer: Any = nn.RNN) -> nn.Module:
    return Reader(lambda y: y[0], sizes, layer, False)


class Ends(Reader):
    """Many to one: what stands after a series' end is not looked at."""

    def __init__(self, *sizes: int, layer: Any = nn.RNN) -> None:
        super().__init__(lambda y: y[-1], sizes, layer, False)

    def forward(self, input: Tensor, lengths: Any = None) -> Tensor:
        ends = [len(x) for x in input] if lengths is None else lengths
        return torch.stack([self.head(self.rnn(x[:n])[0][-1]) for x, n in zip(input, ends)])


def aligned(*sizes: int, layer: Any = nn.RNN, bidirectional: bool = False) -> nn.Module:
    return Reader(lambda y: y, sizes, layer, bidirectional)


class Writer(nn.Module):
    """One to many."""

    def __init__(
        self, inputs: int, hidden: int, vocabulary: int, dim: int, layer: Any = nn.RNN
    ) -> None:
        super().__init__()
        self.begin = nn.Linear(inputs, hidden)
        self.embedding = nn.Embedding(vocabulary, dim)
        self.rnn = theirs(layer)(dim, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, input: Tensor, previous: Tensor) -> Tensor:
        state = torch.tanh(self.begin(input))[None]
        y: Tensor = self.head(self.rnn(self.embedding(previous), state)[0])
        return y


class ReaderAndWriter(nn.Module):
    """Many to many, of any lengths."""

    def __init__(
        self, source: int, hidden: int, vocabulary: int, dim: int, layer: Any = nn.RNN
    ) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(source, dim)
        self.reader = theirs(layer)(dim, hidden, batch_first=True)
        self.embedding = nn.Embedding(vocabulary, dim)
        self.rnn = theirs(layer)(dim, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, input: Tensor, previous: Tensor, lengths: Any = None) -> Tensor:
        ends = [len(x) for x in input] if lengths is None else lengths
        x = self.source_embedding(input)
        states = [self.reader(series[:n])[1] for series, n in zip(x, ends)]
        y: Tensor = self.head(self.rnn(self.embedding(previous), torch.stack(states, 1))[0])
        return y


class Encoder(nn.Module):
    def __init__(
        self, vocabulary: int, dim: int, hidden: int, dropout: float = 0.0, padding: int = 0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim, padding)
        self.gru = nn.GRU(dim, hidden, bidirectional=True)
        self.start = nn.Linear(hidden, hidden)

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        memory, states = [], []
        for x, n in zip(self.embedding(source), lengths.tolist()):
            y, last = self.gru(x[:n])
            memory.append(torch.cat([y, y.new_zeros(len(x) - n, y.shape[1])]))
            states.append(torch.tanh(self.start(last[1])))
        return torch.stack(memory), torch.stack(states)


class Decoder(nn.Module):
    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hidden: int,
        memory: int,
        units: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim)
        self.attention = Bahdanau(hidden, memory, units)
        self.cell = nn.GRUCell(dim + memory, hidden)
        self.output = nn.Linear(hidden + dim + memory, vocabulary)

    def forward(
        self, previous: Tensor, memory: Tensor, state: Tensor, hidden: Any = None
    ) -> tuple[Tensor, Tensor]:
        logits, weights = [], []
        for tokens in previous.unbind(1):
            embedded = self.embedding(tokens)
            read, p = self.attention(state[:, None], memory, None, hidden)
            state = self.cell(torch.cat([embedded, read[:, 0]], -1), state)
            logits.append(self.output(torch.cat([state, embedded, read[:, 0]], -1)))
            weights.append(p[:, 0])
        return torch.stack(logits, 1), torch.stack(weights, 1)


class Translator(nn.Module):
    def __init__(self, source: int, target: int, dim: int, hidden: int, units: int) -> None:
        super().__init__()
        self.encoder = Encoder(source, dim, hidden)
        self.decoder = Decoder(target, dim, hidden, 2 * hidden, units)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        places = torch.arange(source.shape[1])
        logits: Tensor = self.decoder(
            target[:, :-1], *self.encoder(source, lengths), places >= lengths[:, None]
        )[0]
        return logits


# --- word vectors -------------------------------------------------------------------------------


def noise_by_loops(centre: Tensor, context: Tensor, noise: Tensor) -> Tensor:
    total = centre.new_zeros(())
    for v, u, wrong in zip(centre, context, noise):
        total = total - torch.sigmoid((u * v).sum()).log()
        for n in wrong:
            total = total - (1 - torch.sigmoid((n * v).sum())).log()
    return total / len(centre)


def squares_by_loops(
    predicted: Tensor, count: Tensor, *, x_max: float = 100.0, alpha: float = 0.75
) -> Tensor:
    total = predicted.new_zeros(())
    for z, x in zip(predicted, count.tolist()):
        trust = (x / x_max) ** alpha if x < x_max else 1.0
        total = total + trust * (z - torch.tensor(x, dtype=z.dtype).log()) ** 2
    return total


class Guesser(nn.Module):
    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.centre, self.context = nn.Embedding(vocabulary, dim), nn.Embedding(vocabulary, dim)
        nn.init.uniform_(self.centre.weight, -0.5 / dim, 0.5 / dim)
        nn.init.zeros_(self.context.weight)

    def forward(self, centre: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        return noise_by_loops(self.centre(centre), self.context(context), self.context(noise))


class Counter(nn.Module):
    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.word, self.context = nn.Embedding(vocabulary, dim), nn.Embedding(vocabulary, dim)
        self.word_bias, self.context_bias = nn.Embedding(vocabulary, 1), nn.Embedding(vocabulary, 1)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.5 / dim, 0.5 / dim)

    def forward(self, word: Tensor, context: Tensor) -> Tensor:
        found = [
            self.word.weight[i] @ self.context.weight[j]
            + self.word_bias.weight[i, 0]
            + self.context_bias.weight[j, 0]
            for i, j in zip(word.tolist(), context.tolist())
        ]
        return torch.stack(found)


# --- samples ------------------------------------------------------------------------------------

GRU = {"layer": dlbook.nn.GRU}


def texts(g: Generator) -> Iterable[Sample]:
    x = integers(g, 5, 2, 4)
    h, c = normal(g, 1, 2, 3), normal(g, 1, 2, 3)
    yield Sample("one-hot", (5, 3), inputs=(x,))
    yield Sample("embedded", (5, 3), {"embedding_dim": 2}, inputs=(x, (h, c)))
    yield Sample("gated", (5, 3), {**GRU, "embedding_dim": 2, "num_layers": 2}, inputs=(x,))
    yield Sample("plain", (5, 3), {"layer": dlbook.nn.RNN}, inputs=(x, h))
    yield Sample("one token", (5, 3), inputs=(x[:, :1],))


def read(*shape: int, lengths: bool = True) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        yield Sample("plain", (3, 4, 2), inputs=(normal(g, *shape),))
        yield Sample("gated", (3, 4, 2), GRU, inputs=(normal(g, *shape),))
        if lengths:
            yield Sample("lengths", (3, 4, 2), inputs=(normal(g, *shape), [2, 4, 1]))

    return samples


def both_ways(g: Generator) -> Iterable[Sample]:
    yield from read(3, 4, 3)(g)
    more = {"bidirectional": True}
    yield Sample("both ways", (3, 4, 2), more, inputs=(normal(g, 3, 4, 3), [4, 1, 3]))


def written(g: Generator) -> Iterable[Sample]:
    previous = integers(g, 6, 2, 4)
    yield Sample("plain", (3, 4, 6, 2), inputs=(normal(g, 2, 3), previous))
    yield Sample("gated", (3, 4, 6, 2), GRU, inputs=(normal(g, 2, 3), previous))


def rewritten(g: Generator) -> Iterable[Sample]:
    source, previous = integers(g, 7, 2, 3), integers(g, 6, 2, 4)
    yield Sample("plain", (7, 4, 6, 2), inputs=(source, previous))
    yield Sample("gated, lengths", (7, 4, 6, 2), GRU, inputs=(source, previous, [1, 3]))


def encoded(g: Generator) -> Iterable[Sample]:
    x = 1 + integers(g, 6, 3, 4)
    yield Sample("lengths", (7, 2, 3), inputs=(x, torch.tensor([2, 4, 1])))
    yield Sample("full", (7, 2, 3), inputs=(x, torch.tensor([4, 4, 4])))


def decoded(g: Generator) -> Iterable[Sample]:
    inputs = integers(g, 6, 2, 3), normal(g, 2, 4, 5), normal(g, 2, 3)
    hidden = torch.tensor([[False, False, True, True], [False] * 4])
    yield Sample("all seen", (6, 2, 3, 5, 4), inputs=inputs)
    yield Sample("padding", (6, 2, 3, 5, 4), inputs=(*inputs, hidden))


def translated(g: Generator) -> Iterable[Sample]:
    inputs = 1 + integers(g, 6, 2, 4), torch.tensor([4, 2]), integers(g, 5, 2, 4)
    yield Sample("padded", (7, 5, 2, 3, 4), inputs=inputs)


def guesses(g: Generator) -> Iterable[Sample]:
    inputs = integers(g, 6, 4), integers(g, 6, 4), integers(g, 6, 4, 3)
    yield Sample("batch", (6, 3), inputs=inputs)
    yield Sample("one pair", (6, 3), inputs=tuple(i[:1] for i in inputs))


def counted(g: Generator) -> Iterable[Sample]:
    yield Sample("batch", (6, 3), inputs=(integers(g, 6, 4), integers(g, 6, 4)))


def module(name: str, reference: Any, samples: Samples, formula: str, stem: str, *bad: Bad) -> Row:
    return Row(f"models.{name}", reference, samples, formula, stem, kind="module", bad=bad)


V = torch.zeros(4, 3, dtype=torch.float64)
N = torch.zeros(4, 2, 3, dtype=torch.float64)
TOKENS = torch.zeros(2, 3, dtype=torch.int64)
RECURRENT, EMBEDDINGS, ATTENTION = "recurrent", "embeddings", "attention"

ROWS = [
    module(
        "CharRNN",
        LanguageModel,
        texts,
        r"\log P(x_{t+1}) = \log\operatorname{softmax}(W h_t + b)",
        RECURRENT,
        Bad("CharRNN: expected at least one token, got 0", (0, 4)),
        Bad("CharRNN: expected tokens (B, T), got shape (3,)", (4, 4), {}, (TOKENS[0],)),
    ),
    module("OneToOne", one_to_one, read(2, 3, lengths=False), r"y = W h_1 + b", RECURRENT),
    module("ManyToOne", Ends, read(3, 4, 3), r"y = W h_T + b", RECURRENT),
    module("ManyToManyAligned", aligned, both_ways, r"y_t = W h_t + b", RECURRENT),
    module("OneToMany", Writer, written, r"z_t = W h_t + b, \quad h_0 = \tanh(W_s x)", RECURRENT),
    module("ManyToManyUnaligned", ReaderAndWriter, rewritten, r"z_t = W h_t + b", RECURRENT),
    Row(
        "models.negative_sampling_loss",
        noise_by_loops,
        calls(
            ("batch", lambda g: (normal(g, 4, 3), normal(g, 4, 3), normal(g, 4, 5, 3))),
            ("one", lambda g: (normal(g, 1, 1), normal(g, 1, 1), normal(g, 1, 1, 1))),
            ("no noise", lambda g: (normal(g, 2, 3), normal(g, 2, 3), normal(g, 2, 0, 3))),
            ("far!", lambda g: (5 * normal(g, 2, 3), normal(g, 2, 3), normal(g, 2, 4, 3))),
        ),
        r"\ell = -\log\sigma(u_o \cdot v_c) - \textstyle\sum_k \log\sigma(-u_k \cdot v_c)",
        EMBEDDINGS,
        bad=(
            Bad("expected context of shape (4, 3) and noise of shape (4, K, 3)", (V, V[:2], N)),
            Bad("expected context of shape (4, 3)", (V, V, N[..., :2])),
        ),
        note="Our own name: PyTorch has no such loss",
    ),
    module("SkipGram", Guesser, guesses, r"\ell(v_c, u_o, u_{n_1}, \dots)", EMBEDDINGS),
    Row(
        "models.glove_loss",
        squares_by_loops,
        calls(
            ("batch", lambda g: (normal(g, 6), uniform(g, 0.1, 300.0, 6))),
            ("one", lambda g: (normal(g, 1), uniform(g, 0.1, 300.0, 1))),
            ("empty!", lambda g: (normal(g, 0), normal(g, 0))),
        ),
        r"J = \textstyle\sum f(X) (\hat z - \log X)^2",
        EMBEDDINGS,
        constant=(1,),
        bad=(
            Bad("glove_loss: expected a count for each prediction", (V[:, 0], V[:2, 0])),
            Bad("glove_loss: expected x_max above 0, got 0", (V[:, 0], V[:, 0]), {"x_max": 0}),
        ),
        note="Our own name: PyTorch has no such loss",
    ),
    module("GloVe", Counter, counted, r"\hat z = w_i \cdot \tilde w_j + b_i + b_j", EMBEDDINGS),
    module("BidirectionalEncoder", Encoder, encoded, r"h_s, \quad s_0 = \tanh(W h_1)", ATTENTION),
    module("AttentionDecoder", Decoder, decoded, r"z_t = W (s_t, E_{y_{t-1}}, c_t) + b", ATTENTION),
    module(
        "Seq2Seq",
        Translator,
        translated,
        r"\textstyle\prod_t P(y_t \mid y_{<t}, x)",
        ATTENTION,
        Bad(
            "Seq2Seq: expected a length for each of the 2 sources, got lengths of shape (1,)",
            (5, 5, 2, 3),
            {},
            (TOKENS, torch.ones(1, dtype=torch.int64), TOKENS),
        ),
    ),
]
