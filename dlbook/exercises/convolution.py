"""Exercises of the chapter "convolution"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

three_layers = Exercise(
    "convolution.three-layers",
    "Sizes, weights, products",
    kind="predict",
    effort=1,
    statement=r"""
    A colour image of 32 × 32 pixels goes through three layers: 16 kernels of 5 × 5 with padding 2; 32 kernels of
    3 × 3 with stride 2 and no padding; 10 kernels of 3 × 3 with dilation 3, stride 1 and no padding. Every kernel has a bias.
    Give four whole numbers: the height of the second layer's maps; the height of the third's; how many
    parameters the three layers have together, biases included; and how many products of a weight and a number of the
    input the *second* layer computes for one image.
    """,
    hints=[
        "How far does the dilated kernel reach, and how many places has it in the maps before?",
        "A kernel is as deep as the maps it looks at. Each of its weights is used once for every "
        "place of the output.",
    ],
    outputs=("second_height", "third_height", "parameters", "products"),
)


@three_layers.stub
def four_numbers():
    """Return two heights, the number of parameters and the second layer's products."""


@three_layers.reference
def four_numbers_reference():
    second = (32 - 3) // 2 + 1
    third = second - 3 * (3 - 1)
    parameters = 16 * (3 * 25 + 1) + 32 * (16 * 9 + 1) + 10 * (32 * 9 + 1)
    return second, third, parameters, 32 * 16 * 9 * second**2


three_layers.wrong_value(
    (15, 9, 5418, 1036800), "a kernel is as deep as its input: 3, 16 and 32 channels, not 1"
)
three_layers.wrong_value(
    (15, 9, 8688, 1036800), "the biases are parameters, too: one for each kernel"
)
three_layers.wrong_value(
    (15, 9, 8746, 4608), "each weight of the second layer is used at every place of its output"
)
three_layers.wrong_value(
    (15, 13, 8746, 1036800), "with dilation 3, the three rows of a kernel lie three rows apart"
)
three_layers.wrong_value(
    (16, 10, 8746, 1179648), "a window that does not fit is left out: round down before you add 1"
)

# --- derive ---------------------------------------------------------------------------------

two_in_one = Exercise(
    "convolution.two-in-one",
    "Two layers that are one",
    kind="derive",
    effort=2,
    statement=r"""
    Two convolutions follow each other, one channel, no bias, no padding, stride 1, and no activation function
    between them: first with the kernel $u$, then with the kernel $v$, both as this book slides them, without turning. Show that
    they are one convolution, and derive its kernel. Write it as `merged(u, v)`.
    """,
    hints=[
        "Write the second layer's output, and put the first layer's formula in. Which pixel does "
        "the product of $v_i$ and $u_j$ meet?",
        "All products that meet the same pixel of the window belong to one weight. Of which size is "
        "the array of all sums $i + j$?",
    ],
    axes={"u": "H W", "v": "K M"},
)


@two_in_one.stub
def merged(u, v):
    """Return the kernel whose convolution is u's followed by v's.

    Args:
        u: the first layer's kernel, a tensor of two axes.
        v: the second layer's kernel, a tensor of two axes.
    """


@two_in_one.reference
def merged_reference(u, v):
    # With pairs of numbers as indices, z_q = Σ_j u_j x_{q+j} and y_p = Σ_i v_i z_{p+i}. Put in:
    #     y_p = Σ_i Σ_j v_i u_j x_{p+i+j} = Σ_k (Σ_{i+j=k} v_i u_j) x_{p+k}.
    # So the weight at k is the sum of v_i u_j over all i + j = k: a copy of u laid down at every
    # place i of v, multiplied by v_i. The largest k is the sum of the two largest indices.
    w = u.new_zeros(u.shape[0] + v.shape[0] - 1, u.shape[1] + v.shape[1] - 1)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            w[i : i + u.shape[0], j : j + u.shape[1]] += v[i, j] * u
    return w


@two_in_one.inputs
def two_in_one_inputs(random):
    a, b, c, d = random.sizes(4)
    return random.normal(a, b, dtype=torch.float64), random.normal(c, d, dtype=torch.float64)


@two_in_one.wrong("one of the kernels is turned round: nothing in the two layers turns it")
def merged_turned(u, v):
    v = v.flip(0, 1)
    w = u.new_zeros(u.shape[0] + v.shape[0] - 1, u.shape[1] + v.shape[1] - 1)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            w[i : i + u.shape[0], j : j + u.shape[1]] += v[i, j] * u
    return w


@two_in_one.wrong("the right kernel, upside down: which pixel does v[0, 0] u[0, 0] meet?")
def merged_upside_down(u, v):
    w = u.new_zeros(u.shape[0] + v.shape[0] - 1, u.shape[1] + v.shape[1] - 1)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            w[i : i + u.shape[0], j : j + u.shape[1]] += v[i, j] * u
    return w.flip(0, 1)


@two_in_one.wrong("where copies overlap, they add up; here the last one replaces the others")
def merged_last(u, v):
    w = u.new_zeros(u.shape[0] + v.shape[0] - 1, u.shape[1] + v.shape[1] - 1)
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            w[i : i + u.shape[0], j : j + u.shape[1]] = v[i, j] * u
    return w


sees = Exercise(
    "convolution.what-it-sees",
    "Which pixels does it see?",
    kind="derive",
    effort=2,
    statement=r"""
    The formula of the receptive field says how large it is, not where. Along one axis, a stack of convolutions has the
    layers $(m_1, s_1, P_1), (m_2, s_2, P_2), \dots$: kernel size, stride and padding, dilation 1. Derive the first and the last
    pixel that unit number $q$ of the last layer sees, with pixels and units counted from 0. Pixels in the
    padding count as if they were there: numbers below 0, or beyond the end. Write `seen(layers, q)`.
    """,
    hints=[
        "One layer first: unit $q$ begins at which number of the padded input, and at which of the "
        "input itself?",
        "Go backwards through the layers with two numbers, the first unit and the last one that are "
        "seen in the layer before.",
    ],
    outputs=("first", "last"),
)


@sees.stub
def seen(layers, q):
    """Return the first and the last pixel that a unit sees, two whole numbers.

    Args:
        layers: a list of triples (kernel size, stride, padding), the first layer first.
        q: the unit's number in the last layer.
    """


@sees.reference
def seen_reference(layers, q):
    # A window of one layer begins at s q in the padded input, so at s q − P in the input itself,
    # and ends m − 1 further. If a stretch of units first … last is wanted, the first of them
    # begins at s first − P, and the last of them ends at s last − P + m − 1. (With s > m there are
    # gaps between the windows; these two ends are seen all the same.) Apply that to the last layer
    # with first = last = q, then to the one before.
    first = last = q
    for m, s, P in reversed(layers):
        first, last = s * first - P, s * last - P + m - 1
    return first, last


@sees.inputs
def sees_inputs(random):
    layers = [
        (random.integer(2, 5), random.integer(1, 3), random.integer(0, 2))
        for _ in range(random.integer(2, 4))
    ]
    return layers, random.integer(0, 6)


@sees.probe("a unit whose first pixel lies in the padding")
def sees_probe(random):
    return [(3, 1, 1), (3, 2, 1)], 0


@sees.wrong("the padding's pixels count as if they were there: don't cut off at 0")
def seen_cut_off(layers, q):
    first, last = seen_reference(layers, q)
    return max(0, first), last


@sees.wrong("the layers are in the wrong order: begin at the unit, so with the last layer")
def seen_forwards(layers, q):
    first = last = q
    for m, s, P in layers:
        first, last = s * first - P, s * last - P + m - 1
    return first, last


@sees.wrong("the padding is missing: index 0 of the padded input is pixel −P")
def seen_unpadded(layers, q):
    first = last = q
    for m, s, _ in reversed(layers):
        first, last = s * first, s * last + m - 1
    return first, last


@sees.wrong("a kernel of size m that begins at pixel a ends at a + m − 1")
def seen_one_more(layers, q):
    first = last = q
    for m, s, P in reversed(layers):
        first, last = s * first - P, s * last - P + m
    return first, last


@sees.wrong("the stride is missing: unit q's window begins s q pixels from unit 0's")
def seen_stride_one(layers, q):
    first = last = q
    for m, _, P in reversed(layers):
        first, last = first - P, last - P + m - 1
    return first, last


# --- program --------------------------------------------------------------------------------

private_weights = Exercise(
    "convolution.private-weights",
    "Windows with weights of their own",
    kind="program",
    effort=2,
    statement=r"""
    The *local* layer of the chapter looks through the same windows as a convolution (stride 1, no padding), but every place
    of the output has kernels of its own:
    $$y_{bkpq} = \sum_{c,i,j} w_{pqkcij}\;x_{b,c,p+i,q+j} .$$
    Write it. Loops over the places or over the kernel are welcome.
    """,
    hints=[
        "For fixed $p$ and $q$ it is a dense layer of the window.",
        "`torch.einsum` can do one place for all images and kernels at once: which letters have the "
        "window, the kernels and the result, and over which of them is summed?",
    ],
    axes={"x": "B C H W"},
)


@private_weights.stub
def local_layer(x, w):
    """Return the local layer's output, of shape (B, K, P, Q).

    Args:
        x: images, shape (B, C, H, W).
        w: kernels for every place, shape (P, Q, K, C, h, v), with P = H − h + 1 and Q = W − v + 1.
    """


@private_weights.reference
def local_layer_reference(x, w):
    P, Q, K, _, h, v = w.shape
    y = x.new_zeros(len(x), K, P, Q)
    for p in range(P):
        for q in range(Q):
            window = x[:, :, p : p + h, q : q + v]
            y[:, :, p, q] = torch.einsum("bcij, kcij -> bk", window, w[p, q])
    return y


@private_weights.inputs
def private_weights_inputs(random):
    B, C, K, h, v = random.sizes(5, 2, 6)
    P, Q = random.sizes(2, 2, 4)
    x = random.normal(B, C, P + h - 1, Q + v - 1, dtype=torch.float64)
    return x, random.normal(P, Q, K, C, h, v, dtype=torch.float64)


@private_weights.wrong("all places use the kernels of the first: that is a convolution")
def local_layer_shared(x, w):
    P, Q, K, _, h, v = w.shape
    y = x.new_zeros(len(x), K, P, Q)
    for p in range(P):
        for q in range(Q):
            window = x[:, :, p : p + h, q : q + v]
            y[:, :, p, q] = torch.einsum("bcij, kcij -> bk", window, w[0, 0])
    return y


@private_weights.wrong("the kernels are turned round: here they lie on the window as they are")
def local_layer_turned(x, w):
    w = w.flip(-2, -1)
    P, Q, K, _, h, v = w.shape
    y = x.new_zeros(len(x), K, P, Q)
    for p in range(P):
        for q in range(Q):
            window = x[:, :, p : p + h, q : q + v]
            y[:, :, p, q] = torch.einsum("bcij, kcij -> bk", window, w[p, q])
    return y


@private_weights.wrong("the channels are averaged: their products are added up")
def local_layer_mean(x, w):
    P, Q, K, C, h, v = w.shape
    y = x.new_zeros(len(x), K, P, Q)
    for p in range(P):
        for q in range(Q):
            window = x[:, :, p : p + h, q : q + v]
            y[:, :, p, q] = torch.einsum("bcij, kcij -> bk", window, w[p, q]) / C
    return y


faulty = Exercise(
    "convolution.way-back",
    "A way back with a fault",
    kind="program",
    effort=2,
    statement=r"""
    This function is to return the cotangents of the input and of the kernel for a convolution along one axis with stride $s$,
    $y_p = \sum_i w_i\,x_{sp+i}$. Its shapes are right, and it even passes a test with $s = 1$ and a kernel that is
    the same forwards and backwards. Find what is wrong and mend it.
    """,
    hints=[
        "Take $s = 1$, a cotangent with a single 1 at $p = 0$, and a kernel $(1, 2)$. What should $\\bar x$ be?",
        "When that is right, try a kernel that is not the same from both ends with $s = 2$, and compare "
        "both cotangents with finite differences.",
    ],
    axes={"x": "H", "w": "K"},
    outputs=("x_bar", "w_bar"),
)


@faulty.stub
def way_back(x, w, y_bar, s):
    """Return the cotangents of x and of w.

    Args:
        x: the input, shape (H,).
        w: the kernel, shape (K,).
        y_bar: the output's cotangent, one number for each window.
        s: the stride.
    """
    x_bar, w_bar = torch.zeros_like(x), torch.zeros_like(w)
    K = len(w)
    for p in range(len(y_bar)):
        for i in range(K):
            x_bar[s * p + i] += w[K - 1 - i] * y_bar[p]
            w_bar[i] += x[p + i] * y_bar[p]
    return x_bar, w_bar


@faulty.reference
def way_back_reference(x, w, y_bar, s):
    x_bar, w_bar = torch.zeros_like(x), torch.zeros_like(w)
    K = len(w)
    for p in range(len(y_bar)):
        for i in range(K):
            x_bar[s * p + i] += w[i] * y_bar[p]
            w_bar[i] += x[s * p + i] * y_bar[p]
    return x_bar, w_bar


@faulty.inputs
def faulty_inputs(random):
    K, windows = random.sizes(2, 2, 6)
    s = random.integer(1, 3)
    H = s * (windows - 1) + K + random.integer(0, s - 1)
    x, w = random.normal(H, dtype=torch.float64), random.normal(K, dtype=torch.float64)
    return x, w, random.normal(windows, dtype=torch.float64), s


@faulty.probe("a stride of 3")
def faulty_probe(random):
    x, w = random.normal(11, dtype=torch.float64), random.normal(4, dtype=torch.float64)
    return x, w, random.normal(3, dtype=torch.float64), 3


@faulty.wrong("both cotangents are wrong; begin with the input's, with a stride of 1")
def way_back_unmended(x, w, y_bar, s):
    x_bar, w_bar = torch.zeros_like(x), torch.zeros_like(w)
    K = len(w)
    for p in range(len(y_bar)):
        for i in range(K):
            x_bar[s * p + i] += w[K - 1 - i] * y_bar[p]
            w_bar[i] += x[p + i] * y_bar[p]
    return x_bar, w_bar


@faulty.wrong("the input's cotangent is right now; the kernel's is not, with a stride")
def way_back_half(x, w, y_bar, s):
    x_bar, w_bar = torch.zeros_like(x), torch.zeros_like(w)
    K = len(w)
    for p in range(len(y_bar)):
        for i in range(K):
            x_bar[s * p + i] += w[i] * y_bar[p]
            w_bar[i] += x[p + i] * y_bar[p]
    return x_bar, w_bar


@faulty.wrong("the kernel's cotangent is right now; the input's still meets a turned kernel")
def way_back_other_half(x, w, y_bar, s):
    x_bar, w_bar = torch.zeros_like(x), torch.zeros_like(w)
    K = len(w)
    for p in range(len(y_bar)):
        for i in range(K):
            x_bar[s * p + i] += w[K - 1 - i] * y_bar[p]
            w_bar[i] += x[s * p + i] * y_bar[p]
    return x_bar, w_bar


@faulty.wrong("where windows overlap, a pixel collects from all of them: add, don't assign")
def way_back_assigned(x, w, y_bar, s):
    x_bar, w_bar = torch.zeros_like(x), torch.zeros_like(w)
    K = len(w)
    for p in range(len(y_bar)):
        for i in range(K):
            x_bar[s * p + i] = w[i] * y_bar[p]
            w_bar[i] += x[s * p + i] * y_bar[p]
    return x_bar, w_bar


# --- break ----------------------------------------------------------------------------------

vanishing = Exercise(
    "convolution.vanishing-feature",
    "A feature that a step makes disappear",
    kind="break",
    effort=2,
    statement=r"""
    A layer along one axis has the kernel $(-1, 2, -1)$, which looks for bumps, stride 2 and no padding. A reader takes
    the largest absolute value over all places. Find 11 numbers, the first two and the last two of them 0, for which the reader says at
    least 1; moved by one place to the right, the same numbers are to give 0, to within $10^{-6}$.
    """,
    hints=[
        "Write down what a window gives that begins at an odd place: after the move those are the ones "
        "that count. For which numbers do all of them give 0?",
        "The windows after the move ask that every other number be the mean of its two neighbours. "
        "Choose the numbers between freely.",
    ],
)


@vanishing.stub
def bump():
    """Return eleven numbers."""


@vanishing.reference
def bump_reference():
    # A window in the middle of which x_u stands gives 2 x_u − x_{u−1} − x_{u+1}. Before the move u is
    # odd (1, 3, …, 9), after it u is even (0, 2, …, 8). So every x_u with an even u has to be the
    # mean of its two neighbours; the odd ones are free, but for x_1 = x_9 = 0. With x_5 = 1 and
    # x_3 = x_7 = 0 that makes x_4 = x_6 = 1/2 and x_2 = x_8 = 0; before the move, the window
    # around x_5 gives 2 − 1/2 − 1/2 = 1.
    return [0, 0, 0, 0, 0.5, 1, 0.5, 0, 0, 0, 0]


@vanishing.judge
def vanishing_judge(got):
    try:
        x = torch.as_tensor(got, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return "expected eleven numbers"
    if tuple(x.shape) != (11,) or not x.isfinite().all():
        return "expected eleven numbers, all finite"
    if x[[0, 1, -2, -1]].abs().max() > 0:
        return "the first two and the last two numbers have to be 0"
    kernel = torch.tensor([-1.0, 2, -1], dtype=torch.float64)
    here = (x.unfold(0, 3, 2) @ kernel).abs().max().item()
    there = (x.roll(1).unfold(0, 3, 2) @ kernel).abs().max().item()
    if here < 1 - 1e-6:
        return f"where they stand, the reader says {here:.3g}: asked was at least 1"
    if there > 1e-6:
        return f"moved by one place, the reader still says {there:.3g}"
    return None


vanishing.wrong_value(
    [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], "moved by one place, the reader still says 1"
)
vanishing.wrong_value([0] * 11, "where they stand, the reader says 0: asked was at least 1")
vanishing.wrong_value(
    [0.5, 1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0], "the first two and the last two numbers have to be 0"
)

# --- extend ---------------------------------------------------------------------------------

straight_ramp = Exercise(
    "convolution.straight-ramp",
    "Twice as long, and still straight",
    kind="extend",
    effort=2,
    statement=r"""
    A transposed convolution along one axis, with stride 2 and a kernel of four numbers $(a, b, c, d)$, makes $n$ numbers into
    $2n + 2$: number $p$ of the input lays its copy down at the places $2p$ to $2p + 3$. Which kernel, the same from both ends, leaves a constant sequence constant, with the same value, and makes a
    straight ramp ($x_p = p$) into a straight ramp of half the slope, away from the ends? Derive the four numbers.
    """,
    hints=[
        "Each number of the output lies under two copies of the kernel. Which of its four numbers "
        "meet at an even place, and which at an odd one?",
        "Write place $2p$ and place $2p + 1$ as sums of two products each. The constant gives two equations.",
        "On the ramp, an odd place has to lie half a step above the even place before it.",
    ],
    atol=1e-6,
)


@straight_ramp.stub
def ramp_kernel():
    """Return the four numbers of the kernel."""


@straight_ramp.reference
def ramp_kernel_reference():
    # Input number p lays a x_p at place 2p, b x_p at 2p + 1, c x_p at 2p + 2 and d x_p at 2p + 3.
    # So place 2p holds a x_p + c x_{p−1}, and place 2p + 1 holds b x_p + d x_{p−1}.
    # Constant 1: a + c = 1 and b + d = 1. Ramp x_p = p: place 2p holds a p + c (p − 1) = p − c, and
    # place 2p + 1 holds p − d. From an even place to the next one the step is c − d, which has to be
    # 1/2; from there to the next even place it is 1 − (c − d), which then is 1/2 as well.
    # The same from both ends: d = a and c = b. With a + c = 1 and c − a = 1/2, a = 1/4 and c = 3/4.
    return (0.25, 0.75, 0.75, 0.25)


straight_ramp.wrong_value(
    (0.5, 0.5, 0.5, 0.5), "a constant stays constant, but a ramp becomes a staircase"
)
straight_ramp.wrong_value(
    (0.5, 1, 0.5, 0), "that kernel makes a straight ramp, but it isn't the same from both ends"
)
straight_ramp.wrong_value(
    (0.5, 1, 1, 0.5), "a constant 1 becomes 1.5: two copies meet at every place, and both count"
)
straight_ramp.wrong_value(
    (0.125, 0.375, 0.375, 0.125),
    "a constant comes out at half its value: two copies meet, not four",
)
straight_ramp.wrong_value(
    (0.75, 0.25, 0.25, 0.75), "outside in: the number nearest to the middle has to count most"
)
