"""Games of two networks: losses against their optima, the penalty, spectral normalisation."""

import math

import pytest
import torch
from torch import Tensor

from dlbook import nn, optim
from dlbook.data import mixtures
from dlbook.models import (
    GAMES,
    MLP,
    discriminator_loss,
    gradient_penalty,
    least_squares_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_discriminator,
    optimal_value,
    spectral_norm,
    wasserstein_critic_loss,
)

LOG4 = math.log(4)


def gaussian(x: Tensor, mean: float, sigma: float) -> Tensor:
    return torch.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))


def quantiles(n: int, mean: float, sigma: float) -> Tensor:
    """Points that stand for a Gaussian: each for the same share of it."""
    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return mean + sigma * torch.special.ndtri(u)[:, None]


def train(loss: object, real: Tensor, fake: Tensor, steps: int = 400) -> tuple[MLP, float]:
    torch.manual_seed(0)
    critic = MLP((1, 16, 16, 1), nn.Tanh).double()
    optimizer = optim.Adam(critic.parameters(), lr=0.01)
    value = torch.tensor(0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / steps)
        optimizer.zero_grad()
        value = loss(critic(real), critic(fake))  # type: ignore[operator]
        value.backward()
        optimizer.step()
    return critic, value.item()


# Two densities that overlap, and of different widths.
P, Q = (-1.0, 0.7), (0.8, 1.0)
GRID = torch.linspace(-8, 8, 4001, dtype=torch.float64)
SPACING = (GRID[1] - GRID[0]).item()


@pytest.mark.parametrize("game", ["non-saturating", "least squares"])
def test_a_trained_discriminator_meets_the_formula(game: str) -> None:
    """p / (p + q), and the value of the game that goes with it."""
    loss = GAMES[game].discriminator
    critic, last = train(loss, quantiles(300, *P), quantiles(300, *Q))
    p, q = gaussian(GRID, *P), gaussian(GRID, *Q)
    seen = (p + q) > 0.02
    scores = critic(GRID[:, None])[:, 0].detach()
    found = scores.sigmoid() if game == "non-saturating" else scores
    wanted = optimal_discriminator(p, q)
    assert (found - wanted)[seen].abs().max() < 0.03
    if game == "non-saturating":
        value = optimal_value(p, q, SPACING).item()
        assert -LOG4 < value < -0.5
        assert -last == pytest.approx(value, abs=0.01)
        best = discriminator_loss(*(torch.logit(optimal_discriminator(*at)) for at in pairs()))
        assert -best.item() == pytest.approx(value, abs=1e-3)


def pairs() -> list[tuple[Tensor, Tensor]]:
    """Both densities at points that stand for the data, then at points that stand for samples."""
    points = quantiles(4000, *P), quantiles(4000, *Q)
    return [(gaussian(x, *P), gaussian(x, *Q)) for x in points]


def test_no_other_scores_are_better() -> None:
    """Steps away from the optimum cost, in any direction."""
    g = torch.Generator().manual_seed(0)
    real, fake = (torch.logit(optimal_discriminator(*at)) for at in pairs())
    best = discriminator_loss(real, fake)
    for _ in range(5):
        a, b, c = (0.3 * torch.randn(3, generator=g)).tolist()
        x, y = quantiles(4000, *P), quantiles(4000, *Q)
        other = discriminator_loss(real + a + b * x + c * x.sin(), fake + a + b * y + c * y.sin())
        assert other > best + 1e-5


def test_the_value_at_equilibrium_is_minus_log_4() -> None:
    p = gaussian(GRID, *P)
    assert optimal_value(p, p, SPACING).item() == pytest.approx(-LOG4, abs=1e-9)
    assert bool((optimal_discriminator(p, p) == 0.5).all())
    # No discriminator can do better between samples of the very same distribution, ...
    same = quantiles(300, *P)
    _, last = train(discriminator_loss, same, same, 200)
    assert -last == pytest.approx(-LOG4, abs=1e-3)
    # ... and the further off the samples are, the more the game is worth to it.
    values = [optimal_value(p, gaussian(GRID, P[0] + d, P[1]), SPACING) for d in (0, 0.5, 1, 4)]
    assert sorted(values) == values
    assert -0.02 < values[-1] < 0


def test_densities_that_cannot_be_are_refused() -> None:
    half = torch.tensor([0.5, 0.5])
    for function in (optimal_discriminator, optimal_value):
        with pytest.raises(ValueError, match=r"at the same points, got shapes \(2,\) and \(1,\)"):
            function(half, half[:1])
        with pytest.raises(ValueError, match=r"densities of 0 or more, got -0\.5"):
            function(half, -half)
    nothing = torch.zeros(1)
    assert optimal_discriminator(nothing, nothing).item() == 0.5
    assert optimal_value(nothing, nothing).item() == 0


def test_the_minimax_game_saturates_where_the_other_does_not() -> None:
    """A discriminator that is sure: one loss has no gradient left, the other all of it."""
    scores = torch.tensor([-30.0], requires_grad=True)
    for loss, gradient in ((minimax_generator_loss, 0.0), (non_saturating_generator_loss, -1.0)):
        (found,) = torch.autograd.grad(loss(scores), scores)
        assert found.item() == pytest.approx(gradient, abs=1e-12)
    # The game's two players: what one loses, the other wins.
    real, fake = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    own = GAMES["minimax"].discriminator(real, fake) + GAMES["minimax"].generator(fake)
    assert own.item() == pytest.approx(torch.nn.functional.softplus(-real).mean().item(), abs=1e-6)


# --- Wasserstein ---------------------------------------------------------------------------------


def test_the_critics_optimum_is_the_distance() -> None:
    """Held to slope 1, a critic finds W₁ of two Gaussians of one width: what is between them."""
    torch.manual_seed(0)
    real, fake = quantiles(256, 2.0, 0.3), quantiles(256, 0.5, 0.3)
    critic = MLP((1, 32, 32, 1), nn.Softplus).double()
    optimizer = optim.Adam(critic.parameters(), lr=0.01)
    for _ in range(250):
        optimizer.zero_grad()
        loss = wasserstein_critic_loss(critic(real), critic(fake))
        (loss + 10 * gradient_penalty(critic, real, fake)).backward()
        optimizer.step()
    assert -loss.item() == pytest.approx(1.5, abs=0.12)
    assert gradient_penalty(critic, real, fake).item() < 0.05


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_the_penalty_and_its_derivative_are_torchs(slope: float) -> None:
    """Through our rules twice: value and parameters' gradients as with PyTorch's own layers."""
    shape = (5, 2, 6, 6)
    found = []
    for library in (nn, torch.nn):
        torch.manual_seed(1)
        critic = torch.nn.Sequential(
            library.Conv2d(2, 4, 3, stride=2, padding=1),
            library.LeakyReLU(0.2),
            library.Conv2d(4, 3, 3),
            library.Tanh(),
            library.Flatten(),
            library.Linear(3, 1),
        ).double()
        g = torch.Generator().manual_seed(2)
        real, fake = torch.randn(2, *shape, generator=g, dtype=torch.float64)
        if library is nn:
            value = gradient_penalty(critic, real, fake, slope=slope, generator=g)
        else:
            epsilon = torch.rand(5, 1, 1, 1, generator=g, dtype=torch.float64)
            x = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
            (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
            value = ((gradient.flatten(1).norm(dim=1) - slope) ** 2).mean()
        value.backward()
        found.append([value.detach()] + [p.grad for p in critic.parameters()])
    for ours, theirs in zip(*found, strict=True):
        if ours is None or theirs is None:  # the last layer's bias: the slope knows nothing of it
            assert not (ours is not None and ours.any())
            assert not (theirs is not None and theirs.any())
        else:
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_the_penalty_stays_finite_on_flat_ground() -> None:
    critic = nn.Linear(2, 1)
    torch.nn.init.zeros_(critic.weight)
    x = torch.zeros(3, 2)
    value = gradient_penalty(critic, x, x + 1)
    value.backward()
    assert value.item() == pytest.approx(1)
    assert bool(torch.isfinite(critic.weight.grad).all())


def test_the_penalty_goes_to_the_critic_alone() -> None:
    weight = torch.ones(2, requires_grad=True)
    fake = torch.randn(3, 2) * weight
    critic = nn.Linear(2, 1)
    gradient_penalty(critic, torch.zeros(3, 2), fake).backward()
    assert weight.grad is None
    assert critic.weight.grad is not None


def test_the_penalty_takes_a_condition() -> None:
    """The slope is by the examples, not by what comes with them."""
    y = torch.tensor([[2.0], [3.0]])
    x = torch.zeros(2, 1)
    value = gradient_penalty(lambda x, y: (x * y).sum(1), x, x + 1, y)
    assert value.item() == pytest.approx(((2 - 1) ** 2 + (3 - 1) ** 2) / 2)


def test_what_the_penalty_refuses() -> None:
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match=r"of one shape, got \(3, 2\) and \(2, 2\)"):
        gradient_penalty(nn.Linear(2, 1), x, x[:2])
    with pytest.raises(ValueError, match="a slope of 0 or more, got -1"):
        gradient_penalty(nn.Linear(2, 1), x, x, slope=-1.0)


# --- spectral normalisation ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Linear", "Conv2d", "ConvTranspose2d"])
def test_spectral_norm_is_torchs(kind: str) -> None:
    """The same keys; loaded, the same outputs, gradients and vectors, call by call."""
    sizes = (6, 5) if kind == "Linear" else (6, 5, 3)
    torch.manual_seed(0)
    ours = spectral_norm(getattr(nn, kind)(*sizes).double(), n_power_iterations=2)
    theirs = getattr(torch.nn, kind)(*sizes).double()
    theirs = torch.nn.utils.parametrizations.spectral_norm(theirs, n_power_iterations=2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 6, dtype=torch.float64)
    x = x if kind == "Linear" else x[..., None, None].expand(4, 6, 5, 5)
    for training in (True, True, False):
        for layer in (ours.train(training), theirs.train(training)):
            layer.zero_grad()
            layer(x).square().sum().backward()
        torch.testing.assert_close(ours(x), theirs(x))
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_the_derivative_of_the_normalised_weight() -> None:
    """With the vectors settled, by finite differences of the true quotient W / σ(W)."""
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(4, 3, bias=False).double(), n_power_iterations=200)
    original = layer.parametrizations["weight"].original

    def quotient(weight: Tensor) -> Tensor:
        return (weight / torch.linalg.matrix_norm(weight, 2)).sin().sum()

    layer.weight.sin().sum().backward()
    step = 1e-6
    for i, j in ((0, 0), (1, 2), (2, 3)):
        moved = torch.zeros_like(original)
        moved[i, j] = step
        there, back = quotient(original + moved), quotient(original - moved)
        assert original.grad[i, j].item() == pytest.approx(((there - back) / (2 * step)).item())


def test_a_stack_of_normalised_layers_stretches_nothing() -> None:
    torch.manual_seed(0)
    stack = torch.nn.Sequential(
        *(
            layer
            for _ in range(3)
            for layer in (spectral_norm(nn.Linear(8, 8), n_power_iterations=30), nn.ReLU())
        )
    )
    with torch.no_grad():
        for module in stack:
            if isinstance(module, torch.nn.Linear | nn.Linear):
                module.parametrizations["weight"].original.mul_(7)
    a, b = torch.randn(2, 200, 8)
    with torch.no_grad():
        ratio = (stack(a) - stack(b)).norm(dim=1) / (a - b).norm(dim=1)
    assert ratio.max() <= 1.001


def test_spectral_norm_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a parameter 'kernel' in Linear, which has"):
        spectral_norm(nn.Linear(2, 2), "kernel")
    with pytest.raises(ValueError, match=r"two axes or more, got \(2,\)"):
        spectral_norm(nn.Linear(2, 2), "bias")


# --- data ----------------------------------------------------------------------------------------


def test_the_ring_is_what_it_says() -> None:
    x, k = mixtures.ring(8000, torch.Generator().manual_seed(0))
    centers = mixtures.ring_centers()
    torch.testing.assert_close(centers.norm(dim=1), torch.full((8,), 2.0))
    assert k.bincount().tolist() == [1000] * 8
    off = (x - centers[k]) / 0.05
    assert off.mean().abs() < 0.03
    assert off.std().item() == pytest.approx(1, abs=0.02)
    with pytest.raises(ValueError, match=r"a radius above 0, got 0 and 2\.0"):
        mixtures.ring_centers(0)
    with pytest.raises(ValueError, match="n and sigma of 0 or more, got -1"):
        mixtures.ring(-1, torch.Generator())


def test_games_are_pairs_of_losses() -> None:
    assert GAMES["least squares"].discriminator is least_squares_discriminator_loss
    real, fake = torch.full((2,), 3.0), torch.full((2,), -2.0)
    for name, game in GAMES.items():
        own, other = game.discriminator(real, fake), game.discriminator(fake, real)
        if name != "least squares":  # which wants a score of 1, not of 3
            assert own < other, name
        assert game.generator(torch.ones(2)) < game.generator(fake), name
