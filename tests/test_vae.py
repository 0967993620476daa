"""Variational autoencoders: the bound's two terms, the likelihood itself, and bounds between."""

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.utils.data import TensorDataset

from dlbook import models, nn, optim
from dlbook.data import digits
from dlbook.train import fit


def numbers(*shape: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64)


def coins(*shape: int, seed: int = 0) -> Tensor:
    return (numbers(*shape, seed=seed) > 0).double()


def wide(model: torch.nn.Module, by: float = 0.7) -> torch.nn.Module:
    """Moved off its small initial values, so that codes matter."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(by * torch.randn_like(p))
    return model


def train(model: Any, loss: Any, data: Any, epochs: int, seed: int = 0, lr: float = 2e-3) -> Any:
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    return fit(
        model,
        loss,
        optimizer,
        data,
        epochs=epochs,
        scheduler=schedule,
        seed=seed,
        device="cpu",
        progress=False,
    )


# --- the divergence -----------------------------------------------------------------------------


def normal_density(z: Tensor, mean: float, variance: float) -> Tensor:
    return torch.exp(-((z - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


@pytest.mark.parametrize("prior", [(0.0, 0.0), (0.7, -0.5)])
def test_the_divergence_is_the_integral(prior: tuple[float, float]) -> None:
    mean, log_variance = -0.4, -0.8
    z = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    q = normal_density(z, mean, math.exp(log_variance))
    p = normal_density(z, prior[0], math.exp(prior[1]))
    integral = torch.trapezoid(q * (q.clamp_min(1e-300).log() - p.log()), z)
    at = [torch.tensor([[v]], dtype=torch.float64) for v in (mean, log_variance, *prior)]
    assert abs(models.gaussian_kl(*at) - integral) < 1e-10
    if prior == (0.0, 0.0):
        assert abs(models.gaussian_kl(*at[:2]) - integral) < 1e-10


def test_the_divergence_of_a_distribution_from_itself_is_nothing() -> None:
    mean, log_variance = numbers(5, 3), numbers(5, 3, seed=1)
    assert models.gaussian_kl(mean, log_variance, mean, log_variance).abs().max() == 0
    other = models.gaussian_kl(mean, log_variance, -mean, log_variance + 1)
    assert other.min() > 0


# --- the likelihood as an integral --------------------------------------------------------------


def linear(latent_size: int, std: float) -> tuple[models.VAE, Tensor, Tensor]:
    torch.manual_seed(0)
    decoder = nn.Linear(latent_size, 5)
    likelihood = models.GaussianLikelihood(std)
    model = models.VAE(nn.Linear(5, 4), decoder, 4, latent_size, likelihood).double()
    return model, decoder.weight.detach(), decoder.bias.detach()


@pytest.mark.parametrize("latent_size", [1, 2])
def test_the_grid_finds_a_gaussians_density(latent_size: int) -> None:
    """With an affine decoder x is Gaussian itself, of covariance W Wᵀ + σ²."""
    model, w, b = linear(latent_size, 0.4)
    x = 0.6 * numbers(7, 5)
    covariance = w @ w.T + torch.eye(5).double() * model.likelihood.log_std.detach().exp() ** 2
    truth = torch.distributions.MultivariateNormal(b, covariance).log_prob(x)
    found = models.exact_log_likelihood(model, x, limit=8.0)
    assert (found - truth).abs().max() < 1e-9


def test_probabilities_of_all_images_add_up_to_one() -> None:
    torch.manual_seed(0)
    model = models.DenseVAE((6, 5), 2, models.BernoulliLikelihood(), nn.Tanh).double()
    wide(model)
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    found = models.exact_log_likelihood(model, x, points=81)
    assert abs(found.exp().sum() - 1) < 1e-7
    assert found.max() < 0


def test_a_conditional_likelihood_adds_up_for_each_class() -> None:
    torch.manual_seed(0)
    model = models.ConditionalVAE((4, 5), 2, 3, models.BernoulliLikelihood(), nn.Tanh).double()
    wide(model)
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    tables = []
    for c in range(3):
        classes = torch.full((16,), c)
        tables.append(models.exact_log_likelihood(model, x, classes, points=61).exp())
        assert abs(tables[-1].sum() - 1) < 1e-6
    assert (tables[0] - tables[1]).abs().max() > 0.01


# --- the bounds ---------------------------------------------------------------------------------


def loops(model: models.VAE, output: models.VAEOutput, x: Tensor) -> tuple[list[float], ...]:
    reconstruction, divergence = [], []
    for n, (a, mean, v) in enumerate(zip(output.parameters, output.mean, output.log_variance)):
        likelihood = torch.sigmoid(a.flatten())
        pixels = x[n].flatten()
        white = pixels * likelihood.log() + (1 - pixels) * (1 - likelihood).log()
        reconstruction.append(white.sum().item())
        q = torch.distributions.Normal(mean, (v / 2).exp())
        p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
        divergence.append(torch.distributions.kl_divergence(q, p).sum().item())
    return reconstruction, divergence


def test_the_two_terms_add_up() -> None:
    torch.manual_seed(0)
    model = models.ConvVAE(1, 4, (3,), 2, models.BernoulliLikelihood()).double()
    wide(model, 0.2)
    x = coins(5, 1, 4, 4)
    output = model(x)
    terms = models.elbo(output, x, model.likelihood)
    for found, expected in zip(terms, loops(model, output, x)):
        assert (found - torch.tensor(expected, dtype=torch.float64)).abs().max() < 1e-10
    assert torch.equal(terms.bound, terms.reconstruction - terms.divergence)
    for beta in (0.0, 1.0, 4.0):
        loss = models.ELBOLoss(model.likelihood, beta)(output, x)
        expected = (beta * terms.divergence - terms.reconstruction).mean()
        assert abs(loss - expected) < 1e-12


def test_the_losses_gradient_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    likelihood = models.GaussianLikelihood(0.5, learn_std=True).double()
    parts = [t.requires_grad_() for t in (numbers(3, 4), numbers(3, 2), numbers(3, 2, seed=1))]
    x = numbers(3, 4, seed=2)
    output = models.VAEOutput(*parts, numbers(3, 2))
    loss = models.ELBOLoss(likelihood, 2.0)(output, x)
    mean, mu, v = parts
    q = torch.distributions.Normal(mu, (v / 2).exp())
    p = torch.distributions.Normal(0.0, 1.0)
    seen = torch.distributions.Normal(mean, likelihood.log_std.exp()).log_prob(x).sum(1)
    truth = (2 * torch.distributions.kl_divergence(q, p).sum(1) - seen).mean()
    assert abs(loss - truth) < 1e-6  # 0.5's logarithm was rounded to single precision
    leaves = [*parts, likelihood.log_std]
    for a, b in zip(torch.autograd.grad(loss, leaves), torch.autograd.grad(truth, leaves)):
        assert (a - b).abs().max() < 1e-12


def above(high: Tensor, low: Tensor, errors: float) -> None:
    """One number above the other for each input; over all inputs, by more than errors explain."""
    gap = high - low  # (draws, B)
    error = gap.std(0) / len(gap) ** 0.5
    assert (gap.mean(0) >= -errors * error).all()
    assert gap.mean() > errors * error.square().mean().sqrt() / gap.shape[1] ** 0.5, gap.mean()


def holds(model: models.VAE, x: Tensor, draws: int = 1000, samples: int = 3) -> None:
    """Bound ≤ importance-weighted bound ≤ log-likelihood, each with its error of estimation."""
    exact = models.exact_log_likelihood(model, x)
    assert (models.exact_log_likelihood(model, x, points=301) - exact).abs().max() < 1e-4
    torch.manual_seed(1)
    with torch.no_grad():
        again = x.repeat(draws, *[1] * (x.ndim - 1))
        terms = models.elbo(model(again), again, model.likelihood)
        several = model.log_weights(x, samples=samples * draws).reshape(samples, draws, -1)
    bound = terms.bound.reshape(draws, -1)
    weighted = models.importance_weighted_bound(several)
    above(exact, bound, 4)
    above(exact, weighted, 4)
    above(weighted, bound, 4)
    # of the same draws, one weight at a time is the first bound, and never more than the second
    single = several.mean(0)
    assert (weighted >= single).all()
    error = ((single.var(0) + bound.var(0)) / draws).sqrt()
    assert ((single - bound).mean(0).abs() <= 4 * error).all()


@pytest.mark.parametrize("seed", range(5))
def test_bounds_of_any_model_are_in_order(seed: int) -> None:
    torch.manual_seed(seed)
    model = models.DenseVAE((6, 8), 2, models.BernoulliLikelihood(), nn.Tanh).double()
    holds(wide(model, 0.5), coins(12, 6, seed=seed))


def test_bounds_of_a_trained_model_are_in_order() -> None:
    data = digits.load(dtype=torch.float64)
    x = (data.train.x > 0.5).double()
    torch.manual_seed(0)
    model = models.DenseVAE((64, 64), 2, models.BernoulliLikelihood()).double()
    history = train(model, models.ELBOLoss(model.likelihood), (x, x), epochs=12, lr=5e-3)
    assert history.train["loss"][-1] < history.train["loss"][0] - 5
    holds(model, (data.test.x[:12] > 0.5).double())


def test_weights_are_the_ratio_of_densities_and_their_mean_is_the_likelihood() -> None:
    torch.manual_seed(0)
    model = wide(models.DenseVAE((6, 8), 2, models.BernoulliLikelihood(), nn.Tanh).double())
    x = coins(4, 6)
    with torch.no_grad():
        model.mean.weight.mul_(0.2)  # a guess that is wide enough for weights to be even
        model.log_variance.weight.mul_(0.1)
        model.log_variance.bias.fill_(0.3)
        torch.manual_seed(2)
        weights = model.log_weights(x, samples=3)
        torch.manual_seed(2)
        mean, v = model.encode(x)
        z = mean + (v / 2).exp() * torch.randn(3, 4, 2, dtype=torch.float64)
        q = torch.distributions.Normal(mean, (v / 2).exp()).log_prob(z).sum(-1)
        p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
        for s in range(3):
            seen = model.likelihood(model.decode(z[s]), x)
            assert (weights[s] - (seen + p[s] - q[s])).abs().max() < 1e-12
        many = model.log_weights(x, samples=20_000)
    found = models.importance_weighted_bound(many)
    error = (many - found).exp().std(0) / len(many) ** 0.5  # of the mean's logarithm
    assert error.max() < 0.05
    assert ((found - models.exact_log_likelihood(model, x)).abs() < 4 * error).all()


def test_training_on_several_weights_raises_their_bound() -> None:
    x = (digits.load().train.x > 0.5).float()
    torch.manual_seed(0)
    vae = models.DenseVAE((64, 64), 2, models.BernoulliLikelihood())
    model = models.ImportanceWeightedVAE(vae, 5)
    torch.manual_seed(3)
    weights = model(x[:8])
    torch.manual_seed(3)
    assert torch.equal(weights, vae.log_weights(x[:8], samples=5))
    loss = models.ImportanceWeightedLoss()
    assert torch.equal(loss(weights, x[:8]), -models.importance_weighted_bound(weights).mean())
    history = train(model, loss, (x, x), epochs=5, lr=5e-3)
    assert history.train["loss"][-1] < history.train["loss"][0] - 5


# --- decoders, codes, classes -------------------------------------------------------------------


def test_a_trained_standard_deviation_is_that_of_the_residues() -> None:
    """The derivative by log σ vanishes where σ² is the mean squared error."""
    mean, x = numbers(6, 4), numbers(6, 4, seed=1)
    rms = (mean - x).square().mean().sqrt().item()
    for std, sign in ((rms, 0), (2 * rms, -1), (rms / 2, 1)):
        likelihood = models.GaussianLikelihood(std, learn_std=True).double()
        (slope,) = torch.autograd.grad(likelihood(mean, x).sum(), likelihood.log_std)
        assert slope.sign() == sign if sign else slope.abs() < 1e-5
    assert not models.GaussianLikelihood(0.5).log_std.requires_grad


def test_training_finds_the_standard_deviation() -> None:
    data = digits.load()
    torch.manual_seed(0)
    model = models.DenseVAE((64, 64), 4, models.GaussianLikelihood(0.4, learn_std=True))
    x = data.train.x
    train(model, models.ELBOLoss(model.likelihood), (x, x), epochs=30, lr=5e-3)
    with torch.no_grad():
        output = model(x)
    rms = (output.parameters - x).square().mean().sqrt()
    assert rms < 0.3
    assert abs(model.likelihood.log_std.exp() / rms - 1) < 0.1


def test_draws_are_what_the_parameters_say() -> None:
    g = torch.Generator().manual_seed(0)
    white = models.BernoulliLikelihood().sample(torch.full((100_000,), 1.0), g)
    assert set(white.unique().tolist()) == {0.0, 1.0}
    assert abs(white.mean() - 1 / (1 + math.exp(-1))) < 0.006
    around = models.GaussianLikelihood(0.5).sample(torch.full((100_000,), 2.0), g)
    assert abs(around.mean() - 2) < 0.006
    assert abs(around.std() - 0.5) < 0.005


def test_codes_of_the_same_noise_are_the_same() -> None:
    torch.manual_seed(0)
    model = models.DenseVAE((6, 8), 2, models.GaussianLikelihood())
    a, b = (model.generate(4, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    x = numbers(5, 6).float()
    torch.manual_seed(2)
    output = model.eval()(x)
    torch.manual_seed(2)
    noise = torch.randn(5, 2)
    std = (0.5 * output.log_variance).exp()
    assert torch.allclose(output.code, output.mean + std * noise, atol=1e-6)
    assert torch.equal(output.parameters, model.decode(output.code))


def test_a_class_that_is_asked_for_comes() -> None:
    """Judged by a logistic regression that has seen real digits only."""
    data = digits.load()
    judge = LogisticRegression(max_iter=2000).fit(data.train.x.numpy(), data.train.y.numpy())
    torch.manual_seed(0)
    model = models.ConditionalVAE((64, 128), 2, 10, models.GaussianLikelihood(0.25))
    loss = models.ELBOLoss(model.likelihood)
    for part in ("train", "validation"):
        x, y = getattr(data, part).x, getattr(data, part).y
        output = [model((x[:9], y[:9])), model(x[:9], y[:9])]
        assert torch.equal(output[0].mean, output[1].mean)
    x, y = data.train.x, data.train.y
    optimizer = optim.Adam(model.parameters(), lr=4e-3)
    g = torch.Generator().manual_seed(0)
    for _ in range(20):
        for rows in torch.randperm(len(x), generator=g).split(64):
            optimizer.zero_grad()
            loss(model(x[rows], y[rows]), x[rows]).backward()
            optimizer.step()
    asked = torch.arange(10).repeat_interleave(20)
    found = judge.predict(model.generate(200, asked, generator=g).numpy())
    right = (torch.from_numpy(found) == asked).float().mean()
    assert right > 0.9, right


def test_pairs_of_a_loader_will_do() -> None:
    data = digits.load().validation
    torch.manual_seed(0)
    model = models.ConditionalVAE((64, 16), 2, 10, models.BernoulliLikelihood())
    pairs = [((x, y), x) for x, y in TensorDataset(data.x[:64], data.y[:64])]
    history = train(model, models.ELBOLoss(model.likelihood), pairs, epochs=3, lr=1e-2)
    assert history.train["loss"][-1] < history.train["loss"][0]


def test_images_are_learned_by_convolutions() -> None:
    data = digits.load(images=True)
    x = data.train.x[:512]
    torch.manual_seed(0)
    model = models.ConvVAE(1, 8, (8, 16), 4, models.GaussianLikelihood(0.25))
    loss = models.ELBOLoss(model.likelihood)
    history = train(model, loss, (x, x), epochs=4, lr=5e-3)
    assert history.train["loss"][-1] < history.train["loss"][0] - 10
    assert model.generate(3).shape == (3, 1, 8, 8)


# --- refusals -----------------------------------------------------------------------------------


def small(**more: Any) -> models.VAE:
    settings = {"features": 4, "latent_size": 2, "likelihood": models.BernoulliLikelihood(), **more}
    return models.VAE(nn.Linear(6, 4), nn.Linear(settings["latent_size"], 6), **settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.VAE(
                nn.Linear(6, 4), nn.Linear(2, 6), 4, 0, models.BernoulliLikelihood()
            ),
            "VAE: expected sizes of 1 or more, got features=4 and latent_size=0",
        ),
        (
            lambda: models.ELBOLoss(models.BernoulliLikelihood(), -1),
            "ELBOLoss: expected beta of 0 or more, got -1",
        ),
        (
            lambda: small().log_weights(torch.ones(2, 6), samples=0),
            "log_weights: expected samples of 1 or more, got 0",
        ),
        (
            lambda: models.ImportanceWeightedVAE(small(), 0),
            "ImportanceWeightedVAE: expected samples of 1 or more, got 0",
        ),
        (
            lambda: models.exact_log_likelihood(small(latent_size=3), torch.ones(2, 6)),
            "exact_log_likelihood: expected a model with codes of one or two numbers, got "
            "latent_size=3",
        ),
        (
            lambda: models.exact_log_likelihood(small(), torch.ones(2, 6), points=1),
            "exact_log_likelihood: expected 2 points or more and a limit above 0, got 1 and 6.0",
        ),
        (
            lambda: small().likelihood(torch.ones(2, 6), torch.ones(2, 5)),
            "bernoulli_log_likelihood: expected logits and target of one shape (B, …), got (2, 6) "
            "and (2, 5)",
        ),
    ],
)
@pytest.mark.untyped
def test_refusals(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
