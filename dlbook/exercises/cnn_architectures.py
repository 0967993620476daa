"""Exercises of the chapter "cnn-architectures"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

one_layer = Exercise(
    "cnn-architectures.one-layer",
    "What one layer costs",
    kind="predict",
    effort=1,
    statement=r"""
    A convolution takes 64 maps of 56 × 56 and gives 128 maps. Its kernels are 3 × 3, it has a stride of 2, a padding of
    1, and biases. Give three whole numbers: the side of its maps, its parameters, and its
    multiply-adds for one image, counted as this chapter counts them.
    """,
    hints=[
        "How many places does the kernel's middle visit along a row?",
        "Each of the 128 maps has a kernel for each of the 64 inputs, and one bias.",
        "Every weight is used once at each place. A bias is added, and multiplied with nothing.",
    ],
)


@one_layer.stub
def side_parameters_products():
    """Return the side, the parameters and the multiply-adds: three whole numbers."""


@one_layer.reference
def side_parameters_products_reference():
    side = (56 + 2 * 1 - 3) // 2 + 1  # places that fit into a padded row, every second of them
    weights = 128 * 64 * 3 * 3  # a 3 × 3 kernel for each pair of an output and an input
    return (side, weights + 128, side * side * weights)


one_layer.wrong_value(
    (28, 73728, 57802752), "the layer has a bias for each of its 128 maps: they are parameters too"
)
one_layer.wrong_value(
    (28, 73856, 57903104), "a bias is added, not multiplied: it makes no multiply-add"
)
one_layer.wrong_value(
    (56, 73856, 231211008), "with a stride of 2 the kernel visits every second place only"
)
one_layer.wrong_value(
    (28, 73856, 231211008), "a multiply-add for each place of the output maps, not of the input's"
)
one_layer.wrong_value(
    (27, 73856, 53747712), "the padding is missing: a padded row has 58 pixels, not 56"
)
one_layer.wrong_value(
    (28, 1280, 903168), "each output map sees all 64 inputs, with a kernel for each of them"
)

too_small = Exercise(
    "cnn-architectures.two-twenty-four",
    "The image that does not fit",
    kind="predict",
    effort=1,
    statement=r"""
    The paper on AlexNet says that images of 224 × 224 go in, and describes no padding before C1. Take
    it at its word: no padding in C1, which has kernels of 11 × 11 at a stride of 4; a pooling of 3 × 3 at a
    stride of 2 after C1, C2 and C5; C2 to C5 keep the size. Which sides have the maps after C1 and after
    each of the three poolings, and how many numbers would the first affine layer receive from the 256 last maps? Five whole numbers.
    """,
    hints=[
        "A window of $k$ pixels at a stride of $s$ fits into a row of $n$ pixels at "
        r"$\lfloor (n - k)/s \rfloor + 1$ places.",
        r"$(224 - 11)/4$ is no whole number. What is left over at the edge is not seen.",
    ],
)


@too_small.stub
def sides_and_inputs():
    """Return the sides after C1 and the three poolings, and the inputs of the first affine layer."""


@too_small.reference
def sides_and_inputs_reference():
    sides = [(224 - 11) // 4 + 1]
    for _ in range(3):
        sides.append((sides[-1] - 3) // 2 + 1)
    return (*sides, 256 * sides[-1] ** 2)


too_small.wrong_value(
    (55, 27, 13, 6, 9216), "those are the sides for 227 × 227: the paper's numbers, not its image"
)
too_small.wrong_value(
    (54, 27, 13, 6, 9216), "54 is even: at a stride of 2 a window of 3 does not reach its end"
)
too_small.wrong_value(
    (54, 26, 12, 5, 1280), "each of the 256 maps has 5 × 5 numbers, not 5: it is a square"
)
too_small.wrong_value(
    (54, 26, 12, 5, 25), "256 maps of that side arrive: the affine layer takes the numbers of all"
)

too_small.wrong_value(
    (54.25, 26.625, 12.8125, 5.90625, 8930.25), "a window fits or it does not: round down each time"
)

# --- derive ---------------------------------------------------------------------------------

narrow = Exercise(
    "cnn-architectures.narrow-inside",
    "How much a bottleneck saves",
    kind="derive",
    effort=2,
    statement=r"""
    A layer of $k \times k$ kernels takes $C$ maps and gives $C$ maps. In its place come three: 1 × 1 kernels down to $C/r$ maps,
    $k \times k$ kernels among those, and 1 × 1 kernels back to $C$ maps. Biases are left out; all maps have the
    same side. Which share of the weights is left? Write it as `share(k, r)`, and note that $C$ is
    gone. What is the limit for large $r$?
    """,
    hints=[
        r"Three products: $C \cdot C/r$, then $(C/r)^2 k^2$, then once more the first.",
        r"Divide the sum by $k^2 C^2$.",
    ],
)


@narrow.stub
def share(k, r):
    """Return the weights of the three layers, divided by those of the one.

    Args:
        k: the side of the kernels.
        r: by which factor the channels are brought down.
    """


@narrow.reference
def share_reference(k, r):
    # Down: C · C/r weights. Among the narrow maps: (C/r)² k². Back: C/r · C. Together
    # C² (2/r + k²/r²); the one layer has C² k². Divided, C² is gone. For large r the share
    # goes to 0 like 2 / (k² r): then the 1 × 1 layers are all that is left.
    return (2 / r + k**2 / r**2) / k**2


@narrow.inputs
def narrow_inputs(random):
    return random.choice([3, 5, 7]), random.integer(2, 9)


@narrow.wrong("the layer that brings the maps back up to C has C²/r weights too")
def share_one_way(k, r):
    return (1 / r + k**2 / r**2) / k**2


@narrow.wrong("both sides of the middle layer are narrow: its weights fall by r², not by r")
def share_half_narrow(k, r):
    return (2 / r + k**2 / r) / k**2


@narrow.wrong("the kernels of the outer layers are 1 × 1: they have no k²")
def share_all_wide(k, r):
    return 2 / r + 1 / r**2


@narrow.wrong("that is the share of the middle layer alone")
def share_middle(k, r):
    return 1 / r**2


stacked = Exercise(
    "cnn-architectures.stacked",
    "Any stack against one layer",
    kind="derive",
    effort=2,
    statement=r"""
    $n$ layers of $k \times k$ kernels follow each other, with a stride of 1 and $C$ maps before and behind each. (i) How many
    pixels along a row does a unit of the last one see? (ii) One layer of kernels of that side sees as
    much. Which share of its weights does the stack have? Biases are left out. Write
    `field_and_share(n, k)` for odd $k$.
    """,
    hints=[
        "The first layer sees $k$ pixels. By how many pixels does each further layer look beyond, "
        "on both sides together?",
        "The stack has $n$ times $k^2C^2$ weights.",
    ],
    outputs=("field", "share"),
)


@stacked.stub
def field_and_share(n, k):
    """Return the side of what a unit sees, and weights of the stack over those of one layer.

    Args:
        n: how many layers.
        k: the side of their kernels, odd.
    """


@stacked.reference
def field_and_share_reference(n, k):
    # A unit of the first layer sees k pixels. A unit of layer i + 1 sees k neighbours in layer i,
    # the outermost of which lie (k - 1)/2 to each side: the field grows by k - 1 a layer, from 1.
    field = n * (k - 1) + 1
    # n layers of k² C² weights, against one of field² C².
    return field, n * k**2 / field**2


@stacked.inputs
def stacked_inputs(random):
    return random.integer(2, 6), random.choice([3, 5, 7])


@stacked.wrong("the fields overlap: neighbours lie one pixel apart, so a layer adds k − 1, not k")
def field_and_share_product(n, k):
    return n * k, n * k**2 / (n * k) ** 2


@stacked.wrong("that is the stack's share upside down: the stack is the cheaper one")
def field_and_share_inverse(n, k):
    field = n * (k - 1) + 1
    return field, field**2 / (n * k**2)


@stacked.wrong("the sides must be squared: a kernel of side f has f² weights")
def field_and_share_line(n, k):
    field = n * (k - 1) + 1
    return field, n * k / field


@stacked.wrong("the share forgets that there are n layers in the stack")
def field_and_share_single(n, k):
    field = n * (k - 1) + 1
    return field, k**2 / field**2


disguise = Exercise(
    "cnn-architectures.disguise",
    "An affine layer in disguise",
    kind="derive",
    effort=2,
    statement=r"""
    LeNet-5's output gives penalties $y_k = \lVert\mathbf x - \mathbf c_k\rVert^2$. Find weights $\mathbf W$ and biases $\mathbf b$ of an
    affine layer whose logits $\mathbf z = \mathbf W\mathbf x + \mathbf b$ have the same softmax as $-\mathbf y$, for every $\mathbf x$. There are many; let the
    biases be those for which $z_k$ differs from $-y_k$ by $\lVert\mathbf x\rVert^2$ alone. Write `as_affine(centers)`.
    """,
    hints=[
        r"Write the squared distance out: it has three terms.",
        r"One of the three is the same for all classes. What does the softmax do with it?",
    ],
    axes={"centers": "K D"},
    outputs=("weight", "bias"),
)


@disguise.stub
def as_affine(centers):
    """Return the weights, shape (K, D), and the biases, shape (K,).

    Args:
        centers: the points c, one for each class, shape (K, D).
    """


@disguise.reference
def as_affine_reference(centers):
    # −‖x − c‖² = −‖x‖² + 2 c·x − ‖c‖². The first term is the same for all classes, and the
    # softmax does not change when one number is added to all logits. The rest is affine in x:
    # the weights 2c and the bias −‖c‖². (Where all entries of c are ±1, the biases are all −D,
    # so that they may be left out as well.)
    return 2 * centers, -(centers * centers).sum(1)


@disguise.inputs
def disguise_inputs(random):
    K, D = random.sizes(2)
    return (random.normal(K, D, dtype=torch.float64),)


@disguise.wrong("the mixed term of the square has a 2")
def as_affine_half(centers):
    return centers, -(centers * centers).sum(1)


@disguise.wrong("right if all centres are equally long: in general their lengths differ")
def as_affine_no_bias(centers):
    return 2 * centers, torch.zeros_like(centers[:, 0])


@disguise.wrong("the sign: a far centre must have a small logit")
def as_affine_sign(centers):
    return -2 * centers, (centers * centers).sum(1)


@disguise.wrong("the bias is minus the square of the length, not minus the length")
def as_affine_length(centers):
    return 2 * centers, -centers.norm(dim=1)


# --- program --------------------------------------------------------------------------------

without_parameters = Exercise(
    "cnn-architectures.shortcut",
    "A shortcut without parameters",
    kind="program",
    effort=1,
    statement=r"""
    Where a residual block halves the image and doubles the channels, its input must be brought to the same shape before
    the sum. Write option A: of the pixels, take the first in every direction and then each that is
    `stride` further; behind the channels, add as many channels of zeros as are missing.
    """,
    hints=[
        "A slice with two colons, `x[..., ::2]`, takes every second entry.",
        "Which shape has what is missing? `x.new_zeros(…)` makes zeros of the same type, and "
        "`torch.cat` puts tensors behind each other along an axis.",
    ],
    axes={"x": "B C H W"},
)


@without_parameters.stub
def shortcut(x, planes, stride):
    """Return x in another shape: fewer pixels, more channels.

    Args:
        x: maps of shape (B, C, H, W).
        planes: channels of the result, at least C.
        stride: how far apart the pixels are that are taken.
    """


@without_parameters.reference
def shortcut_reference(x, planes, stride):
    x = x[:, :, ::stride, ::stride]
    missing = x.new_zeros(x.shape[0], planes - x.shape[1], x.shape[2], x.shape[3])
    return torch.cat([x, missing], dim=1)


@without_parameters.inputs
def without_parameters_inputs(random):
    B, C, H, W = random.sizes(4)
    return random.normal(B, C, H + 2, W + 2), C + random.integer(0, 5), random.choice([1, 2, 3])


@without_parameters.wrong("the zeros stand in front of the channels: they belong behind them")
def shortcut_front(x, planes, stride):
    x = x[:, :, ::stride, ::stride]
    missing = x.new_zeros(x.shape[0], planes - x.shape[1], x.shape[2], x.shape[3])
    return torch.cat([missing, x], dim=1)


@without_parameters.wrong("that averages the pixels: option A takes some and leaves the others")
def shortcut_average(x, planes, stride):
    x = torch.nn.functional.avg_pool2d(x, stride, ceil_mode=True, count_include_pad=False)
    missing = x.new_zeros(x.shape[0], planes - x.shape[1], x.shape[2], x.shape[3])
    return torch.cat([x, missing], dim=1)


@without_parameters.wrong("channels are repeated: those that are missing should be zero")
def shortcut_repeat(x, planes, stride):
    x = x[:, :, ::stride, ::stride]
    return x[:, torch.arange(planes) % x.shape[1]]


@without_parameters.wrong("the first pixel of every direction should be among those taken")
def shortcut_late(x, planes, stride):
    x = x[:, :, stride - 1 :: stride, stride - 1 :: stride]
    missing = x.new_zeros(x.shape[0], planes - x.shape[1], x.shape[2], x.shape[3])
    return torch.cat([x, missing], dim=1)


by_table = Exercise(
    "cnn-architectures.by-table",
    "A convolution by its table",
    kind="program",
    effort=2,
    statement=r"""
    In LeNet-5's layer C3 a table says which maps each output sees. Write such a layer with
    `torch.nn.functional.conv2d`: output $k$ is the sum of the kernels of row $k$ applied to the maps that
    row $k$ of the table names, and its bias. All kernels stand behind each other in one tensor, row
    by row: first those of the table's first row, in its order.
    """,
    hints=[
        "`x[:, [0, 2]]` are the maps 0 and 2, in this order.",
        "Take one output at a time: a convolution with one output channel, whose weights have the "
        "shape (1, inputs, height, width). Keep count of the kernels that you have used.",
    ],
)


@by_table.stub
def table_convolution(x, table, weight, bias):
    """Return the maps of all outputs, shape (B, K, H', W'): no padding, a stride of 1.

    Args:
        x: maps of shape (B, C, H, W).
        table: for each of the K outputs a tuple of the numbers of the maps that it sees.
        weight: the kernels, shape (connections, height, width).
        bias: shape (K,).
    """


@by_table.reference
def table_convolution_reference(x, table, weight, bias):
    outputs, used = [], 0
    for k, row in enumerate(table):
        kernels = weight[used : used + len(row)][None]  # (1, inputs, height, width)
        outputs.append(torch.nn.functional.conv2d(x[:, list(row)], kernels, bias[k : k + 1]))
        used += len(row)
    return torch.cat(outputs, dim=1)


@by_table.inputs
def by_table_inputs(random):
    C, K = random.integer(3, 5), random.integer(3, 6)
    table = tuple(tuple(random.permutation(C)[: random.integer(1, C)].tolist()) for _ in range(K))
    connections = sum(len(row) for row in table)
    x = random.normal(2, C, 6, 5, dtype=torch.float64)
    weight = random.normal(connections, 3, 2, dtype=torch.float64)
    return x, table, weight, random.normal(K, dtype=torch.float64)


@by_table.wrong("each row begins again with the first kernel: go on where the last row ended")
def table_convolution_again(x, table, weight, bias):
    outputs = []
    for k, row in enumerate(table):
        kernels = weight[: len(row)][None]
        outputs.append(torch.nn.functional.conv2d(x[:, list(row)], kernels, bias[k : k + 1]))
    return torch.cat(outputs, dim=1)


@by_table.wrong("the kernels of a row stand in the order of that row, which need not rise")
def table_convolution_sorted(x, table, weight, bias):
    outputs, used = [], 0
    for k, row in enumerate(table):
        kernels = weight[used : used + len(row)][None]
        outputs.append(torch.nn.functional.conv2d(x[:, sorted(row)], kernels, bias[k : k + 1]))
        used += len(row)
    return torch.cat(outputs, dim=1)


@by_table.wrong("the bias of an output is added once, not once for each map that it sees")
def table_convolution_biases(x, table, weight, bias):
    outputs, used = [], 0
    for k, row in enumerate(table):
        kernels = weight[used : used + len(row)][None]
        once = bias[k : k + 1] * len(row)
        outputs.append(torch.nn.functional.conv2d(x[:, list(row)], kernels, once))
        used += len(row)
    return torch.cat(outputs, dim=1)


@by_table.wrong("the bias of each output is missing")
def table_convolution_no_bias(x, table, weight, bias):
    return table_convolution_reference(x, table, weight, torch.zeros_like(bias))


@by_table.wrong("the first maps are taken, as many as the row is long: take those that it names")
def table_convolution_first(x, table, weight, bias):
    outputs, used = [], 0
    for k, row in enumerate(table):
        kernels = weight[used : used + len(row)][None]
        outputs.append(torch.nn.functional.conv2d(x[:, : len(row)], kernels, bias[k : k + 1]))
        used += len(row)
    return torch.cat(outputs, dim=1)


# --- break ----------------------------------------------------------------------------------

blocked = Exercise(
    "cnn-architectures.blocked",
    "A gradient that two blocks stop",
    kind="break",
    effort=2,
    statement=r"""
    Two residual blocks follow each other, $\mathbf y = \mathbf x + \mathbf F\mathbf x$ and then $\mathbf z = \mathbf y + \mathbf F\mathbf y$, with the same
    2 × 2 matrix $\mathbf F$ in both. Find an $\mathbf F$ for which one block lets some gradient pass but two let none pass
    at all, whatever the loss is. (So a skip is no guarantee.)
    """,
    hints=[
        r"A block multiplies gradients by $\mathbf I + \mathbf F^\top$, two blocks do so twice.",
        r"$\mathbf I + \mathbf F$ must not be zero, but its square must. Its columns then lie where? "
        r"Whatever it makes of a vector, it must turn into zero the second time.",
    ],
)


@blocked.stub
def branch():
    """Return F as two rows of two numbers, or a tensor of shape (2, 2)."""


@blocked.reference
def branch_reference():
    # Two blocks multiply gradients by the square of (I + F)ᵀ, which is zero just when that of
    # I + F is. The matrix N = [[0, 1], [0, 0]] moves the second number to the first place
    # and clears the second; twice, nothing is left. So F = N − I will do.
    return torch.tensor([[-1.0, 1.0], [0.0, -1.0]])


@blocked.judge
def blocked_judge(got):
    try:
        F = torch.as_tensor(got, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return "expected a 2 × 2 matrix of numbers"
    if tuple(F.shape) != (2, 2) or not bool(torch.isfinite(F).all()):
        return "expected a 2 × 2 matrix of numbers"
    one = torch.eye(2, dtype=torch.float64) + F
    two = one @ one
    if float(one.abs().max()) < 1e-3:
        return "one block stops everything already: some gradient should pass it"
    if float(two.abs().max()) > 1e-6 * float(one.abs().max()) ** 2:
        largest = float(two.abs().max())
        return f"two blocks still pass something: the largest entry of (I + F)² is {largest:.3g}"
    return None


blocked.wrong_value(
    [[-1.0, 0.0], [0.0, -1.0]], "one block stops everything already: some gradient should pass it"
)
blocked.wrong_value(
    [[0.0, 1.0], [0.0, 0.0]], "two blocks still pass something: the largest entry of (I + F)² is 2"
)
blocked.wrong_value(
    [[-1.0, 1.0], [1.0, -1.0]],
    "two blocks still pass something: the largest entry of (I + F)² is 1",
)

# --- extend ---------------------------------------------------------------------------------

paths = Exercise(
    "cnn-architectures.paths",
    "Short ways and long ways",
    kind="extend",
    effort=3,
    statement=r"""
    Multiply out $(1 + f_L)\cdots(1 + f_1)$, and a residual network of $L$ blocks becomes a sum over $2^L$ paths: each block is
    passed through or skipped. Say that a block multiplies a gradient by $w > 0$ where a path goes
    through it, and by 1 where it skips it. Which share of the whole gradient comes by paths that go through exactly
    $0, 1, \dots, L$ blocks? Write `shares(L, w)`, a float64 tensor of $L + 1$ entries. Before you run it: for $L = 50$ and
    $w = 0.25$, which number of blocks has the largest share, and how many blocks does the only path of a plain network go through?
    """,
    hints=[
        r"How many paths go through exactly $k$ of $L$ blocks, and what does each of them bring?",
        r"All paths together bring $(1 + w)^L$.",
        r"With $p = w/(1 + w)$ it is the binomial distribution. For its largest entry compare each with "
        r"the one before: until when is their ratio above 1?",
    ],
)


@paths.stub
def shares(L, w):
    """Return the share of the gradient by the number of blocks on its way, shape (L + 1,).

    Args:
        L: how many blocks.
        w: by what a block multiplies the gradient of a path through it.
    """


@paths.reference
def shares_reference(L, w):
    # Exactly k blocks: "L choose k" paths, each of which brings w^k. All together: (1 + w)^L.
    # So the shares are those of a binomial distribution with p = w / (1 + w), and a way that is
    # drawn by its share goes through L p blocks on average. Where is the largest? The share of k is
    # that of k - 1, times w (L - k + 1) / k, which is above 1 for k < (L + 1) p. For L = 50 and
    # w = 1/4 that is 51 / 5 = 10.2: shares rise up to k = 10, then fall. The only path of a plain
    # network goes through all 50. By logarithms, since "L choose k" gets large.
    k = torch.arange(L + 1, dtype=torch.float64)
    whole = torch.tensor(float(L), dtype=torch.float64)
    choose = torch.lgamma(whole + 1) - torch.lgamma(k + 1) - torch.lgamma(whole - k + 1)
    w = torch.as_tensor(w, dtype=torch.float64)
    return torch.exp(choose + k * torch.log(w) - L * torch.log1p(w))


@paths.inputs
def paths_inputs(random):
    return random.integer(3, 60), random.number(0.1, 2.0)


@paths.wrong("that counts the paths, as if each brought as much: one through k blocks brings w^k")
def shares_count(L, w):
    k = torch.arange(L + 1, dtype=torch.float64)
    whole = torch.tensor(float(L), dtype=torch.float64)
    choose = torch.lgamma(whole + 1) - torch.lgamma(k + 1) - torch.lgamma(whole - k + 1)
    return torch.exp(choose - L * torch.log(torch.tensor(2.0, dtype=torch.float64)))


@paths.wrong("those are the gradients, not their shares: divide by all of them together")
def shares_sum(L, w):
    k = torch.arange(L + 1, dtype=torch.float64)
    whole = torch.tensor(float(L), dtype=torch.float64)
    choose = torch.lgamma(whole + 1) - torch.lgamma(k + 1) - torch.lgamma(whole - k + 1)
    return torch.exp(choose + k * torch.log(torch.as_tensor(w, dtype=torch.float64)))


@paths.wrong("there are many paths through k blocks, not one: count them")
def shares_single(L, w):
    each = torch.as_tensor(w, dtype=torch.float64) ** torch.arange(L + 1, dtype=torch.float64)
    return each / each.sum()


@paths.wrong("the other way round: a path is multiplied by w for each block that it goes through")
def shares_reversed(L, w):
    k = torch.arange(L + 1, dtype=torch.float64)
    whole = torch.tensor(float(L), dtype=torch.float64)
    choose = torch.lgamma(whole + 1) - torch.lgamma(k + 1) - torch.lgamma(whole - k + 1)
    w = torch.as_tensor(w, dtype=torch.float64)
    return torch.exp(choose + (L - k) * torch.log(w) - L * torch.log1p(w))
