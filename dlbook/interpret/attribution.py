r"""Attribution: which pixels a decision rests on.

:math:`S_c(x)` is the score that a network gives class :math:`c` for the image :math:`x`, the
class's column of the output. All functions take a batch and the classes asked about, one for all of
the images or one for each; without any it is the class of the highest score.

A network that ends in probabilities is asked about probabilities, one that ends in logits about
logits, which do not grow by making other classes less likely.

Chapter: ``images/feature-visualization``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dlbook.interpret.layers import check_output, find, hooked, untouched

Target = int | Sequence[int] | Tensor | None


def _leaf(caller: str, input: Tensor) -> Tensor:
    if not input.is_floating_point() or input.ndim < 2:
        raise ValueError(
            f"{caller}: expected a batch of floating-point numbers, got {input.dtype} of shape "
            f"{tuple(input.shape)}"
        )
    return input.detach().clone().requires_grad_()


def _logits(caller: str, model: nn.Module, x: Tensor) -> Tensor:
    output = model(x)
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != len(x):
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"{caller}: expected the model to return scores of shape ({len(x)}, K), got {got}"
        )
    return output


def _classes(caller: str, scores: Tensor, target: Target) -> Tensor:
    """One class for each image."""
    count, classes = scores.shape
    if target is None:
        return scores.argmax(1)
    if isinstance(target, int):
        target = [target] * count
    found = torch.as_tensor(target, device=scores.device)
    if found.is_floating_point() or found.shape != (count,):
        raise ValueError(
            f"{caller}: expected target to be a class, or {count} of them, one for each image, got "
            f"{found.dtype} of shape {tuple(found.shape)}"
        )
    if count and not (int(found.min()) >= 0 and int(found.max()) < classes):
        raise ValueError(
            f"{caller}: expected classes from 0 to {classes - 1}, got {found.tolist()}"
        )
    return found.long()


def _scores(caller: str, model: nn.Module, x: Tensor, target: Target) -> Tensor:
    """The scores of the classes asked about, one for each image."""
    logits = _logits(caller, model, x)
    return logits.gather(1, _classes(caller, logits, target)[:, None])[:, 0]


def _pull(caller: str, scores: Tensor, x: Tensor) -> Tensor:
    """The scores' derivative: an image's score depends on that image alone."""
    if not scores.requires_grad:
        raise ValueError(f"{caller}: expected scores with a derivative, got none to differentiate")
    (gradient,) = torch.autograd.grad(scores.sum(), x, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def input_gradient(
    model: nn.Module, input: Float[Tensor, "B ..."], target: Target = None
) -> Float[Tensor, "B ..."]:
    r"""Return the derivative of a class's score with respect to the input, sign and all.

    .. math:: \frac{\partial S_c}{\partial x}

    Args:
        model: any module that returns scores of shape (B, K).
        input: :math:`x`, a batch.
        target: :math:`c`, one class or one for each input; the highest score's when None.

    Raises:
        ValueError: if the input is no batch, the model returns no scores, or a class is none.

    Example:
        >>> model = nn.Linear(2, 3)
        >>> torch.equal(input_gradient(model, torch.zeros(1, 2), 1)[0], model.weight[1])
        True

    Chapter: ``images/feature-visualization``.
    """
    name = "input_gradient"
    with untouched(model):
        x = _leaf(name, input)
        return _pull(name, _scores(name, model, x, target), x)


def saliency(
    model: nn.Module, input: Float[Tensor, "B ..."], target: Target = None
) -> Float[Tensor, "B ..."]:
    r"""Map how much a change of each pixel would change a class's score.

    .. math:: M_{hw} = \max_{\text{channels } k} \Bigl|
        \frac{\partial S_c}{\partial x_{khw}} \Bigr|
       :label: interpret-saliency

    Near :math:`x` the score is :math:`S_c(x) + \langle \partial S_c / \partial x, \dot x \rangle`,
    and the map says which pixels this straight line leans on. The method is that of Simonyan,
    Vedaldi and Zisserman (2014), Deep inside convolutional networks.

    Args:
        model: any module that returns scores of shape (B, K).
        input: :math:`x`, a batch of shape (B, C, …), or rows (B, D), which have no channels.
        target: :math:`c`, one class or one for each input; the highest score's when None.

    Returns:
        The map, of the input's shape without its channels.

    Raises:
        ValueError: if the input is no batch, the model returns no scores, or a class is none.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
        >>> saliency(model, torch.zeros(5, 3, 2, 2)).shape
        torch.Size([5, 2, 2])

    Chapter: ``images/feature-visualization``.
    """
    name = "saliency"
    with untouched(model):
        x = _leaf(name, input)
        size = _pull(name, _scores(name, model, x, target), x).abs()
    return size.amax(1) if size.ndim > 2 else size


#: The names that a rectifier has in the graph of PyTorch's engine: its own, and ours.
RECTIFIERS = ("ReluBackward0", "_relu_plainBackward")


def guided_backpropagation(
    model: nn.Module, input: Float[Tensor, "B ..."], target: Target = None
) -> Float[Tensor, "B ..."]:
    r"""Return the score's derivative by a changed rule: rectifiers pass on what is positive only.

    .. math:: \bar x = \mathbf 1\{x > 0\}\,\mathbf 1\{\bar y > 0\}\,\bar y
        \qquad \text{instead of} \qquad \bar x = \mathbf 1\{x > 0\}\,\bar y
       :label: interpret-guided

    What argues against the class is dropped at every rectifier, on the way back, whence the clean
    pictures; they are no derivative of anything any more. The method is that of Springenberg,
    Dosovitskiy, Brox and Riedmiller (2015), Striving for simplicity.

    The rectifiers are found in the graph of the computation, so that they may be modules or
    functions, in place or not.

    Args:
        model: any module that returns scores of shape (B, K).
        input: :math:`x`, a batch.
        target: :math:`c`, one class or one for each input; the highest score's when None.

    Raises:
        ValueError: if there is no rectifier, the input is no batch, the model returns no scores, or
            a class is none.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
        >>> guided_backpropagation(model, torch.zeros(5, 2), 1).shape
        torch.Size([5, 2])

    Chapter: ``images/feature-visualization``.
    """
    name = "guided_backpropagation"

    def positive(x_bars: tuple[Any, ...], _y_bars: Any) -> tuple[Any, ...]:
        return tuple(bar if bar is None else bar.clamp(min=0) for bar in x_bars)

    with untouched(model):
        x = _leaf(name, input)
        scores = _scores(name, model, x, target)
        waiting, seen, rectifiers = [scores.grad_fn], set(), 0
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if node.name() in RECTIFIERS:
                node.register_hook(positive)  # goes with the graph
                rectifiers += 1
            waiting += [before for before, _ in node.next_functions]
        if not rectifiers:
            raise ValueError(
                f"{name}: expected a network with rectifiers, found none in {type(model).__name__}"
            )
        return _pull(name, scores, x)


def integrated_gradients(
    model: nn.Module,
    input: Float[Tensor, "B ..."],
    target: Target = None,
    *,
    baseline: Tensor | float = 0.0,
    steps: int = 50,
) -> Float[Tensor, "B ..."]:
    r"""Share the score out among the pixels, by adding up derivatives on the way from a baseline.

    .. math:: I_i = (x_i - x'_i) \int_0^1
        \frac{\partial S_c}{\partial x_i}\bigl( x' + \alpha\,(x - x') \bigr)\,d\alpha,
        \qquad \sum_i I_i = S_c(x) - S_c(x')
       :label: interpret-integrated-gradients

    That the shares add up (completeness) is the fundamental theorem of calculus along the straight
    way. The integral is taken by the midpoint rule, :math:`\alpha = (j + \tfrac12) / m`. The method
    is that of Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks, who add
    up at the right ends of the steps.

    Args:
        model: any module that returns scores of shape (B, K).
        input: :math:`x`, a batch.
        target: :math:`c`, one class or one for each input; when None, the one with the highest
            score for the input itself.
        baseline: :math:`x'`, an input that says nothing, such as a black one: a number, or a tensor
            whose shape can be expanded to the input's.
        steps: :math:`m`, how many derivatives are taken; at least 1.

    Raises:
        ValueError: if the input is no batch, the baseline does not fit it, there is no step, the
            model returns no scores, or a class is none.

    Example:
        >>> model = nn.Linear(2, 3, bias=False)
        >>> x = torch.tensor([[1.0, 2.0]])
        >>> torch.allclose(integrated_gradients(model, x, 0).sum(), model(x)[0, 0])
        True

    Chapter: ``images/feature-visualization``.
    """
    name = "integrated_gradients"
    if steps < 1:
        raise ValueError(f"{name}: expected at least 1 step, got {steps}")
    with untouched(model):
        x = _leaf(name, input).detach()
        start = torch.as_tensor(baseline, dtype=x.dtype, device=x.device)
        try:
            start = start.expand(x.shape)
        except RuntimeError:
            raise ValueError(
                f"{name}: expected a baseline of the input's shape {tuple(x.shape)}, got "
                f"{tuple(start.shape)}"
            ) from None
        with torch.no_grad():
            classes = _classes(name, _logits(name, model, x), target)
        total = torch.zeros_like(x)
        for j in range(steps):
            here = torch.lerp(start, x, (j + 0.5) / steps).requires_grad_()
            total += _pull(name, _scores(name, model, here, classes), here)
        return (x - start) * total / steps


def occlusion(
    model: nn.Module,
    input: Float[Tensor, "B C H W"],
    target: Target = None,
    *,
    size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    fill: Tensor | float = 0.0,
    batch_size: int = 256,
) -> Float[Tensor, "B h w"]:
    r"""Map how much of a class's score is lost when a patch of the image is covered.

    .. math:: M_{op} = S_c(x) - S_c(x \text{ with the patch from row } os \text{ and column } ps'
        \text{ on covered})
       :label: interpret-occlusion

    The method is that of Zeiler and Fergus (2014), Visualizing and understanding convolutional
    networks, who slide a grey square over the image and watch the probability of its class.

    Args:
        model: any module that returns scores of shape (B, K).
        input: :math:`x`, a batch of images.
        target: :math:`c`, one class or one for each image; when None, the one with the highest
            score for the uncovered image.
        size: height and width of the patch, or one number for both.
        stride: :math:`s, s'`, from one patch to the next; the patch's size when None.
        fill: what covers: a number, or a tensor whose shape can be expanded to the images'.
        batch_size: how many covered images go through the model together.

    Returns:
        The map, with one number for each place of the patch inside the image.

    Raises:
        ValueError: if the input is no batch of images, the patch does not fit, a size is not
            positive, the model returns no scores, or a class is none.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
        >>> occlusion(model, torch.ones(5, 1, 6, 6), size=2).shape
        torch.Size([5, 3, 3])

    Chapter: ``images/feature-visualization``.
    """
    name = "occlusion"
    if input.ndim != 4:
        raise ValueError(f"{name}: expected images of shape (B, C, H, W), got {tuple(input.shape)}")
    h, w = (size, size) if isinstance(size, int) else size
    stride = (h, w) if stride is None else stride
    down, along = (stride, stride) if isinstance(stride, int) else stride
    if min(h, w, down, along, batch_size) < 1:
        raise ValueError(
            f"{name}: expected size, stride and batch_size of at least 1, got {(h, w)}, "
            f"{(down, along)} and {batch_size}"
        )
    count, _, height, width = input.shape
    rows, columns = (height - h) // down + 1, (width - w) // along + 1
    if h > height or w > width:
        raise ValueError(
            f"{name}: expected a patch that fits into images of {height}×{width}, got {h}×{w}"
        )
    with untouched(model), torch.no_grad():
        x = _leaf(name, input).detach()
        logits = _logits(name, model, x)
        classes = _classes(name, logits, target)
        whole = logits.gather(1, classes[:, None])
        cover = torch.as_tensor(fill, dtype=x.dtype, device=x.device).expand(x.shape)
        places = [(o * down, p * along) for o in range(rows) for p in range(columns)]
        left = torch.empty(count, len(places), dtype=logits.dtype, device=logits.device)
        together = max(1, batch_size // max(count, 1))  # places at a time
        for first in range(0, len(places), together):
            some = places[first : first + together]
            covered = x.repeat(len(some), 1, 1, 1)
            for i, (top, beginning) in enumerate(some):
                patch = (..., slice(top, top + h), slice(beginning, beginning + w))
                covered[i * count : (i + 1) * count][patch] = cover[patch]
            found = _scores(name, model, covered, classes.repeat(len(some)))
            left[:, first : first + len(some)] = found.reshape(len(some), count).T
        return (whole - left).reshape(count, rows, columns)


def grad_cam(
    model: nn.Module,
    input: Float[Tensor, "B ..."],
    layer: str,
    target: Target = None,
    *,
    size: tuple[int, int] | None = None,
) -> Float[Tensor, "B h w"]:
    r"""Map where a layer's feature maps speak for a class.

    .. math:: \alpha_k = \frac1{hw} \sum_{ij} \frac{\partial S_c}{\partial A_{kij}}, \qquad
        M_{ij} = \max\Bigl( 0, \sum_k \alpha_k A_{kij} \Bigr)
       :label: interpret-grad-cam

    A feature map :math:`A_k` counts as much as the score would gain if all of it grew. The method
    (gradient-weighted class activation mapping) is that of Selvaraju, Cogswell, Das, Vedantam,
    Parikh and Batra (2017), Grad-CAM, who take the last convolutional layer.

    Args:
        model: any module that returns scores of shape (B, K).
        input: what the model takes, a batch.
        layer: the layer's name, the prefix of its parameters in the ``state_dict``; its output must
            have shape (B, k, h, w). Of a layer that runs several times it is the first run.
        target: :math:`c`, one class or one for each input; the highest score's when None.
        size: height and width to which the map is interpolated, the image's perhaps; the layer's
            own when None.

    Raises:
        ValueError: if there is no such layer, it does not run or its output has another shape, the
            input is no batch, the model returns no scores, or a class is none.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(64, 3))
        >>> grad_cam(model, torch.zeros(5, 1, 6, 6), "0").shape
        torch.Size([5, 4, 4])

    Chapter: ``images/feature-visualization``.
    """
    name = "grad_cam"
    maps: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if maps:
            return output
        maps.append(check_output(name, layer, output))
        return output.clone()  # lest what comes next works in place

    with untouched(model):
        x = _leaf(name, input)
        with hooked(find(name, model, layer), hook):
            scores = _scores(name, model, x, target)
        if not maps:
            raise ValueError(f"{name}: expected a layer that takes part, but {layer!r} has not run")
        (a,) = maps
        if a.ndim != 4:
            raise ValueError(
                f"{name}: expected {layer!r} to return feature maps of shape (B, k, h, w), got "
                f"{tuple(a.shape)}"
            )
        weights = _pull(name, scores, a).mean((2, 3), keepdim=True)
        found = (weights * a.detach()).sum(1, keepdim=True).clamp(min=0)
        if size is not None:
            found = functional.interpolate(found, size, mode="bilinear", align_corners=False)
        return found[:, 0]
