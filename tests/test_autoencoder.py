"""Autoencoders: the principal subspace, noise that is taken away, and what codes are charged."""

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from dlbook import models, nn, ops, optim
from dlbook.data import digits
from dlbook.train import evaluate, fit


def numbers(*shape: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64)


def train(model: torch.nn.Module, loss: Any, seed: int, *, epochs: int, lr: float = 2e-3) -> None:
    x = digits.load().train.x
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    fit(
        model,
        loss,
        optimizer,
        (x, x),
        epochs=epochs,
        scheduler=schedule,
        seed=seed,
        device="cpu",
        progress=False,
    )


# --- the linear one and principal components ----------------------------------------------------


def principal(x: Tensor, k: int) -> tuple[Tensor, float]:
    """The first k components as columns, and the mean squared error of what they leave."""
    centred = x - x.mean(0)
    _, s, v = torch.linalg.svd(centred, full_matrices=False)
    return v[:k].T, (s[k:].square().sum() / x.numel()).item()


def angles(a: Tensor, b: Tensor) -> Tensor:
    """The principal angles between the spans of two matrices' columns, by their sines."""
    a, b = torch.linalg.qr(a).Q, torch.linalg.qr(b).Q
    return torch.linalg.svdvals(b - a @ (a.T @ b)).clamp(max=1).asin()


def test_the_linear_one_spans_the_principal_subspace() -> None:
    x, k = digits.load(dtype=torch.float64).train.x, 4
    components, least = principal(x, k)
    for seed in range(5):
        torch.manual_seed(seed)
        model = models.LinearAutoencoder(64, k).double()
        start = angles(components, model.decoder.weight.detach()).max()
        optimizer = optim.LBFGS(
            model.parameters(),
            max_iter=400,
            history_size=20,
            tolerance_grad=1e-10,
            tolerance_change=1e-14,
            line_search_fn="strong_wolfe",
        )

        def closure(model: Any = model, optimizer: Any = optimizer) -> Tensor:
            optimizer.zero_grad()
            loss = ops.mse_loss(model(x), x)
            loss.backward()
            return loss

        optimizer.step(closure)
        found = angles(components, model.decoder.weight.detach()).max()
        assert start > 0.5
        assert found < 1e-2, f"seed {seed}: {found:.2e}"
        assert least <= closure().item() <= least * 1.0001


def test_the_principal_components_are_a_linear_autoencoder_at_rest() -> None:
    x, k = digits.load(dtype=torch.float64).train.x, 6
    components, least = principal(x, k)
    model = models.LinearAutoencoder(64, k).double()
    mixed = numbers(k, k) + 3 * torch.eye(k)  # any basis of the subspace will do
    with torch.no_grad():
        model.encoder.weight.copy_(mixed @ components.T)
        model.encoder.bias.copy_(-mixed @ components.T @ x.mean(0))
        model.decoder.weight.copy_(components @ torch.linalg.inv(mixed))
        model.decoder.bias.copy_(x.mean(0))
    loss = ops.mse_loss(model(x), x)
    assert abs(loss.item() - least) < 1e-12
    loss.backward()
    assert max(p.grad.abs().max().item() for p in model.parameters()) < 1e-12


# --- noise --------------------------------------------------------------------------------------


def decibels(found: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio for numbers from 0 to 1."""
    return -10 * math.log10((found - wanted).square().mean().item())


def blurred(images: Tensor, width: float, mode: str) -> Tensor:
    pixels = ndimage.gaussian_filter(images.reshape(-1, 8, 8).numpy(), (0, width, width), mode=mode)
    return torch.from_numpy(pixels).reshape(images.shape)


def test_denoising_gains_three_decibels_and_beats_the_best_gaussian_filter() -> None:
    """Noise of a quarter of the range, on the stratified split's test part."""
    clean = digits.load().test.x
    noisy = models.gaussian_noise(clean, 0.25, generator=torch.Generator().manual_seed(0))
    widths = [w / 20 for w in range(2, 41)]
    spoiled = noisy, noisy.clamp(0, 1)
    # the filter's width, border and clipping are chosen on the very images it is judged by
    best = max(
        decibels(blurred(x, w, mode), clean)
        for x in spoiled
        for w in widths
        for mode in ("nearest", "constant")
    )
    before = max(decibels(x, clean) for x in spoiled)
    gains = []
    for seed in range(5):
        torch.manual_seed(seed)
        inner = models.DeepAutoencoder((64, 256, 64))
        model = models.DenoisingAutoencoder(inner, models.GaussianNoise(0.25))
        train(model, nn.MSELoss(), seed, epochs=25)
        with torch.no_grad():
            gains.append(decibels(model.eval()(noisy), clean))
    assert sum(g - before >= 3 and g > best for g in gains) >= 4, (before, best, gains)
    assert sum(g - decibels(noisy, clean) >= 3 for g in gains) == 5, (before, best, gains)


def test_noise_is_for_training_alone() -> None:
    inner = models.DeepAutoencoder((6, 4, 2))
    model = models.DenoisingAutoencoder(inner, models.MaskingNoise(0.5))
    x = numbers(5, 6).float()
    torch.manual_seed(0)
    trained = model(x)
    torch.manual_seed(0)
    assert torch.equal(trained, inner(models.masking_noise(x, 0.5)))
    assert not torch.equal(trained, inner(x))
    assert torch.equal(model.eval()(x), inner(x))
    assert torch.equal(model.decode(model.encode(x)), inner(x))


@pytest.mark.parametrize("make", [models.gaussian_noise, models.masking_noise])
def test_noise_follows_its_generator(make: Any) -> None:
    x = torch.ones(1000)
    a, b = (make(x, 0.3, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, make(x, 0.3, generator=torch.Generator().manual_seed(2)))


def test_what_noise_does_to_numbers() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.full((100_000,), 0.5)
    added = models.gaussian_noise(x, 0.25, generator=g) - x
    assert abs(added.mean()) < 0.004
    assert abs(added.std() - 0.25) < 0.003
    masked = models.masking_noise(x, 0.3, generator=g)
    assert set(masked.unique().tolist()) == {0.0, 0.5}
    assert abs((masked == 0).float().mean() - 0.3) < 0.006
    grains = models.salt_and_pepper_noise(x, 0.3, -1.0, 2.0, generator=g)
    for value, share in ((-1.0, 0.15), (0.5, 0.7), (2.0, 0.15)):
        assert abs((grains == value).float().mean() - share) < 0.006


# --- sparse codes -------------------------------------------------------------------------------


def relu_coder() -> models.Autoencoder:
    return models.Autoencoder(nn.Sequential(nn.Linear(64, 96), nn.ReLU()), nn.Linear(96, 64))


def logistic_coder() -> models.Autoencoder:
    return models.Autoencoder(nn.Sequential(nn.Linear(64, 96), nn.Sigmoid()), nn.Linear(96, 64))


def test_a_price_for_absolute_values_turns_units_off() -> None:
    x = digits.load().test.x
    shares = {}
    for weight in (0.0, 3e-3):
        torch.manual_seed(0)
        model = models.SparseAutoencoder(relu_coder())
        train(model, models.PenalizedLoss(weight), 0, epochs=15)
        with torch.no_grad():
            output = model(x)
        shares[weight] = (output.code > 0).float().mean().item()
        assert ops.mse_loss(output.reconstruction, x) < 0.5 * x.var(0).mean()
        assert abs(output.penalty - output.code.abs().sum(1).mean()) < 1e-4
    assert shares[3e-3] < 0.4 * shares[0.0], shares


def test_a_price_for_being_on_brings_units_to_the_wanted_share() -> None:
    x = digits.load().test.x
    found = {}
    for weight in (0.0, 3e-2):
        torch.manual_seed(0)
        penalty = functools.partial(models.kl_sparsity_penalty, rho=0.1)
        model = models.SparseAutoencoder(logistic_coder(), penalty)
        train(model, models.PenalizedLoss(weight), 0, epochs=25, lr=5e-3)
        with torch.no_grad():
            found[weight] = model(x).code.mean(0)
    off = {weight: (on - 0.1).abs().mean().item() for weight, on in found.items()}
    assert off[3e-2] < 0.03 < 0.2 < off[0.0], off


# --- contractive codes --------------------------------------------------------------------------


def test_the_penalty_by_hand_is_that_of_the_engine() -> None:
    torch.manual_seed(0)
    model = models.ContractiveAutoencoder(6, 9).double()
    x = numbers(5, 6)
    by_hand = model(x).penalty
    by_engine = models.jacobian_penalty(model.encode, x)
    assert abs(by_hand.item() - by_engine.item()) < 1e-12
    parameters = list(model.encoder.parameters())
    ours = torch.autograd.grad(by_hand, parameters)
    theirs = torch.autograd.grad(by_engine, parameters)
    for a, b in zip(ours, theirs):
        assert (a - b).abs().max() < 1e-12


def test_the_engines_penalty_of_a_deep_encoder() -> None:
    torch.manual_seed(0)
    inner = models.DeepAutoencoder((6, 8, 3), nn.Tanh).double()
    model = models.DeepContractiveAutoencoder(inner)
    x = numbers(5, 6)
    rows = torch.stack([torch.func.jacrev(inner.encode)(row[None]).reshape(3, 6) for row in x])
    output = model(x)
    assert abs(output.penalty - rows.square().sum((1, 2)).mean()) < 1e-12
    assert torch.equal(output.reconstruction, inner(x))
    with torch.no_grad():
        assert torch.equal(model(x).penalty, output.penalty.detach())


def test_the_engines_penalty_has_a_derivative() -> None:
    torch.manual_seed(0)
    inner = models.DeepAutoencoder((4, 3, 2), nn.Tanh).double()
    x = numbers(3, 4)
    first = inner.encoder[0].weight

    def penalty(weight: Tensor) -> Tensor:
        held = {"encoder.0.weight": weight}

        def encode(z: Tensor) -> Tensor:
            h = torch.tanh(z @ held["encoder.0.weight"].T + inner.encoder[0].bias)
            return inner.encoder[2](h)

        return models.jacobian_penalty(encode, x)

    (ours,) = torch.autograd.grad(models.jacobian_penalty(inner.encode, x), first)
    for place in ((0, 0), (2, 3)):
        step = torch.zeros_like(first)
        step[place] = 1e-5
        rise = penalty(first.detach() + step) - penalty(first.detach() - step)
        assert abs(rise.item() / 2e-5 - ours[place].item()) < 1e-8


def test_a_priced_jacobian_shrinks() -> None:
    x = digits.load().test.x
    found = {}
    for weight in (0.0, 1e-2):
        torch.manual_seed(0)
        model = models.ContractiveAutoencoder(64, 96)
        train(model, models.PenalizedLoss(weight), 0, epochs=10, lr=5e-3)
        found[weight] = evaluate(
            model, lambda output, _: output.penalty, (x, x), device="cpu", batch_size=len(x)
        )["loss"]
    assert found[1e-2] < 0.3 * found[0.0], found


def test_deep_contraction_trains_and_is_measured() -> None:
    torch.manual_seed(0)
    inner = models.DeepAutoencoder((64, 32, 4), nn.Tanh)
    model = models.DeepContractiveAutoencoder(inner)
    loss = models.PenalizedLoss(1e-2)
    x = digits.load().validation.x
    before = evaluate(model, loss, (x, x), device="cpu")["loss"]
    train(model, loss, 0, epochs=2)
    assert evaluate(model, loss, (x, x), device="cpu")["loss"] < 0.7 * before


# --- parts --------------------------------------------------------------------------------------


def test_a_penalized_loss_is_a_sum() -> None:
    x, y, code = numbers(3, 4), numbers(3, 4, seed=1), numbers(3, 2, seed=2)
    output = models.Penalized(x, code, torch.tensor(3.0, dtype=torch.float64))
    found = models.PenalizedLoss(0.5)(output, y)
    assert abs(found - ((x - y).square().mean() + 1.5)) < 1e-14
    absolute = models.PenalizedLoss(0.5, ops.l1_loss)(output, y)
    assert abs(absolute - ((x - y).abs().mean() + 1.5)) < 1e-14


def test_any_two_modules_make_an_autoencoder() -> None:
    encoder, decoder = torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)
    model = models.Autoencoder(encoder, decoder)
    x = numbers(3, 6).float()
    assert torch.equal(model(x), decoder(encoder(x)))
    assert list(model.state_dict()) == [
        f"{part}.{name}" for part in ("encoder", "decoder") for name in ("weight", "bias")
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.PenalizedLoss(-1), "PenalizedLoss: expected a weight of 0 or more, got -1"),
        (
            lambda: models.jacobian_penalty(lambda x: x.sum(), numbers(3, 2)),
            "jacobian_penalty: expected codes of shape (B, …) that depend on the input (3, 2), "
            "got ()",
        ),
        (
            lambda: models.jacobian_penalty(lambda x: torch.ones(3, 2), numbers(3, 2)),
            "jacobian_penalty: expected codes of shape (B, …) that depend on the input (3, 2), "
            "got (3, 2)",
        ),
    ],
)
def test_refusals(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
