r"""Letters and digits of any size, drawn from the fonts that come with Matplotlib.

A font holds every character as an outline: closed curves, given by a few points. So a character can
be drawn in any number of pixels, turned, bent and made bolder, as often as one likes, and its class
is known. That makes an endless supply of labelled images without a file to download: enough to
train a network before it sees the first handwritten digit, or to try an idea on.

**How a glyph is drawn.** For each character of each font the signed distance
:math:`d(p)` to the outline, positive inside, is computed once, on a grid. To draw it, every point
:math:`q` of the image asks the distance at the point :math:`p` that it came from, and is inked by

.. math:: \operatorname{clip}\Bigl(\tfrac12 + \frac{d(p(q)) + b}{w},\ 0,\ 1\Bigr)

where *w* is the size of a point. The map :math:`q \mapsto p` turns, shears, stretches, shifts and
bends in one step, and *b* makes every stroke bolder by *b* on either side. Several points a pixel
are averaged. The characters are drawn in batches, thousands a second.

**Which font is where.** ``FONTS`` names them: twelve faces of DejaVu and three of Computer Modern
to train on, two other families of Computer Modern to validate on, and the four of STIX to test on.
Faces of one family lie in one part, because a bold and a slanted face are nearly copies. Accuracy
on the test part is thus about fonts that were never seen.

The fonts are DejaVu (from Bitstream Vera), STIX (the STI Pub companies) and Computer Modern (D. E.
Knuth's, in the BaKoMa TrueType form); their licences come with Matplotlib.
"""

import math
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlbook.data.splits import Part, Splits

__all__ = ["FONTS", "HANDWRITTEN", "Distortion", "Glyphs", "load"]

FONTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "train": (
            "DejaVuSans",
            "DejaVuSans-Bold",
            "DejaVuSans-Oblique",
            "DejaVuSans-BoldOblique",
            "DejaVuSansMono",
            "DejaVuSansMono-Bold",
            "DejaVuSansMono-Oblique",
            "DejaVuSansMono-BoldOblique",
            "DejaVuSerif",
            "DejaVuSerif-Bold",
            "DejaVuSerif-Italic",
            "DejaVuSerif-BoldItalic",
            "cmr10",
            "cmb10",
            "cmti10",
        ),
        "validation": ("cmss10", "cmtt10"),
        "test": (
            "STIXGeneral",
            "STIXGeneralBol",
            "STIXGeneralItalic",
            "STIXGeneralBolIta",
        ),
    }
)
"""The fonts of each part: names of Matplotlib's font files, without ``.ttf``."""

# Shares of the side of a glyph's box: how far the grid of distances reaches beyond it, and how far
# from the outline the distances are computed (farther away only the sign is). The limits of margin,
# thickness and width below are such that nobody asks for more.
PAD = BAND = 0.1875

Fit = Literal["glyph", "line"]
Points = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Distortion:
    r"""How far a glyph may stray from the printed one.

    Angle, shear, shift and the logarithms of both factors are uniform between minus and plus their
    limit, the thickness between minus a third of its limit and its limit. They are drawn anew for
    every image. Lengths are shares of the image's side.

    Args:
        degrees: the largest turn in either direction, from 0 to 180.
        shear: the largest shear; 0.2 moves the top edge sideways by 0.1 and the bottom edge back.
        scale: the largest enlargement; 0.2 means by factors from 1/1.2 to 1.2.
        stretch: the same, but broader and lower or narrower and higher, with equal area.
        shift: the farthest shift along either axis.
        elastic: standard deviation of a smooth random displacement along either axis, by which
            strokes bend.
        smoothness: over what length that displacement changes: the standard deviation of the
            Gaussian that smooths it. At least 0.02.
        thickness: how much bolder on either side of a stroke, at most 0.05. Only a third as much
            finer, so that hairlines do not vanish.
        noise: standard deviation of normal noise on every pixel; the result is clipped to [0, 1].

    Raises:
        ValueError: for limits out of range.

    Example:
        >>> Distortion(degrees=5).degrees, Distortion().degrees
        (5, 12.0)
    """

    degrees: float = 12.0
    shear: float = 0.2
    scale: float = 0.1
    stretch: float = 0.1
    shift: float = 0.04
    elastic: float = 0.015
    smoothness: float = 0.15
    thickness: float = 0.03
    noise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            low = 0.02 if field.name == "smoothness" else 0.0
            high = {"degrees": 180.0, "thickness": 0.05}.get(field.name, math.inf)
            value = getattr(self, field.name)
            if not low <= value <= high or math.isinf(value):
                upper = "" if math.isinf(high) else f" and <= {high:g}"
                raise ValueError(
                    f"Distortion: {field.name} expects a number >= {low:g}{upper}, got {value!r}"
                )


HANDWRITTEN = Distortion(
    degrees=20.0,
    shear=0.4,
    scale=0.15,
    stretch=0.2,
    shift=0.04,
    elastic=0.05,
    smoothness=0.2,
    thickness=0.05,
    noise=0.15,
)
"""As far as hands stray: what a network learns from these helps it to read handwritten digits.

Chosen among a dozen by how a small convolutional network, trained on printed digits of 8 × 8
pixels so distorted, did on the validation part of :mod:`dlbook.data.digits`.
"""

STRAIGHT = Distortion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Glyphs:
    """Characters in some fonts, ready to be drawn in one size, as often as one likes.

    Args:
        characters: the classes, in this order; each a character that the fonts have.
        fonts: names of Matplotlib's font files, such as those in ``FONTS``.
        size: pixels along the side of the images, H = W, at least 4.
        margin: the share of the side that stays free at each edge of an undistorted image, from 0
            to 0.25.
        fit: ``"glyph"`` scales every glyph to the full height or width; ``"line"`` scales all
            glyphs of a font alike and leaves them on their line, so that ``c`` and ``C`` differ.

    Raises:
        ValueError: for arguments out of range, for a font that is not there, and for a character
            that a font lacks or that has no ink.

    Example:
        >>> glyphs = Glyphs("R", fonts=["DejaVuSerif-Bold"], size=14, margin=0)
        >>> for row in (glyphs.clean()[0, 0, 0] > 0.5).int().tolist():
        ...     print("".join("-#"[pixel] for pixel in row))
        --------------
        ###########---
        --###---####--
        --###----###--
        --###----###--
        --###---####--
        --###--####---
        --########----
        --###--####---
        --###---###---
        --###---####--
        --###----###--
        ######---#####
        --------------
    """

    def __init__(
        self,
        characters: str = string.digits,
        *,
        fonts: Sequence[str] = FONTS["train"],
        size: int = 28,
        margin: float = 0.1,
        fit: Fit = "glyph",
    ) -> None:
        if not characters or len(set(characters)) != len(characters):
            raise ValueError(f"Glyphs: characters expects different ones, got {characters!r}")
        if isinstance(fonts, str) or not fonts:
            raise ValueError(f"Glyphs: fonts expects a list of names, got {fonts!r}")
        if size < 4:
            raise ValueError(f"Glyphs: size expects at least 4 pixels, got {size}")
        if not 0 <= margin <= 0.25:
            raise ValueError(f"Glyphs: margin expects a number from 0 to 0.25, got {margin!r}")
        if fit not in ("glyph", "line"):
            raise ValueError(f"Glyphs: fit expects 'glyph' or 'line', got {fit!r}")
        self.characters = characters
        self.fonts = tuple(fonts)
        self.size = size
        self.margin = margin
        self.fit = fit
        cells = 16 * math.ceil(max(64, size) / 16)
        self._distances = torch.stack(
            [_font_distances(font, characters, fit, cells) for font in self.fonts]
        )

    def __repr__(self) -> str:
        return (
            f"Glyphs({self.characters!r}, fonts={list(self.fonts)!r}, size={self.size}, "
            f"margin={self.margin}, fit={self.fit!r})"
        )

    def clean(self) -> Tensor:
        """Return every character in every font as it is printed.

        Returns:
            Images ``(F, K, 1, H, W)``, float32 in [0, 1], 1 for ink.
        """
        n = len(self.characters)
        still = torch.eye(2).expand(n, 2, 2), torch.zeros(n, 2), None
        return torch.stack([self._ink(self._at(d, *still)) for d in self._distances])

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        distortion: Distortion | None = Distortion(),
    ) -> Part:
        """Draw some images at random: all classes equally often (within one), in random order.

        Args:
            n: how many.
            generator: where all randomness comes from; the same seed gives the same images.
            distortion: how far they stray from the printed ones; None for not at all.

        Returns:
            A part with ``x``, ``(n, 1, H, W)`` of float32 in [0, 1], 1 for ink, and ``y``, ``(n,)``
            of int64, the places in ``characters``.

        Raises:
            ValueError: if n is negative.

        Example:
            >>> generator = torch.Generator().manual_seed(0)
            >>> part = Glyphs("ABC", size=16).sample(6, generator)
            >>> part.x.shape, sorted(part.y.tolist())
            (torch.Size([6, 1, 16, 16]), [0, 0, 1, 1, 2, 2])
        """
        y, distances = self._draw(n, generator, distortion)
        x = torch.empty(n, 1, self.size, self.size)
        for rows, d in distances:
            x[rows] = self._ink(d)
        return Part(_noisy(x, distortion, generator), y)

    def pairs(
        self,
        n: int,
        generator: torch.Generator,
        *,
        width: float = 0.04,
        distortion: Distortion | None = Distortion(),
    ) -> Part:
        """Draw images at random as outlines, together with the filled glyphs they belong to.

        Args:
            n: how many.
            generator: where all randomness comes from.
            width: width of the line, as a share of the image's side, positive and at most 0.1.
            distortion: how far they stray from the printed ones, outline and filled glyph alike;
                noise comes to the outlines alone. None for not at all.

        Returns:
            A part with ``x``, the outlines, and ``y``, the filled glyphs, each ``(n, 1, H, W)`` of
            float32 in [0, 1].

        Raises:
            ValueError: for arguments out of range.

        Example:
            >>> part = Glyphs("ABC", size=32).pairs(6, torch.Generator().manual_seed(0))
            >>> part.x.shape, part.y.shape, bool(part.x.mean() < part.y.mean())
            (torch.Size([6, 1, 32, 32]), torch.Size([6, 1, 32, 32]), True)
        """
        if not 0 < width <= 0.1:
            raise ValueError(f"Glyphs.pairs: width expects a number > 0 and <= 0.1, got {width!r}")
        _, distances = self._draw(n, generator, distortion)
        x, y = torch.empty(2, n, 1, self.size, self.size)
        for rows, d in distances:
            x[rows], y[rows] = self._ink(width / 2 - d.abs()), self._ink(d)
        return Part(_noisy(x, distortion, generator), y)

    @property
    def _points(self) -> int:
        """Points along the side of a pixel: enough for a small image to be smooth, too."""
        return max(2, math.ceil(32 / self.size))

    def _draw(
        self, n: int, generator: torch.Generator, distortion: Distortion | None
    ) -> tuple[Tensor, Iterator[tuple[Tensor, Tensor]]]:
        """The classes ``(n,)``, and in batches the rows and the distances at their points."""
        if n < 0:
            raise ValueError(f"Glyphs: n expects a number >= 0, got {n}")
        y = (torch.arange(n) % len(self.characters))[torch.randperm(n, generator=generator)]
        font = torch.randint(len(self.fonts), (n,), generator=generator)
        limits = STRAIGHT if distortion is None else distortion

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for first in range(0, n, 256):
                rows = torch.arange(first, min(first + 256, n))
                distances = self._distances[font[rows], y[rows]]
                matrix, shift = _affine_maps(len(rows), limits, generator)
                bend = _bends(len(rows), self.size * self._points, limits, generator)
                # From a third of the limit finer to the limit bolder.
                u = (torch.rand(len(rows), 1, 1, 1, generator=generator) * 4 - 1) / 3
                at = self._at(distances, matrix, shift, bend)
                yield rows, at + limits.thickness * u

        return y, batches()

    def _at(self, distances: Tensor, matrix: Tensor, shift: Tensor, bend: Tensor | None) -> Tensor:
        """The signed distances at all points of the images, in shares of the images' side."""
        side = self.size * self._points
        axis = (torch.arange(side) + 0.5) / side - 0.5
        q = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(1, -1, 2)
        p = ((q - shift[:, None]) @ torch.linalg.inv(matrix).mT).reshape(-1, side, side, 2)
        if bend is not None:
            p = p + bend
        box = 1 - 2 * self.margin
        return box * torch.nn.functional.grid_sample(
            distances[:, None],
            p * (2 / (box * (1 + 2 * PAD))),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )

    def _ink(self, distances: Tensor) -> Tensor:
        """The pixels, ``(n, 1, H, W)``: the share of each that lies inside."""
        k = self._points
        points = (0.5 + distances * (self.size * k)).clamp_(0, 1)
        return torch.nn.functional.avg_pool2d(points, k)


def load(
    characters: str = string.digits,
    *,
    size: int = 28,
    examples: tuple[int, int, int] = (6000, 1000, 1000),
    distortion: Distortion | None = Distortion(),
    margin: float = 0.1,
    fit: Fit = "glyph",
    seed: int = 0,
) -> Splits:
    """Return distorted characters in three parts, each in fonts of its own.

    Args:
        characters: the classes, in this order.
        size: pixels along the side of the images.
        examples: how many to train on, to validate on and to test on.
        distortion: how far they stray from the printed ones; None for not at all.
        margin: the share of the side that stays free at each edge; see :class:`Glyphs`.
        fit: ``"glyph"`` or ``"line"``; see :class:`Glyphs`.
        seed: decides which images are drawn, an integer from 0 to 2⁶³ − 1.

    Returns:
        Splits ``(train, validation, test)``, each a :class:`dlbook.data.Part` with ``x``,
        ``(N, 1, size, size)`` of float32 in [0, 1], 1 for ink, and ``y``, ``(N,)`` of int64, the
        places in ``characters``. The fonts of each part are those in ``FONTS``.

    Raises:
        ValueError: for arguments out of range; see :class:`Glyphs`.

    Example:
        >>> train, validation, test = load(size=8, examples=(600, 100, 100))
        >>> train.x.shape, train.y.bincount().tolist()
        (torch.Size([600, 1, 8, 8]), [60, 60, 60, 60, 60, 60, 60, 60, 60, 60])
    """
    parts = []
    for i, (part, n) in enumerate(zip(FONTS, examples, strict=True)):
        generator = torch.Generator().manual_seed(seed)
        generator.manual_seed(int(torch.randint(2**62, (i + 1,), generator=generator)[i]))
        glyphs = Glyphs(characters, fonts=FONTS[part], size=size, margin=margin, fit=fit)
        parts.append(glyphs.sample(n, generator, distortion=distortion))
    return Splits(*parts)


def _uniform(n: int, limit: float, generator: torch.Generator) -> Tensor:
    return limit * (2 * torch.rand(n, generator=generator) - 1)


def _affine_maps(
    n: int, distortion: Distortion, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Matrices ``(n, 2, 2)`` that shear, then stretch and scale, then turn; shifts ``(n, 2)``."""
    angle = _uniform(n, math.radians(distortion.degrees), generator)
    shear = _uniform(n, distortion.shear, generator)
    factor = _uniform(n, math.log1p(distortion.scale), generator)
    broader = _uniform(n, math.log1p(distortion.stretch), generator)
    shift = _uniform(2 * n, distortion.shift, generator).view(n, 2)
    wide, high = torch.exp(factor + broader), torch.exp(factor - broader)
    c, s = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([c, -s, s, c], dim=-1).view(n, 2, 2)
    zero = torch.zeros(n)
    upright = torch.stack([wide, -wide * shear, zero, high], dim=-1).view(n, 2, 2)
    return turn @ upright, shift


def _bends(n: int, side: int, distortion: Distortion, generator: torch.Generator) -> Tensor | None:
    """Smooth displacements ``(n, side, side, 2)``: white noise on a grid, smoothed by a Gaussian.

    The weights at every point are scaled so that their squares sum to 1: the displacement has the
    same standard deviation everywhere.
    """
    if distortion.elastic == 0:
        return None
    sigma = distortion.smoothness
    reach = math.ceil(0.5 / sigma + 2)
    knots = sigma * torch.arange(-reach, reach + 1)
    axis = (torch.arange(side) + 0.5) / side - 0.5
    weights = torch.exp(-0.5 * ((axis[:, None] - knots) / sigma) ** 2)
    weights = weights / weights.square().sum(1, keepdim=True).sqrt()
    noise = torch.randn(n, 2, len(knots), len(knots), generator=generator)
    return distortion.elastic * (weights @ noise @ weights.mT).permute(0, 2, 3, 1)


def _noisy(x: Tensor, distortion: Distortion | None, generator: torch.Generator) -> Tensor:
    if distortion is None or distortion.noise == 0:
        return x
    return (x + distortion.noise * torch.randn(x.shape, generator=generator)).clamp_(0, 1)


def _folder() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf")


def _contours(font: str, characters: str) -> list[list[Points]]:
    """For each character its closed curves as polygons, y upwards, about 100 units high."""
    from matplotlib.ft2font import FT2Font, LoadFlags
    from matplotlib.path import Path as Curve

    files = {path.stem: path for path in sorted(_folder().glob("*.ttf"))}
    if font not in files:
        raise ValueError(f"Glyphs: font expects one of {', '.join(files)}; got {font!r}")
    face = FT2Font(str(files[font]))
    found = []
    for character in characters:
        if face.get_char_index(ord(character)) == 0:
            raise ValueError(f"Glyphs: {font} has no character {character!r}")
        face.load_char(ord(character), flags=LoadFlags.NO_SCALE)
        vertices, codes = face.get_path()
        if len(vertices) == 0:
            raise ValueError(f"Glyphs: {character!r} has no ink in {font}")
        # Where a curve is cut into lines depends on the scale: at about 100 units, finely.
        scaled = Curve(vertices * (64 / face.units_per_EM * 140), codes)
        polygons = map(np.asarray, scaled.to_polygons(closed_only=False))
        found.append([polygon for polygon in polygons if len(polygon) > 2])
    return found


@lru_cache(maxsize=256)
def _font_distances(font: str, characters: str, fit: Fit, cells: int) -> Tensor:
    """Signed distances ``(K, R, R)`` to the outlines of a font's characters, in shares of the box.

    The box, a square with a side of ``cells`` cells, holds the glyph; around it is a pad.
    """
    contours = _contours(font, characters)
    low = np.array([np.min([p.min(0) for p in glyph], 0) for glyph in contours])
    high = np.array([np.max([p.max(0) for p in glyph], 0) for glyph in contours])
    if fit == "line":  # one line, one scale
        low[:, 1], high[:, 1] = low[:, 1].min(), high[:, 1].max()
    sides = (high - low).max(1)
    if fit == "line":
        sides[:] = sides.max()
    middles = (low + high) / 2
    return torch.stack(
        [
            _distances([(p - middle) / side for p in glyph], cells)
            for glyph, middle, side in zip(contours, middles, sides, strict=True)
        ]
    )


def _distances(polygons: list[Points], cells: int) -> Tensor:
    """Signed distances from the centres of all cells to a glyph whose box is [-1/2, 1/2]²."""
    pad, band = round(PAD * cells), BAND * cells
    side = cells + 2 * pad
    # In cells, y downwards, 0 at the centre of the first cell.
    turned = [torch.from_numpy(p * [1, -1] * cells + (side - 1) / 2) for p in polygons]
    start = torch.cat(turned)
    end = torch.cat([p.roll(-1, 0) for p in turned])
    inside = _winding(start, end, side) != 0

    # Every edge in pieces of at most 4 cells, so that each concerns only a small patch of cells.
    longest = 4
    count = ((end - start).norm(dim=1) / longest).ceil().clamp(min=1).long()
    edge = torch.repeat_interleave(torch.arange(len(count)), count)
    place = torch.arange(len(edge)) - (count.cumsum(0) - count)[edge]
    step = ((end - start) / count[:, None])[edge]
    a = start[edge] + place[:, None] * step
    corner = (torch.minimum(a, a + step) - band).floor().long()
    patch = torch.arange(math.ceil(longest + 2 * band) + 2)
    column, row = corner[:, 0, None] + patch, corner[:, 1, None] + patch
    dx, dy = column - a[:, 0, None], row - a[:, 1, None]
    along = dx[:, None, :] * step[:, 0, None, None] + dy[:, :, None] * step[:, 1, None, None]
    t = (along / step.square().sum(1).clamp(min=1e-12)[:, None, None]).clamp_(0, 1)
    squared = (dx[:, None, :] - t * step[:, 0, None, None]).square_()
    squared += (dy[:, :, None] - t * step[:, 1, None, None]).square_()
    # Cells beyond the grid go to one more row and column, which is cut off.
    column = torch.where((column >= 0) & (column < side), column, side)
    row = torch.where((row >= 0) & (row < side), row, side)
    cell = (row[:, :, None] * (side + 1) + column[:, None, :]).flatten()
    nearest = torch.full(((side + 1) ** 2,), band**2, dtype=squared.dtype)
    nearest.scatter_reduce_(0, cell, squared.flatten(), "amin")
    distance = nearest.view(side + 1, side + 1)[:-1, :-1].sqrt() / cells
    return torch.where(inside, distance, -distance).float()


def _winding(start: Tensor, end: Tensor, side: int) -> Tensor:
    """How often the edges run around each cell: what they cross to the left of it, with signs."""
    y = torch.arange(side)
    above, below = start[:, 1, None] <= y, end[:, 1, None] <= y
    edge, row = torch.nonzero(above != below, as_tuple=True)
    (x0, y0), (x1, y1) = start[edge].unbind(1), end[edge].unbind(1)
    x = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
    column = x.ceil().long().clamp(0, side)
    sign = torch.where(y1 > y0, 1, -1)
    crossed = torch.zeros(side * (side + 1), dtype=torch.int64)
    crossed.scatter_add_(0, row * (side + 1) + column, sign)
    return crossed.view(side, side + 1)[:, :-1].cumsum(1)
