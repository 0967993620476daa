"""Rows for games of two networks: losses by PyTorch's functions, networks by its modules."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, away, calls, integers, normal

STEM = "gans"
EMPTY = torch.zeros(0, dtype=torch.float64)


def logistic(scores: Tensor, answer: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, answer))


def squares(scores: Tensor, answer: float) -> Tensor:
    return functional.mse_loss(scores, torch.full_like(scores, answer)) / 2


def two() -> Samples:
    return calls(
        ("columns", lambda g: (normal(g, 5, 1), normal(g, 5, 1))),
        ("fewer samples", lambda g: (normal(g, 5), normal(g, 3))),
        ("patches", lambda g: (normal(g, 2, 1, 3, 3), normal(g, 2, 1, 3, 3))),
        ("0-d", lambda g: (normal(g), normal(g))),
        ("sure!", lambda g: (30 * normal(g, 4), 30 * normal(g, 4))),
    )


def one() -> Samples:
    return calls(
        ("column", lambda g: (normal(g, 5, 1),)),
        ("patches", lambda g: (normal(g, 2, 1, 3, 3),)),
        ("0-d", lambda g: (normal(g),)),
        ("sure!", lambda g: (30 * normal(g, 4),)),
    )


def loss(name: str, reference: Any, formula: str, *, players: int) -> Row:
    bad = [Bad(f"{name}: expected at least one score in fake, got shape (0,)", (EMPTY,) * players)]
    if players == 2:
        some = torch.zeros(2, dtype=torch.float64)
        bad = [
            Bad(f"{name}: expected at least one score in real, got shape (0,)", (EMPTY, some)),
            Bad(f"{name}: expected at least one score in fake, got shape (0,)", (some, EMPTY)),
        ]
    samples = two() if players == 2 else one()
    return Row(
        f"models.{name}",
        reference,
        samples,
        formula,
        STEM,
        bad=tuple(bad),
        note="Our own name: PyTorch has no such loss",
    )


class Normalised(nn.Module):
    """PyTorch's own, called with the weight."""

    def __new__(cls, weight: Tensor, n_power_iterations: int = 1, dim: int = 0) -> Any:
        layer = nn.Module()
        layer.weight = nn.Parameter(weight.clone())
        norm = nn.utils.parametrizations.spectral_norm
        norm(layer, "weight", n_power_iterations, dim=dim)
        return layer.get_submodule("parametrizations.weight.0")


def weights(g: Generator) -> Iterable[Sample]:
    for label, shape, settings in (
        ("matrix", (4, 3), {}),
        ("kernels", (4, 2, 3, 3), {}),
        ("transposed", (2, 4, 3, 3), {"dim": 1, "n_power_iterations": 2}),
    ):
        w = normal(g, *shape)
        # The vectors move on at every call: finite differences would see them move.
        yield Sample(label, (w,), settings, inputs=(w,), smooth=False)


# --- networks -----------------------------------------------------------------------------------


def drawn(module: nn.Module) -> None:
    """The paper's initial values, in the order of the modules."""
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    elif isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Up(nn.Module):
    """Two fractionally-strided convolutions from 2 × 2 to 8 × 8, kernels of 5 or 4."""

    def __init__(self, latent: int, channels: int, size: int, *, width: int, kernel: int) -> None:
        super().__init__()
        self.side = size // 4
        self.project = nn.Linear(latent, 2 * width * self.side**2, bias=False)
        self.norm = nn.BatchNorm2d(2 * width)
        self.relu = nn.ReLU()
        padding, more = (2, 1) if kernel == 5 else (1, 0)
        settings: dict[str, Any] = {"stride": 2, "padding": padding, "output_padding": more}
        self.fractionally_strided = nn.Sequential(
            nn.ConvTranspose2d(2 * width, width, kernel, bias=False, **settings),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, kernel, **settings),
            nn.Tanh(),
        )
        self.apply(drawn)

    def forward(self, z: Tensor) -> Tensor:
        maps = self.project(z).unflatten(1, (-1, self.side, self.side))
        x: Tensor = self.fractionally_strided(functional.relu(self.norm(maps)))
        return x


class Down(nn.Module):
    def __init__(
        self, channels: int, size: int, *, width: int, kernel: int, norm: bool = True
    ) -> None:
        super().__init__()
        settings: dict[str, Any] = {"stride": 2, "padding": (kernel - 1) // 2}
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, kernel, **settings),
            nn.LeakyReLU(0.2),
        ]
        layers.append(nn.Conv2d(width, 2 * width, kernel, bias=not norm, **settings))
        layers += [nn.BatchNorm2d(2 * width)] if norm else []
        self.strided = nn.Sequential(*layers, nn.LeakyReLU(0.2))
        self.score = nn.Linear(2 * width * (size // 4) ** 2, 1)
        self.apply(drawn)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.score(self.strided(x).flatten(1))
        return scores


def up(latent: int, channels: int, size: int, *, width: int, layers: int, kernel_size: int) -> Up:
    return Up(latent, channels, size, width=width, kernel=kernel_size)


def down(
    channels: int, size: int, *, width: int, layers: int, kernel_size: int, norm_layer: Any = 1
) -> Down:
    norm = norm_layer is not None
    return Down(channels, size, width=width, kernel=kernel_size, norm=norm)


class Reader(nn.Module):
    """One text after the other, without its padding."""

    def __init__(self, vocabulary: int, features: int, units: int, padding: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features, padding_idx=padding)
        self.gru = nn.GRU(features, units, batch_first=True)
        self.padding = padding

    def forward(self, tokens: Tensor) -> Tensor:
        last = []
        for text in tokens:
            some = text[text != self.padding]
            last.append(self.gru(self.embedding(some)[None])[1][0, 0])
        return torch.stack(last)


class Given(nn.Module):
    """The condition's vector as more features, or as more channels, pixel by pixel."""

    def __init__(self, encoder: nn.Module, player: nn.Module, name: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.name = name
        self.add_module(name, player)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        vectors = self.encoder(condition)
        if x.dim() == 4:
            ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
            vectors = vectors[:, :, None, None] * ones
        made: Tensor = self.get_submodule(self.name)(torch.cat([x, vectors], 1))
        return made


def with_condition(cls: str) -> Any:
    """The reference of one of the two classes: a copy of the players that it is given."""
    name = cls.removeprefix("Conditional").lower()

    def build(encoder: nn.Module, player: nn.Module) -> nn.Module:
        return Given(copy.deepcopy(encoder), copy.deepcopy(player), name)

    return build


def players(*shape: int, last: nn.Module) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        encoder = nn.Embedding(5, 2, dtype=torch.float64)
        with torch.no_grad():
            for p in (*encoder.parameters(), *last.parameters()):
                p.copy_(normal(g, *p.shape))
        inputs = (normal(g, *shape), integers(g, 5, shape[0]))
        yield Sample("classes", (encoder, last), inputs=inputs)

    return samples


def noise(g: Generator) -> Iterable[Sample]:
    for label, kernel in (("kernels of 5", 5), ("kernels of 4", 4)):
        settings = {"width": 2, "layers": 2, "kernel_size": kernel}
        yield Sample(label, (3, 2, 8), settings, inputs=(normal(g, 4, 3),), smooth=False)


def images(g: Generator) -> Iterable[Sample]:
    for label, more in (
        ("kernels of 5", {"kernel_size": 5}),
        ("kernels of 4", {"kernel_size": 4}),
        ("not normalised", {"kernel_size": 4, "norm_layer": None}),
    ):
        settings = {"width": 2, "layers": 2, **more}
        yield Sample(label, (2, 8), settings, inputs=(normal(g, 4, 2, 8, 8),), smooth=False)


def phrases(g: Generator) -> Iterable[Sample]:
    yield Sample(
        "of two lengths", (6, 3, 4), inputs=(torch.tensor([[1, 2, 3], [4, 5, 0], [2, 0, 0]]),)
    )
    yield Sample("one word", (6, 3, 4), inputs=(torch.tensor([[5]]),))


class Drawer(nn.Module):
    """A U-Net of depth 3, written out."""

    def __init__(
        self, inputs: int, outputs: int, w: int = 2, depth: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        halve: dict[str, Any] = {"kernel_size": 4, "stride": 2, "padding": 1}
        self.down = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(inputs, w, **halve)),
                nn.Sequential(
                    nn.LeakyReLU(0.2),
                    nn.Conv2d(w, 2 * w, bias=False, **halve),
                    nn.BatchNorm2d(2 * w),
                ),
                nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(2 * w, 4 * w, **halve)),
            ]
        )
        drop = [nn.Dropout(dropout)] if dropout else []
        self.up = nn.ModuleList(
            [
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(4 * w, 2 * w, bias=False, **halve),
                    nn.BatchNorm2d(2 * w),
                    *drop,
                ),
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(4 * w, w, bias=False, **halve),
                    nn.BatchNorm2d(w),
                    *drop,
                ),
                nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * w, outputs, **halve), nn.Tanh()),
            ]
        )

    def forward(self, y: Tensor) -> Tensor:
        first = self.down[0](y)
        second = self.down[1](first)
        third = self.up[0](self.down[2](second))
        x: Tensor = self.up[1](torch.cat([third, second], 1))
        x = self.up[2](torch.cat([x, first], 1))
        return x


class Patches(nn.Module):
    def __init__(self, inputs: int, w: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Sequential(
            nn.Conv2d(inputs, w, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(w, 2 * w, 4, 1, 1, bias=False),
            nn.BatchNorm2d(2 * w),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * w, 1, 4, 1, 1),
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scores: Tensor = self.patches(torch.cat([x, condition], 1))
        return scores


def drawings(g: Generator) -> Iterable[Sample]:
    y = normal(g, 2, 1, 8, 16)
    yield Sample("no dropout", (1, 2, 2, 3, 0.0), inputs=(y,), smooth=False)
    yield Sample("dropout", (1, 2, 2, 3, 0.3), inputs=(y,), smooth=False)


def pairs(g: Generator) -> Iterable[Sample]:
    inputs = (normal(g, 2, 1, 12, 10), normal(g, 2, 2, 12, 10))
    yield Sample("one strided layer", (3, 2, 1), inputs=inputs, smooth=False)


def three(g: Generator) -> tuple[Tensor, Tensor, Tensor]:
    x = normal(g, 2, 1, 4, 4)
    return normal(g, 2, 1, 3, 3), x, x + away(g, 2, 1, 4, 4)


def network(name: str, reference: Any, samples: Samples, formula: str, *bad: Bad) -> Row:
    return Row(f"models.{name}", reference, samples, formula, STEM, kind="module", bad=bad)


Z = torch.zeros(2, 3, dtype=torch.float64)
TOKENS = torch.zeros(2, 3, dtype=torch.int64)
TINY = {"width": 2, "layers": 2}

ROWS = [
    network(
        "DCGANGenerator",
        up,
        noise,
        r"x = \tanh(w \star^\top \cdots g(\operatorname{norm}(W z)))",
        Bad("expected a size that can be halved 2 times", (3, 2, 6), TINY),
        Bad("expected a kernel_size of 2 or more, got 1", (3, 2, 8), {**TINY, "kernel_size": 1}),
        Bad("DCGANGenerator: expected z of shape (B, 4), got (2, 3)", (4, 2, 8), TINY, (Z,)),
    ),
    network(
        "DCGANDiscriminator",
        down,
        images,
        r"s = w \cdot g(\operatorname{norm}(w \star \cdots x)) + b",
        Bad("expected a size that can be halved 2 times", (2, 6), TINY),
        Bad("DCGANDiscriminator: expected images of shape (B, 2, 8, 8)", (2, 8), TINY, (Z,)),
    ),
    network(
        "UNetGenerator",
        Drawer,
        drawings,
        r"x = \tanh(v_1 \star^\top \max(0, (u_2, d_1)) + b)",
        Bad("expected a width of 1 or more and a depth of 2 or more, got 4 and 1", (1, 1, 4, 1)),
        Bad("sides can be halved 2 times, got (2, 3)", (1, 1, 4, 2), {}, (Z,)),
    ),
    network(
        "PatchDiscriminator",
        Patches,
        pairs,
        r"s_{ij} = D(x_{ij}, y_{ij})",
        Bad("expected a width and layers of 1 or more, got 4 and 0", (2, 4, 0)),
        Bad("with 3 channels together, got (2, 3) and (2, 3)", (3, 2, 1), {}, (Z, Z)),
    ),
    Row(
        "models.pix2pix_generator_loss",
        lambda fake, x, t, weight=100.0: logistic(fake, 1.0) + weight * functional.l1_loss(x, t),
        calls(("patches", three)),
        r"\ell_G = -\mathbb E \log\sigma(\tilde s) + \lambda\, \mathbb E |G(y) - x|",
        STEM,
        bad=(
            Bad("expected at least one score in fake, got shape (0,)", (EMPTY, Z, Z)),
            Bad("expected target of output's shape (2, 3), got (0,)", (Z, Z, EMPTY)),
            Bad("expected a weight of 0 or more, got -1", (Z, Z, Z), {"weight": -1.0}),
        ),
        note="Our own name: PyTorch has no such loss",
    ),
    network(
        "PhraseEncoder",
        Reader,
        phrases,
        r"c = h_T, \quad h_t = \operatorname{GRU}(E_{w_t}, h_{t-1})",
        Bad("PhraseEncoder: expected tokens (B, T), got shape (3,)", (4, 2, 2), {}, (TOKENS[0],)),
        Bad("expected one token or more in each text", (4, 2, 2), {}, (TOKENS,)),
    ),
    network(
        "ConditionalGenerator",
        with_condition("ConditionalGenerator"),
        players(3, 4, last=nn.Linear(6, 3, dtype=torch.float64)),
        r"x = G(z, c(y))",
        Bad(
            "ConditionalGenerator: expected a condition for each of the 2 examples, got shape (3,)",
            (nn.Identity(), nn.Identity()),
            {},
            (Z, TOKENS[0]),
        ),
    ),
    network(
        "ConditionalDiscriminator",
        with_condition("ConditionalDiscriminator"),
        players(3, 1, 4, 4, last=nn.Conv2d(3, 1, 4, dtype=torch.float64)),
        r"s = D(x, c(y))",
        Bad(
            "expected a condition for each of the 2 examples, got shape ()",
            (nn.Identity(), nn.Identity()),
            {},
            (Z, TOKENS[0, 0]),
        ),
    ),
    loss(
        "discriminator_loss",
        lambda real, fake: logistic(real, 1.0) + logistic(fake, 0.0),
        r"\ell_D = -\mathbb E \log\sigma(s) - \mathbb E \log(1 - \sigma(\tilde s))",
        players=2,
    ),
    loss(
        "minimax_generator_loss",
        lambda fake: -logistic(fake, 0.0),
        r"\ell_G = \mathbb E \log(1 - \sigma(\tilde s))",
        players=1,
    ),
    loss(
        "non_saturating_generator_loss",
        lambda fake: logistic(fake, 1.0),
        r"\ell_G = -\mathbb E \log\sigma(\tilde s)",
        players=1,
    ),
    loss(
        "least_squares_discriminator_loss",
        lambda real, fake: squares(real, 1.0) + squares(fake, 0.0),
        r"\ell_D = \tfrac12 \mathbb E (s - 1)^2 + \tfrac12 \mathbb E \tilde s^2",
        players=2,
    ),
    loss(
        "least_squares_generator_loss",
        lambda fake: squares(fake, 1.0),
        r"\ell_G = \tfrac12 \mathbb E (\tilde s - 1)^2",
        players=1,
    ),
    loss(
        "wasserstein_critic_loss",
        lambda real, fake: fake.mean() - real.mean(),
        r"\ell_D = \mathbb E \tilde s - \mathbb E s",
        players=2,
    ),
    loss(
        "wasserstein_generator_loss",
        lambda fake: -fake.mean(),
        r"\ell_G = -\mathbb E \tilde s",
        players=1,
    ),
    Row(
        "models.SpectralNorm",
        Normalised,
        weights,
        r"\bar W = W / \sigma(W), \quad \sigma \approx u^\top W v",
        STEM,
        kind="module",
        bad=(
            Bad("SpectralNorm: expected a weight of two axes or more, got (0,)", (EMPTY,)),
            Bad(
                "SpectralNorm: expected n_power_iterations of 1 or more, got 0",
                (torch.eye(2, dtype=torch.float64), 0),
            ),
            Bad(
                "SpectralNorm: expected an axis of a weight of shape (2, 2), got 2",
                (torch.eye(2, dtype=torch.float64), 1, 2),
            ),
        ),
    ),
]
