"""Exercises of the chapter "tensors"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

shapes = Exercise(
    "tensors.shapes",
    "Six shapes without a computer",
    kind="predict",
    effort=1,
    statement=r"""
    `X` has the shape (5, 3), `w` (3,), `y` (5,) and `c` (5, 1). What are the shapes of

    1. `X @ w`
    2. `X * w`
    3. `X @ w - c`
    4. `X - y`
    5. `X.T @ c`
    6. `(X @ w) @ y`

    Give six answers, each a shape as a tuple, such as `(2, 7)`, `(2,)` or `()`, or the text
    `"error"`.
    """,
    hints=[
        "In a product the inner lengths must agree and vanish; with `*` and `-` the shapes are "
        "written flush right.",
        "For the third, write (5,) below (5, 1). For the fourth, write (5,) below (5, 3).",
    ],
)


@shapes.stub
def six_shapes():
    """Return six shapes, each a tuple or the text "error"."""


@shapes.reference
def six_shapes_reference():
    return ((5,), (5, 3), (5, 5), "error", (3, 1), ())


shapes.wrong_value(
    ((5,), (5, 3), (5, 1), "error", (3, 1), ()),
    "the third: (5,) below (5, 1), flush right, is a row below a column",
)
shapes.wrong_value(
    ((5,), (5, 3), (5, 5), (5, 3), (3, 1), ()),
    "the fourth: flush right, 3 stands above 5, and neither is 1",
)
shapes.wrong_value(
    ((5,), (5,), (5, 5), "error", (3, 1), ()),
    "the second: `*` multiplies entry by entry and adds nothing up",
)
shapes.wrong_value(
    ((5, 1), (5, 3), (5, 5), "error", (3, 1), ()),
    "the first: the inner axes vanish, and w has no other that could remain",
)
shapes.wrong_value(
    ((5,), (5, 3), (5, 5), "error", (3,), ()),
    "the fifth: c has a second axis, of length 1, and a product keeps the outer axes",
)
shapes.wrong_value(
    ((5,), (5, 3), (5, 5), "error", (3, 1), (1,)),
    "the sixth: an inner product of two vectors is a number, without any axis",
)

lengths = Exercise(
    "tensors.three-lengths",
    "Three lengths and an angle",
    kind="predict",
    effort=1,
    statement=r"""
    $\mathbf u$ has the length 3, $\mathbf v$ the length 5 and $\mathbf u + \mathbf v$ the length 7. Give three numbers: the
    inner product $\mathbf u\cdot\mathbf v$, the angle between the two in degrees, and
    $\lVert\mathbf u - \mathbf v\rVert^2$.
    """,
    hints=[
        r"$\lVert\mathbf u + \mathbf v\rVert^2$ is an inner product of a sum with itself. Multiply it out.",
        r"In $\lVert\mathbf u - \mathbf v\rVert^2$ one of the terms changes its sign.",
    ],
    atol=0.01,
)


@lengths.stub
def product_angle_square():
    """Return u·v, the angle in degrees, and ‖u − v‖²: three numbers."""


@lengths.reference
def product_angle_square_reference():
    # |u + v|² = |u|² + 2 u·v + |v|², so u·v is half of 49 - 9 - 25; the cosine is u·v / (3·5);
    # and |u - v|² = |u|² - 2 u·v + |v|².
    product = (7**2 - 3**2 - 5**2) / 2
    angle = torch.rad2deg(torch.acos(torch.tensor(product / (3 * 5), dtype=torch.float64)))
    return (product, angle.item(), 3**2 + 5**2 - 2 * product)


lengths.wrong_value((15, 0, 4), "multiplied out, u·v stands twice in the square of the sum")
lengths.wrong_value(
    (7.5, 60, 34), "the third: in the square of the difference, u·v does not vanish"
)
lengths.wrong_value(
    (7.5, 60, 49), "the third is the square of the sum: the sign of u·v has to change"
)
lengths.wrong_value((-7.5, 120, 49), "the sum is long, so the two point in similar directions")
lengths.wrong_value(
    (-7.5, 120, 19), "the first has the wrong sign: 49 = 9 + 25 + 2 u·v, and 49 is more than 34"
)
lengths.wrong_value((7.5, 1.0472, 19), "the angle is in radians: asked are degrees")

floats = Exercise(
    "tensors.small-floats",
    "Where counting ends",
    kind="predict",
    effort=1,
    statement=r"""
    Two formats for numbers of 16 bits are common: `bfloat16` keeps 8 binary digits, `float16` keeps 11.
    Start at 0 and add 1 again and again, rounding each sum to the format (where two numbers are
    equally near, to the one whose last binary digit is 0). At which number does the sum stop growing? Give two numbers, for
    `bfloat16` and for `float16`.
    """,
    hints=[
        "How far apart are neighbours just above 1? Just above 2? Just above 4?",
        "The sum stops where neighbours above it are 2 apart: the sum plus 1 then lies half-way.",
    ],
)


@floats.stub
def last_counts():
    """Return two whole numbers, for bfloat16 and for float16."""


@floats.reference
def last_counts_reference():
    # With n digits the neighbours above 2^(n-1) are 1 apart, those above 2^n are 2 apart. The sum
    # 2^n + 1 lies half-way between 2^n and 2^n + 2. In units of the gap, 2, these are 2^(n-1), which
    # is even, and 2^(n-1) + 1, which is odd: it is rounded back to 2^n. Below, every sum fits.
    found = []
    for dtype in (torch.bfloat16, torch.float16):
        count, one = torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype)
        while count + one != count:
            count = count + one
        found.append(int(count))
    return tuple(found)


floats.wrong_value((128, 1024), "there, the gap to the next number is still 1")
floats.wrong_value((255, 2047), "one more still fits: all digits are 1, and a power of two follows")
floats.wrong_value(
    (512, 4096),
    "a gap of 2 is enough to stop the sum: half-way goes to the lower number there, the even one",
)
floats.wrong_value((2048, 256), "the two are exchanged")

# --- derive ---------------------------------------------------------------------------------

mirror = Exercise(
    "tensors.mirror",
    "The matrix of a mirror",
    kind="derive",
    effort=2,
    statement=r"""
    Reflect $\mathbf x$ at the line along $\mathbf v$: the part of $\mathbf x$ along $\mathbf v$ stays, the part perpendicular to
    it changes its sign. Which matrix does that? Write it as `mirror_matrix(v)`, for any
    $\mathbf v \ne \mathbf 0$ in any number of dimensions.
    """,
    hints=[
        r"Write $\mathbf x = \mathbf p + \mathbf r$ with the projection $\mathbf p$. What is the image, written with $\mathbf p$ and $\mathbf x$ only?",
        r"$\mathbf v\,(\mathbf v\cdot\mathbf x) = (\mathbf v\mathbf v^\top)\,\mathbf x$: the projection is an outer product, divided by a number, times $\mathbf x$.",
    ],
    axes={"v": "D"},
)


@mirror.stub
def mirror_matrix(v):
    """Return the matrix that reflects at the line along v, shape (D, D).

    Args:
        v: the direction of the line, not zero, of any length, shape (D,).
    """


@mirror.reference
def mirror_matrix_reference(v):
    # x = p + r becomes p - r = p - (x - p) = 2 p - x, and p = v (v·x) / (v·v) = (v vᵀ / v·v) x.
    return 2 * torch.outer(v, v) / (v @ v) - torch.eye(len(v), dtype=v.dtype)


@mirror.inputs
def mirror_inputs(random):
    (D,) = random.sizes(1)
    return (random.normal(D, dtype=torch.float64),)


@mirror.wrong("that is the projection: the perpendicular part is lost instead of reflected")
def mirror_matrix_projection(v):
    return torch.outer(v, v) / (v @ v)


@mirror.wrong("that is right for a v of length 1 only: v v^T has to be divided by the square of it")
def mirror_matrix_unit(v):
    return 2 * torch.outer(v, v) - torch.eye(len(v), dtype=v.dtype)


@mirror.wrong("divide by the square of the length: v stands twice in the outer product")
def mirror_matrix_length(v):
    return 2 * torch.outer(v, v) / v.norm() - torch.eye(len(v), dtype=v.dtype)


@mirror.wrong("that mirror lies across v: it turns v itself round and keeps the rest")
def mirror_matrix_across(v):
    return torch.eye(len(v), dtype=v.dtype) - 2 * torch.outer(v, v) / (v @ v)


letters = Exercise(
    "tensors.letters",
    "Three sums in letters",
    kind="derive",
    effort=2,
    statement=r"""
    Write three rules for `torch.einsum`, so that a single call without further steps gives

    1. from queries $(B, T, D)$ and keys $(B, S, D)$, for each sample of the batch, the inner products of all its
       queries with all its keys, shape $(B, T, S)$;
    2. from $\mathbf X$, $(N, D)$, $\mathbf A$, $(D, E)$, and $\mathbf Y$, $(N, E)$, in this order, the $N$ numbers $\mathbf x_n^\top\mathbf A\,\mathbf y_n$;
    3. from $\mathbf X$, $(N, D)$, and $\mathbf Y$, $(N, E)$, the sum of the outer products $\mathbf x_n\mathbf y_n^\top$ over all samples, shape $(D, E)$.

    Any letters will do. Give three texts.
    """,
    hints=[
        "Give every axis a letter; the same letter where entries are multiplied with each other.",
        "Which letters does each result have? All others are added up by being left out after the "
        "arrow.",
    ],
)


@letters.stub
def three_rules():
    """Return three texts such as "ij,jk->ik"."""


@letters.reference
def three_rules_reference():
    return ("btd,bsd->bts", "nd,de,ne->n", "nd,ne->de")


@letters.judge
def letters_judge(got):
    if not (isinstance(got, list | tuple) and len(got) == 3):
        return "expected three texts"
    random = torch.Generator().manual_seed(0)
    B, T, S, N, D, E = 2, 3, 4, 5, 6, 7
    queries = torch.randn(B, T, D, generator=random, dtype=torch.float64)
    keys = torch.randn(B, S, D, generator=random, dtype=torch.float64)
    X = torch.randn(N, D, generator=random, dtype=torch.float64)
    A = torch.randn(D, E, generator=random, dtype=torch.float64)
    Y = torch.randn(N, E, generator=random, dtype=torch.float64)
    tasks = {
        "first": ((queries, keys), queries @ keys.mT),
        "second": ((X, A, Y), ((X @ A) * Y).sum(1)),
        "third": ((X, Y), X.T @ Y),
    }
    for rule, (name, (tensors, wanted)) in zip(got, tasks.items()):
        if not isinstance(rule, str):
            return f"the {name} rule should be a text"
        if "->" not in rule:
            return f"the {name} rule has no arrow, so it does not say which axes remain"
        try:
            result = torch.einsum(rule, *tensors)
        except (RuntimeError, ValueError) as error:
            return f"the {name} rule does not fit the shapes: {str(error).splitlines()[0]}"
        if result.shape != wanted.shape:
            return (
                f"the {name} rule gives the shape {tuple(result.shape)}, "
                f"expected {tuple(wanted.shape)}"
            )
        if not torch.allclose(result, wanted):
            return f"the {name} rule gives the right shape with wrong numbers: what is added up?"
    return None


letters.wrong_value(
    ("btd,csd->bts", "nd,de,ne->n", "nd,ne->de"),
    "the first rule gives the right shape with wrong numbers: what is added up?",
)
letters.wrong_value(
    ("btd,bsd->bts", "nd,de,me->nm", "nd,ne->de"),
    "the second rule gives the shape (5, 5), expected (5,)",
)
letters.wrong_value(
    ("btd,bsd->bts", "nd,de,ne->n", "nd,ne->nde"),
    "the third rule gives the shape (5, 6, 7), expected (6, 7)",
)
letters.wrong_value(
    ("btd,bsd->bts", "nd,de,ne->n", "nd,me->de"),
    "the third rule gives the right shape with wrong numbers: what is added up?",
)

# --- program --------------------------------------------------------------------------------

halve = Exercise(
    "tensors.halve",
    "Half the size",
    kind="program",
    effort=2,
    statement=r"""
    Shrink images to half their height and width: every pixel of the result is the mean of a square of
    2 × 2 pixels. Height and width are even. No loops: new axes will do.
    """,
    hints=[
        "A row number $i$ is $2\\cdot$(number of the square) plus 0 or 1. One axis of length $H$ can be "
        "seen as two, of which lengths?",
        "The same for the columns. Which of the five axes have the length 2, and where do they stand "
        "if no pixel is to change its place in memory?",
    ],
    axes={"images": "B H W"},
)


@halve.stub
def half_size(images):
    """Return the means of squares of 2 × 2 pixels, shape (B, H/2, W/2).

    Args:
        images: shape (B, H, W), height and width even.
    """


@halve.reference
def half_size_reference(images):
    B, H, W = images.shape
    return images.reshape(B, H // 2, 2, W // 2, 2).mean((2, 4))


@halve.inputs
def halve_inputs(random):
    B, H, W = random.sizes(3)
    return (random.normal(B, 2 * H, 2 * W),)


@halve.wrong("four numbers that follow each other in memory are no square: order the new axes well")
def half_size_in_a_row(images):
    B, H, W = images.shape
    return images.reshape(B, H // 2, W // 2, 2, 2).mean((3, 4))


@halve.wrong("every second pixel was kept, and the others were not averaged in")
def half_size_subsample(images):
    return images[:, ::2, ::2]


@halve.wrong("that is the sum of the four pixels: asked is their mean")
def half_size_sum(images):
    B, H, W = images.shape
    return images.reshape(B, H // 2, 2, W // 2, 2).sum((2, 4))


@halve.wrong("each axis of length H was cut into two halves, so that distant pixels are averaged")
def half_size_far(images):
    B, H, W = images.shape
    return images.reshape(B, 2, H // 2, 2, W // 2).mean((1, 3))


# --- break ----------------------------------------------------------------------------------

centred = Exercise(
    "tensors.centred-rows",
    "Tested on a square",
    kind="break",
    effort=1,
    statement=r"""
    This function should subtract from every row its mean. Its author tried it on a matrix with as many
    rows as columns; it ran, and he was satisfied. Which mean did the entry in row $i$ and column $j$ lose? Write it down, then mend the
    function; the solution has the answer to both.
    """,
    hints=[
        "Which shape do the means have, and how does that meet (N, D)?",
        "What would have to be the shape of the means, so that each meets its own row?",
    ],
    axes={"X": "N D"},
)


@centred.stub
def centre_rows(X):
    """Return X with the mean of each row subtracted from it, shape (N, D)."""
    return X - X.mean(1)


@centred.reference
def centre_rows_reference(X):
    # As it was, (N, D) met (N,), a row: if N = D, entry (i, j) lost the mean of row j, not of row i;
    # otherwise an error. A kept axis of length 1 makes the means a column.
    return X - X.mean(1, keepdim=True)


@centred.inputs
def centred_inputs(random):
    N, D = random.sizes(2)
    return (random.normal(N, D),)


@centred.probe("a square matrix")
def centred_probe(random):
    (N,) = random.sizes(1)
    return (random.normal(N, N),)


@centred.wrong("that subtracts from every column its mean")
def centre_rows_columns(X):
    return X - X.mean(0)


@centred.wrong("that subtracts the mean of all entries: every row has its own")
def centre_rows_all(X):
    return X - X.mean()


@centred.wrong("a mean that is a row meets every row as a whole: it has to be a column")
def centre_rows_as_row(X):
    return X - X.mean(1)[None, :]


zero_product = Exercise(
    "tensors.zero-product",
    "Nothing in one order, something in the other",
    kind="break",
    effort=1,
    statement=r"""
    For numbers, $ab = 0$ means that $a$ or $b$ is 0, and then $ba = 0$ as well. Show that neither holds for
    matrices: give two matrices $\mathbf A$ and $\mathbf B$, two rows and two columns each, with $\mathbf A\mathbf B = \mathbf 0$ and $\mathbf B\mathbf A \ne \mathbf 0$.
    """,
    hints=[
        r"$\mathbf A\mathbf B = \mathbf 0$ says that $\mathbf A$ sends every column of $\mathbf B$ to $\mathbf 0$. Can $\mathbf A$ have an inverse?",
        r"Let $\mathbf A$ send the first axis to $\mathbf 0$, and let $\mathbf B$ send everything to the first axis.",
    ],
)


@zero_product.stub
def two_matrices():
    """Return A and B, each a list of two rows or a tensor of shape (2, 2)."""


@zero_product.reference
def two_matrices_reference():
    return ([[0, 1], [0, 0]], [[1, 0], [0, 0]])


@zero_product.judge
def zero_product_judge(got):
    try:
        A, B = (torch.as_tensor(matrix, dtype=torch.float64) for matrix in got)
    except (TypeError, ValueError, RuntimeError):
        return "expected two matrices, each as a list of two rows or as a tensor"
    if A.shape != (2, 2) or B.shape != (2, 2):
        return f"expected two rows and two columns, got {tuple(A.shape)} and {tuple(B.shape)}"
    forwards, backwards = (A @ B).abs().max().item(), (B @ A).abs().max().item()
    if forwards > 0 and backwards == 0:
        return "it is the other order that gives 0: exchange them"
    if forwards > 0:
        return f"A B is not 0: its largest entry is {forwards:g} in size"
    if backwards == 0:
        return "A B is 0, but so is B A"
    return None


zero_product.wrong_value(([[0, 0], [0, 0]], [[1, 2], [3, 4]]), "A B is 0, but so is B A")
zero_product.wrong_value(
    ([[1, 0], [0, 0]], [[0, 1], [0, 0]]), "it is the other order that gives 0: exchange them"
)
zero_product.wrong_value(
    ([[1, 2], [2, 4]], [[2, 0], [1, 0]]), "A B is not 0: its largest entry is 8 in size"
)

# --- extend ---------------------------------------------------------------------------------

undo_nudge = Exercise(
    "tensors.undo-a-nudge",
    "The inverse of nearly nothing",
    kind="extend",
    effort=2,
    statement=r"""
    The matrix $\mathbf I + \mathbf u\mathbf v^\top$ changes every vector along $\mathbf u$ only. So its inverse should be cheap. Find
    the $\mathbf x$ with $(\mathbf I + \mathbf u\mathbf v^\top)\,\mathbf x = \mathbf y$, with about $3D$ multiply-adds instead of the $D^3$ or so that
    solving $D$ equations costs. Write it as `undo(u, v, y)`; it will also be tried on vectors so long that a table of shape $(D, D)$
    has no room anywhere. (For which $\mathbf u$ and $\mathbf v$ is there no inverse? They are not tried; the solution names
    them.)
    """,
    hints=[
        r"Write $(\mathbf u\mathbf v^\top)\,\mathbf x = s\,\mathbf u$. Which number is $s$, and what is $\mathbf x$ if you know it?",
        r"Take the inner product of $\mathbf x = \mathbf y - s\,\mathbf u$ with $\mathbf v$. That is an equation for $s$ alone.",
    ],
    axes={"u": "D", "v": "D", "y": "D"},
)


@undo_nudge.stub
def undo(u, v, y):
    """Return the x with x + u (v · x) = y, shape (D,).

    Args:
        u: shape (D,).
        v: shape (D,), such that there is an inverse.
        y: shape (D,).
    """


@undo_nudge.reference
def undo_reference(u, v, y):
    # x = y - s u with s = v·x. Take the inner product with v: s = v·y - s v·u, so s (1 + v·u) = v·y.
    # If 1 + v·u = 0, u itself is sent to u + u (v·u) = 0, and there is no inverse.
    s = (v @ y) / (1 + v @ u)
    return y - s * u


@undo_nudge.inputs
def undo_inputs(random):
    (D,) = random.sizes(1)
    u, v, y = random.normal(3, D, dtype=torch.float64)
    return u, v * torch.sign(u @ v), y


@undo_nudge.probe("a million entries")
def undo_long(random):
    u, v, y = random.normal(3, 1, dtype=torch.float64).expand(3, 1_000_000)
    return u, v.abs() * u.sign(), y


@undo_nudge.wrong("allocate")
def undo_by_table(u, v, y):
    return torch.linalg.solve(torch.eye(len(u), dtype=u.dtype) + torch.outer(u, v), y)


@undo_nudge.wrong("that subtracts the nudge of y: asked is that of x, which you do not know yet")
def undo_once(u, v, y):
    return y - (v @ y) * u


@undo_nudge.wrong("in the equation for s, the 1 and the inner product add up: check the sign")
def undo_minus(u, v, y):
    return y - (v @ y) / (1 - v @ u) * u


@undo_nudge.wrong("u and v are exchanged: the nudge goes along u")
def undo_exchanged(u, v, y):
    return y - (u @ y) / (1 + v @ u) * v


@undo_nudge.wrong("that is the matrix times y, not its inverse times y")
def undo_forwards(u, v, y):
    return y + (v @ y) * u


@undo_nudge.wrong("the 1 is missing in the denominator: s stands on both sides of its equation")
def undo_without_one(u, v, y):
    return y - (v @ y) / (v @ u) * u
