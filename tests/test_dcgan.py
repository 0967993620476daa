"""DCGAN's networks as its paper has them, and conditions; their parts are in the registry."""

import pytest
import torch

from dlbook import nn, ops
from dlbook.models import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    DCGANDiscriminator,
    DCGANGenerator,
    PhraseEncoder,
    gradient_penalty,
    spectrally_normalized,
)


def test_the_papers_generator() -> None:
    """Figure 1: 100 numbers, 4 × 4 × 1024, then 512, 256, 128 channels, and 64 × 64 × 3."""
    with torch.device("meta"):
        network = DCGANGenerator()
    assert network.project.weight.shape == (1024 * 4 * 4, 100)
    kernels = [m.weight.shape for m in network.fractionally_strided if hasattr(m, "stride")]
    assert kernels == [(1024, 512, 5, 5), (512, 256, 5, 5), (256, 128, 5, 5), (128, 3, 5, 5)]


def test_the_papers_initial_values_and_slope() -> None:
    torch.manual_seed(0)
    for network in (
        DCGANGenerator(32, 1, 16, width=16, layers=2),
        DCGANDiscriminator(1, 16, width=16),
    ):
        for name, parameter in network.named_parameters():
            scale = name.endswith("weight") and parameter.dim() == 1
            if name.endswith("bias"):
                assert not parameter.any(), name
                continue
            assert parameter.mean().item() == pytest.approx(float(scale), abs=0.02), name
            assert parameter.std().item() == pytest.approx(0.02, rel=0.5), name
    leaks = [
        m.negative_slope
        for m in DCGANDiscriminator(1, 16, width=4).strided.modules()
        if isinstance(m, nn.LeakyReLU)
    ]
    assert leaks == [0.2] * 4


@pytest.mark.parametrize(("size", "layers"), [(8, 1), (8, 2), (28, 2), (16, 3)])
@pytest.mark.parametrize("kernel_size", [4, 5])
def test_images_of_other_sizes(size: int, layers: int, kernel_size: int) -> None:
    settings = {"width": 4, "layers": layers, "kernel_size": kernel_size}
    images = DCGANGenerator(8, 2, size, **settings)(torch.randn(3, 8))
    assert images.shape == (3, 2, size, size)
    assert images.detach().abs().max() < 1
    assert DCGANDiscriminator(2, size, **settings)(images).shape == (3, 1)


def test_a_critic_without_normalisation_takes_a_penalty() -> None:
    """Each score hangs on its own image alone, and the second derivative reaches every weight."""
    torch.manual_seed(0)
    critic = DCGANDiscriminator(1, 8, width=4, layers=2, norm_layer=None)
    x, y = torch.randn(2, 3, 1, 8, 8)
    torch.testing.assert_close(critic(x)[:1], critic(x[:1]))
    gradient_penalty(critic, x, y).backward()
    for name, parameter in critic.named_parameters():
        if name.endswith("weight"):
            assert parameter.grad is not None
            assert parameter.grad.any(), name


def test_spectral_normalisation_of_a_whole_network() -> None:
    """It stretches no difference of images, however large the weights have grown."""
    torch.manual_seed(0)
    critic = DCGANDiscriminator(1, 8, width=4, layers=2, norm_layer=None)
    assert spectrally_normalized(critic) is critic
    with torch.no_grad():
        for name, parameter in critic.named_parameters():
            if name.endswith("original"):
                parameter.mul_(50)
        x = torch.randn(20, 1, 8, 8)
        for _ in range(20):
            critic(x)
        a, b = torch.randn(2, 200, 1, 8, 8)
        ratio = (critic(a) - critic(b)).abs()[:, 0] / (a - b).flatten(1).norm(dim=1)
    # A kernel's matrix is divided by its own largest value: for the whole map that is a bound up
    # to the number of kernels that lie over a pixel, 5 × 5 / (2 × 2) at most 9.
    assert ratio.max() < 9
    assert ratio.max() > 1e-4
    encoder = PhraseEncoder(5, 3, 4)
    spectrally_normalized(ConditionalDiscriminator(encoder.embedding, nn.Linear(5, 1)))
    assert isinstance(encoder.embedding.weight, torch.nn.Parameter)


def test_the_condition_matters_and_is_learned() -> None:
    torch.manual_seed(0)
    for encoder, y in (
        (nn.Embedding(10, 4), torch.tensor([3, 7])),
        (PhraseEncoder(9, 3, 4), torch.tensor([[1, 2, 0], [3, 4, 5]])),
    ):
        generator = ConditionalGenerator(encoder, DCGANGenerator(4 + 4, 1, 8, width=4, layers=1))
        generator.eval()
        z = torch.randn(1, 4).expand(2, 4)
        images = generator(z, y)
        assert (images[0] - images[1]).abs().max() > 1e-5
        discriminator = ConditionalDiscriminator(
            encoder, DCGANDiscriminator(1 + 4, 8, width=4, layers=1)
        )
        encoder.zero_grad()
        ops.sum(discriminator(images.detach(), y)).backward()
        assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_padding_is_not_read() -> None:
    torch.manual_seed(0)
    encoder = PhraseEncoder(9, 3, 4, padding=8)
    short, long = torch.tensor([[1, 2]]), torch.tensor([[1, 2, 8, 8, 8]])
    torch.testing.assert_close(encoder(short), encoder(long))
    assert (encoder(short) - encoder(short.flip(1))).abs().max() > 1e-3  # the order is read
