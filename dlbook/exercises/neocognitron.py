"""Exercises of the chapter "neocognitron"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

cell = Exercise(
    "neocognitron.five-windows",
    "One cell, five windows",
    kind="predict",
    effort=1,
    statement=r"""
    An S-cell sees a window of four points in a row, each with $c = \tfrac14$. It has selectivity $r = 1$, began
    with $a = 0$ and $b = 0$, and has learned the pattern $(1, 1, 0, 0)$ once, with $q = 16$. What does it answer to
    $(1, 1, 0, 0)$, to $(\tfrac12, \tfrac12, 0, 0)$, to $(1, 0, 0, 0)$, to $(1, 1, 1, 1)$ and to $(0, 0, 1, 1)$? Five
    numbers, three digits behind the point.
    """,
    hints=[
        r"The rule gives $a = 4$ for each point that was lit. For $b$ you need the root of the mean square of the "
        "pattern.",
        r"With $r = 1$ the factor $2r/(1+r)$ is 1. Note $e$, $v$ and $h = bv$ for every window before you divide.",
    ],
    atol=0.0006,
)


@cell.stub
def five_answers():
    """Return the five answers."""


@cell.reference
def five_answers_reference():
    # a = 16 · ¼ · (1, 1, 0, 0) = (4, 4, 0, 0), and b = 8 v = 8 √½ = 5.657. Then, in order:
    # e = 8, 4, 4, 8, 0 and v = √½, ½√½, ½, 1, √½, so h = b v = 4, 2, 2.828, 5.657, 4.
    # u = (1 + e)/(1 + h) − 1 where that is above 0; the last would be 1/5 − 1.
    root = math.sqrt(0.5)
    pairs = ((8, 4), (4, 2), (4, 4 * root), (8, 8 * root), (0, 4))
    return tuple(max(0.0, (1 + e) / (1 + h) - 1) for e, h in pairs)


cell.wrong_value((0.8, 0.667, 0.306, 0.352, -0.8), "an answer is never below 0")
cell.wrong_value(
    (4.0, 2.0, 1.172, 2.343, 0.0), "that subtracts the inhibition: here it divides, and 1 is added"
)
cell.wrong_value(
    (0.8, 0.8, 0.132, 0.059, 0.0),
    "near the limit of a large rate it would be like that, brightness forgotten; but q is 16, so the "
    "ones count",
)
cell.wrong_value(
    (0.8, 1.5, 0.667, 0.0, 0.0), "v is the root of the mean square: the root is missing"
)

windows = Exercise(
    "neocognitron.windows-touched",
    "How many windows touch it",
    kind="predict",
    effort=1,
    statement=r"""
    A window of 3 × 3 stands at every place of a large retina. How many windows hold at least one square of
    the figure, for these three figures of five squares (X)?

    ```text
    XXXXX    XX.    X.X
             XX.    .X.
             X..    X.X
    ```
    """,
    hints=[
        "Where may the middle of a window of 3 × 3 lie, if the window is to hold one given square?",
        "On the square or next to it, corners too. So grow the figure by one on all sides, and count.",
    ],
)


@windows.stub
def three_counts():
    """Return three whole numbers."""


@windows.reference
def three_counts_reference():
    # Grown by one on all sides: the line becomes 3 × 7. The block of 2 × 2 becomes 4 × 4, and the
    # square below it adds three in a fifth row. The cross fills all of 5 × 5.
    return (3 * 7, 4 * 4 + 3, 5 * 5)


windows.wrong_value((15, 12, 13), "a window's middle may lie diagonally beside a square, too")
windows.wrong_value(
    (5, 5, 5), "those are the squares; a window holds one also if it only touches it"
)
windows.wrong_value((21, 20, 25), "the block with a square below: one corner of 5 × 4 stays empty")
windows.wrong_value((45, 45, 45), "a window that holds several squares counts once")

# --- derive ---------------------------------------------------------------------------------

brightness = Exercise(
    "neocognitron.half-brightness",
    "How dim may it be",
    kind="derive",
    effort=2,
    statement=r"""
    A cell has learned the pattern $X$ once, from nothing, at a rate $q$ that is *not* large. Now it sees
    $f X$, the same pattern at the brightness $f > 0$. Find its answer as a function of $f$, without a limit, and from that
    the $f$ at which it answers ½. Write that as `half_brightness(q, r, length)`, where `length` is
    $\lVert X\rVert = \langle X, X\rangle^{1/2}$. A relative error of $10^{-6}$ passes.
    """,
    hints=[
        r"Excitation and inhibition are both multiples of $t = q f\lVert X\rVert^2$.",
        r"With $\varrho = r/(1+r)$ the answer is $r\,[(1+t)/(1+\varrho t) - 1]$. Bring it on one fraction, and use "
        r"$r(1 - \varrho) = \varrho$.",
    ],
    rtol=1e-6,
)


@brightness.stub
def half_brightness(q, r, length):
    """Return the brightness at which the answer is ½, a float.

    Args:
        q: the rate with which the cell has learned.
        r: its selectivity.
        length: of the pattern, the root of its mean square.
    """


@brightness.reference
def half_brightness_reference(q, r, length):
    # Excitation: e = q⟨fX, X⟩ = t with t = q f length². Inhibition: 2r/(1+r) · b · v with
    # b = q/2 · length and v = f · length, so h = ρ t with ρ = r/(1+r). The answer is
    # r [(1 + t)/(1 + ρt) − 1] = r (1 − ρ) t/(1 + ρt) = ρt/(1 + ρt), for r (1 − ρ) = r/(1+r) = ρ.
    # It is ½ where ρt = 1, so f = 1/(ρ q length²).
    return (1 + r) / (r * q * length**2)


@brightness.inputs
def brightness_inputs(random):
    return random.number(1.0, 50.0), random.number(0.3, 6.0), random.number(0.2, 2.0)


@brightness.wrong(
    "that is where the excitation is 1, whatever the inhibition: set ρt = 1, not t = 1"
)
def half_of_excitation(q, r, length):
    return 1 / (q * length**2)


@brightness.wrong("the length enters twice: once from what was learned, once from what is seen")
def half_of_length(q, r, length):
    return (1 + r) / (r * q * length)


@brightness.wrong("upside down: ρ is r/(1 + r)")
def half_upside_down(q, r, length):
    return r / ((1 + r) * q * length**2)


spoiled = Exercise(
    "neocognitron.two-in-one",
    "A plane that won twice",
    kind="derive",
    effort=2,
    statement=r"""
    A plane has learned two patterns $X$ and $Y$, each once, both of the same length, with the cosine $s$ between
    them. The rate is very large. What does the plane answer to $X$ now? Write it as
    `answer_after_two(s, r)`. Below which $s$ does the plane, now that it has learned $Y$ too, no longer answer to $X$ at
    all? Tolerance: $10^{-6}$.
    """,
    hints=[
        r"The rule adds: $e = q(\langle x, X\rangle + \langle x, Y\rangle)$, and $b$ is the sum of two lengths times $q/2$.",
        r"Put $x = X$, and write $\langle X, Y\rangle = s\lVert X\rVert^2$. What takes the place of the cosine in "
        r"{eq}`neocognitron-cosine`?",
    ],
    atol=1e-6,
)


@spoiled.stub
def answer_after_two(s, r):
    """Return the answer to X, a float.

    Args:
        s: cosine between the two patterns that were learned, 0 to 1.
        r: the selectivity.
    """


@spoiled.reference
def answer_after_two_reference(s, r):
    # With L the common length: e = q (L² + s L²), v = L, b = q/2 (L + L) = q L, and
    # h = 2r/(1+r) · q L². For large q the answer is r (e/h − 1) with e/h = (1+r)/r · (1 + s)/2:
    # the mean of the cosines with both patterns stands where the cosine stood. The answer is
    # (1+r)(1+s)/2 − r, and it is 0 from (1 + s)/2 = r/(1 + r) on down, so from
    # s = (r − 1)/(r + 1): at r = 4 from 0.6. Below r = 1 it never falls silent.
    return max(0.0, (1 + r) * (1 + s) / 2 - r)


@spoiled.inputs
def spoiled_inputs(random):
    r = random.number(0.5, 6.0)
    least = max(0.0, (r - 1) / (r + 1))
    return least + (1 - least) * random.number(0.05, 0.95), r


@spoiled.probe("patterns so unlike that the plane falls silent")
def spoiled_silent(random):
    return 0.1, 5.0


@spoiled.probe("the same pattern twice")
def spoiled_same(random):
    return 1.0, random.number(0.5, 6.0)


@spoiled.wrong("an answer is never below 0")
def two_without_floor(s, r):
    return (1 + r) * (1 + s) / 2 - r


@spoiled.wrong(
    "that is the answer to Y of a plane that knows X alone: here it has learned both, which adds to the "
    "excitation and to the inhibition"
)
def two_as_one(s, r):
    return max(0.0, (1 + r) * s - r)


@spoiled.wrong("the inhibition has grown twice, too: b is the sum of both lengths times q/2")
def two_without_inhibition(s, r):
    return max(0.0, (1 + r) * (1 + s) - r)


# --- program --------------------------------------------------------------------------------

tied = Exercise(
    "neocognitron.tied-slopes",
    "The slopes of a field that stands everywhere",
    kind="program",
    effort=2,
    statement=r"""
    For one retina, the network for T and C computes $z = v\sum_p\sigma(w\cdot x_p + b) + c$, with a window of
    3 × 3 at every place that it can reach the retina from, so that a retina of $H$ × $W$ has
    $(H+2)$ × $(W+2)$ of them, and zeros beyond the edge. Write the derivatives of $z$ by $w$ and by $b$ as
    `tied_slopes(x, w, b, v)`, by a formula, without automatic differentiation. Tolerance: $10^{-4}$.
    """,
    hints=[
        r"By the chain rule every place hands $v\,\sigma'(w\cdot x_p + b)\,x_p$ to $w$, and $\sigma' = \sigma(1 - \sigma)$.",
        "`torch.nn.functional.pad(x, (2, 2, 2, 2))` adds two rows and columns of zeros on all sides; then two "
        "loops over the places, or `unfold` along both axes.",
    ],
    axes={"x": "H W"},
    outputs=("dw", "db"),
    atol=1e-4,
)


@tied.stub
def tied_slopes(x, w, b, v):
    """Return dz/dw, shape (3, 3), and dz/db, shape ().

    Args:
        x: the retina, shape (H, W).
        w: the field, shape (3, 3).
        b: bias of the detectors, shape ().
        v: output weight, shape ().
    """


@tied.reference
def tied_slopes_reference(x, w, b, v):
    framed = torch.nn.functional.pad(x, (2, 2, 2, 2))
    seen = framed.unfold(0, 3, 1).unfold(1, 3, 1)  # (H + 2, W + 2, 3, 3)
    h = torch.sigmoid((seen * w).sum((2, 3)) + b)
    slope = v * h * (1 - h)
    return (slope[:, :, None, None] * seen).sum((0, 1)), slope.sum()


@tied.inputs
def tied_inputs(random):
    H, W = random.sizes(2, low=4, high=7)
    return random.normal(H, W), random.normal(3, 3), random.normal(1)[0], 1 + random.normal(1)[0]


@tied.probe("a retina with a single square in a corner")
def tied_corner(random):
    x = torch.zeros(4, 5)
    x[0, 0] = 1.0
    return x, random.normal(3, 3), random.normal(1)[0], 1 + random.normal(1)[0]


@tied.wrong("the windows that reach over the edge are missing: there are H + 2 times W + 2 of them")
def tied_inside(x, w, b, v):
    seen = x.unfold(0, 3, 1).unfold(1, 3, 1)
    h = torch.sigmoid((seen * w).sum((2, 3)) + b)
    slope = v * h * (1 - h)
    return (slope[:, :, None, None] * seen).sum((0, 1)), slope.sum()


@tied.wrong("the slope of σ is missing: σ(1 − σ) at every place")
def tied_straight(x, w, b, v):
    framed = torch.nn.functional.pad(x, (2, 2, 2, 2))
    seen = framed.unfold(0, 3, 1).unfold(1, 3, 1)
    h = torch.sigmoid((seen * w).sum((2, 3)) + b)
    return v * (h[:, :, None, None] * seen).sum((0, 1)), v * h.sum()


@tied.wrong("the field stands everywhere, so the places' slopes add up: that is their mean")
def tied_mean(x, w, b, v):
    framed = torch.nn.functional.pad(x, (2, 2, 2, 2))
    seen = framed.unfold(0, 3, 1).unfold(1, 3, 1)
    h = torch.sigmoid((seen * w).sum((2, 3)) + b)
    slope = v * h * (1 - h)
    return (slope[:, :, None, None] * seen).mean((0, 1)), slope.mean()


@tied.wrong("the output weight is missing: z is v times the sum")
def tied_without_v(x, w, b, v):
    framed = torch.nn.functional.pad(x, (2, 2, 2, 2))
    seen = framed.unfold(0, 3, 1).unfold(1, 3, 1)
    h = torch.sigmoid((seen * w).sum((2, 3)) + b)
    slope = h * (1 - h)
    return (slope[:, :, None, None] * seen).sum((0, 1)), slope.sum()


# --- break ----------------------------------------------------------------------------------

root = Exercise(
    "neocognitron.bright-and-dim",
    "Blind in bright light",
    kind="break",
    effort=2,
    statement=r"""
    This cell learns a pattern once, at a large rate. Its own pattern should then get an answer near 1 in any
    brightness. Instead it gets less, the brighter it is: in dim light far more than 1, in very bright light
    nothing. Find the fault, and mend it in every place where it is.
    All points have the weight $c = 1/n$. Tolerance: $10^{-3}$.
    """,
    hints=[
        "Which of the two, excitation or inhibition, becomes four times as large if the pattern is twice as bright?",
        "Compare the line for `v` with the third formula of {eq}`neocognitron-s`. The pattern that was learned has "
        "such a number, too.",
    ],
    atol=1e-3,
)


@root.stub
def cell_answer(x, known, q, r):
    """Return the answer of a cell to x after it has learned a pattern once, shape ().

    Args:
        x: what it sees, shape (n,), 0 or more.
        known: the pattern that it has learned, shape (n,).
        q: the rate.
        r: the selectivity.
    """
    a = q / len(x) * known
    b = q / 2 * (known * known).mean()
    v = (x * x).mean()
    e = (a * x).sum()
    h = 2 * r / (1 + r) * b * v
    return r * torch.relu((1 + e) / (1 + h) - 1)


@root.reference
def cell_answer_reference(x, known, q, r):
    a = q / len(x) * known
    b = q / 2 * (known * known).mean().sqrt()
    v = (x * x).mean().sqrt()
    e = (a * x).sum()
    h = 2 * r / (1 + r) * b * v
    return r * torch.relu((1 + e) / (1 + h) - 1)


@root.inputs
def root_inputs(random):
    known = random.uniform(0.0, 1.0, random.integer(5, 9))
    x = random.number(0.5, 2.0) * (known + 0.3 * random.uniform(0.0, 1.0, len(known)))
    return x, known, 100.0, random.number(0.5, 2.0)


@root.probe("the pattern itself, twice as bright")
def root_bright(random):
    known = random.uniform(0.2, 1.0, 6)
    return 2 * known, known, 1000.0, 1.0


@root.probe("a pattern without a common point")
def root_apart(random):
    return torch.tensor([0.0, 0, 0, 1, 1]), torch.tensor([1.0, 1, 0, 0, 0]), 100.0, 1.0


@root.wrong("the fault is in what was learned, too: b is made of the same kind of number as v")
def cell_answer_half_mended(x, known, q, r):
    a = q / len(x) * known
    b = q / 2 * (known * known).mean()
    v = (x * x).mean().sqrt()
    e = (a * x).sum()
    h = 2 * r / (1 + r) * b * v
    return r * torch.relu((1 + e) / (1 + h) - 1)


@root.wrong("b is mended; what the cell sees still counts by its square")
def cell_answer_learned_mended(x, known, q, r):
    a = q / len(x) * known
    b = q / 2 * (known * known).mean().sqrt()
    v = (x * x).mean()
    e = (a * x).sum()
    h = 2 * r / (1 + r) * b * v
    return r * torch.relu((1 + e) / (1 + h) - 1)


@root.wrong(
    "a mean of brightness, not the root of the mean square: extra points would cost too little"
)
def cell_answer_of_mean(x, known, q, r):
    a = q / len(x) * known
    b = q / 2 * known.mean()
    v = x.mean()
    e = (a * x).sum()
    h = 2 * r / (1 + r) * b * v
    return r * torch.relu((1 + e) / (1 + h) - 1)


@root.wrong("the root of the sum of squares: the weights c = 1/n have been lost")
def cell_answer_of_sum(x, known, q, r):
    a = q / len(x) * known
    b = q / 2 * known.norm()
    v = x.norm()
    e = (a * x).sum()
    h = 2 * r / (1 + r) * b * v
    return r * torch.relu((1 + e) / (1 + h) - 1)


# --- extend ---------------------------------------------------------------------------------

ends = Exercise(
    "neocognitron.set-by-hand",
    "T and C by hand",
    kind="extend",
    effort=3,
    statement=r"""
    Choose the twelve numbers of the network for T and C yourself, so that it is right for all eight letters at
    all places of retinas of 5 × 5, of 6 × 6 and of 9 × 9, *with the same numbers*, and in each case $|z| \ge 0.5$. The field
    shall be of the kind *centre-surround*: positive in the middle, and the same negative number at the eight
    other places. Return `(w, b, v, c)`: $w$ of shape (3, 3) and three floats. As before, $z > 0$ says T.
    """,
    hints=[
        "For each inked square of T and of C, count the inked ones among its eight neighbours.",
        "The end of T's stem has fewer neighbours than any square of C. Let the detector be on for such a square "
        "only, and off for all that are not inked.",
        "The middle must outweigh one neighbour and a negative bias, but not two. Then the sum over the places "
        "counts the ends of stems, and the size of the retina doesn't matter.",
    ],
)


@ends.stub
def twelve_numbers():
    """Return the field, shape (3, 3), and three floats: its bias, the output weight and bias."""


@ends.reference
def twelve_numbers_reference():
    # Neighbours among the ink, corners included: 2, 3, 2, 4 and 1 for T's squares, the 1 at the end of
    # the stem; 2, 2, 4, 2 and 2 for C's. With 60 in the middle, −20 around and the bias −30, an inked
    # square with n neighbours gets 30 − 20n: 10 if n = 1, at most −10 from n = 2 on. One without
    # ink gets −30 or less. So the sum of the σ is nearly 1 for a T and nearly 0 for a C.
    w = torch.full((3, 3), -20.0)
    w[1, 1] = 60.0
    return w, -30.0, 2.0, -1.0


@ends.judge
def ends_judge(got):
    if not isinstance(got, tuple | list) or len(got) != 4:
        return "expected (w, b, v, c)"
    w, *rest = got
    if not isinstance(w, torch.Tensor) or tuple(w.shape) != (3, 3):
        return "expected w as a tensor of shape (3, 3)"
    try:
        b, v, c = (float(value) for value in rest)
    except (TypeError, ValueError, RuntimeError):
        return "expected b, v and c as numbers"
    w = w.detach().double()
    around = w.flatten()[[0, 1, 2, 3, 5, 6, 7, 8]]
    if not (bool(w[1, 1] > 0) and bool((around < 0).all()) and bool((around == around[0]).all())):
        return "the field is to be positive in the middle, and the same negative number around it"
    letters = {
        "T": torch.tensor([[1, 1, 1], [0, 1, 0], [0, 1, 0]]),
        "C": torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0]]),
    }
    for size in (5, 6, 9):
        for name, letter in letters.items():
            for turn in range(4):
                for i in range(size - 2):
                    for j in range(size - 2):
                        x = torch.zeros(1, 1, size, size, dtype=torch.float64)
                        x[0, 0, i : i + 3, j : j + 3] = torch.rot90(letter, turn)
                        drive = torch.nn.functional.conv2d(x, w[None, None], padding=2) + b
                        z = v * torch.sigmoid(drive).sum().item() + c
                        side = z if name == "T" else -z
                        if not side >= 0.5:
                            kind = "wrong" if not side > 0 else "right, but not clearly"
                            return f"on {size} × {size} a {name} gets z = {z:.2f}, which is {kind}"
    return None


ends.wrong_value(
    (torch.full((3, 3), -20.0), 10.0, -2.0, 87.0),
    "the field is to be positive in the middle, and the same negative number around it",
)
ends.wrong_value(
    (torch.tensor([[-20.0] * 3, [-20.0, 60.0, -20.0], [-20.0] * 3]), -30.0, -2.0, 1.0),
    "on 5 × 5 a T gets z = -1.00, which is wrong",
)
ends.wrong_value(
    (torch.tensor([[-20.0] * 3, [-20.0, 60.0, -20.0], [-20.0] * 3]), -10.0, 2.0, -1.0),
    "on 5 × 5 a C gets z = 3.00, which is wrong",
)
ends.wrong_value((torch.zeros(3), 0.0, 0.0, 0.0), "expected w as a tensor of shape (3, 3)")

letters = Exercise(
    "neocognitron.other-letters",
    "Another pair that pairs can't tell",
    kind="extend",
    effort=2,
    statement=r"""
    T and C have the same distances: among the ten pairs of their squares, every distance occurs equally
    often. Find two other figures in 3 × 3, with four squares each, that share their six distances, but are not
    the same figure moved, turned or mirrored. Return two tensors of shape (3, 3) that hold 0 and 1.
    """,
    hints=[
        "There are 126 figures with four squares. Let a program go through them: `itertools.combinations`.",
        "Sort the six squared distances; figures with the same list are candidates. Then compare all eight "
        "turned and mirrored forms, each pushed into a corner.",
    ],
)


@letters.stub
def two_figures():
    """Return two figures of four squares, each of shape (3, 3)."""


@letters.reference
def two_figures_reference():
    # Two dominoes with a gap between them, against a line of three and a square two below its middle.
    # Both have the squared distances 1, 1, 4, 4, 5, 5. Two more such pairs lie in 3 × 3.
    return (
        torch.tensor([[1, 1, 0], [0, 0, 0], [1, 1, 0]]),
        torch.tensor([[1, 1, 1], [0, 0, 0], [0, 1, 0]]),
    )


@letters.judge
def letters_judge(got):
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "expected two tensors"
    for figure in got:
        if not isinstance(figure, torch.Tensor) or tuple(figure.shape) != (3, 3):
            return "expected tensors of shape (3, 3)"
        if not bool(((figure == 0) | (figure == 1)).all()) or figure.sum() != 4:
            return "each figure is to hold four ones, and zeros otherwise"
    distances, forms = [], []
    for figure in got:
        points = figure.nonzero().double()
        apart = (points[:, None] - points).square().sum(-1)
        distances.append(sorted(apart.flatten().tolist()))
        same = set()
        for mirrored in (figure, figure.flip(0)):
            for turn in range(4):
                places = torch.rot90(mirrored, turn).nonzero()
                same.add(tuple((places - places.min(0).values).flatten().tolist()))
        forms.append(same)
    if distances[0] != distances[1]:
        return "their distances differ"
    if forms[0] & forms[1]:
        return "it is the same figure, moved, turned or mirrored"
    return None


letters.wrong_value(
    (
        torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 0]]),
        torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]),
    ),
    "their distances differ",
)
letters.wrong_value(
    (
        torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]),
        torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 1]]),
    ),
    "it is the same figure, moved, turned or mirrored",
)
letters.wrong_value(
    (
        torch.tensor([[1, 1, 1], [0, 1, 0], [0, 1, 0]]),
        torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0]]),
    ),
    "each figure is to hold four ones, and zeros otherwise",
)
