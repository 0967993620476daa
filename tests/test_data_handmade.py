"""dlbook.data.handmade: holes are counted as an independent labelling does, features as defined."""

import numpy as np
import pytest
import torch
from scipy.ndimage import label

from dlbook.data import digits, handmade


def picture(*rows):
    return torch.tensor([[float(c == "#") for c in row] for row in rows])


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_holes_of_digits_are_scipys(threshold):
    x = digits.load(images=True).train.x
    expected = []
    for image in x[:, 0].numpy():
        empty = np.pad(image < threshold, 1, constant_values=True)
        expected.append(label(empty)[1] - 1)  # all patches but the outside
    assert handmade.holes(x, threshold).tolist() == expected


def test_holes_by_hand():
    pictures = {
        0: picture("....", ".##.", ".##.", "...."),
        1: picture(".##.", "#..#", "#..#", ".##."),  # ink that touches at corners holds water
        2: picture("####", "#.##", "##.#", "####"),  # two holes that touch at corners are two
    }
    for count, image in pictures.items():
        assert handmade.holes(image[None]).tolist() == [count]
    open_ring = picture("####", "#..#", "#...", "####")
    assert handmade.holes(open_ring[None]).item() == 0
    assert not handmade.enclosed(open_ring[None]).any()


def test_a_long_winding_channel_is_flooded():
    spiral = picture(
        "#######", "#.....#", "#.###.#", "#.#.#.#", "#.#...#", "#.#####", "#......", "#######"
    )
    assert handmade.holes(spiral[None]).item() == 0


def test_enclosed_pixels_are_the_holes():
    image = picture("#####", "#.#.#", "#.#.#", "#####")
    expected = (image == 0)[None]
    assert torch.equal(handmade.enclosed(image[None]), expected)


def test_features_by_hand():
    ring = torch.zeros(1, 8, 8)
    ring[0, 2:6, 2:6] = 1
    ring[0, 3:5, 3:5] = 0
    f = handmade.features(ring)[0]
    assert f.shape == (51,)
    assert f[:3].tolist() == [0, 1, 0]
    rows = [0, 0, 4 / 8, 2 / 8, 2 / 8, 4 / 8, 0, 0]
    assert f[3:11].tolist() == f[11:19].tolist() == rows
    strokes = [0, 0, 0.5, 1, 1, 0.5, 0, 0]
    assert f[19:27].tolist() == f[27:35].tolist() == strokes
    slopes = f[35:].view(4, 4)
    torch.testing.assert_close(slopes[0], slopes[2])  # the ring looks the same from the side
    torch.testing.assert_close(slopes[0], slopes[0, :1].expand(4))  # and in every quarter


def test_slopes_know_their_direction():
    stripes = (torch.arange(8) % 4 < 2).float()
    flat = handmade.features(stripes[:, None].expand(8, 8)[None])[0, 35:].view(4, 4)
    upright = handmade.features(stripes.expand(8, 8)[None])[0, 35:].view(4, 4)
    assert (flat[0] == 0).all()  # along the stripes nothing changes
    assert (flat[2] > 0).all()
    torch.testing.assert_close(upright[0], flat[2])
    assert upright[2].abs().max() < 1e-6


def test_shapes_and_types():
    x = digits.load(dtype=torch.float64, images=True).test.x[:5]
    for view in (x, x[:, 0], x.flatten(1)):
        f = handmade.features(view)
        assert f.dtype == torch.float64
        assert torch.equal(f, handmade.features(x))
    assert handmade.holes(x).dtype == torch.int64
    assert handmade.features(torch.rand(2, 6, 4)).shape == (2, 3 + 2 * 6 + 2 * 4 + 16)


@pytest.mark.parametrize("shape", [(3, 10), (8,), (2, 3, 8, 8), (0, 8, 8)])
def test_bad_shapes(shape):
    for function in (handmade.enclosed, handmade.holes, handmade.features):
        with pytest.raises(ValueError, match="handmade: expects images"):
            function(torch.zeros(shape))
