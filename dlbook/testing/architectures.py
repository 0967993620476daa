"""Rows for convolutional networks and their parts: the same written with PyTorch's modules.

The largest networks have no row: tests/test_architectures.py holds their names, shapes and counts,
and what they compute on small images.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from types import LambdaType
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.models import lenet, resnet
from dlbook.testing._row import Bad, Row, Sample, Samples, integers, normal

X = torch.zeros(2, 3, 28, 28, dtype=torch.float64)


def made(
    *calls: tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]], smooth: bool = True
) -> Samples:
    """Samples from their labels, arguments of the constructor, and shapes of the input.

    An argument that holds parameters is made when it is needed, by a function.
    """

    def samples(g: Generator) -> Iterable[Sample]:
        for label, args, kwargs, shape in calls:
            made = tuple(a() if isinstance(a, LambdaType) else a for a in args)
            yield Sample(label, made, kwargs, inputs=(normal(g, *shape),), smooth=smooth)

    return samples


def row(name: str, reference: Any, samples: Samples, formula: str, *bad: Bad, **more: Any) -> Row:
    stem = "cnn_architectures"
    return Row(f"models.{name}", reference, samples, formula, stem, kind="module", bad=bad, **more)


# --- LeNet-5 ------------------------------------------------------------------------------------


class Squash(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class Sums(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels).uniform_(-0.6, 0.6))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-0.6, 0.6))

    def forward(self, x: Tensor) -> Tensor:
        four = sum(x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
        return torch.einsum("bchw,c->bchw", four, self.weight) + self.bias[:, None, None]


class ByTable(nn.Module):
    """One convolution for each output, of the inputs that it sees."""

    def __init__(self, table: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        self.table, n = table, kernel_size**2
        drawn = []
        for seen in table:
            bound = 2.4 / (len(seen) * n)
            kernels = torch.empty(len(seen), kernel_size, kernel_size).uniform_(-bound, bound)
            drawn.append((kernels, torch.empty(1).uniform_(-bound, bound)))
        self.weight = nn.Parameter(torch.cat([kernels for kernels, _ in drawn]))
        self.bias = nn.Parameter(torch.cat([bias for _, bias in drawn]))

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.split(self.weight, [len(seen) for seen in self.table])
        maps = [
            functional.conv2d(x[:, list(seen)], kernel[None], bias[None])
            for seen, kernel, bias in zip(self.table, kernels, self.bias)
        ]
        return torch.cat(maps, 1)


class Distances(nn.Module):
    weight: Tensor

    def __init__(self, centers: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", centers.clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([((x - w) ** 2).sum(-1) for w in self.weight], -1)


class Penalties(nn.Module):
    def __init__(self, j: float = 1.0) -> None:
        super().__init__()
        self.j = j

    def forward(self, y: Tensor, target: Tensor) -> Tensor:
        own = y[torch.arange(len(y)), target]
        rubbish = torch.exp(y.new_tensor(-self.j))
        return (own + torch.log(rubbish + torch.exp(-y).sum(1))).mean()


def lenet5(targets: Tensor | None = None) -> nn.Module:
    if targets is None:
        targets = lenet.digit_bitmaps().flatten(1).double()
    parts: dict[str, nn.Module] = {
        "c1": nn.Conv2d(1, 6, 5),
        "s2": Sums(6),
        "c3": ByTable(lenet.C3_TABLE, 5),
        "s4": Sums(16),
        "c5": nn.Conv2d(16, 120, 5),
        "f6": nn.Linear(120, 84),
        "output": Distances(targets),
    }
    for name, fan_in in (("c1", 25), ("c5", 400), ("f6", 120)):
        for p in parts[name].parameters():
            nn.init.uniform_(p, -2.4 / fan_in, 2.4 / fan_in)
    for name in ("s2", "c3", "s4"):
        again: Any = type(parts[name])
        settings = {"s2": (6,), "c3": (lenet.C3_TABLE, 5), "s4": (16,)}[name]
        parts[name] = again(*settings)
    order: list[Any] = []
    for name in ("c1", "s2", "c3", "s4", "c5", "f6"):
        order += [1] if name == "f6" else []
        order += [name, Squash()]
    return Chain(parts, *order, "output")


class Chain(nn.Module):
    """Named modules, called in an order that also has functions; 1 stands for flattening."""

    def __init__(self, parts: dict[str, nn.Module], *order: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.order = order
        self.functions = [f for f in order if not isinstance(f, (str, int))]

    def forward(self, x: Tensor) -> Tensor:
        for step in self.order:
            if step == 1:
                x = x.flatten(1)
            else:
                x = getattr(self, step)(x) if isinstance(step, str) else step(x)
        return x


def lenet5_modern(num_classes: int = 10, in_channels: int = 1) -> nn.Module:
    parts: dict[str, nn.Module] = {
        "c1": nn.Conv2d(in_channels, 6, 5),
        "c3": nn.Conv2d(6, 16, 5),
        "c5": nn.Conv2d(16, 120, 5),
        "f6": nn.Linear(120, 84),
        "output": nn.Linear(84, num_classes),
    }
    relu, pool = torch.relu, nn.MaxPool2d(2)
    return Chain(
        parts, "c1", relu, pool, "c3", relu, pool, "c5", relu, 1, "f6", relu, "output"
    )  # fmt: skip


def bitmap_penalties(g: Generator) -> Iterable[Sample]:
    yield Sample("batch", inputs=(normal(g, 4, 3) ** 2, integers(g, 3, 4)))
    yield Sample("another j", (0.3,), inputs=(normal(g, 4, 3) ** 2, integers(g, 3, 4)))


# --- VGG ----------------------------------------------------------------------------------------


def vgg(
    blocks: Sequence[Sequence[int]],
    num_classes: int = 1000,
    batch_norm: bool = False,
    dropout: float = 0.5,
    *,
    in_channels: int = 3,
    hidden: int = 4096,
    pooled: int = 7,
) -> nn.Module:
    layers: list[nn.Module] = []
    for block in blocks:
        for width in block:
            layers += [nn.Conv2d(in_channels, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers += [nn.ReLU()]
            in_channels = width
        layers += [nn.MaxPool2d(2)]
    sizes = (in_channels * pooled**2, hidden, hidden)
    dense: list[nn.Module] = []
    for a, b in pairwise(sizes):
        dense += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)]
    parts: dict[str, nn.Module] = {"features": nn.Sequential(*layers)}
    parts["classifier"] = nn.Sequential(*dense, nn.Linear(hidden, num_classes))
    for layer in (*layers, *parts["classifier"]):  # type: ignore[misc]
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.zeros_(layer.bias)
    return Chain(parts, "features", nn.AdaptiveAvgPool2d(pooled), 1, "classifier")


SMALL: dict[str, Any] = {"in_channels": 1, "hidden": 12, "pooled": 2}
TWO = ([(4,), (6, 6)], 5)


# --- GoogLeNet ----------------------------------------------------------------------------------


def convolution(i: int, o: int, kernel_size: int, padding: int = 0) -> nn.Sequential:
    return named(
        conv=nn.Conv2d(i, o, kernel_size, padding=padding, bias=False),
        bn=nn.BatchNorm2d(o, eps=1e-3),
        relu=nn.ReLU(),
    )


def plain_convolution(i: int, o: int, kernel_size: int, padding: int = 0) -> nn.Sequential:
    return named(conv=nn.Conv2d(i, o, kernel_size, padding=padding), relu=nn.ReLU())


def named(**parts: nn.Module) -> nn.Sequential:
    stack = nn.Sequential()
    for name, part in parts.items():
        stack.add_module(name, part)
    return stack


class Branches(nn.Module):
    def __init__(self, *widths: int, third: int = 3) -> None:
        super().__init__()
        i, one, red3, three, red5, five, pool = widths
        self.branch1 = convolution(i, one, 1)
        self.branch2 = nn.Sequential(convolution(i, red3, 1), convolution(red3, three, 3, 1))
        self.branch3 = nn.Sequential(
            convolution(i, red5, 1), convolution(red5, five, third, third // 2)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(i, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


def head(in_channels: int, num_classes: int, dropout: float = 0.7) -> nn.Module:
    parts: dict[str, nn.Module] = {
        "conv": convolution(in_channels, 128, 1),
        "fc1": nn.Linear(2048, 1024),
        "fc2": nn.Linear(1024, num_classes),
    }
    pool = nn.AdaptiveAvgPool2d(4)
    return Chain(parts, pool, "conv", 1, "fc1", torch.relu, nn.Dropout(dropout), "fc2")


class Weighted(nn.Module):
    def __init__(self, weight: float = 0.3) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, output: tuple[Tensor, ...], target: Tensor) -> Tensor:
        losses = [functional.cross_entropy(y, target) for y in output]
        return losses[0] + self.weight * torch.stack(losses[1:]).sum()


def heads(g: Generator) -> Iterable[Sample]:
    three = tuple(normal(g, 4, 3) for _ in range(3))
    yield Sample("three outputs", inputs=(three, integers(g, 3, 4)))
    yield Sample("another weight", (), {"weight": 1.0}, inputs=(three, integers(g, 3, 4)))


# --- residual networks --------------------------------------------------------------------------


def conv(i: int, o: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False)


class Block(nn.Module):
    """Any of the blocks, from a list of its convolutions: kernel, channels, stride."""

    def __init__(
        self,
        inplanes: int,
        convolutions: Sequence[tuple[int, int, int]],
        downsample: nn.Module | None,
        skip: bool = True,
        early: bool = False,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.skip, self.early, self.first = skip, early, first
        self.count = len(convolutions)
        width = inplanes
        for n, (kernel, planes, stride) in enumerate(convolutions, start=1):
            layer, norm = conv(width, planes, kernel, stride), width if early else planes
            normalise = None if first and n == 1 else nn.BatchNorm2d(norm)
            pair = [(f"conv{n}", layer), (f"bn{n}", normalise)]
            for name, part in reversed(pair) if early else pair:
                self.add_module(name, part)
            width = planes
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for n in range(1, self.count + 1):
            layer, norm = getattr(self, f"conv{n}"), getattr(self, f"bn{n}")
            if self.early:
                y = y if norm is None else torch.relu(norm(y))
                if n == 1 and self.downsample is not None:
                    x = self.downsample(y)
                y = layer(y)
            else:
                y = norm(layer(y))
                y = torch.relu(y) if n < self.count else y
        if self.early:
            return x + y
        if self.skip:
            y = y + (x if self.downsample is None else self.downsample(x))
        return torch.relu(y)


def theirs(downsample: Any) -> Any:
    """The same shortcut from PyTorch's layers."""
    if not isinstance(downsample, nn.Sequential):
        return None if downsample is None else Padded(downsample.more, downsample.stride[0])
    old: Any = downsample[0]
    return nn.Sequential(
        conv(old.in_channels, old.out_channels, 1, old.stride[0]), nn.BatchNorm2d(old.out_channels)
    )


class Padded(nn.Module):
    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: Tensor) -> Tensor:
        pad = (0, 0, 0, 0, 0, self.more)
        return functional.pad(x[..., :: self.stride, :: self.stride], pad)


def basic(i: int, o: int, stride: int = 1, downsample: Any = None) -> Block:
    return Block(i, [(3, o, stride), (3, o, 1)], theirs(downsample))


def plain(i: int, o: int, stride: int = 1) -> Block:
    return Block(i, [(3, o, stride), (3, o, 1)], None, skip=False)


def bottleneck(i: int, o: int, stride: int = 1, downsample: Any = None) -> Block:
    return Block(i, [(1, o, 1), (3, o, stride), (1, 4 * o, 1)], theirs(downsample))


def bottleneck2015(i: int, o: int, stride: int = 1, downsample: Any = None) -> Block:
    return Block(i, [(1, o, stride), (3, o, 1), (1, 4 * o, 1)], theirs(downsample))


def preact(i: int, o: int, stride: int = 1, downsample: Any = None, first: bool = False) -> Block:
    convolutions = [(3, o, stride), (3, o, 1)]
    return Block(i, convolutions, theirs(downsample), early=True, first=first)


def preact_bottleneck(
    i: int, o: int, stride: int = 1, downsample: Any = None, first: bool = False
) -> Block:
    convolutions = [(1, o, 1), (3, o, stride), (1, 4 * o, 1)]
    return Block(i, convolutions, theirs(downsample), early=True, first=first)


BLOCKS: dict[Any, Any] = {
    resnet.BasicBlock: basic,
    resnet.PlainBlock: plain,
    resnet.PreActBlock: preact,
}


def cifar(
    depth: int = 20,
    num_classes: int = 10,
    block: Any = resnet.BasicBlock,
    in_channels: int = 3,
    width: int = 16,
    shortcut: Any = resnet.PadChannels,
) -> nn.Module:
    build, early = BLOCKS[block], block is resnet.PreActBlock
    parts: dict[str, nn.Module] = {
        "conv1": conv(in_channels, width, 3),
        "bn1": nn.BatchNorm2d(width),
    }
    i = width
    for n in range(3):
        stage, o = [], width * 2**n
        for k in range((depth - 2) // 6):
            changed = k == 0 and n > 0
            more: dict[str, Any] = {}
            if changed and block is not resnet.PlainBlock:
                more["downsample"] = shortcut(i, o, 2)
            if early and n == k == 0:
                more["first"] = True
            stage.append(build(i, o, 2 if changed else 1, **more))
            i = o
        parts[f"layer{n + 1}"] = nn.Sequential(*stage)
    order: list[Any] = ["conv1", "bn1", torch.relu, "layer1", "layer2", "layer3"]
    if early:
        parts["bn4"] = nn.BatchNorm2d(i)
        order += ["bn4", torch.relu]
    parts["fc"] = nn.Linear(i, num_classes)
    for part in list(parts.values()):
        for module in part.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Chain(parts, *order, nn.AdaptiveAvgPool2d(1), 1, "fc")


CENTERS = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
NARROW: dict[str, Any] = {"in_channels": 1, "width": 3}
IMAGES = (2, 1, 8, 8)
MAPS = (2, 4, 5, 5)
HALVED = (4, 2, 2)
SUM = r"y = g(x + F(x))"

ROWS = [
    row("ScaledTanh", Squash, made(("batch", (), {}, (3, 4))), r"y = 1.7159 \tanh \tfrac23 x"),
    row(
        "Subsampling",
        Sums,
        made(("maps", (3,), {}, (2, 3, 4, 6))),
        r"y = w_c \textstyle\sum_{2 \times 2} x + b_c",
    ),
    row(
        "TableConv2d",
        ByTable,
        made(
            ("three outputs", ([(0, 1), (2,), (0, 1, 2)], 3), {}, (2, 3, 5, 4)),
            ("out of order", ([(1, 0), (0, 1)], 2), {}, (1, 2, 3, 3)),
        ),
        r"y_k = b_k + \textstyle\sum_{c \in T_k} w_{kc} \star x_c",
        Bad("expected a table of different inputs, at least one for each", ([(0,), ()], 3)),
        Bad("expected a table of different inputs", ([(0, 0)], 3)),
    ),
    row(
        "RadialBasis",
        Distances,
        made(
            ("batch", (torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4),), {}, (2, 4))
        ),
        r"y_k = \textstyle\sum_d (x_d - w_{kd})^2",
    ),
    row(
        "BitmapLoss",
        Penalties,
        bitmap_penalties,
        r"\ell = y_t + \log(e^{-j} + \textstyle\sum_k e^{-y_k})",
        Bad("expected a penalty j above 0, got 0", (0,)),
    ),
    row(
        "LeNet5",
        lenet5,
        made(("digits", (), {}, (2, 1, 32, 32)), smooth=False),
        r"y_k = \lVert f_6(x) - w_k \rVert^2",
        Bad("expected images of shape (B, 1, 32, 32), got (2, 3, 28, 28)", (), {}, (X,)),
        Bad("expected targets of shape (K, 84), got (84,)", (torch.ones(84),)),
    ),
    row(
        "LeNet5Modern",
        lenet5_modern,
        made(
            ("digits", (), {}, (2, 1, 32, 32)),
            ("colours", (7, 3), {}, (2, 3, 32, 32)),
            smooth=False,
        ),
        r"y = W f_6(x) + b",
        Bad("expected images of shape (B, 1, 32, 32), got (2, 3, 28, 28)", (), {}, (X,)),
    ),
    row(
        "VGG",
        vgg,
        made(
            ("two blocks", TWO, SMALL, (2, 1, 8, 8)),
            ("normalised", (*TWO, True), SMALL, (3, 1, 8, 8)),
            ("averaged", (*TWO, False, 0.0), {**SMALL, "pooled": 1}, (2, 1, 10, 12)),
            smooth=False,
        ),
        r"a^{(l)} = \max(0, w^{(l)} \star a^{(l-1)} + b^{(l)})",
        Bad("expected blocks of at least one width each, got [(4,), ()]", ([(4,), ()],)),
        Bad("expected blocks of at least one width each, got []", ([],)),
    ),
    row(
        "BasicConv2d",
        convolution,
        made(("maps", (4, 3), {"kernel_size": 3, "padding": 1}, MAPS), smooth=False),
        r"y = g(\operatorname{norm}(w \star x))",
    ),
    row(
        "PlainConv2d",
        plain_convolution,
        made(("maps", (4, 3), {"kernel_size": 3, "padding": 1}, MAPS), smooth=False),
        r"y = g(w \star x + b)",
    ),
    row(
        "Inception",
        Branches,
        made(("maps", (4, 3, 2, 5, 3, 4, 2), {}, MAPS), smooth=False),
        r"y = (y_1, y_2, y_3, y_4)",
    ),
    row(
        "Inception5x5",
        lambda *widths: Branches(*widths, third=5),
        made(("maps", (4, 3, 2, 5, 3, 4, 2), {}, MAPS), smooth=False),
        r"y = (y_1, y_2, y_3, y_4)",
    ),
    row(
        "InceptionAux",
        head,
        made(("maps", (6, 5), {}, (2, 6, 14, 14)), smooth=False),
        r"y = W_2\,g(W_1 a + b_1) + b_2",
    ),
    row("AuxiliaryLoss", Weighted, heads, r"\ell = \ell_0 + \lambda (\ell_1 + \ell_2)"),
    row(
        "PadChannels",
        lambda i, o, stride: Padded(o - i, stride),
        made(("halved", (4, 6, 2), {}, MAPS), ("as it is", (4, 4, 1), {}, MAPS)),
        r"y_{kij} = x_{k,si,sj} \text{ or } 0",
        Bad("expected at least the 4 channels of the input, got 3", (4, 3, 1)),
    ),
    row(
        "BasicBlock",
        basic,
        made(
            ("same shape", (4, 4), {}, MAPS),
            ("halved", (4, 2, 2, lambda: resnet.projection(*HALVED)), {}, MAPS),
            ("padded", (4, 6, 2, resnet.PadChannels(4, 6, 2)), {}, MAPS),
            smooth=False,
        ),
        SUM,
    ),
    row("PlainBlock", plain, made(("halved", (4, 6, 2), {}, MAPS), smooth=False), r"y = g(F(x))"),
    row(
        "Bottleneck",
        bottleneck,
        made(
            ("same shape", (4, 1), {}, MAPS),
            ("halved", (4, 2, 2, lambda: resnet.projection(4, 8, 2)), {}, MAPS),
            smooth=False,
        ),
        SUM,
    ),
    row(
        "Bottleneck2015",
        bottleneck2015,
        made(
            ("same shape", (4, 1), {}, MAPS),
            ("halved", (4, 2, 2, lambda: resnet.projection(4, 8, 2)), {}, MAPS),
            smooth=False,
        ),
        SUM,
    ),
    row(
        "PreActBlock",
        preact,
        made(
            ("same shape", (4, 4), {}, MAPS),
            ("padded", (4, 6, 2, resnet.PadChannels(4, 6, 2)), {}, MAPS),
            ("first", (4, 4, 1, None, True), {}, MAPS),
            smooth=False,
        ),
        r"y = x + F(x)",
    ),
    row(
        "PreActBottleneck",
        preact_bottleneck,
        made(
            ("same shape", (4, 1), {}, MAPS),
            ("padded", (4, 2, 2, resnet.PadChannels(4, 8, 2)), {}, MAPS),
            smooth=False,
        ),
        r"y = x + F(x)",
    ),
    row(
        "CIFARResNet",
        cifar,
        made(
            ("residual", (8, 5), NARROW, IMAGES),
            ("deeper", (14, 5), NARROW, IMAGES),
            ("plain", (8, 5, resnet.PlainBlock), NARROW, IMAGES),
            ("preactivated", (14, 5, resnet.PreActBlock), NARROW, IMAGES),
            smooth=False,
        ),
        r"a^{(l)} = g(a^{(l-1)} + F_l(a^{(l-1)}))",
        Bad("expected a depth of 6n + 2, such as 8, 20 or 32, got 18", (18,)),
        Bad("expected a depth of 6n + 2, such as 8, 20 or 32, got 2", (2,)),
    ),
]
