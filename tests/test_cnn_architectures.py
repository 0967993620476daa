"""What the chapter on architectures says of training, on more seeds than fit on its page."""

import copy

import pytest
import torch

from dlbook import init, nn, ops
from dlbook.data import Part, digits
from dlbook.data.augmentation import Affine
from dlbook.models import (
    BasicBlock,
    CIFARResNet,
    GoogLeNet5x5,
    GoogLeNet2014,
    LeNet5Modern,
    PlainBlock,
)
from dlbook.optim import SGD, Adam
from dlbook.optim.lr_scheduler import OneCycleLR
from dlbook.train import fit

SEEDS = range(5)


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")


def enlarged(part):
    x = torch.nn.functional.interpolate(part.x, size=28, mode="bilinear")
    return Part(torch.nn.functional.pad(x, (2, 2, 2, 2)), part.y)


@pytest.mark.slow
@pytest.mark.untyped  # for checking annotations at every step takes far longer than the step
def test_lenet5_reads_digits_to_98_5_per_cent():
    """Size, rate, epochs and augmentation were chosen on the validation part."""
    train, _, test = (enlarged(part) for part in digits.load(images=True))
    right = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = LeNet5Modern()
        optimizer = Adam(model.parameters(), lr=6e-3)
        fit(
            model, ops.cross_entropy, optimizer, train, epochs=20, batch_size=64, seed=seed,
            augment=Affine(shift=3, degrees=20, scale=0.2),
            scheduler=OneCycleLR(optimizer, max_lr=6e-3, total_steps=20),
        )  # fmt: skip
        with torch.no_grad():
            right.append((model(test.x).argmax(1) == test.y).double().mean().item())
    assert sum(right) / len(right) >= 0.985
    assert sum(share >= 0.98 for share in right) >= 4


def with_torch(model):
    """Put PyTorch's own layers, which run faster, in the places of ours: the same numbers."""
    for name, part in list(model.named_children()):
        if isinstance(part, nn.Conv2d):
            outputs, inputs, side, _ = part.weight.shape
            own = torch.nn.Conv2d(
                inputs, outputs, side, stride=part.stride, padding=part.padding, bias=False
            )
        elif isinstance(part, nn.BatchNorm2d):
            own = torch.nn.BatchNorm2d(len(part.weight))
        elif isinstance(part, nn.Linear):
            own = torch.nn.Linear(*reversed(part.weight.shape))
        elif isinstance(part, nn.ReLU):
            own = torch.nn.ReLU()
        else:
            with_torch(part)
            continue
        own.load_state_dict(part.state_dict())
        setattr(model, name, own)
    return model


@pytest.mark.parametrize("block", [PlainBlock, BasicBlock])
def test_networks_with_torchs_layers_are_the_same_networks(block):
    torch.manual_seed(0)
    ours = CIFARResNet(20, in_channels=1, width=4, block=block)
    theirs = with_torch(copy.deepcopy(ours)).double()
    ours = ours.double()
    assert not any(
        isinstance(part, (nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.ReLU))
        for part in theirs.modules()
    )
    x, y = torch.randn(16, 1, 8, 8, dtype=torch.float64), torch.arange(16) % 10
    for model in (ours, theirs):
        ops.cross_entropy(model(x), y).backward()
    for (name, mine), own in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, own.grad, rtol=1e-8, atol=1e-10, msg=name)


@pytest.mark.slow
@pytest.mark.untyped
def test_depth_harms_plain_networks_and_not_residual_ones():
    """Training loss of 8, 20 and 32 layers, with skips and without: He's comparison."""
    train = digits.load(images=True).train
    centre, spread = train.x.mean(), train.x.std()

    def late(seed, depth, **kind):
        torch.manual_seed(seed)
        model = with_torch(CIFARResNet(depth, in_channels=1, width=4, **kind))
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        losses = []
        while len(losses) < 48:
            for rows in torch.randperm(len(train)).split(64)[: 48 - len(losses)]:
                optimizer.param_groups[0]["lr"] = 0.1 * (1 - len(losses) / 48)
                scores = model((train.x[rows] - centre) / spread)
                loss = torch.nn.functional.cross_entropy(scores, train.y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return sum(losses[-8:]) / 8

    worse = better = 0
    for seed in SEEDS:
        if min(worse, better) == 4:
            break  # four of five is what is asserted
        plain = [late(seed, depth, block=PlainBlock) for depth in (8, 20, 32)]
        skips = [late(seed, depth) for depth in (8, 20, 32)]
        worse += plain[0] + 0.2 < plain[1] < plain[2]
        better += max(skips[1:]) < skips[0] and all(s < p / 2 for s, p in zip(skips[1:], plain[1:]))
    assert worse >= 4
    assert better >= 4


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.parametrize("seed", [1, 2])
def test_heads_give_early_layers_most_slope_only_from_glorots_start(seed):
    """Slope of GoogLeNet's first weights by the heads' losses, over that by its own."""

    def ratio(make, start=None):
        torch.manual_seed(seed)
        photos, labels = torch.randn(2, 3, 224, 224), torch.tensor([3, 7])
        model = make(num_classes=10)
        if start is not None:
            for weight in model.parameters():
                if weight.ndim > 1:
                    start(weight)
        own, upper, lower = (ops.cross_entropy(z, labels) for z in model(photos))
        first = model.conv1.conv.weight
        (mine,) = torch.autograd.grad(own, first, retain_graph=True)
        (heads,) = torch.autograd.grad(0.3 * (upper + lower), first)
        return (heads.norm() / mine.norm()).item()

    assert ratio(GoogLeNet2014, init.xavier_uniform_) > 2
    assert ratio(GoogLeNet2014, init.kaiming_normal_) < 1.5
    assert ratio(GoogLeNet5x5) < 0.5
