r"""The neocognitron: cells that look for features, cells that blur, and learning without a teacher.

It alternates two kinds of layers. An :class:`SLayer` has several *planes*; the cells of a plane
look for one feature, each at its own place, with the same weights. A :class:`CLayer` blurs every
plane and thins it out, so that a feature may move a little. After three such pairs a plane is a
single number. Nothing is differentiated: the S-cells learn by competition, one layer after the
other, and the blurring is fixed.

The source is Fukushima, "Neocognitron: A self-organizing neural network model for a mechanism of
pattern recognition unaffected by shift in position", *Biological Cybernetics* 36 (1980).

Departures from it: a layer learns when the one before it has finished, as in Fukushima's later
networks; layers have the size of their input (beyond the edges nothing is seen) and are thinned out
by a stride; the planes of the last layer get the names of classes after learning, by vote.

Chapter: ``images/neocognitron``.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from dlbook.ops import activations, convolution, pooling

__all__ = ["CLayer", "Neocognitron", "SLayer"]


def _falling(size: int, decay: float) -> Tensor:
    """A window of ``decay`` to the power of the distance from its middle, shape (size, size)."""
    axis = torch.arange(size, dtype=torch.float32) - size // 2
    return decay ** torch.sqrt(axis[:, None] ** 2 + axis**2)


def _check_window(name: str, size: int, decay: float) -> None:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"{name}: size expects an odd number, got {size}")
    if not 0 < decay <= 1:
        raise ValueError(f"{name}: decay expects a number above 0 and up to 1, got {decay}")


def _check_planes(name: str, x: Tensor, planes: int) -> None:
    if x.dim() != 4 or x.shape[1] != planes:
        raise ValueError(f"{name}: expected x of shape (B, {planes}, H, W), got {tuple(x.shape)}")


class SLayer(nn.Module):
    r"""Cells that look for features, one feature a plane, with inhibition that divides.

    The cell of plane *k* at place *n* adds up what excites it, :math:`e`, and is inhibited in
    proportion to :math:`v`, the root mean square of all that it sees:

    .. math::
        u_k(n) &= r\,\max\Bigl(0,\
            \frac{1 + e_k(n)}{1 + \frac{2r}{1 + r}\,b_k\,v(n)} - 1\Bigr) \\
        e_k(n) &= \sum_{c,\nu} a_{kc}(\nu)\,x_c(n + \nu) , \qquad
        v(n) = \sqrt{\sum_{c,\nu} c(\nu)\,x_c(n + \nu)^2}

    The weights :math:`c(\nu)` of the window are fixed, fall from its middle and add up to 1 over
    all input planes. Whoever learns from the input around :math:`\hat n` changes by

    .. math:: \Delta a_{kc}(\nu) = q\,c(\nu)\,x_c(\hat n + \nu), \qquad
        \Delta b_k = \tfrac q2\,v(\hat n) .

    Args:
        in_planes: planes of the input, C.
        planes: planes of this layer, K.
        size: side of the window, an odd number of cells.
        selectivity: :math:`r > 0`. A cell that has learned one pattern, with a large rate, answers
            to those whose cosine with it exceeds :math:`r / (1 + r)`.
        rate: :math:`q > 0`.
        column: side of the square in which the cells of all planes compete, an odd number. None:
            all cells of the layer compete, and one wins.
        decay: by what factor :math:`c` falls with every step from the middle.
        start: the excitatory weights begin between 0 and ``start`` times :math:`c`.
        generator: where the initial weights come from.

    Attributes:
        excitatory: :math:`a`, of shape (K, C, size, size).
        inhibitory: :math:`b`, of shape (K,), 0 at first.
        selectivity: :math:`r`, of shape (); it may be changed.
        window: :math:`c`, of shape (1, C, size, size).

    Raises:
        ValueError: for sizes that are not odd, or numbers out of range.

    Example:
        >>> draws = torch.Generator().manual_seed(0)
        >>> layer = SLayer(1, 2, 3, selectivity=4.0, column=None, generator=draws)
        >>> bar = torch.zeros(1, 1, 5, 5)
        >>> bar[..., 2] = 1.0
        >>> layer.learn(bar)
        [(0, 1, 2)]
        >>> layer(bar)[0, 0, 1].round(decimals=2)
        tensor([0.0000, 0.0000, 0.9000, 0.0000, 0.0000])

    Chapter: ``images/neocognitron``.
    """

    excitatory: Tensor
    inhibitory: Tensor
    selectivity: Tensor
    window: Tensor

    def __init__(
        self,
        in_planes: int,
        planes: int,
        size: int,
        *,
        selectivity: float,
        rate: float = 32.0,
        column: int | None = 3,
        decay: float = 1.0,
        start: float = 0.01,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        _check_window("SLayer", size, decay)
        if column is not None and (column < 1 or column % 2 == 0):
            raise ValueError(f"SLayer: column expects an odd number, got {column}")
        for name, value in (("selectivity", selectivity), ("rate", rate), ("start", start)):
            if not value > 0:
                raise ValueError(f"SLayer: {name} expects a number above 0, got {value}")
        if in_planes < 1 or planes < 1:
            raise ValueError(f"SLayer: expected planes, got {in_planes} and {planes}")
        self.in_planes, self.planes, self.size = in_planes, planes, size
        self.rate, self.column = rate, column
        window = _falling(size, decay).expand(1, in_planes, size, size)
        window = window / window.sum()
        drawn = torch.rand(planes, in_planes, size, size, generator=generator)
        self.register_buffer("window", window)
        self.register_buffer("excitatory", start * drawn * window)
        self.register_buffer("inhibitory", torch.zeros(planes))
        self.register_buffer("selectivity", torch.tensor(float(selectivity)))

    def inhibition(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 1 H W"]:
        """Return v, the root mean square of what each place's window sees."""
        _check_planes("SLayer", x, self.in_planes)
        power: Tensor = convolution.conv2d(x * x, self.window, padding="same")
        return power.clamp(min=0).sqrt()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """Return what the cells answer, 0 or more.

        Args:
            x: what the layer sees, 0 or more.
        """
        r = self.selectivity
        v = self.inhibition(x)
        e = convolution.conv2d(x, self.excitatory, padding="same")
        h = 2 * r / (1 + r) * self.inhibitory[:, None, None] * v
        answer: Tensor = r * activations.relu((1 + e) / (1 + h) - 1)
        return answer

    def representatives(self, u: Float[Tensor, "K H W"]) -> list[tuple[int, int, int]]:
        """Return which cells win: plane, row and column of each, one a plane at most.

        In every square of ``column`` cells, the largest answer of all planes is a candidate; of a
        plane's candidates the largest becomes its representative.

        Args:
            u: the layer's answers to one pattern.
        """
        best, plane = u.max(0)  # over the planes, at every place
        if self.column is None:
            places = best.argmax()
        else:
            _, places = pooling.max_pool2d(
                best[None], self.column, stride=1, padding=self.column // 2, return_indices=True
            )
        winners: dict[int, int] = {}
        flat, planes = best.flatten().tolist(), plane.flatten().tolist()
        for place in sorted(set(places.flatten().tolist())):
            k = planes[place]
            if flat[place] > 0 and (k not in winners or flat[place] > flat[winners[k]]):
                winners[k] = place
        width = u.shape[-1]
        return [(k, *divmod(place, width)) for k, place in sorted(winners.items())]

    def reinforce(self, x: Float[Tensor, "C H W"], winners: Sequence[tuple[int, int, int]]) -> None:
        """Let planes learn what their representatives see.

        Args:
            x: the pattern.
            winners: plane, row and column of each representative.
        """
        if not winners:
            return
        side = self.size // 2
        padded = pad(x, (side, side, side, side))
        planes = torch.tensor([k for k, _, _ in winners], device=x.device)
        seen = torch.stack([padded[:, i : i + self.size, j : j + self.size] for _, i, j in winners])
        v = (self.window * seen * seen).sum((1, 2, 3)).sqrt()
        self.excitatory.index_add_(0, planes, self.rate * self.window * seen)
        self.inhibitory.index_add_(0, planes, self.rate / 2 * v)

    def learn(self, x: Float[Tensor, "1 C H W"]) -> list[tuple[int, int, int]]:
        """Learn from one pattern: answer, compete, reinforce.

        Args:
            x: the pattern, a batch of one.

        Returns:
            The representatives, as plane, row and column.
        """
        if len(x) != 1:
            raise ValueError(f"SLayer: learns from one pattern at a time, got {len(x)}")
        winners = self.representatives(self(x)[0])
        self.reinforce(x[0], winners)
        return winners

    def extra_repr(self) -> str:
        return (
            f"{self.in_planes}, {self.planes}, {self.size}, "
            f"selectivity={self.selectivity.item():g}, rate={self.rate}, column={self.column}"
        )


class CLayer(nn.Module):
    r"""Cells that answer if a feature is somewhere near: a fixed blur of every plane.

    .. math::
        u_k(n) &= \psi\Bigl[\frac{1 + \sum_\nu d(\nu)\,x_k(n + \nu)}{1 + v(n)} - 1\Bigr],
            \qquad \psi[z] = \frac{\max(0, z)}{\alpha + \max(0, z)} \\
        v(n) &= \frac1K \sum_k \sum_\nu d(\nu)\,x_k(n + \nu)

    The weights :math:`d(\nu)` are 1 in the middle and fall from there. A plane that answers less
    than the planes do on average is silenced by them.

    Args:
        planes: K.
        size: side of the window, an odd number of cells. None for a single cell a plane that sees
            all of it, with the weights :math:`d = 1`.
        stride: of how many cells along each axis one is kept.
        saturation: :math:`\alpha > 0`; the answer is ½ where :math:`z = \alpha`.
        decay: by what factor :math:`d` falls with every step from the middle.

    Attributes:
        window: :math:`d`, of shape (size, size); of shape (0, 0) if ``size`` is None.

    Raises:
        ValueError: for a size that is not odd, or numbers out of range.

    Example:
        >>> layer = CLayer(2, 3, decay=0.5)
        >>> x = torch.zeros(1, 2, 3, 3)
        >>> x[0, 0, 1, 1] = 1.0
        >>> layer(x)[0, 0, 1].round(decimals=3)
        tensor([0.1670, 0.2500, 0.1670])

    Chapter: ``images/neocognitron``.
    """

    window: Tensor

    def __init__(
        self,
        planes: int,
        size: int | None,
        *,
        stride: int = 1,
        saturation: float = 1.0,
        decay: float = 0.8,
    ) -> None:
        super().__init__()
        _check_window("CLayer", size or 1, decay)
        if planes < 1 or stride < 1:
            raise ValueError(f"CLayer: expected planes and a stride, got {planes} and {stride}")
        if not saturation > 0:
            raise ValueError(f"CLayer: saturation expects a number above 0, got {saturation}")
        self.planes, self.size, self.stride = planes, size, stride
        self.saturation = saturation
        self.register_buffer("window", _falling(size or 0, decay))

    def forward(self, x: Float[Tensor, "B K H W"]) -> Float[Tensor, "B K H2 W2"]:
        """Return what the cells answer, from 0 to 1.

        Args:
            x: the answers of an S-layer, 0 or more.
        """
        _check_planes("CLayer", x, self.planes)
        if self.size is None:
            near = x.sum((2, 3), keepdim=True)
        else:
            window = self.window.expand(self.planes, 1, self.size, self.size)
            near = convolution.conv2d(
                x, window, stride=self.stride, padding=self.size // 2, groups=self.planes
            )
        z = activations.relu((1 + near) / (1 + near.mean(1, keepdim=True)) - 1)
        answer: Tensor = z / (self.saturation + z)
        return answer

    def extra_repr(self) -> str:
        return f"{self.planes}, {self.size}, stride={self.stride}, saturation={self.saturation}"


class Neocognitron(nn.Module):
    r"""Three pairs of layers: features, blur; features of features, blur; patterns, anywhere.

    =====  =========================================  ====================
    layer  what it does                               shape, for 24 × 24
    =====  =========================================  ====================
    S1     windows of 5 × 5                           12 planes, 24 × 24
    C1     blurs over 3 × 3, keeps every second cell  12 planes, 12 × 12
    S2     windows of 5 × 5 in all planes             40 planes, 12 × 12
    C2     blurs over 5 × 5                           40 planes, 12 × 12
    S3     windows of 7 × 7 in all planes             160 planes, 12 × 12
    C3     adds up each plane                         160 planes, one cell
    =====  =========================================  ====================

    :meth:`self_organize` shows it patterns, without their classes. The S-layers learn with the
    selectivities ``learning``; then they recognise with those in ``recognition``, which are lower,
    so that what is like a known pattern finds its plane, too. :meth:`name` gives every plane of
    the last layer the class of most patterns that move it most.

    Departs from Fukushima (1980) as said above, in sizes, and in lowering the selectivities after
    learning, which his later networks do.

    Args:
        planes: how many the three S-layers have.
        learning: their selectivities :math:`r` while they learn.
        recognition: and afterwards.
        columns: sides of the squares in which cells compete; None: all cells do.
        generator: where the initial weights come from.

    Attributes:
        names: the class of each plane of the last layer, of shape (K,); -1 for no class.

    Raises:
        ValueError: for other than three numbers, and what the layers refuse.

    Example:
        >>> net = Neocognitron((4, 6, 8), generator=torch.Generator().manual_seed(0))
        >>> net(torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(1))).shape
        torch.Size([2, 8])

    Chapter: ``images/neocognitron``.
    """

    names: Tensor

    def __init__(
        self,
        planes: Sequence[int] = (12, 40, 160),
        *,
        learning: Sequence[float] = (4.0, 3.0, 20.0),
        recognition: Sequence[float] = (2.5, 1.5, 6.0),
        columns: Sequence[int | None] = (7, 9, None),
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        for name, values in (
            ("planes", planes),
            ("learning", learning),
            ("recognition", recognition),
            ("columns", columns),
        ):
            if len(values) != 3:
                raise ValueError(f"Neocognitron: {name} expects three numbers, got {values}")
        if not all(r > 0 for r in recognition):
            raise ValueError(f"Neocognitron: recognition expects numbers above 0: {recognition}")
        self.recognition = tuple(recognition)
        inputs, sizes = (1, *planes), (5, 5, 7)
        self.s1, self.s2, self.s3 = (
            SLayer(
                inputs[place],
                inputs[place + 1],
                sizes[place],
                selectivity=learning[place],
                column=columns[place],
                generator=generator,
            )
            for place in range(3)
        )
        self.c1 = CLayer(planes[0], 3, stride=2)
        self.c2 = CLayer(planes[1], 5)
        self.c3 = CLayer(planes[2], None)
        self.register_buffer("names", torch.full((planes[2],), -1))

    @property
    def layers(self) -> dict[str, SLayer | CLayer]:
        """The six layers by name, from the input on."""
        return {
            "S1": self.s1, "C1": self.c1, "S2": self.s2, "C2": self.c2, "S3": self.s3, "C3": self.c3
        }  # fmt: skip

    def stages(self, x: Float[Tensor, "B 1 H W"]) -> dict[str, Float[Tensor, "B K ..."]]:
        """Return what every layer answers, by the layer's name.

        Args:
            x: images, 0 or more.
        """
        answers = {}
        for name, layer in self.layers.items():
            answers[name] = x = layer(x)
        return answers

    def forward(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B K"]:
        """Return what the cells of the last layer answer, from 0 to 1.

        Args:
            x: images, 0 or more.
        """
        for layer in self.layers.values():
            x = layer(x)
        return x.flatten(1)

    def self_organize(
        self, x: Float[Tensor, "N 1 H W"], *, generator: Generator, chunk: int = 32
    ) -> None:
        """Learn from patterns without classes, layer by layer, each pattern once a layer.

        Args:
            x: the patterns.
            generator: where their order comes from, a new one for every layer.
            chunk: how many patterns are taken through a layer that has learned at a time.
        """
        pairs = (self.s1, self.c1), (self.s2, self.c2), (self.s3, None)
        for (s_layer, c_layer), r in zip(pairs, self.recognition):
            for n in torch.randperm(len(x), generator=generator).tolist():
                s_layer.learn(x[n : n + 1])
            s_layer.selectivity.fill_(r)
            if c_layer is not None:
                x = torch.cat([c_layer(s_layer(part)) for part in torch.split(x, chunk)])

    def name(self, x: Float[Tensor, "N 1 H W"], y: Int[Tensor, "N"], *, chunk: int = 32) -> None:
        """Name the planes of the last layer by vote: every pattern votes where it moves most.

        Args:
            x: patterns.
            y: their classes, 0 or more.
            chunk: how many patterns at a time.
        """
        answers = torch.cat([self(part) for part in torch.split(x, chunk)])
        votes = torch.zeros(len(self.names), int(y.max()) + 1, device=x.device)
        heard = answers.amax(1) > 0
        places = answers.argmax(1)[heard], y[heard]
        votes.index_put_(places, torch.ones_like(votes[places]), accumulate=True)
        self.names = torch.where(votes.sum(1) > 0, votes.argmax(1), -1)

    def classify(self, x: Float[Tensor, "B 1 H W"], *, chunk: int = 32) -> Int[Tensor, "B"]:
        """Return the class of the plane that answers most, among those with a name; -1 for silence.

        Args:
            x: images.
            chunk: how many at a time.
        """
        answers = torch.cat([self(part) for part in torch.split(x, chunk)])
        answers = answers * (self.names >= 0)
        return torch.where(answers.amax(1) > 0, self.names[answers.argmax(1)], -1)
