r"""Maximisation: images that a network, or a part of it, answers to most.

Backpropagation does not stop at the weights. With the weights held fast, the derivative with
respect to the image says how to change it so that a score grows, and small steps that way make an
image of what the network has learned. Steps are normalised, because the length of the derivative
says little about how far to go:

.. math:: x \leftarrow x + \eta\,\frac{g}{\langle |g| \rangle}, \qquad
    g = \frac{\partial}{\partial x} \bigl( \text{what is to grow} \bigr),

with the mean over an image's pixels, so that :math:`\eta` is the mean change of a pixel in a step.

**Jitter.** Before each step the image is moved by a random number of pixels, around the edges, and
moved back after it. What fits one position of the strides alone does not add up.

Chapter: ``images/feature-visualization``.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.interpret.layers import output_of, untouched

Bounds = tuple[float, float] | None


def total_variation(x: Float[Tensor, "B C H W"], beta: float = 2.0) -> Float[Tensor, "B"]:
    r"""Add up how much neighbouring pixels differ.

    .. math:: R(x) = \sum_{chw} \Bigl( (x_{c,h,w+1} - x_{chw})^2 + (x_{c,h+1,w} - x_{chw})^2
        \Bigr)^{\beta / 2}
       :label: interpret-total-variation

    Beyond the last row and column there is no difference. The form is that of Mahendran and Vedaldi
    (2015), Understanding deep image representations by inverting them. The gradient where all
    neighbours are equal is 0, for every :math:`\beta`.

    Args:
        x: images.
        beta: :math:`\beta > 0`; the smaller, the more a few large steps are preferred to many small
            ones.

    Raises:
        ValueError: if :math:`\beta` is not positive.

    Example:
        >>> total_variation(torch.tensor([[[[0.0, 3.0], [4.0, 3.0]]]]), beta=1.0)
        tensor([6.])

    Chapter: ``images/feature-visualization``.
    """
    if beta <= 0:
        raise ValueError(f"total_variation: expected beta above 0, got {beta}")
    along = functional.pad(x[..., :, 1:] - x[..., :, :-1], (0, 1))
    down = functional.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    squares = along * along + down * down
    if beta == 2:
        return squares.sum((1, 2, 3))
    # A root has no derivative at 0: let it see a 1 there, and take it out again.
    still = squares == 0
    powers = squares.masked_fill(still, 1.0) ** (beta / 2)
    return powers.masked_fill(still, 0.0).sum((1, 2, 3))


def _shift(jitter: int, generator: Generator | None) -> tuple[int, int]:
    if not jitter:
        return 0, 0
    down, along = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
    return down, along


def _ascend(
    objective: Callable[[Tensor], Tensor],
    x: Tensor,
    steps: int,
    lr: float,
    jitter: int,
    bounds: Bounds,
    generator: Generator | None,
) -> Tensor:
    """Normalised steps uphill, each from another shift of the images."""
    for _ in range(steps):
        down, along = _shift(jitter, generator)
        moved = x.detach().roll((down, along), (-2, -1)).requires_grad_()
        (g,) = torch.autograd.grad(objective(moved).sum(), moved)
        size = g.abs().mean((1, 2, 3), keepdim=True)
        g = g / size.masked_fill(size == 0, 1.0)  # no way up: stay
        x = x + lr * g.roll((-down, -along), (-2, -1))
        if bounds is not None:
            x = x.clamp(*bounds)
    return x


def _check(caller: str, steps: int, lr: float, jitter: int | None, bounds: Bounds) -> None:
    if steps < 0 or lr <= 0 or (jitter is not None and jitter < 0):
        raise ValueError(
            f"{caller}: expected steps and jitter of at least 0 and lr above 0, got {steps}, "
            f"{jitter} and {lr}"
        )
    if bounds is not None and not bounds[0] < bounds[1]:
        raise ValueError(f"{caller}: expected bounds (low, high) with low < high, got {bounds}")


def class_maximisation(
    model: nn.Module,
    target: int | Sequence[int],
    shape: Sequence[int] | None = None,
    *,
    layer: str | None = None,
    start: Float[Tensor, "B C H W"] | None = None,
    steps: int = 200,
    lr: float = 0.02,
    l2: float = 0.01,
    tv: float = 0.01,
    beta: float = 2.0,
    jitter: int = 0,
    bounds: Bounds = None,
    generator: Generator | None = None,
) -> Float[Tensor, "B C H W"]:
    r"""Make an image for which a class's score is as high as can be.

    .. math:: \max_x\; S_c(x) - \lambda \lVert x \rVert^2 - \mu R(x)
       :label: interpret-class-maximisation

    The first penalty is that of Simonyan, Vedaldi and Zisserman (2014), who begin with a zero
    image, as here; :math:`R`, the total variation (:eq:`interpret-total-variation`), and the jitter
    are those of Mahendran and Vedaldi (2015) and Mordvintsev, Olah and Tyka (2015).

    Args:
        model: any module; without ``layer`` it must return scores of shape (B, K).
        target: :math:`c`, a class, or several, for which as many images are made.
        shape: (C, H, W), the shape of an image; not needed with ``start``.
        layer: the name of a layer, the prefix of its parameters in the ``state_dict``, if one of
            its units is meant: ``target`` is then a channel of its output, and :math:`S_c` that
            channel's mean.
        start: the images to begin with, one for each target; zeros when None.
        steps: how many steps are taken.
        lr: :math:`\eta`, the mean change of a pixel in a step.
        l2: :math:`\lambda`, the weight of the squared length.
        tv: :math:`\mu`, the weight of the total variation.
        beta: the total variation's exponent.
        jitter: the largest shift in pixels, either way.
        bounds: the lowest and the highest value of a pixel, or None for no bounds.
        generator: of the shifts; PyTorch's own when None.

    Returns:
        One image for each target, of shape (B, C, H, W).

    Raises:
        ValueError: if the model returns no scores, there is no such class, layer or unit, the score
            has no derivative at the start, or a setting is out of range.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        >>> image = class_maximisation(model, 2, (1, 4, 4))
        >>> bool(model(image)[0, 2] > model(torch.zeros(1, 1, 4, 4))[0, 2])
        True

    Chapter: ``images/feature-visualization``.
    """
    name = "class_maximisation"
    _check(name, steps, lr, jitter, bounds)
    classes = [target] if isinstance(target, int) else list(target)
    like = next(model.parameters(), torch.empty(0))
    if start is None:
        if shape is None or len(shape) != 3:
            raise ValueError(f"{name}: expected shape (C, H, W) or start, got {shape}")
        start = torch.zeros((len(classes), *shape), dtype=like.dtype, device=like.device)
    elif start.ndim != 4 or len(start) != len(classes):
        raise ValueError(
            f"{name}: expected start of shape ({len(classes)}, C, H, W), one image for each "
            f"target, got {tuple(start.shape)}"
        )

    def scores(x: Tensor) -> Tensor:
        output = model(x) if layer is None else output_of(name, model, layer, x)
        if not isinstance(output, Tensor) or output.ndim < 2 or (layer is None and output.ndim > 2):
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(f"{name}: expected scores of shape ({len(x)}, K), got {got}")
        if not all(0 <= c < output.shape[1] for c in classes):
            raise ValueError(
                f"{name}: expected targets from 0 to {output.shape[1] - 1}, got {classes}"
            )
        return output.flatten(2).mean(2) if output.ndim > 2 else output

    def objective(x: Tensor) -> Tensor:
        found = scores(x).gather(1, targets[:, None])[:, 0]
        return found - l2 * (x * x).sum((1, 2, 3)) - tv * total_variation(x, beta)

    with untouched(model):
        targets = torch.tensor(classes, device=start.device)
        x = start.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(objective(x).sum(), x)
        flat = targets[(g == 0).flatten(1).all(1)].tolist()
        if flat:
            raise ValueError(
                f"{name}: expected a start from which the scores can grow, but those of {flat} do "
                f"not change with the image there; give another start"
            )
        return _ascend(objective, x.detach(), steps, lr, jitter, bounds, generator)


def deep_dream(
    model: nn.Module,
    input: Float[Tensor, "B C H W"],
    layer: str,
    *,
    unit: int | None = None,
    octaves: int = 4,
    scale: float = 1.4,
    steps: int = 10,
    lr: float = 0.01,
    jitter: int | None = None,
    bounds: Bounds = None,
    generator: Generator | None = None,
) -> Float[Tensor, "B C H W"]:
    r"""Let a layer see more of what it sees in an image already.

    .. math:: \max_x\; \tfrac12 \lVert A(x) \rVert^2
       :label: interpret-deep-dream

    Whatever is in the layer's output :math:`A` a little gets more: the cotangent that is sent back
    from the layer is its own output. Steps are taken first in a small copy of the image, where
    a receptive field covers much of it, then in larger ones (octaves), each with the details that
    the smaller one has grown. The method is that of Mordvintsev, Olah and Tyka (2015),
    Inceptionism, in the steps of their published program.

    The network runs up to the layer only, so that images of other sizes are welcome even if it ends
    in layers that are not.

    Args:
        model: any module.
        input: the images to begin with.
        layer: the layer's name, the prefix of its parameters in the ``state_dict``. Of a layer that
            runs several times it is the first run.
        unit: one channel of the layer's output, if only that is to grow.
        octaves: how many sizes.
        scale: from one size to the next; above 1.
        steps: how many steps are taken at every size.
        lr: :math:`\eta`, the mean change of a pixel in a step.
        jitter: the largest shift in pixels, either way; a seventh of the image's shorter side when
            None (the program's 32 of 224).
        bounds: the lowest and the highest value of a pixel, or None for no bounds.
        generator: of the shifts; PyTorch's own when None.

    Returns:
        The images, of the input's shape.

    Raises:
        ValueError: if the input is no batch of images, there is no such layer or unit, it does not
            run, an octave is too small for the network, or a setting is out of range.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 3))
        >>> deep_dream(model, torch.rand(1, 1, 12, 12), "1", octaves=2).shape
        torch.Size([1, 1, 12, 12])

    Chapter: ``images/feature-visualization``.
    """
    name = "deep_dream"
    _check(name, steps, lr, jitter, bounds)
    if input.ndim != 4 or not input.is_floating_point():
        raise ValueError(
            f"{name}: expected floating-point images of shape (B, C, H, W), got {input.dtype} of "
            f"shape {tuple(input.shape)}"
        )
    if octaves < 1 or scale <= 1:
        raise ValueError(
            f"{name}: expected at least 1 octave and a scale above 1, got {octaves} and {scale}"
        )

    def objective(x: Tensor) -> Tensor:
        a = output_of(name, model, layer, x)
        if unit is not None:
            if a.ndim < 2 or not 0 <= unit < a.shape[1]:
                raise ValueError(
                    f"{name}: expected a unit of {layer!r}, whose output has shape "
                    f"{tuple(a.shape)}, got {unit}"
                )
            a = a[:, unit]
        return (a * a).flatten(1).sum(1) / 2

    height, width = input.shape[2:]
    sizes = [(round(height / scale**k), round(width / scale**k)) for k in range(octaves)]
    if min(sizes[-1]) < 1:
        raise ValueError(
            f"{name}: expected octaves of at least one pixel, got {octaves} for images of "
            f"{height}×{width}"
        )
    with untouched(model):
        image = input.detach().clone()
        details = x = image
        for octave, size in enumerate(reversed(sizes)):
            base = _resized(image, size)
            x = base if octave == 0 else base + _resized(details, size)
            most = round(min(size) / 7) if jitter is None else jitter
            try:
                x = _ascend(objective, x, steps, lr, most, bounds, generator)
            except (RuntimeError, ValueError) as refusal:
                if size == (height, width) or str(refusal).startswith(name):
                    raise
                raise ValueError(
                    f"{name}: expected octaves that the network can take, but it refuses images of "
                    f"{size[0]}×{size[1]}; take fewer than {octaves} ({refusal})"
                ) from refusal
            details = x - base
        return x


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    return functional.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
