r"""Telling a T from a C: tied receptive fields, trained by backpropagation.

The letters have five squares each and four orientations, and may stand anywhere. Singles and pairs
of squares don't tell them apart, triples do. The network slides one field of 3 × 3 weights over the
retina, adds up what its detectors answer, and compares the sum with a threshold: twelve numbers,
found by backpropagation.

The source is Rumelhart, Hinton and Williams, "Learning internal representations by error
propagation", chapter 8 of *Parallel Distributed Processing*, volume 1 (1986).

Chapter: ``images/neocognitron``.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import Parameter

from dlbook.ops import activations, convolution

__all__ = ["FIELD_KINDS", "TCNetwork", "field_kind", "field_shares", "tc_letters", "tc_placements"]

T = ((1, 1, 1), (0, 1, 0), (0, 1, 0))
C = ((1, 1, 0), (1, 0, 0), (1, 1, 0))

#: What a receptive field may be: the four kinds that accounts of the experiment name.
FIELD_KINDS = ("compactness", "bar", "diagonal", "centre-surround")


def tc_letters() -> tuple[Float[Tensor, "8 1 3 3"], Int[Tensor, "8"]]:
    """Return T and C, each in four orientations, in a frame of 3 × 3.

    Returns:
        The letters, 1 for ink, and their classes: 1 for a T, 0 for a C. The Ts come first; each
        orientation is turned a quarter further to the left.

    Example:
        >>> x, y = tc_letters()
        >>> x[1, 0], x[4, 0]
        (tensor([[1., 0., 0.],
                [1., 1., 1.],
                [1., 0., 0.]]), tensor([[1., 1., 0.],
                [1., 0., 0.],
                [1., 1., 0.]]))
        >>> y
        tensor([1, 1, 1, 1, 0, 0, 0, 0])

    Chapter: ``images/neocognitron``.
    """
    turned = [torch.rot90(torch.tensor(letter), k) for letter in (T, C) for k in range(4)]
    return torch.stack(turned)[:, None].float(), torch.tensor([1] * 4 + [0] * 4)


def tc_placements(
    size: int, *, around: bool = False
) -> tuple[Float[Tensor, "N 1 H W"], Int[Tensor, "N"]]:
    """Return the eight letters at all places of a square retina.

    Args:
        size: squares along the side of the retina, at least 3.
        around: whether a letter that leaves the retina on one side comes in again on the other, as
            on a ring in both directions. Otherwise its 3 × 3 frame stays inside.

    Returns:
        The retinas, 1 for ink, and their classes, 1 for a T and 0 for a C; letter by letter.

    Raises:
        ValueError: for a retina smaller than the letters.

    Example:
        >>> x, y = tc_placements(5)
        >>> x.shape, tc_placements(5, around=True)[0].shape
        (torch.Size([72, 1, 5, 5]), torch.Size([200, 1, 5, 5]))
        >>> set(x.sum((1, 2, 3)).tolist())
        {5.0}

    Chapter: ``images/neocognitron``.
    """
    if size < 3:
        raise ValueError(f"tc_placements: size expects 3 or more, got {size}")
    letters, classes = tc_letters()
    corner = letters.new_zeros(len(letters), 1, size, size)
    corner[:, :, :3, :3] = letters
    steps = range(size if around else size - 2)
    moved = [torch.roll(corner, (i, j), (2, 3)) for i in steps for j in steps]
    return torch.stack(moved, dim=1).flatten(0, 1), classes.repeat_interleave(len(moved))


class TCNetwork(nn.Module):
    r"""One receptive field at all places, a sum, and a threshold; several such networks at a time.

    The detector of network *s* at place *p* sees the 3 × 3 squares :math:`x_p` around it, and the
    network's output is the logarithm of the odds of a T:

    .. math:: z_s = v_s \sum_p \sigma(\mathbf w_s \cdot \mathbf x_p + b_s) + c_s

    There is a detector at every place from which the field reaches the retina: beyond the edges
    nothing is seen. The networks share no parameter: column *s* of the output depends on those of
    network *s* alone, and so does its part in a sum of losses.

    Departs from the paper, which trains with the squared error of :math:`\sigma(z)`, in giving
    :math:`z` itself, for cross-entropy.

    Args:
        networks: how many, S.
        spread: field and output weight begin uniformly between minus and plus this; the two biases
            at 0.
        generator: where the initial weights come from, one network after the other, so that
            network *s* begins alike however many follow.

    Attributes:
        weight: :math:`\mathbf w`, of shape (S, 1, 3, 3).
        bias: :math:`b`, of shape (S,).
        output_weight: :math:`v`, of shape (S,).
        output_bias: :math:`c`, of shape (S,).

    Raises:
        ValueError: for less than one network, or retinas of another shape.

    Example:
        >>> network = TCNetwork(generator=torch.Generator().manual_seed(0))
        >>> sum(p.numel() for p in network.parameters())
        12
        >>> x, y = tc_placements(6)
        >>> network(x).shape, network.detectors(x).shape
        (torch.Size([128, 1]), torch.Size([128, 1, 8, 8]))

    Chapter: ``images/neocognitron``.
    """

    def __init__(
        self, networks: int = 1, *, spread: float = 3.0, generator: Generator | None = None
    ) -> None:
        super().__init__()
        if networks < 1:
            raise ValueError(f"TCNetwork: networks expects 1 or more, got {networks}")
        drawn = spread * (2 * torch.rand(networks, 10, generator=generator) - 1)
        self.weight = Parameter(drawn[:, :9].reshape(networks, 1, 3, 3).clone())
        self.bias = Parameter(torch.zeros(networks))
        self.output_weight = Parameter(drawn[:, 9].clone())
        self.output_bias = Parameter(torch.zeros(networks))

    def detectors(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B S H2 W2"]:
        """Return what each network's detectors answer, from 0 to 1, two places wider than x.

        Args:
            x: the retinas, 1 for ink.
        """
        if x.dim() != 4 or x.shape[1] != 1:
            raise ValueError(f"TCNetwork: expected x of shape (B, 1, H, W), got {tuple(x.shape)}")
        answers: Tensor = activations.sigmoid(
            convolution.conv2d(x, self.weight, self.bias, padding=2)
        )
        return answers

    def forward(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B S"]:
        """Return the logarithm of the odds of a T, by each network.

        Args:
            x: the retinas, 1 for ink.
        """
        return self.detectors(x).sum((2, 3)) * self.output_weight + self.output_bias

    def extra_repr(self) -> str:
        return f"networks={len(self.bias)}"


def _templates() -> dict[str, Tensor]:
    """Fields of length 1 of each kind: (places, 9)."""
    centre = -torch.ones(3, 3)
    centre[1, 1] = 8.0
    lines = torch.zeros(6, 3, 3)
    for i in range(3):
        lines[i, i] = lines[3 + i, :, i] = 1.0
    diagonals = torch.stack([torch.eye(3), torch.eye(3).flip(1)])
    fields = {
        "compactness": torch.ones(1, 3, 3),
        "bar": lines - 1 / 3,
        "diagonal": diagonals - 1 / 3,
        "centre-surround": centre[None],
    }
    assert tuple(fields) == FIELD_KINDS
    return {
        kind: (field / field.flatten(1).norm(dim=1)[:, None, None]).flatten(1)
        for kind, field in fields.items()
    }


def field_shares(weight: Float[Tensor, "S 1 3 3"]) -> dict[str, Float[Tensor, "S"]]:
    r"""Return how much of a field each kind explains: its best template's squared cosine.

    The templates are a field of equal weights (*compactness*); a row or column against the other
    six weights (*bar*); one of the two diagonals against the other six (*diagonal*); and the middle
    against the other eight (*centre-surround*). All but the first sum to 0. Signs don't matter:
    the output weight may turn them. The shares of different kinds may add up to more than 1, as the
    templates are not all at right angles.

    Args:
        weight: the fields, of which none is all zeros.

    Returns:
        For each of ``FIELD_KINDS`` a number from 0 to 1 for each field.

    Example:
        >>> shares = field_shares(torch.eye(3).reshape(1, 1, 3, 3))
        >>> {kind: round(share.item(), 2) for kind, share in shares.items()}
        {'compactness': 0.33, 'bar': 0.0, 'diagonal': 0.67, 'centre-surround': 0.17}

    Chapter: ``images/neocognitron``.
    """
    if tuple(weight.shape[1:]) != (1, 3, 3):
        raise ValueError(f"field_shares: expected (S, 1, 3, 3), got {tuple(weight.shape)}")
    fields = weight.detach().flatten(1)
    fields = fields / fields.norm(dim=1, keepdim=True)
    return {
        kind: (fields @ template.to(fields).T).square().amax(1)
        for kind, template in _templates().items()
    }


def field_kind(weight: Float[Tensor, "S 1 3 3"], least: float = 0.5) -> list[str]:
    """Name the kind that explains most of each field, or "other" if that is too little.

    Args:
        weight: the fields, of which none is all zeros.
        least: the smallest share that earns the name.

    Returns:
        One of ``FIELD_KINDS`` or ``"other"`` for each field.

    Example:
        >>> field_kind(torch.eye(3).reshape(1, 1, 3, 3) - 0.4)
        ['diagonal']

    Chapter: ``images/neocognitron``.
    """
    if not math.isfinite(least):
        raise ValueError(f"field_kind: least expects a number, got {least}")
    shares = field_shares(weight)
    table = torch.stack([shares[kind] for kind in FIELD_KINDS])
    best, which = table.max(0)
    return [
        FIELD_KINDS[k] if share >= least else "other"
        for k, share in zip(which.tolist(), best.tolist(), strict=True)
    ]
