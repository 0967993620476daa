"""Convolutional networks: names, shapes and counts as published, and what they compute."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dlbook import models, nn
from dlbook.models import summary

Shapes = dict[str, tuple[int, ...]]


def build(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Make a network without memory for its numbers."""
    with torch.device("meta"):
        return make(*args, **kwargs)


def count(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


# --- names and shapes, as torchvision's source gives them ----------------------------------------
#
# Written from torchvision.models.{alexnet,vgg,googlenet,resnet} (as of version 0.10): the order in
# which its constructors make layers is the order of the entries.


def affine(name: str, out: int, *rest: int, bias: bool = True) -> Iterator[tuple[str, Any]]:
    yield f"{name}.weight", (out, *rest)
    if bias:
        yield f"{name}.bias", (out,)


def norm(name: str, width: int) -> Iterator[tuple[str, Any]]:
    for entry in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{entry}", (width,)
    yield f"{name}.num_batches_tracked", ()


def alexnet_names() -> Iterator[tuple[str, Any]]:
    channels = (3, 64, 192, 384, 256, 256)
    for i, (place, kernel) in enumerate(zip((0, 3, 6, 8, 10), (11, 5, 3, 3, 3))):
        yield from affine(f"features.{place}", channels[i + 1], channels[i], kernel, kernel)
    for place, out, inside in ((1, 4096, 9216), (4, 4096, 4096), (6, 1000, 4096)):
        yield from affine(f"classifier.{place}", out, inside)


VGG = {
    "A": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "B": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    "D": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "E": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


def vgg_names(letter: str, batch_norm: bool) -> Iterator[tuple[str, Any]]:
    place, width = 0, 3
    for word in VGG[letter].split():
        if word == "M":
            place += 1
            continue
        yield from affine(f"features.{place}", int(word), width, 3, 3)
        if batch_norm:
            yield from norm(f"features.{place + 1}", int(word))
        place, width = place + (3 if batch_norm else 2), int(word)
    for place, out, inside in ((0, 4096, 25088), (3, 4096, 4096), (6, 1000, 4096)):
        yield from affine(f"classifier.{place}", out, inside)


INCEPTIONS = """
3a 192  64  96 128 16  32  32
3b 256 128 128 192 32  96  64
4a 480 192  96 208 16  48  64
4b 512 160 112 224 24  64  64
4c 512 128 128 256 24  64  64
4d 512 112 144 288 32  64  64
4e 528 256 160 320 32 128 128
5a 832 256 160 320 32 128 128
5b 832 384 192 384 48 128 128
"""


def basic(name: str, out: int, inside: int, kernel: int) -> Iterator[tuple[str, Any]]:
    yield from affine(f"{name}.conv", out, inside, kernel, kernel, bias=False)
    yield from norm(f"{name}.bn", out)


def googlenet_names(third: int = 3, heads: bool = True) -> Iterator[tuple[str, Any]]:
    for name, out, inside, kernel in (("1", 64, 3, 7), ("2", 64, 64, 1), ("3", 192, 64, 3)):
        yield from basic(f"conv{name}", out, inside, kernel)
    for line in INCEPTIONS.strip().splitlines():
        name, *widths = line.split()
        i, one, red3, three, red5, five, pool = map(int, widths)
        at = f"inception{name}.branch"
        yield from basic(f"{at}1", one, i, 1)
        yield from basic(f"{at}2.0", red3, i, 1)
        yield from basic(f"{at}2.1", three, red3, 3)
        yield from basic(f"{at}3.0", red5, i, 1)
        yield from basic(f"{at}3.1", five, red5, third)
        yield from basic(f"{at}4.1", pool, i, 1)
    for name, width in (("aux1", 512), ("aux2", 528)) if heads else ():
        yield from basic(f"{name}.conv", 128, width, 1)
        yield from affine(f"{name}.fc1", 1024, 2048)
        yield from affine(f"{name}.fc2", 1000, 1024)
    yield from affine("fc", 1000, 1024)


def resnet_names(layers: tuple[int, ...], kernels: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    yield from affine("conv1", 64, 3, 7, 7, bias=False)
    yield from norm("bn1", 64)
    expansion, width = (4 if len(kernels) == 3 else 1), 64
    for stage, blocks in enumerate(layers):
        planes = 64 << stage
        for block in range(blocks):
            at, inside = f"layer{stage + 1}.{block}", width
            for n, kernel in enumerate(kernels, start=1):
                out = planes * expansion if n == len(kernels) else planes
                yield from affine(f"{at}.conv{n}", out, inside, kernel, kernel, bias=False)
                yield from norm(f"{at}.bn{n}", out)
                inside = out
            if block == 0 and (stage or width != inside):
                yield from affine(f"{at}.downsample.0", inside, width, 1, 1, bias=False)
                yield from norm(f"{at}.downsample.1", inside)
            width = inside
    yield from affine("fc", 1000, width)


EIGHTEEN, FIFTY = ((2, 2, 2, 2), (3, 3)), ((3, 4, 6, 3), (1, 3, 1))
NAMES: dict[str, tuple[Callable[[], Any], Callable[[], Iterator[tuple[str, Any]]]]] = {
    "alexnet": (models.AlexNet, alexnet_names),
    **{
        f"vgg{depth}{'_bn' if normed else ''}": (
            getattr(models, f"vgg{depth}{'_bn' if normed else ''}"),
            lambda letter=letter, normed=normed: vgg_names(letter, normed),
        )
        for depth, letter in ((11, "A"), (13, "B"), (16, "D"), (19, "E"))
        for normed in (False, True)
    },
    "googlenet": (models.GoogLeNet, googlenet_names),
    "googlenet, no heads": (
        lambda: models.GoogLeNet(aux_logits=False),
        lambda: googlenet_names(heads=False),
    ),
    "googlenet, 5 × 5": (models.GoogLeNet5x5, lambda: googlenet_names(5)),
    "resnet18": (models.resnet18, lambda: resnet_names(*EIGHTEEN)),
    "resnet34": (models.resnet34, lambda: resnet_names((3, 4, 6, 3), (3, 3))),
    "resnet50": (models.resnet50, lambda: resnet_names(*FIFTY)),
    "resnet101": (models.resnet101, lambda: resnet_names((3, 4, 23, 3), (1, 3, 1))),
    "resnet152": (models.resnet152, lambda: resnet_names((3, 8, 36, 3), (1, 3, 1))),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    make, names = NAMES[name]
    found = {entry: tuple(value.shape) for entry, value in build(make).state_dict().items()}
    expected = dict(names())
    assert found == expected
    assert list(found) == list(expected), "in the same order"


@pytest.mark.parametrize(
    ("make", "expected", "giga"),
    [  # "num_params" and "_ops" in torchvision's table of weights
        (models.AlexNet, 61_100_840, "0.714"),
        (models.vgg11, 132_863_336, "7.609"),
        (models.vgg16, 138_357_544, "15.470"),
        (models.vgg16_bn, 138_365_992, "15.470"),
        (models.vgg19, 143_667_240, "19.632"),
        (lambda: models.GoogLeNet(aux_logits=False), 6_624_904, "1.498"),
        (models.resnet18, 11_689_512, "1.814"),
        (models.resnet34, 21_797_672, "3.664"),
        (models.resnet50, 25_557_032, "4.089"),
        pytest.param(models.resnet152, 60_192_808, "11.514", marks=pytest.mark.slow),
    ],
)
def test_parameters_and_multiply_adds_are_torchvisions(make: Any, expected: int, giga: str) -> None:
    table = summary(build(make), (3, 224, 224))
    assert table.parameters == expected
    assert f"{table.multiply_adds / 1e9:.3f}" == giga
    assert not table.unknown
    assert table.parameters == sum(row.parameters for row in table)


@pytest.mark.parametrize(
    ("make", "published"),
    [  # He and others (2016), Table 1, in units of 1e8; VGG-19 from their Figure 3
        (lambda: models.ResNet(models.BasicBlock, (2, 2, 2, 2), shortcut=models.PadChannels), 18),
        (lambda: models.ResNet(models.BasicBlock, (3, 4, 6, 3), shortcut=models.PadChannels), 36),
        (lambda: models.ResNet(models.PlainBlock, (3, 4, 6, 3)), 36),
        (lambda: models.ResNet(models.Bottleneck2015, (3, 4, 6, 3)), 38),
        pytest.param(
            lambda: models.ResNet(models.Bottleneck2015, (3, 4, 23, 3)), 76, marks=pytest.mark.slow
        ),
        (models.vgg19, 196),
    ],
)
def test_multiply_adds_of_the_papers_forms_are_the_papers(make: Any, published: int) -> None:
    """To within one unit of the last figure, for it was rounded one way or cut."""
    found = summary(build(make), (3, 224, 224)).multiply_adds / 1e8
    assert published - 0.5 <= found < published + 1


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (models.AlexNet2012, 60_965_224),
        (lambda: models.GoogLeNet5x5(aux_logits=False), 7_005_832),
        (lambda: models.GoogLeNet2014(aux_logits=False), 6_998_552),
        (models.LeNet5, 60_000),
        (models.LeNet5Modern, 61_706),
        (lambda: models.CIFARResNet(20), 269_722),
        (lambda: models.CIFARResNet(32), 464_154),
        (lambda: models.CIFARResNet(20, block=models.PlainBlock), 269_722),
        (lambda: models.ResNet(models.Bottleneck2015, (3, 4, 6, 3)), 25_557_032),
    ],
)
def test_parameters_of_the_papers_forms(make: Any, expected: int) -> None:
    assert count(build(make)) == expected


# --- what they compute, from their state alone, with PyTorch's functions -------------------------


class Reader:
    """PyTorch's functions on a state dictionary, called by the names of its entries."""

    def __init__(self, model: Any) -> None:
        self.state = {
            name: value.detach().clone().requires_grad_(value.is_floating_point())
            for name, value in model.state_dict().items()
        }

    def conv(self, x: Tensor, name: str, **settings: Any) -> Tensor:
        bias = self.state.get(f"{name}.bias")
        return F.conv2d(x, self.state[f"{name}.weight"], bias, **settings)

    def norm(self, x: Tensor, name: str, eps: float = 1e-5) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])


def same(model: Any, x: Tensor, reference: Callable[[Reader, Tensor], Any]) -> None:
    """Outputs in training, and the gradients of all parameters, are the reference's."""
    reader = Reader(model)
    ys, zs = model(x), reference(reader, x)
    ys, zs = (ys, zs) if isinstance(ys, tuple) else ((ys,), (zs,))
    for y, z in zip(ys, zs, strict=True):
        torch.testing.assert_close(y, z, rtol=1e-9, atol=1e-9)
    bars = [torch.randn_like(y) for y in ys]
    names, params = zip(*model.named_parameters())
    ours = torch.autograd.grad(ys, params, bars)
    theirs = torch.autograd.grad(zs, [reader.state[name] for name in names], bars)
    for name, g, h in zip(names, ours, theirs):
        torch.testing.assert_close(g, h, rtol=1e-7, atol=1e-8, msg=lambda m: f"{name}: {m}")  # noqa: B023


def residual(r: Reader, x: Tensor, layers: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    x = F.max_pool2d(F.relu(r.norm(r.conv(x, "conv1", stride=2, padding=3), "bn1")), 3, 2, 1)
    for stage, blocks in enumerate(layers, start=1):
        for block in range(blocks):
            at, skip, y = f"layer{stage}.{block}", x, x
            halved = 2 if block == 0 and stage > 1 else 1
            for n, strided in enumerate(strides, start=1):
                padding = r.state[f"{at}.conv{n}.weight"].shape[-1] // 2
                step = halved if strided == 2 else 1
                y = r.norm(r.conv(y, f"{at}.conv{n}", stride=step, padding=padding), f"{at}.bn{n}")
                y = F.relu(y) if n < len(strides) else y
            if f"{at}.downsample.0.weight" in r.state:
                skip = r.conv(x, f"{at}.downsample.0", stride=halved)
                skip = r.norm(skip, f"{at}.downsample.1")
            x = F.relu(y + skip)
    return r.linear(x.mean((2, 3)), "fc")


@pytest.mark.parametrize(
    ("block", "strides"),
    [
        (models.BasicBlock, (2, 1)),
        (models.Bottleneck, (1, 2, 1)),
        (models.Bottleneck2015, (2, 1, 1)),
    ],
    ids=["basic", "bottleneck", "bottleneck of 2015"],
)
def test_residual_networks_compute_what_they_should(block: Any, strides: tuple[int, ...]) -> None:
    layers = (1, 2, 1, 1)
    model = models.ResNet(block, layers, num_classes=5).double()
    x = torch.randn(3, 3, 40, 40, dtype=torch.float64)
    same(model, x, lambda r, x: residual(r, x, layers, strides))


def inception(r: Reader, x: Tensor, name: str) -> Tensor:
    def unit(x: Tensor, at: str) -> Tensor:
        return basic_unit(r, x, f"{name}.branch{at}")

    return torch.cat(
        [
            unit(x, "1"),
            unit(unit(x, "2.0"), "2.1"),
            unit(unit(x, "3.0"), "3.1"),
            unit(F.max_pool2d(x, 3, 1, 1), "4.1"),
        ],
        1,
    )


def basic_unit(r: Reader, x: Tensor, name: str, stride: int = 1) -> Tensor:
    padding = r.state[f"{name}.conv.weight"].shape[-1] // 2
    y = r.conv(x, f"{name}.conv", stride=stride, padding=padding)
    return F.relu(r.norm(y, f"{name}.bn", 1e-3) if f"{name}.bn.weight" in r.state else y)


def google(r: Reader, x: Tensor, plain: bool = False) -> tuple[Tensor, ...]:
    def pool(x: Tensor, size: int = 3) -> Tensor:
        return F.max_pool2d(x, size, 2, ceil_mode=True)

    def local(x: Tensor) -> Tensor:
        return F.local_response_norm(x, 5, alpha=5e-4) if plain else x

    def head(x: Tensor, name: str) -> Tensor:
        x = F.avg_pool2d(x, 5, 3) if plain else F.adaptive_avg_pool2d(x, 4)
        x = basic_unit(r, x, f"{name}.conv").flatten(1)
        return r.linear(F.relu(r.linear(x, f"{name}.fc1")), f"{name}.fc2")

    x = local(pool(basic_unit(r, x, "conv1", 2)))
    x = pool(local(basic_unit(r, basic_unit(r, x, "conv2"), "conv3")))
    for name in ("3a", "3b"):
        x = inception(r, x, f"inception{name}")
    x = first = inception(r, pool(x), "inception4a")
    for name in ("4b", "4c", "4d"):
        x = inception(r, x, f"inception{name}")
    second, x = x, pool(inception(r, x, "inception4e"), 3 if plain else 2)
    for name in ("5a", "5b"):
        x = inception(r, x, f"inception{name}")
    return r.linear(x.mean((2, 3)), "fc"), head(second, "aux2"), head(first, "aux1")


def test_googlenet_computes_what_it_should() -> None:
    model = models.GoogLeNet(num_classes=4, dropout=0.0, dropout_aux=0.0).double()
    x = torch.randn(2, 3, 65, 65, dtype=torch.float64)
    same(model, x, google)
    assert isinstance(model(x), models.GoogLeNetOutputs)
    assert isinstance(model.eval()(x), Tensor)


def test_the_papers_googlenet_computes_what_it_should() -> None:
    model = models.GoogLeNet2014(num_classes=4, dropout=0.0, dropout_aux=0.0).double()
    for p in model.parameters():  # where nothing is normalised, small images leave little
        p.data += 0.01 * torch.randn_like(p)
    same(model, torch.randn(1, 3, 224, 224).double(), lambda r, x: google(r, x, plain=True))


def test_googlenet_takes_images_as_the_others_do() -> None:
    plain = models.GoogLeNet(3, aux_logits=False).eval()
    other = models.GoogLeNet(3, aux_logits=False, transform_input=True).eval()
    other.load_state_dict(plain.state_dict())
    pixels = torch.rand(2, 3, 33, 33)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (pixels - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(other(normalised), plain(2 * pixels - 1))


def features(model: Any) -> Any:
    """The convolutions of a network whose affine layers would take half a gigabyte."""
    return model.features.to_empty(device="cpu").double()


def drawn(module: Any) -> Any:
    for p in module.parameters():
        torch.nn.init.normal_(p, 0.0, 0.05)
    return module


def test_alexnet_computes_what_it_should() -> None:
    def reference(r: Reader, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(r.conv(x, "0", stride=4, padding=2)), 3, 2)
        x = F.max_pool2d(F.relu(r.conv(x, "3", padding=2)), 3, 2)
        for name in ("6", "8", "10"):
            x = F.relu(r.conv(x, name, padding=1))
        return F.max_pool2d(x, 3, 2)

    model = build(models.AlexNet)
    same(drawn(features(model)), torch.randn(2, 3, 95, 95).double(), reference)
    kinds = "Dropout Linear ReLU Dropout Linear ReLU Linear"
    assert [type(layer).__name__ for layer in model.classifier] == kinds.split()


def test_the_papers_alexnet_computes_what_it_should() -> None:
    def reference(r: Reader, x: Tensor) -> Tensor:
        """The two towers one after the other, and the normalisation as the paper writes it."""

        def local(a: Tensor) -> Tensor:
            squares = F.pad(a * a, (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)
            return a / (2 + 1e-4 * squares) ** 0.75

        def towers(x: Tensor, name: str, padding: int) -> Tensor:
            weights, biases = r.state[f"{name}.weight"].chunk(2), r.state[f"{name}.bias"].chunk(2)
            pairs = zip(x.chunk(2, 1), weights, biases)
            return F.relu(torch.cat([F.conv2d(t, w, b, padding=padding) for t, w, b in pairs], 1))

        x = F.max_pool2d(local(F.relu(r.conv(x, "0", stride=4))), 3, 2)
        x = F.max_pool2d(local(towers(x, "4", 2)), 3, 2)
        x = F.relu(r.conv(x, "8", padding=1))
        return F.max_pool2d(towers(towers(x, "10", 1), "12", 1), 3, 2)

    model = build(models.AlexNet2012)
    same(drawn(features(model)), torch.randn(2, 3, 99, 99).double(), reference)
    kinds = "Linear ReLU Dropout Linear ReLU Dropout Linear"
    assert [type(layer).__name__ for layer in model.classifier] == kinds.split()
    assert summary(model, (3, 227, 227))["flatten"].output_shape == (9216,)


def test_the_papers_alexnet_begins_as_the_paper_says() -> None:
    model = build(models.AlexNet2012)
    model.features.to_empty(device="cpu")
    model.reset_parameters()
    layers = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    assert [float(layer.bias.detach().unique()) for layer in layers] == [0, 1, 0, 1, 1]
    for layer in layers:
        assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.02)


# --- residual networks --------------------------------------------------------------------------


def test_a_block_can_begin_as_the_identity() -> None:
    for block in (models.BasicBlock, models.Bottleneck, models.Bottleneck2015):
        model = models.ResNet(block, (2, 1, 1, 1), num_classes=3, zero_init_residual=True)
        x = torch.rand(2, 64 * block.expansion, 6, 6)
        torch.testing.assert_close(model.layer1[1](x), x)


def test_without_its_layers_a_residual_block_hands_on_and_a_plain_one_does_not() -> None:
    x = torch.rand(2, 4, 6, 6)
    for block, expected in (
        (models.BasicBlock(4, 4), x),
        (models.PreActBlock(4, 4), x),
        (models.PlainBlock(4, 4), torch.zeros_like(x)),
    ):
        torch.nn.init.zeros_(block.conv2.weight)
        torch.testing.assert_close(block(x), expected)


def test_plain_and_residual_networks_have_the_same_parameters() -> None:
    for depth in (8, 20, 32):
        residual, plain = (
            build(models.CIFARResNet, depth, block=block)
            for block in (models.BasicBlock, models.PlainBlock)
        )
        shapes = {name: p.shape for name, p in residual.named_parameters()}
        assert shapes == {name: p.shape for name, p in plain.named_parameters()}
        layers = [name for name in shapes if "conv" in name or name == "fc.weight"]
        assert len(layers) == depth


@pytest.mark.parametrize(
    ("name", "millions"), [("preact_resnet18", 1814), ("preact_resnet50", 4089)]
)
def test_preactivated_networks_activate_everything_once(name: str, millions: int) -> None:
    """A normalisation for every convolution but the first, and those of shortcuts have none."""
    model = build(getattr(models, name))
    convs = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    norms = [n for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len([n for n in convs if "downsample" not in n])
    assert model.layer1[0].bn1 is None
    assert summary(model, (3, 224, 224)).multiply_adds // 10**6 == millions, "as without"


def test_a_preactivated_network_ends_with_an_activation() -> None:
    for model in (
        models.CIFARResNet(8, block=models.PreActBlock, width=4),
        models.ResNet(models.PreActBottleneck, (1, 1, 1, 1), 10),
    ):
        kinds = [row.kind for row in summary(model, (3, 32, 32))]
        assert kinds[-5:] == ["BatchNorm2d", "ReLU", "AdaptiveAvgPool2d", "Flatten", "Linear"]


def test_factories_pass_their_arguments_on() -> None:
    assert models.resnet20(num_classes=7, in_channels=1, width=4).fc.weight.shape == (7, 16)
    assert len(models.resnet32(width=4).layer1) == 5
    assert build(models.resnet18, num_classes=3).fc.weight.shape == (3, 512)
    zero = models.resnet18(2, zero_init_residual=True)
    assert not zero.layer1[0].bn2.weight.any()
    assert build(models.vgg11, num_classes=3, dropout=0.1).classifier[2].p == 0.1


@pytest.mark.untyped
def test_stages_are_four() -> None:
    for layers in ((2, 2, 2), (2, 2, 2, 0)):
        with pytest.raises(ValueError, match="ResNet: expected four stages of at least one block"):
            models.ResNet(models.BasicBlock, layers)


def test_old_weights_without_a_count_of_batches_can_be_loaded() -> None:
    """The first of torchvision's files were written before batch normalisation counted them."""
    model = models.CIFARResNet(8, width=4)
    state = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    models.CIFARResNet(8, width=4).load_state_dict(state, strict=True)


# --- LeNet-5 ------------------------------------------------------------------------------------


def test_the_table_of_c3_is_the_papers() -> None:
    rows = (
        "#   ###  #### ##",
        "##   ###  #### #",
        "###   ###  # ###",
        " ###  ####  # ##",
        "  ###  #### ## #",
        "   ###  #### ###",
    )
    for c, row in enumerate(rows):
        assert [c in seen for seen in models.C3_TABLE] == [mark == "#" for mark in row]


def test_connections_are_counted_as_in_the_paper() -> None:
    counts = models.LeNet5().connections()
    published = {"c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164}
    assert {name: counts[name] for name in published} == published
    assert sum(counts.values()) == 340_908
    own = {name: count(layer) for name, layer in models.LeNet5().named_children()}
    assert [own[name] for name in ("c1", "s2", "c3", "s4", "c5", "f6")] == [
        156,
        12,
        1_516,
        32,
        48_120,
        10_164,
    ]
    assert own["output"] == 0, "the bitmaps are not trained"


def test_lenet_begins_within_the_papers_bounds() -> None:
    model = models.LeNet5()
    for name, fan_in in (("c1", 25), ("s2", 4), ("s4", 4), ("c5", 400), ("f6", 120)):
        for p in getattr(model, name).parameters():
            assert 0 < float(p.detach().abs().max()) <= 2.4 / fan_in
    kernels = model.c3.dense().detach().abs().amax((1, 2, 3))
    for kernel, row in zip(kernels, models.C3_TABLE):
        assert 0.8 * 2.4 / (25 * len(row)) < float(kernel) <= 2.4 / (25 * len(row))


def test_bitmaps_are_far_apart() -> None:
    drawn = models.digit_bitmaps()
    assert drawn.shape == (10, 12, 7)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    distance = models.RadialBasis(drawn.flatten(1))(drawn.flatten(1))
    assert not distance.diagonal().any()
    assert float((distance + 1e9 * torch.eye(10)).min()) >= 4 * 5, "at least five pixels differ"
    assert not (drawn[:, 10:] > 0).any()


def test_squashing_reaches_the_targets() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    squash = models.ScaledTanh()
    torch.testing.assert_close(squash(x), x, rtol=0, atol=2e-5)
    assert float(squash(torch.tensor(100.0))) == pytest.approx(1.7159)


def test_the_rubbish_class_spares_what_is_far_already() -> None:
    near, far = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 60.0]])
    target = torch.tensor([0])
    slopes = []
    for y in (near, far):
        y.requires_grad_()
        models.BitmapLoss(3.0)(y, target).backward()
        slopes.append(float(y.grad[0, 1]))  # type: ignore[index]
    assert slopes[0] < -0.1
    assert slopes[1] == pytest.approx(0.0, abs=1e-20)


def test_lenet_learns_a_handful_of_pictures() -> None:
    torch.manual_seed(1)
    pictures = F.interpolate(models.digit_bitmaps()[:, None], (24, 14))
    x = F.pad(pictures, (9, 9, 4, 4), value=-1.0) * 0.6375 + 0.5375
    y = torch.arange(10)
    for model, loss, sign in (
        (models.LeNet5(), models.BitmapLoss(), -1),
        (models.LeNet5Modern(), nn.CrossEntropyLoss(), 1),
    ):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(40):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
        assert torch.equal((sign * model(x)).argmax(1), y)
