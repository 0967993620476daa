r"""Generators and discriminators of images, with and without a condition.

The pair is that of Radford, Metz and Chintala, "Unsupervised representation learning with deep
convolutional generative adversarial networks" (2016): noise :math:`z` is projected and reshaped to
small maps, and fractionally-strided convolutions double their sides; the discriminator goes the
other way by strided convolutions. A condition, a class or a phrase, becomes a vector that both
players are given beside their input (Mirza and Osindero, "Conditional generative adversarial nets",
2014; with phrases, Reed and others, "Generative adversarial text to image synthesis", 2016).

Chapter: :doc:`/generative/gan-training`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlbook import init
from dlbook.models.gan import spectral_norm
from dlbook.nn.activations import LeakyReLU, ReLU, Tanh
from dlbook.nn.convolution import Conv2d, ConvTranspose2d
from dlbook.nn.layers import Embedding, Linear
from dlbook.nn.normalization import BatchNorm2d
from dlbook.nn.recurrent import GRU
from dlbook.ops import arithmetic

__all__ = [
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "PhraseEncoder",
    "spectrally_normalized",
]


def _start(name: str, size: int, width: int, layers: int, kernel_size: int) -> int:
    """The side of the smallest maps."""
    if layers < 1 or width < 1 or size < 1 or size % 2**layers:
        raise ValueError(
            f"{name}: expected a size that can be halved {layers} times, one layer or more and a "
            f"width of 1 or more, got size {size}, {layers} layers and width {width}"
        )
    if kernel_size < 2:
        raise ValueError(f"{name}: expected a kernel_size of 2 or more, got {kernel_size}")
    return size >> layers


def _begin(module: nn.Module) -> None:
    """The paper's initial values: weights from N(0, 0.02²), scales from N(1, 0.02²), biases 0."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, nn.Parameter):
        init.normal_(weight, 1.0 if isinstance(module, BatchNorm2d) else 0.0, 0.02)
        if isinstance(module.bias, nn.Parameter):
            init.zeros_(module.bias)


class DCGANGenerator(nn.Module):
    r"""Noise in, images out: project and reshape, then fractionally-strided convolutions.

    .. math:: a^{(0)} = g\bigl(\operatorname{norm}(W z)\bigr), \quad
        a^{(l)} = g\bigl(\operatorname{norm}(w^{(l)} \star^\top a^{(l-1)})\bigr), \quad
        x = \tanh\bigl(w^{(L)} \star^\top a^{(L-1)} + b\bigr)

    Args:
        latent: numbers in :math:`z`; the paper draws them uniformly from -1 to 1, most others from
            a standard normal distribution.
        channels: of the images.
        size: pixels along their side, to be halved ``layers`` times.
        width: channels before the last layer; each earlier layer has twice as many.
        layers: how many fractionally-strided convolutions, each of which doubles the side.
        kernel_size: of the convolutions, 2 or more. A multiple of the stride, 4, has every pixel
            made of equally many products, and leaves no chequered pattern.

    Called with z (B, latent), it returns images (B, channels, size, size) from -1 to 1.

    Raises:
        ValueError: if the sizes do not fit each other, or :math:`z` does not fit them.

    Example:
        >>> DCGANGenerator(16, 1, 28, width=8, layers=2)(torch.randn(4, 16)).shape
        torch.Size([4, 1, 28, 28])
    """

    def __init__(
        self,
        latent: int = 100,
        channels: int = 3,
        size: int = 64,
        *,
        width: int = 128,
        layers: int = 4,
        kernel_size: int = 5,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.start = _start("DCGANGenerator", size, width, layers, kernel_size)
        widths = [width * 2**i for i in reversed(range(layers))]
        self.project = Linear(latent, widths[0] * self.start**2, bias=False)
        self.norm = BatchNorm2d(widths[0])
        self.relu = ReLU()
        stack: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(zip(widths, [*widths[1:], channels], strict=True)):
            last = i == layers - 1
            stack.append(
                ConvTranspose2d(
                    inputs,
                    outputs,
                    kernel_size,
                    stride=2,
                    padding=(kernel_size - 1) // 2,
                    output_padding=kernel_size % 2,
                    bias=last,
                )
            )
            stack += [Tanh()] if last else [BatchNorm2d(outputs), ReLU()]
        self.fractionally_strided = nn.Sequential(*stack)
        self.apply(_begin)

    def forward(self, z: Tensor) -> Tensor:
        if z.dim() != 2 or z.shape[1] != self.latent:
            raise ValueError(
                f"DCGANGenerator: expected z of shape (B, {self.latent}), got {tuple(z.shape)}"
            )
        side = self.start
        maps = arithmetic.reshape(self.project(z), len(z), -1, side, side)
        images: Tensor = self.fractionally_strided(self.relu(self.norm(maps)))
        return images


class DCGANDiscriminator(nn.Module):
    r"""Images in, scores out: strided convolutions, each of which halves the side.

    .. math:: a^{(l)} = g\bigl(\operatorname{norm}(w^{(l)} \star a^{(l-1)})\bigr), \quad
        s = w \cdot a^{(L)} + b, \quad g(a) = \max(a, 0.2\,a)

    The first layer has a bias and is not normalised, as in the paper.

    Args:
        channels: of the images.
        size: pixels along their side, to be halved ``layers`` times.
        width: channels of the first layer; each later layer has twice as many.
        layers: how many strided convolutions.
        kernel_size: of the convolutions, 2 or more.
        norm_layer: called with a layer's channels for its normalisation; None for none at all, as
            under :func:`dlbook.models.gradient_penalty` and :func:`spectrally_normalized`.

    Called with images (B, channels, size, size), it returns scores (B, 1), any real numbers.

    Raises:
        ValueError: if the sizes do not fit each other, or the images do not fit them.

    Departs from the paper, whose last layer is followed by a logistic function: that is in the
    losses here.

    Example:
        >>> DCGANDiscriminator(1, 28, width=8, layers=2)(torch.randn(4, 1, 28, 28)).shape
        torch.Size([4, 1])
    """

    def __init__(
        self,
        channels: int = 3,
        size: int = 64,
        *,
        width: int = 128,
        layers: int = 4,
        kernel_size: int = 5,
        norm_layer: Callable[[int], nn.Module] | None = BatchNorm2d,
    ) -> None:
        super().__init__()
        start = _start("DCGANDiscriminator", size, width, layers, kernel_size)
        self.shape = torch.Size((channels, size, size))
        stack: list[nn.Module] = []
        inputs = channels
        for i in range(layers):
            outputs = width * 2**i
            norm = None if i == 0 or norm_layer is None else norm_layer(outputs)
            stack.append(
                Conv2d(
                    inputs,
                    outputs,
                    kernel_size,
                    stride=2,
                    padding=(kernel_size - 1) // 2,
                    bias=norm is None,
                )
            )
            stack += [] if norm is None else [norm]
            stack.append(LeakyReLU(0.2))
            inputs = outputs
        self.strided = nn.Sequential(*stack)
        self.score = Linear(inputs * start**2, 1)
        self.apply(_begin)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.shape:
            raise ValueError(
                f"DCGANDiscriminator: expected images of shape (B, {str(tuple(self.shape))[1:]}, "
                f"got {tuple(x.shape)}"
            )
        scores: Tensor = self.score(arithmetic.flatten(self.strided(x), 1))
        return scores


def spectrally_normalized(network: nn.Module) -> nn.Module:
    """Let every weight of a network be divided by its largest singular value from now on.

    Args:
        network: any; weights of two axes or more are meant, but no table of embeddings. It should
            have no other normalisation, which would scale its maps again.

    Returns:
        The network itself.

    Example:
        >>> critic = spectrally_normalized(DCGANDiscriminator(1, 8, width=4, layers=1))
        >>> [name for name, _ in critic.named_parameters()][-1]
        'score.parametrizations.weight.original'
    """
    for module in list(network.modules()):
        weight = module._parameters.get("weight")
        if weight is not None and weight.dim() > 1 and not isinstance(module, Embedding):
            spectral_norm(module)
    return network


# --- conditions ---------------------------------------------------------------------------------


class PhraseEncoder(nn.Module):
    r"""A vector for a short text: the last state of a recurrent network that has read it.

    Args:
        vocabulary_size: tokens, V.
        embedding_dim: features of a token.
        hidden_size: numbers in the vector, H.
        padding: the token after the end of a shorter text.

    Called with tokens (B, T), it returns vectors (B, H); padding is not read.

    Raises:
        ValueError: for tokens of another shape, or a text without a token.

    Example:
        >>> encoder = PhraseEncoder(10, 4, 6)
        >>> tokens = torch.tensor([[3, 4, 0, 0], [3, 4, 5, 6]])
        >>> same = encoder(tokens[:1, :2])
        >>> encoder(tokens).shape, torch.allclose(encoder(tokens)[:1], same)
        (torch.Size([2, 6]), True)
    """

    def __init__(
        self, vocabulary_size: int, embedding_dim: int, hidden_size: int, padding: int = 0
    ) -> None:
        super().__init__()
        self.padding = padding
        self.embedding = Embedding(vocabulary_size, embedding_dim, padding_idx=padding)
        self.gru = GRU(embedding_dim, hidden_size, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.dim() != 2:
            raise ValueError(
                f"PhraseEncoder: expected tokens (B, T), got shape {tuple(tokens.shape)}"
            )
        lengths = (tokens != self.padding).sum(1)
        if not lengths.all():
            raise ValueError("PhraseEncoder: expected one token or more in each text")
        last: Tensor = self.gru(self.embedding(tokens), lengths=lengths)[1]
        return arithmetic.squeeze(last, 0)


class ConditionalGenerator(nn.Module):
    r"""Give a generator the condition's vector beside the noise: :math:`G(z, c(y))`.

    Args:
        encoder: makes vectors (B, E) of conditions, such as ``Embedding(10, 16)`` of classes or a
            :class:`PhraseEncoder` of phrases.
        generator: takes z (B, latent + E).

    Called with z (B, latent) and the conditions, it returns what the generator makes.

    Example:
        >>> by_class = ConditionalGenerator(
        ...     Embedding(10, 4), DCGANGenerator(16 + 4, 1, 8, width=8, layers=1))
        >>> by_class(torch.randn(2, 16), torch.tensor([3, 7])).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(self, encoder: nn.Module, generator: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.generator = generator

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        _rows("ConditionalGenerator", z, condition)
        made: Tensor = self.generator(arithmetic.concatenate([z, self.encoder(condition)], 1))
        return made


class ConditionalDiscriminator(nn.Module):
    r"""Give a discriminator the condition's vector beside the example: :math:`D(x, c(y))`.

    To an image each number of the vector is one more channel, the same at every pixel.

    Args:
        encoder: makes vectors (B, E) of conditions. The two players should have one each: what
            helps the one is no help to the other.
        discriminator: takes examples with E more features, or E more channels.

    Called with examples (B, F) or images (B, C, H, W) and the conditions, it returns scores.

    Raises:
        ValueError: if there is not one condition for each example.

    Departs from Reed and others, who bring the vector to the maps of the last layer but one.

    Example:
        >>> by_class = ConditionalDiscriminator(
        ...     Embedding(10, 4), DCGANDiscriminator(1 + 4, 8, width=8, layers=1))
        >>> by_class(torch.randn(2, 1, 8, 8), torch.tensor([3, 7])).shape
        torch.Size([2, 1])
    """

    def __init__(self, encoder: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.discriminator = discriminator

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        _rows("ConditionalDiscriminator", x, condition)
        vectors: Any = self.encoder(condition)
        for _ in range(x.dim() - 2):
            vectors = arithmetic.unsqueeze(vectors, -1)
        if x.dim() > 2:
            vectors = arithmetic.expand(vectors, -1, -1, *x.shape[2:])
        scores: Tensor = self.discriminator(arithmetic.concatenate([x, vectors], 1))
        return scores


def _rows(name: str, x: Tensor, condition: Tensor) -> None:
    if condition.dim() == 0 or len(condition) != len(x):
        raise ValueError(
            f"{name}: expected a condition for each of the {len(x)} examples, got shape "
            f"{tuple(condition.shape)}"
        )
