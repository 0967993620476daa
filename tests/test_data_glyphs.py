"""dlbook.data.glyphs: drawn as an independent count of the points inside draws them."""

import string

import numpy as np
import pytest
import torch
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.path import Path as Curve

from dlbook.data import Part, Splits, digits, glyphs
from dlbook.data.glyphs import (
    BAND,
    FONTS,
    HANDWRITTEN,
    PAD,
    Distortion,
    Glyphs,
    _bends,
    _folder,
    _font_distances,
)

CLEAN = None
ALL = tuple(name for part in FONTS.values() for name in part)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def inside(font, character, points):
    """Which points of the box [-1/2, 1/2]² lie inside the outline, by Matplotlib's own test."""
    face = FT2Font(str(_folder() / f"{font}.ttf"))
    face.load_char(ord(character), flags=LoadFlags.NO_SCALE)
    vertices, codes = face.get_path()
    extent = Curve(vertices, codes).get_extents()
    middle = np.array([extent.x0 + extent.x1, extent.y0 + extent.y1]) / 2
    # Curves are followed to a share of a unit: with a box of 1000 units, finely.
    vertices = (vertices - middle) * (1000 / max(extent.width, extent.height))
    asked = points.view(-1, 2).numpy() * 1000
    starts = np.flatnonzero(codes == Curve.MOVETO)[1:]
    result = np.zeros(points.shape[0] * points.shape[1], dtype=bool)
    for curve, code in zip(np.split(vertices, starts), np.split(codes, starts), strict=True):
        result ^= Curve(curve, code).contains_points(asked)  # holes
    return torch.from_numpy(result).view(points.shape[:2])


def grid(side, reach=0.5):
    """Centres of side × side cells over [-reach, reach]², the first row at the top."""
    axis = ((torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 - 1) * reach
    return torch.stack(torch.meshgrid(axis, -axis, indexing="xy"), dim=-1)


@pytest.mark.parametrize("font", ["DejaVuSans", "cmti10", "STIXGeneralBol"])
def test_clean_glyphs_are_the_share_of_each_pixel_inside_the_outline(font):
    size, fine = 16, 12
    drawn = Glyphs("8gT", fonts=[font], size=size, margin=0).clean()[0, :, 0]
    for character, image in zip("8gT", drawn, strict=True):
        points = inside(font, character, grid(size * fine)).double()
        exact = torch.nn.functional.avg_pool2d(points[None], fine)[0]
        assert (image - exact).abs().mean() < 0.01
        assert (image - exact).abs().max() < 0.2
        assert abs(image.mean() - exact.mean()) < 0.005


def test_distances_are_those_to_the_nearest_point_of_the_outline():
    cells = 64
    d = _font_distances("DejaVuSans", "R", "glyph", cells)[0].double()
    side = round((1 + 2 * PAD) * cells)
    assert d.shape == (side, side)
    # The outline as a great many points: where neighbours of a fine grid differ.
    fine = grid(640, 0.5 + PAD)
    ink = inside("DejaVuSans", "R", fine)
    edge = torch.zeros_like(ink)
    edge[:, 1:] |= ink[:, 1:] != ink[:, :-1]
    edge[1:] |= ink[1:] != ink[:-1]
    centres = grid(side, 0.5 + PAD)
    nearest = torch.cdist(centres.view(-1, 2), fine[edge]).amin(1).view(side, side)
    near = nearest < BAND - 0.01
    assert near.float().mean() > 0.3
    assert (d.abs() - nearest)[near].abs().max() < 2 * (1 + 2 * PAD) / 640  # two cells
    assert ((d > 0) == inside("DejaVuSans", "R", centres))[nearest > 0.002].all()
    assert torch.allclose(d.abs()[~near], torch.full((), BAND, dtype=d.dtype), atol=0.02)


def test_a_glyph_fills_its_box_and_no_more():
    for margin, free in ((0.0, 0), (0.25, 8)):
        clean = Glyphs(fonts=ALL, size=32, margin=margin).clean()
        rows = clean.flatten(0, 1)[:, 0].amax(2) > 0.05
        if free:
            assert not rows[:, : free - 1].any()
            assert not rows[:, 1 - free :].any()
        assert rows[:, free : free + 2].any(1).all()
        assert rows[:, -free - 2 : 32 - free].any(1).all()


def test_on_a_line_the_letters_keep_their_sizes():
    one = Glyphs("cCg", fonts=["DejaVuSans"], size=48, margin=0, fit="line").clean()[0, :, 0]
    small, large, hanging = (torch.nonzero(x.amax(1) > 0.3).flatten() for x in one)
    assert len(small) < 0.85 * len(large)
    assert abs(int(small[-1]) - int(large[-1])) <= 1  # they stand on one line
    assert hanging[-1] > small[-1] + 5
    each = Glyphs("cC", fonts=["DejaVuSans"], size=48, margin=0).clean()[0, :, 0]
    assert (each.amax(2) > 0.3).sum(1).tolist() == [48, 48]


def test_every_font_has_letters_and_digits_and_families_stay_together():
    clean = Glyphs(string.digits + string.ascii_letters, fonts=ALL, size=12).clean()
    assert clean.shape == (len(ALL), 62, 1, 12, 12)
    assert clean.mean((2, 3, 4)).min() > 0.02
    family = {part: {name[:6] for name in names} for part, names in FONTS.items()}
    assert len(set(ALL)) == len(ALL)
    assert not family["train"] & (family["validation"] | family["test"])
    assert not family["validation"] & family["test"]


@pytest.mark.parametrize("size", [8, 28, 33, 64])
def test_samples(size):
    part = Glyphs(size=size).sample(37, seeded())
    assert isinstance(part, Part)
    assert part.x.shape == (37, 1, size, size)
    assert part.x.dtype == torch.float32
    assert part.x.min() == 0
    assert 0.5 < part.x.max() <= 1
    assert sorted(part.y.bincount().tolist()) == [3] * 3 + [4] * 7
    assert len(Glyphs(size=size).sample(0, seeded())) == 0


def test_the_same_seed_draws_the_same_images():
    glyph = Glyphs("abc", size=12)
    first, again = (glyph.sample(300, seeded(3), distortion=Distortion(noise=0.1)) for _ in "12")
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, glyph.sample(300, seeded(4)).x)
    assert len(torch.unique(first.x.flatten(1), dim=0)) == 300


def test_without_distortion_samples_are_the_clean_glyphs():
    glyph = Glyphs("abc", fonts=["cmr10", "cmb10"], size=16)
    part = glyph.sample(20, seeded(), distortion=CLEAN)
    clean = glyph.clean()
    for x, y in zip(part.x, part.y, strict=True):
        assert min((x - clean[f, y]).abs().max() for f in range(2)) < 1e-6
    still = Distortion(*[0.0] * 6, smoothness=0.1, thickness=0.0)
    assert torch.equal(glyph.sample(20, seeded(), distortion=still).x, part.x)


def only(**limits):
    values = dict.fromkeys(Distortion.__dataclass_fields__, 0.0) | {"smoothness": 0.15} | limits
    return Distortion(**values)


def moments(x):
    """Mass, centre and second moments of images (n, 1, H, W), lengths in shares of the side."""
    h, w = x.shape[2:]
    right = ((torch.arange(w) + 0.5) / w - 0.5).expand(h, w)
    down = ((torch.arange(h) + 0.5) / h - 0.5)[:, None].expand(h, w)
    mass = x.sum((1, 2, 3))
    cx, cy = ((x[:, 0] * axis).sum((1, 2)) / mass for axis in (right, down))
    dx, dy = right - cx[:, None, None], down - cy[:, None, None]
    second = [(x[:, 0] * p).sum((1, 2)) / mass for p in (dx * dx, dx * dy, dy * dy)]
    return mass / (h * w), torch.stack([cx, cy], 1), torch.stack(second, 1)


@pytest.fixture(scope="module")
def letter():
    glyph = Glyphs("H", fonts=["DejaVuSans"], size=32, margin=0.25)
    return glyph, moments(glyph.clean()[0])


def test_a_shift_moves_the_centre_by_up_to_its_limit(letter):
    glyph, (mass, centre, second) = letter
    part = glyph.sample(400, seeded(), distortion=only(shift=0.1))
    m, c, s = moments(part.x)
    moved = c - centre
    assert 0.09 < moved.abs().max() < 0.101
    assert moved.mean(0).abs().max() < 0.01
    assert torch.allclose(m, mass.expand(400), atol=2e-3)
    assert torch.allclose(s, second.expand(400, 3), atol=1e-3)


def test_a_turn_keeps_mass_and_spread(letter):
    glyph, (mass, _, second) = letter
    part = glyph.sample(400, seeded(), distortion=only(degrees=30))
    m, _, s = moments(part.x)
    assert torch.allclose(m, mass.expand(400), rtol=0.03)
    assert torch.allclose(s[:, 0] + s[:, 2], (second[:, 0] + second[:, 2]).expand(400), rtol=0.03)
    angle = torch.rad2deg(torch.atan2(2 * s[:, 1], s[:, 0] - s[:, 2])) / 2
    straight = torch.rad2deg(torch.atan2(2 * second[:, 1], second[:, 0] - second[:, 2])) / 2
    turned = (angle - straight + 90) % 180 - 90
    assert 27 < turned.abs().max() < 31
    assert turned.mean().abs() < 3


def test_scale_and_stretch_change_what_they_should(letter):
    glyph, (mass, _, second) = letter
    m, _, s = moments(glyph.sample(300, seeded(), distortion=only(scale=0.25)).x)
    assert 1.45 < m.max() / mass < 1.6  # 1.25² = 1.5625
    assert 0.62 < m.min() / mass < 0.7
    assert torch.allclose(s / s.sum(1, True), (second / second.sum()).expand(300, 3), atol=0.02)
    m, _, s = moments(glyph.sample(300, seeded(), distortion=only(stretch=0.25)).x)
    assert torch.allclose(m, mass.expand(300), rtol=0.05)
    ratio = (s[:, 0] / s[:, 2]) / (second[:, 0] / second[:, 2])
    assert 2.1 < ratio.max() < 2.5  # broader by 1.25, lower by 1.25: 1.25⁴ = 2.44
    assert 1 / 2.5 < ratio.min() < 1 / 2.1


def test_shear_leans_and_keeps_mass(letter):
    glyph, (mass, _, second) = letter
    m, _, s = moments(glyph.sample(300, seeded(), distortion=only(shear=0.4)).x)
    assert torch.allclose(m, mass.expand(300), rtol=0.03)
    lean = s[:, 1] / s[:, 2]
    assert 0.36 < lean.abs().max() < 0.42
    assert torch.allclose(s[:, 2], second[:, 2].expand(300), rtol=0.03)


def test_thickness_adds_ink_and_never_takes_it_all():
    glyph = Glyphs(fonts=["cmti10"], size=28)
    plain = glyph.clean().mean()
    bold = glyph.sample(200, seeded(), distortion=only(thickness=0.05)).x
    assert bold.mean() > 1.3 * plain
    assert bold.mean((1, 2, 3)).min() > 0.01
    bar = Glyphs("I", fonts=["DejaVuSans"], size=64)  # a plain bar
    widths = (bar.sample(300, seeded(), distortion=only(thickness=0.05)).x[:, 0, 32]).sum(1) / 64
    width = bar.clean()[0, 0, 0, 32].sum() / 64
    assert (widths.max() - width) == pytest.approx(2 * 0.05, abs=0.004)
    assert (width - widths.min()) == pytest.approx(2 * 0.05 / 3, abs=0.004)


def test_bends_have_the_deviation_asked_for_everywhere_and_are_smooth():
    limits = only(elastic=0.02, smoothness=0.1)
    bend = _bends(4000, 24, limits, seeded())
    assert bend.shape == (4000, 24, 24, 2)
    assert torch.allclose(bend.std(0), torch.full((24, 24, 2), 0.02), rtol=0.08)
    assert bend.mean(0).abs().max() < 0.002
    # The correlation of noise smoothed by a Gaussian: exp(-d²/4σ²).
    apart = torch.tensor([0, 2, 4, 8])
    near = torch.stack([(bend[:, 12, 8, 0] * bend[:, 12, 8 + int(k), 0]).mean() for k in apart])
    expected = torch.exp(-((apart / 24) ** 2) / (4 * 0.1**2)) * 0.02**2
    assert torch.allclose(near, expected, atol=0.08 * 0.02**2)
    assert _bends(3, 24, only(), seeded()) is None


def test_noise_stays_between_0_and_1():
    part = Glyphs(size=16).sample(50, seeded(), distortion=only(noise=0.2))
    assert part.x.min() == 0
    assert part.x.max() == 1
    assert 0.05 < part.x[:, :, 0].std() < 0.2  # the empty edge has noise, too


def test_outlines_belong_to_their_glyphs():
    glyph = Glyphs("BO8", fonts=["DejaVuSans-Bold"], size=48)
    part = glyph.pairs(30, seeded(), width=0.04)
    assert part.x.shape == part.y.shape == (30, 1, 48, 48)
    assert torch.equal(part.y, glyph.sample(30, seeded()).x)
    assert (part.x.mean((1, 2, 3)) < 0.6 * part.y.mean((1, 2, 3))).all()
    # A line along every edge, where the glyph is half ink; and none in its middle.
    assert part.x[(part.y - 0.5).abs() < 0.1].mean() > 0.7
    full = torch.nn.functional.avg_pool2d(part.y, 5, 1, 2) == 1
    assert part.x[full].mean() < 0.05
    noisy = glyph.pairs(30, seeded(), distortion=Distortion(noise=0.1))
    assert noisy.x.std() > 0
    assert torch.equal(noisy.y, part.y)
    assert len(glyph.pairs(0, seeded())) == 0


def test_load_splits_by_font():
    splits = glyphs.load("ABC", size=12, examples=(60, 30, 21), seed=5)
    assert isinstance(splits, Splits)
    assert [len(part) for part in splits] == [60, 30, 21]
    again = glyphs.load("ABC", size=12, examples=(60, 30, 21), seed=5)
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(splits, again))
    other = glyphs.load("ABC", size=12, examples=(60, 30, 21), seed=6)
    assert not torch.equal(splits.train.x, other.train.x)
    printed = glyphs.load("ABC", size=12, examples=(60, 30, 21), distortion=None)
    for part, names in zip(printed, FONTS.values(), strict=True):
        clean = Glyphs("ABC", fonts=names, size=12).clean()
        for x, y in zip(part.x, part.y, strict=True):
            assert (clean[:, y] - x).abs().amax((1, 2, 3)).min() < 1e-6


def test_bent_print_teaches_more_about_handwriting_than_clean_print():
    real = digits.load().train
    glyph = Glyphs(size=8, margin=0)

    def read(distortion, seed):
        part = glyph.sample(6000, seeded(seed), distortion=distortion)
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        optimizer = torch.optim.Adam(net.parameters(), 3e-3)
        for _ in range(5):
            for rows in torch.randperm(6000).split(100):
                loss = torch.nn.functional.cross_entropy(net(part.x[rows].flatten(1)), part.y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return (net(real.x).argmax(1) == real.y).float().mean().item()

    clean, bent = (sum(read(d, seed) for seed in range(3)) / 3 for d in (None, HANDWRITTEN))
    assert clean > 0.4  # of ten classes, and without a single handwritten digit
    assert bent > clean + 0.03


def test_images_are_not_shared():
    glyph = Glyphs("A", size=12)
    before = glyph.clean()
    glyph.clean().zero_()
    glyph.sample(3, seeded()).x.zero_()
    assert torch.equal(glyph.clean(), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"characters": ""}, "characters expects different ones, got ''"),
        ({"characters": "AA"}, "characters expects different ones, got 'AA'"),
        ({"characters": "A "}, "' ' has no ink in DejaVuSans"),
        ({"characters": "\ue0ff"}, "DejaVuSans has no character"),
        ({"fonts": []}, r"fonts expects a list of names, got \[\]"),
        ({"fonts": ["Comic"]}, "font expects one of DejaVuSans.*; got 'Comic'"),
        ({"fonts": ["../ttf/cmr10"]}, "font expects one of"),
        ({"size": 3}, "size expects at least 4 pixels, got 3"),
        ({"margin": 0.3}, "margin expects a number from 0 to 0.25, got 0.3"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Glyphs(**arguments)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"degrees": 200}, "degrees expects a number >= 0 and <= 180, got 200"),
        ({"shear": -0.1}, "shear expects a number >= 0, got -0.1"),
        ({"thickness": 0.1}, "thickness expects a number >= 0 and <= 0.05, got 0.1"),
        ({"smoothness": 0.0}, "smoothness expects a number >= 0.02, got 0.0"),
        ({"scale": float("inf")}, "scale expects a number >= 0, got inf"),
        ({"noise": float("nan")}, "noise expects a number >= 0, got nan"),
    ],
)
def test_bad_distortions(limits, message):
    with pytest.raises(ValueError, match=message):
        Distortion(**limits)


def test_bad_samples():
    glyph = Glyphs("A", fonts=["cmr10"], size=8)
    with pytest.raises(ValueError, match="n expects a number >= 0, got -1"):
        glyph.sample(-1, seeded())
    with pytest.raises(ValueError, match=r"width expects a number > 0 and <= 0\.1, got 0\.2"):
        glyph.pairs(1, seeded(), width=0.2)


@pytest.mark.untyped
def test_bad_fit():
    with pytest.raises(ValueError, match="fit expects 'glyph' or 'line', got 'page'"):
        Glyphs("A", fit="page")
    with pytest.raises(ValueError, match="fonts expects a list of names, got 'cmr10'"):
        Glyphs("A", fonts="cmr10")
