"""dlbook.data.photographs: as Pillow reads and greys them; patches as plain slices give them."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from dlbook.data import photographs


@pytest.fixture(scope="module")
def files():
    return {name.split("/")[-1][:-4]: name for name in load_sample_images().filenames}


@pytest.mark.parametrize("name", ["china", "flower"])
def test_the_pixels_are_those_of_the_file(files, name):
    x = photographs.load(name)
    assert x.shape == (3, 427, 640)
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    picture = np.asarray(Image.open(files[name]).convert("RGB"))
    assert np.array_equal((x * 255).round().numpy().transpose(1, 2, 0), picture)
    assert x.min() == 0
    assert x.max() == 1


def test_the_sky_over_china_is_blue_and_the_flower_is_red():
    china, flower = photographs.load("china"), photographs.load("flower")
    sky, petal = china[:, :40, 500:].mean((1, 2)), flower.flatten(1)[:, flower[0].argmax()]
    assert sky[2] > sky[0]
    assert petal[0] > petal[2]


def test_grey_is_pillows_grey(files):
    grey = photographs.load("china", grey=True, dtype=torch.float64, device="cpu")
    assert grey.shape == (1, 427, 640)
    theirs = torch.from_numpy(np.array(Image.open(files["china"]).convert("L")))
    assert (grey[0] * 255 - theirs).abs().max() <= 1
    both = torch.stack([photographs.load("china"), photographs.load("flower")])
    assert photographs.luminance(both).shape == (2, 1, 427, 640)
    shades = torch.full((3, 2, 2), 0.25)
    assert torch.allclose(photographs.luminance(shades), torch.full((1, 2, 2), 0.25))


def test_two_loads_share_no_memory():
    first = photographs.load()
    first.zero_()
    assert photographs.load().max() == 1


@pytest.mark.parametrize(("size", "stride"), [(8, None), (8, 3), (1, 1), (9, 9), (5, 20)])
def test_patches_at_a_stride(size, stride):
    x = torch.rand(2, 9, 14)
    step = size if stride is None else stride
    loops = [
        x[:, i : i + size, j : j + size]
        for i in range(0, 9 - size + 1, step)
        for j in range(0, 14 - size + 1, step)
    ]
    pieces = photographs.patches(x, size, stride=stride)
    assert torch.equal(pieces, torch.stack(loops))
    pieces.zero_()
    assert x.max() > 0


def test_patches_at_random():
    x = torch.arange(2 * 6 * 7.0).view(2, 6, 7)
    draw = [
        photographs.patches(x, 4, count=2000, generator=torch.Generator().manual_seed(1))
        for _ in "12"
    ]
    assert torch.equal(*draw)
    pieces = draw[0]
    assert pieces.shape == (2000, 2, 4, 4)
    places = pieces[:, 0, 0, 0].long()
    for piece, place in zip(pieces[:50], places[:50], strict=True):
        i, j = divmod(int(place), 7)
        assert torch.equal(piece, x[:, i : i + 4, j : j + 4])
    # 3 × 4 places, each about as often: 2000/12 = 167, standard deviation 12.
    counts = places.bincount()[[7 * i + j for i in range(3) for j in range(4)]]
    assert counts.sum() == 2000
    assert (counts - 2000 / 12).abs().max() < 4 * 12.4
    none = photographs.patches(x, 4, count=0, generator=torch.Generator())
    assert none.shape == (0, 2, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(4, 4)}, r"expects shape \(C, H, W\), got \(4, 4\)"),
        ({"size": 0}, "size expects a number from 1 to 5.*, got 0"),
        ({"size": 6}, "size expects a number from 1 to 5.*, got 6"),
        ({"stride": 0}, "stride expects at least 1, got 0"),
        ({"count": 3}, "count expects a number >= 0, a generator and no stride, got count=3"),
        ({"count": -1, "generator": torch.Generator()}, "got count=-1"),
        ({"count": 3, "stride": 2, "generator": torch.Generator()}, "stride=2"),
    ],
)
def test_bad_patches(arguments, message):
    with pytest.raises(ValueError, match=message):
        photographs.patches(**{"x": torch.zeros(3, 5, 6), "size": 2} | arguments)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"expects shape \(\.\.\., 3, H, W\), got \(1, 4, 4\)"):
        photographs.luminance(torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match=r"dtype expects a floating-point type, got torch\.uint8"):
        photographs.load(dtype=torch.uint8)


@pytest.mark.untyped
def test_bad_name():
    with pytest.raises(ValueError, match="name expects 'china' or 'flower', got 'cat'"):
        photographs.load("cat")
