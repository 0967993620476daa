"""Rows for autoencoders, variational ones too: the same by loops, or from PyTorch's modules."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

import dlbook.nn
from dlbook.models import vae
from dlbook.testing._row import Bad, Row, Sample, Samples, away, calls, integers, normal, uniform

X = torch.zeros(2, 3, dtype=torch.float64)
OURS = "Our own name: PyTorch has no such function"

# --- formulas, number by number -----------------------------------------------------------------


def examples(x: Tensor) -> Iterable[list[Tensor]]:
    """The numbers of each example."""
    return ([*row.reshape(-1)] for row in x)


def added(each: Iterable[Tensor], x: Tensor) -> Tensor:
    """Numbers for examples as one tensor, also if there are none."""
    found = list(each)
    return torch.stack(found) if found else x.reshape(0) * 0


def coins(logits: Tensor, target: Tensor) -> Tensor:
    totals = []
    for scores, wanted in zip(examples(logits), examples(target)):
        total = logits.new_zeros(())
        for a, x in zip(scores, wanted):
            white, black = functional.logsigmoid(a), functional.logsigmoid(-a)
            total = total + x * white + (1 - x) * black
        totals.append(total)
    return added(totals, logits)


def bells(mean: Tensor, target: Tensor, log_std: Tensor) -> Tensor:
    totals = []
    widths = log_std.expand(mean.shape)
    for m, x, s in zip(examples(mean), examples(target), examples(widths)):
        density = mean.new_zeros(())
        for a, b, c in zip(m, x, s):
            density = density - ((b - a) / c.exp()) ** 2 / 2 - math.log(math.sqrt(2 * math.pi)) - c
        totals.append(density)
    return added(totals, mean)


def divergence(
    mean: Tensor,
    log_variance: Tensor,
    prior_mean: Tensor | None = None,
    prior_log_variance: Tensor | None = None,
) -> Tensor:
    none = torch.zeros_like(mean)
    m = none if prior_mean is None else prior_mean.expand(mean.shape)
    w = none if prior_log_variance is None else prior_log_variance.expand(mean.shape)
    totals = []
    for each in zip(*map(examples, (mean, log_variance, m, w))):
        total = mean.new_zeros(())
        for a, v, b, u in zip(*each):
            total = total + (u - v) / 2 + (v.exp() + (a - b) ** 2) / (2 * u.exp()) - 0.5
        totals.append(total)
    return added(totals, mean)


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    rows = [
        mean.reshape(-1)[i] + torch.sqrt(torch.exp(log_variance.reshape(-1)[i])) * e
        for row in noise.reshape(-1, mean.numel())
        for i, e in enumerate(row)
    ]
    return torch.stack(rows).reshape(noise.shape)


def log_mean(log_weights: Tensor, dim: int = 0) -> Tensor:
    return torch.logsumexp(log_weights, dim) - math.log(log_weights.shape[dim])


def absolute(code: Tensor) -> Tensor:
    total = code.new_zeros(())
    for x in code.reshape(-1):
        total = total + (x if x > 0 else -x if x < 0 else 0 * x)
    return total / len(code)


def shares(code: Tensor, rho: float = 0.05) -> Tensor:
    total = code.new_zeros(())
    for unit in code.reshape(len(code), -1).T:
        on = sum(unit, start=code.new_zeros(())) / len(unit)
        for wanted, found in ((rho, on), (1 - rho, 1 - on)):
            total = total + wanted * torch.log(wanted / found)
    return total


def lengths(slope: Tensor, weight: Tensor) -> Tensor:
    total = slope.new_zeros(())
    for row in slope:
        jacobian = torch.diag(row) @ weight
        total = total + torch.linalg.matrix_norm(jacobian) ** 2
    return total / len(slope)


def bumpy(input: Tensor, std: float, training: bool = True) -> Tensor:
    return input + std * torch.randn_like(input) if training and std else input


def holed(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    if not training or p == 0:
        return input
    return torch.bernoulli(torch.full_like(input, 1 - p)) * input


def grained(
    input: Tensor, p: float = 0.5, low: float = 0.0, high: float = 1.0, training: bool = True
) -> Tensor:
    if not training or p == 0:
        return input
    kept = torch.empty_like(input).bernoulli_(1 - p)
    heads = torch.empty_like(input).bernoulli_(0.5)
    return torch.where(kept > 0, input, torch.where(heads > 0, high, low).to(input.dtype))


# --- networks from PyTorch's modules ------------------------------------------------------------


class Calls(nn.Module):
    """A function with settings, as a module that heeds its mode."""

    def __init__(self, function: Callable[..., Tensor], *settings: float) -> None:
        super().__init__()
        self.function, self.settings = function, settings

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.settings, training=self.training)


class Pair(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor) -> Any:
        return self.decoder(self.encoder(x))


def stack(sizes: Sequence[int], activation: Any, last: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), getattr(nn, activation.__name__)()]
    return nn.Sequential(*layers if last else layers[:-1])


def narrow(in_features: int, code_size: int) -> nn.Module:
    return Pair(nn.Linear(in_features, code_size), nn.Linear(code_size, in_features))


def deep(sizes: Sequence[int], activation_layer: Any = nn.ReLU) -> nn.Module:
    return Pair(stack(sizes, activation_layer), stack(sizes[::-1], activation_layer))


def halved(channels: int, size: int, widths: Sequence[int], code: int) -> tuple[list[Any], ...]:
    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for i, o in pairwise([channels, *widths]):
        down += [nn.Conv2d(i, o, 4, 2, 1), nn.ReLU()]
    small = size // 2 ** len(widths)
    up += [nn.Linear(code, widths[-1] * small**2), nn.ReLU()]
    up += [nn.Unflatten(1, (widths[-1], small, small))]
    for i, o in pairwise([*widths[::-1], channels]):
        up += [nn.ConvTranspose2d(i, o, 4, 2, 1), nn.ReLU()]
    return [*down, nn.Flatten()], up[:-1]


def convolutional(channels: int, size: int, widths: Sequence[int], code: int) -> nn.Module:
    down, up = halved(channels, size, widths, code)
    features = widths[-1] * (size // 2 ** len(widths)) ** 2
    return Pair(nn.Sequential(*down, nn.Linear(features, code)), nn.Sequential(*up))


class Contracted(Pair):
    """The Jacobian of every example, written out."""

    def __init__(self, in_features: int, code_size: int) -> None:
        super().__init__(nn.Linear(in_features, code_size), nn.Linear(code_size, in_features))

    def forward(self, x: Tensor) -> Any:
        h = torch.sigmoid(self.encoder(x))
        weight: Any = self.encoder.weight
        return self.decoder(h), h, lengths(h * (1 - h), weight)


class Told(nn.Module):
    def __init__(self, network: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.network, self.num_classes = network, num_classes

    def forward(self, x: Tensor, classes: Tensor) -> Any:
        return self.network(torch.cat([x, torch.eye(self.num_classes).to(x)[classes]], -1))


class Variational(nn.Module):
    def __init__(self, encoder: Any, decoder: Any, features: int, size: int, meaning: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.mean, self.log_variance = nn.Linear(features, size), nn.Linear(features, size)
        self.decoder = decoder
        self.likelihood = meaning

    def forward(self, x: Tensor, *given: Tensor) -> Any:
        features = self.encoder(x, *given)
        mean, log_variance = self.mean(features), self.log_variance(features)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        return self.decoder(z, *given), mean, log_variance, z


def dense(sizes: Any, size: int, meaning: Any, activation_layer: Any = nn.ReLU) -> nn.Module:
    encoder = stack(sizes, activation_layer, True)
    decoder = stack([size, *sizes[::-1]], activation_layer)
    return Variational(encoder, decoder, sizes[-1], size, Meaning(meaning))


def images(channels: int, side: int, widths: Sequence[int], size: int, meaning: Any) -> nn.Module:
    down, up = halved(channels, side, widths, size)
    features = widths[-1] * (side // 2 ** len(widths)) ** 2
    network = nn.Sequential(*down), nn.Sequential(*up)
    return Variational(*network, features, size, Meaning(meaning))


def conditional(
    sizes: Any, size: int, classes: int, meaning: Any, activation_layer: Any = nn.ReLU
) -> nn.Module:
    first, *more = sizes
    encoder = stack([first + classes, *more], activation_layer, True)
    decoder = stack([size + classes, *sizes[::-1]], activation_layer)
    network = Told(encoder, classes), Told(decoder, classes)
    return Variational(*network, sizes[-1], size, Meaning(meaning))


class Meaning(nn.Module):
    """Ours under other formulas, so that the rows of the networks do not lean on them."""

    def __init__(self, of: nn.Module) -> None:
        super().__init__()
        held = getattr(of, "log_std", None)
        if held is not None:
            self.log_std = nn.Parameter(held.detach().clone(), held.requires_grad)

    def forward(self, parameters: Tensor, target: Tensor) -> Tensor:
        if hasattr(self, "log_std"):
            return bells(parameters, target, self.log_std)
        return coins(parameters, target)


def gaussian(std: float = 1.0, learn_std: bool = False) -> nn.Module:
    return Meaning(vae.GaussianLikelihood(std, learn_std))


class Weighed(nn.Module):
    def forward(self, log_weights: Tensor, target: Tensor) -> Tensor:
        return -log_mean(log_weights).mean()


# --- samples ------------------------------------------------------------------------------------


def made(*found: tuple[str, tuple[Any, ...], tuple[int, ...], bool]) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        for label, args, shape, smooth in found:
            yield Sample(label, args, inputs=(normal(g, *shape),), smooth=smooth)

    return samples


def variational(*found: tuple[str, tuple[Any, ...], tuple[int, ...], bool]) -> Samples:
    """As above, with images of coins."""

    def samples(g: Generator) -> Iterable[Sample]:
        for label, args, shape, smooth in found:
            yield Sample(label, args, inputs=(uniform(g, 0.0, 1.0, *shape),), smooth=smooth)

    return samples


def with_classes(g: Generator) -> Iterable[Sample]:
    args = (5, 4), 2, 3, vae.BernoulliLikelihood(), dlbook.nn.Tanh
    yield Sample("coins", args, inputs=(uniform(g, 0.0, 1.0, 4, 5), integers(g, 3, 4)))
    more = (5, 6, 4), 1, 3, vae.GaussianLikelihood(0.5, True), dlbook.nn.Tanh
    yield Sample("Gaussians", more, inputs=(normal(g, 4, 5), integers(g, 3, 4)))


def judged(g: Generator) -> Iterable[Sample]:
    parameters = normal(g, 3, 4), uniform(g, 0.0, 1.0, 3, 4)
    yield Sample("rows", inputs=parameters)
    yield Sample("images", inputs=(normal(g, 2, 1, 3, 2), uniform(g, 0.0, 1.0, 2, 1, 3, 2)))


def measured(g: Generator) -> Iterable[Sample]:
    yield Sample("trained", (0.5, True), inputs=(normal(g, 3, 4), normal(g, 3, 4)))
    yield Sample("images", (2.0, True), inputs=(normal(g, 2, 1, 3, 2), normal(g, 2, 1, 3, 2)))


def weighed(g: Generator) -> Iterable[Sample]:
    yield Sample("several", inputs=(normal(g, 5, 3), normal(g, 3, 4)))
    yield Sample("one", inputs=(normal(g, 1, 3), normal(g, 3, 4)))


# --- rows ---------------------------------------------------------------------------------------


def op(
    name: str, reference: Any, samples: Samples, formula: str, stem: str, *bad: Bad, **more: Any
) -> Row:
    more.setdefault("note", OURS)
    return Row(f"models.{name}", reference, samples, formula, stem, bad=bad, **more)


def module(name: str, reference: Any, samples: Samples, formula: str, stem: str, *bad: Bad) -> Row:
    return Row(f"models.{name}", reference, samples, formula, stem, kind="module", bad=bad)


def spoiling(*settings: tuple[Any, ...]) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        for args in settings:
            yield Sample(f"{args}", (normal(g, 3, 4), *args))
        yield Sample("0-d", (normal(g), *settings[0]))
        yield Sample("evaluation", (normal(g, 2, 3), *settings[0]), {"training": False})

    return samples


AE, VAE = "autoencoders", "vae"
COINS = vae.BernoulliLikelihood()
TANH = dlbook.nn.Tanh
NEGATIVE = Bad("expected a probability p from 0 to 1, got -0.5", (X, -0.5))

ROWS = [
    op(
        "gaussian_noise",
        bumpy,
        spoiling((0.25,), (2.0,), (0.0,)),
        r"y = x + \sigma \varepsilon",
        AE,
        Bad("gaussian_noise: expected std of 0 or more, got -1.0", (X, -1.0)),
    ),
    op("masking_noise", holed, spoiling((0.5,), (0.1,), (0.0,), (1.0,)), r"y = m x", AE, NEGATIVE),
    op(
        "salt_and_pepper_noise",
        grained,
        spoiling((0.5,), (0.3, -1.0, 2.0), (0.0,), (1.0,)),
        r"y = m x + (1 - m) (l + c\,(u - l))",
        AE,
        NEGATIVE,
    ),
    op(
        "l1_penalty",
        absolute,
        calls(
            ("batch", lambda g: (away(g, 3, 4),)),
            ("one", lambda g: (away(g, 1),)),
            ("images", lambda g: (away(g, 2, 3, 2, 2),)),
            ("transposed", lambda g: (away(g, 4, 3).T,)),
            ("kink!", lambda g: (torch.zeros(2, 2, dtype=torch.float64),)),
        ),
        r"\Omega = \tfrac1B \textstyle\sum_{nk} |h_{nk}|",
        AE,
        Bad("l1_penalty: expected a code of shape (B, …), got ()", (X.sum(),)),
    ),
    op(
        "kl_sparsity_penalty",
        shares,
        calls(
            ("batch", lambda g: (uniform(g, 0.05, 0.95, 3, 4),)),
            ("wanted", lambda g: (uniform(g, 0.05, 0.95, 3, 4), 0.3)),
            ("one", lambda g: (uniform(g, 0.05, 0.95, 1),)),
            ("images", lambda g: (uniform(g, 0.05, 0.95, 2, 3, 2, 2),)),
            ("transposed", lambda g: (uniform(g, 0.05, 0.95, 4, 3).T,)),
            ("rare!", lambda g: (uniform(g, 1e-9, 1e-6, 3, 4),)),
        ),
        r"\Omega = \textstyle\sum_k \operatorname{KL}(\rho \,\Vert\, \hat\rho_k)",
        AE,
        Bad("expected rho between 0 and 1, got 1.0", (X, 1.0)),
        Bad("expected a code from 0 to 1, got numbers from -1 to -1", (X - 1,)),
        Bad("expected a code of shape (B, …), got (0, 3)", (X[:0],)),
    ),
    op(
        "contractive_penalty",
        lengths,
        calls(
            ("batch", lambda g: (normal(g, 3, 4), normal(g, 4, 2))),
            ("one", lambda g: (normal(g, 1, 1), normal(g, 1, 1))),
            ("transposed", lambda g: (normal(g, 4, 3).T, normal(g, 2, 4).T)),
        ),
        r"\Omega = \tfrac1B \textstyle\sum_{nk} g'(z_{nk})^2 \lVert w_k \rVert^2",
        AE,
        Bad("expected slopes of shape (B, K) and weights of shape (K, D)", (X, X)),
    ),
    module(
        "GaussianNoise",
        lambda std: Calls(bumpy, std),
        made(("quarter", (0.25,), (3, 4), True), ("none", (0.0,), (3, 4), True)),
        r"y = x + \sigma \varepsilon",
        AE,
        Bad("GaussianNoise: expected std of 0 or more, got -1.0", (-1.0,)),
    ),
    module(
        "MaskingNoise",
        lambda *p: Calls(holed, *p),
        made(("half", (), (3, 4), True), ("few", (0.1,), (3, 4), True)),
        r"y = m x",
        AE,
        Bad("MaskingNoise: expected a probability p from 0 to 1, got 2.0", (2.0,)),
    ),
    module(
        "SaltAndPepperNoise",
        lambda *p: Calls(grained, *p),
        made(("half", (), (3, 4), True), ("other", (0.3, -1.0, 2.0), (3, 4), True)),
        r"y = m x + (1 - m) (l + c\,(u - l))",
        AE,
        Bad("SaltAndPepperNoise: expected a probability p from 0 to 1, got 2.0", (2.0,)),
    ),
    module(
        "LinearAutoencoder",
        narrow,
        made(("batch", (5, 2), (4, 5), True), ("one", (1, 1), (1, 1), True)),
        r"\hat x = W_d (W_e x + b_e) + b_d",
        AE,
        Bad("LinearAutoencoder: expected sizes of 1 or more, got 4 and 0", (4, 0)),
    ),
    module(
        "DeepAutoencoder",
        deep,
        made(
            ("batch", ((5, 4, 2), TANH), (4, 5), True),
            ("rectified", ((5, 6, 4, 2),), (4, 5), False),
        ),
        r"\hat x = d(e(x))",
        AE,
        Bad("DeepAutoencoder: expected two sizes or more, each of 1 or more, got (5,)", ((5,),)),
    ),
    module(
        "ConvAutoencoder",
        convolutional,
        made(
            ("once", (1, 4, (3,), 2), (2, 1, 4, 4), False),
            ("twice", (2, 8, (3, 4), 2), (2, 2, 8, 8), False),
        ),
        r"\hat x = d(e(x))",
        AE,
        Bad(
            "ConvAutoencoder: expected an image_size that is a multiple of 4, to be halved 2 "
            "times, got 6",
            (1, 6, (3, 4), 2),
        ),
        Bad("ConvAutoencoder: expected at least one width", (1, 8, (), 2)),
    ),
    module(
        "ContractiveAutoencoder",
        Contracted,
        made(("batch", (5, 3), (4, 5), True), ("wide", (2, 6), (3, 2), True)),
        r"\Omega = \tfrac1B \textstyle\sum_{nk} (h_{nk} (1 - h_{nk}))^2 \lVert w_k \rVert^2",
        AE,
        Bad("ContractiveAutoencoder: expected sizes of 1 or more, got 0 and 3", (0, 3)),
    ),
    op(
        "bernoulli_log_likelihood",
        coins,
        calls(
            ("rows", lambda g: (normal(g, 3, 4), uniform(g, 0.0, 1.0, 3, 4))),
            ("images", lambda g: (normal(g, 2, 1, 3, 2), uniform(g, 0.0, 1.0, 2, 1, 3, 2))),
            ("one", lambda g: (normal(g, 1, 1), uniform(g, 0.0, 1.0, 1, 1))),
            ("transposed", lambda g: (normal(g, 4, 3).T, uniform(g, 0.0, 1.0, 4, 3).T)),
            ("empty!", lambda g: (normal(g, 0, 3), normal(g, 0, 3))),
            ("large!", lambda g: (1000 * normal(g, 2, 3), integers(g, 2, 2, 3).double())),
        ),
        r"\textstyle\sum_d x_d a_d - \log(1 + e^{a_d})",
        VAE,
        Bad("expected logits and target of one shape (B, …), got (2, 3) and (2, 2)", (X, X[:, :2])),
        Bad("expected logits and target of one shape (B, …), got (3,) and (3,)", (X[0], X[0])),
    ),
    op(
        "gaussian_log_likelihood",
        bells,
        calls(
            ("rows", lambda g: (normal(g, 3, 4), normal(g, 3, 4), normal(g))),
            ("each", lambda g: (normal(g, 3, 4), normal(g, 3, 4), normal(g, 3, 4))),
            ("of features", lambda g: (normal(g, 3, 4), normal(g, 3, 4), normal(g, 4))),
            ("images", lambda g: (normal(g, 2, 3, 2), normal(g, 2, 3, 2), normal(g, 3, 1))),
            ("transposed", lambda g: (normal(g, 4, 3).T, normal(g, 4, 3).T, normal(g))),
            ("empty!", lambda g: (normal(g, 0, 3), normal(g, 0, 3), normal(g))),
            ("far!", lambda g: (1e3 * normal(g, 2, 3), normal(g, 2, 3), normal(g))),
        ),
        r"-\textstyle\sum_d \frac{(x_d - \mu_d)^2}{2 \sigma_d^2} + \log \sigma_d "
        r"+ \tfrac12 \log 2\pi",
        VAE,
        Bad("expected mean and target of one shape (B, …)", (X, X[:, :2], X.sum())),
        Bad("expected log_std of a shape that broadcasts to (2, 3), got (2,)", (X, X, X[:, 0])),
    ),
    op(
        "gaussian_kl",
        divergence,
        calls(
            ("from the standard", lambda g: (normal(g, 3, 2), normal(g, 3, 2))),
            ("from another", lambda g: tuple(normal(g, 3, 2) for _ in range(4))),
            ("from one", lambda g: (normal(g, 3, 2), normal(g, 3, 2), normal(g, 2), normal(g))),
            ("more axes", lambda g: (normal(g, 2, 3, 2), normal(g, 2, 3, 2))),
            ("transposed", lambda g: (normal(g, 4, 3).T, normal(g, 4, 3).T)),
            ("one", lambda g: (normal(g, 1, 1), normal(g, 1, 1))),
            ("empty!", lambda g: (normal(g, 0, 3), normal(g, 0, 3))),
            ("far!", lambda g: (1e3 * normal(g, 2, 3), 10 * normal(g, 2, 3))),
        ),
        r"\tfrac12 \textstyle\sum_k \frac{\sigma_k^2 + (\mu_k - m_k)^2}{s_k^2} "
        r"- \log \frac{\sigma_k^2}{s_k^2} - 1",
        VAE,
        Bad("expected mean and log_variance of one shape (B, …), got (2, 3) and (3,)", (X, X[0])),
        Bad("expected the prior's mean and log_variance, got one of them", (X, X, X)),
        Bad("expected a prior of a shape that broadcasts to (2, 3), got (2,)", (X, X, X, X[:, 0])),
    ),
    op(
        "reparameterize",
        drawn,
        calls(
            ("one draw", lambda g: tuple(normal(g, 3, 2) for _ in range(3))),
            ("several", lambda g: (normal(g, 3, 2), normal(g, 3, 2), normal(g, 4, 3, 2))),
            ("one", lambda g: (normal(g, 1), normal(g, 1), normal(g, 1))),
            ("transposed", lambda g: (normal(g, 2, 3).T, normal(g, 2, 3).T, normal(g, 3, 2))),
        ),
        r"z = \mu + \sigma \odot \varepsilon",
        VAE,
        Bad("reparameterize: expected mean, log_variance and noise of one shape", (X, X, X[0])),
    ),
    op(
        "importance_weighted_bound",
        log_mean,
        calls(
            ("samples", lambda g: (normal(g, 4, 3),)),
            ("other axis", lambda g: (normal(g, 4, 3), -1)),
            ("one", lambda g: (normal(g, 1, 3),)),
            ("0-d", lambda g: (normal(g, 5),)),
            ("transposed", lambda g: (normal(g, 4, 3).T,)),
            ("large!", lambda g: (1e4 * normal(g, 4, 3),)),
        ),
        r"\log \tfrac1S \textstyle\sum_s w_s",
        VAE,
        Bad("expected samples along axis 0, got weights of shape ()", (X.sum(),)),
        Bad("expected samples along axis 0, got weights of shape (0, 3)", (X[:0],)),
    ),
    module(
        "BernoulliLikelihood",
        lambda: Meaning(nn.Identity()),
        judged,
        r"\textstyle\sum_d x_d a_d - \log(1 + e^{a_d})",
        VAE,
    ),
    module(
        "GaussianLikelihood",
        gaussian,
        measured,
        r"\log \mathcal N(x; \mu, \sigma^2 I)",
        VAE,
        Bad("GaussianLikelihood: expected std above 0, got 0.0", (0.0,)),
    ),
    module(
        "ImportanceWeightedLoss",
        Weighed,
        weighed,
        r"-\tfrac1B \textstyle\sum_n \log \tfrac1S \sum_s w_{sn}",
        VAE,
    ),
    module(
        "DenseVAE",
        dense,
        variational(
            ("coins", ((5, 4), 2, COINS, TANH), (4, 5), True),
            ("Gaussians", ((5, 4, 3), 1, vae.GaussianLikelihood(0.5, True), TANH), (4, 5), True),
            ("rectified", ((5, 6), 2, COINS), (4, 5), False),
        ),
        r"z = \mu(x) + \sigma(x) \odot \varepsilon,\; x \sim p(x \mid d(z))",
        VAE,
        Bad("DenseVAE: expected two sizes or more, each of 1 or more", ((5,), 2, COINS)),
    ),
    module(
        "ConvVAE",
        images,
        variational(
            ("once", (1, 4, (3,), 2, COINS), (2, 1, 4, 4), False),
            ("twice", (2, 8, (3, 4), 2, COINS), (2, 2, 8, 8), False),
        ),
        r"z = \mu(x) + \sigma(x) \odot \varepsilon,\; x \sim p(x \mid d(z))",
        VAE,
        Bad("ConvVAE: expected an image_size that is a multiple of 4", (1, 6, (3, 4), 2, COINS)),
    ),
    module(
        "ConditionalVAE",
        conditional,
        with_classes,
        r"x \sim p(x \mid d(z, c))",
        VAE,
        Bad("ConditionalVAE: expected num_classes of 1 or more, got 0", ((5, 4), 2, 0, COINS)),
        Bad(
            "ConditionalVAE: expected inputs and their classes, got 1 tensors",
            ((3, 4), 2, 5, COINS),
            {},
            (X.float(),),
        ),
    ),
]
