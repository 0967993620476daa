"""Exercises of the chapter "normalization"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

kinds = Exercise(
    "normalization.five-kinds",
    "One number, four neighbourhoods",
    kind="predict",
    effort=1,
    statement=r"""
    A batch of two samples with two channels of two places each:

    | | channel 1 | channel 2 |
    |---|---|---|
    | sample 1 | 1, 7 | 7, 9 |
    | sample 2 | −7, −1 | 2, 4 |

    What becomes of the very first number, the 1, under batch normalisation in training, under layer
    normalisation (of a whole sample), under instance normalisation and under RMS normalisation (of
    a whole sample)? Four numbers, with $\epsilon = 0$, $\gamma = 1$ and $\beta = 0$; three digits behind the point are
    enough.
    """,
    hints=[
        "Write down the group of each kind first: four numbers, four, two, four.",
        "Divide the sum of squares by how many numbers there are, not by one fewer.",
    ],
    atol=0.0006,
)


@kinds.stub
def four_ways():
    """Return what the 1 becomes under batch, layer, instance and RMS normalisation."""


@kinds.reference
def four_ways_reference():
    x = torch.tensor([[[1.0, 7], [7, 9]], [[-7, -1], [2, 4]]], dtype=torch.float64)
    batch, sample, channel = x[:, 0].flatten(), x[0].flatten(), x[0, 0]
    answers = [(1 - g.mean()) / g.var(correction=0).sqrt() for g in (batch, sample, channel)]
    return tuple(float(a) for a in (*answers, 1 / sample.pow(2).mean().sqrt()))


kinds.wrong_value(
    (-5 / 3, 0.2, -1.0, 1 / math.sqrt(45)),
    "batch and layer are exchanged: batch normalisation looks along the samples",
)
kinds.wrong_value(
    (math.sqrt(0.03), -5 / math.sqrt(12), -math.sqrt(0.5), 1 / math.sqrt(45)),
    "the variance of a group is the mean of the squares: divide by n, not by n − 1",
)
kinds.wrong_value(
    (0.2, -5 / 3, -1.0, 1 / math.sqrt(180)),
    "the root mean square is the root of the mean of the squares, not of their sum",
)
kinds.wrong_value(
    (0.2, -5 / 3, -1.0, -5 / math.sqrt(45)), "RMS normalisation does not subtract the mean"
)

running = Exercise(
    "normalization.running-averages",
    "What the layer remembers",
    kind="predict",
    effort=1,
    statement=r"""
    `BatchNorm1d(1, momentum=0.25, eps=0)` is new and in training mode. It is given first the batch
    $(1, 3)$, then the batch $(5, 9)$. Afterwards, what are `running_mean` and `running_var`? And what had
    come out for the 9? Three numbers.
    """,
    hints=[
        "Both averages start somewhere, and the second batch meets what the first has left.",
        r"What is stored of a variance is not what the batch is divided by. The formula has a factor for it.",
    ],
    atol=0.0006,
)


@running.stub
def memory():
    """Return running_mean, running_var, and the output for the 9."""


@running.reference
def memory_reference():
    mean, variance = 0.0, 1.0
    for a, b in ((1, 3), (5, 9)):
        mean = 0.75 * mean + 0.25 * (a + b) / 2
        variance = 0.75 * variance + 0.25 * (b - a) ** 2 / 2
    return (mean, variance, (9 - 7) / 2)


running.wrong_value(
    (2.125, 1.75, 1.0), "what is averaged is the unbiased variance, with n − 1 below the line"
)
running.wrong_value(
    (5.625, 6.4375, 1.0), "the momentum is the share of the new value, not of the old one"
)
running.wrong_value(
    (2.125, 2.9375, 6.875 / math.sqrt(2.9375)),
    "in training mode the batch's own statistics are used, whatever has been stored",
)
running.wrong_value((2.125, 2.375, 1.0), "the variance starts at 1, not at 0")

# --- derive ---------------------------------------------------------------------------------

outlier = Exercise(
    "normalization.one-outlier",
    "How far out can one be?",
    kind="derive",
    effort=2,
    statement=r"""
    However large a number is, its group has it in its mean and in its variance. What is the largest
    value that any $\hat x_i$ can have in a group of $n \ge 2$ numbers, with $\epsilon = 0$? Write it as `largest(n)`, and make sure
    that some group reaches it.
    """,
    hints=[
        r"The $\hat x_i$ of a group have two properties in common, whatever the group: what is their sum, and what "
        "is the sum of their squares?",
        "If one of them is $t$, the others sum to $-t$. How small can the sum of their squares be?",
    ],
)


@outlier.stub
def largest(n):
    """Return the largest value that can come out of normalising n numbers."""


@outlier.reference
def largest_reference(n):
    """The x̂ sum to 0, and their squares to n. If one is t, the n − 1 others sum to −t.

    The squares of numbers with a given sum are least when all are equal, −t/(n − 1) each: their
    mean square is the square of the mean and the variance. So n ≥ t² + t²/(n − 1) = t² n/(n − 1),
    and t ≤ √(n − 1). One number that differs from n − 1 equal ones reaches it.
    """
    return math.sqrt(n - 1)


@outlier.inputs
def outlier_inputs(random):
    return (random.integer(3, 40),)


@outlier.wrong("too large: that would be so if the others were all exactly 0, but they sum to −t")
def largest_root_n(n):
    return math.sqrt(n)


@outlier.wrong("that divides by the spread with n − 1 below the line: a group is divided by n")
def largest_unbiased(n):
    return (n - 1) / math.sqrt(n)


@outlier.wrong("that is the largest square: the root is missing")
def largest_square(n):
    return float(n - 1)


weight_norm = Exercise(
    "normalization.weight-normalisation",
    "Normalise the weights instead",
    kind="derive",
    effort=2,
    statement=r"""
    Weight normalisation leaves the samples alone and writes a unit's weights as
    $\mathbf w = g\,\mathbf v/\lVert\mathbf v\rVert$: a length $g$ and a direction. Given the cotangent $\bar{\mathbf w}$, derive $\bar g$ and $\bar{\mathbf v}$.
    """,
    hints=[
        r"Nudge $g$ first: $\mathbf w$ moves along $\mathbf v/\lVert\mathbf v\rVert$.",
        r"Stretching $\mathbf v$ changes nothing. So what must $\bar{\mathbf v}\cdot\mathbf v$ be?",
        r"$\lVert\mathbf v\rVert$ moves by $\mathbf v\cdot\dot{\mathbf v}/\lVert\mathbf v\rVert$. What a tangent goes through, a cotangent "
        "goes back through; this matrix is symmetric.",
    ],
    axes={"w_bar": "D", "v": "D"},
    outputs=("g_bar", "v_bar"),
)


@weight_norm.stub
def weight_norm_backward(w_bar, g, v):
    """Return the cotangents of g and v for w = g v/‖v‖.

    Args:
        w_bar: the cotangent of w, shape (D,).
        g: the length, a tensor without axes.
        v: the direction, not 0, shape (D,).

    Returns:
        A tensor without axes and one of shape (D,).
    """


@weight_norm.reference
def weight_norm_backward_reference(w_bar, g, v):
    """With u = v/‖v‖, a nudge of g moves w by u: ḡ = w̄ · u.

    A nudge v̇ moves ‖v‖ by u · v̇, hence w = g v/‖v‖ by g v̇/‖v‖ − g v (u · v̇)/‖v‖², which is
    (g/‖v‖)(I − u uᵀ) v̇. The matrix is symmetric, so v̄ = (g/‖v‖)(w̄ − u (u · w̄)), and u · w̄ is ḡ.
    """
    length = v.norm()
    unit = v / length
    g_bar = w_bar @ unit
    return g_bar, g / length * (w_bar - g_bar * unit)


@weight_norm.inputs
def weight_norm_inputs(random):
    (D,) = random.sizes(1)
    w_bar, v = random.normal(D, dtype=torch.float64), random.normal(D, dtype=torch.float64)
    return w_bar, random.uniform(0.5, 3, dtype=torch.float64), v


@weight_norm.wrong("the length of v is not a constant: v̄ must have no part along v")
def weight_norm_without_projection(w_bar, g, v):
    length = v.norm()
    return w_bar @ v / length, g / length * w_bar


@weight_norm.wrong("v̄ is the shorter, the longer v is: ‖v‖ is missing")
def weight_norm_without_length(w_bar, g, v):
    unit = v / v.norm()
    g_bar = w_bar @ unit
    return g_bar, g * (w_bar - g_bar * unit)


@weight_norm.wrong("the factor g is missing from v̄")
def weight_norm_without_g(w_bar, g, v):
    length = v.norm()
    unit = v / length
    g_bar = w_bar @ unit
    return g_bar, (w_bar - g_bar * unit) / length


@weight_norm.wrong("ḡ is the part of w̄ along a direction of length 1: divide by ‖v‖")
def weight_norm_long_g(w_bar, g, v):
    length = v.norm()
    unit = v / length
    return w_bar @ v, g / length * (w_bar - (w_bar @ unit) * unit)


equilibrium = Exercise(
    "normalization.equilibrium",
    "Where weight decay leads",
    kind="derive",
    effort=2,
    statement=r"""
    A unit's weights $\mathbf w$ stand before a batch normalisation, with $\epsilon = 0$. Descent with weight decay takes
    the steps $\mathbf w' = \mathbf w - \eta\,(\nabla J + \lambda\mathbf w)$. The gradient is perpendicular to $\mathbf w$ and has the length $s/\lVert\mathbf w\rVert$, where
    $s$ stays about the same. For one length of $\mathbf w$, the step leaves the length as it is. Derive that length, and the
    tangent of the angle by which the step then turns $\mathbf w$. Make no approximation; assume $0 < \eta\lambda < 1$.
    """,
    hints=[
        r"Which part of $\mathbf w'$ points along $\mathbf w$, and which across? Then Pythagoras.",
        r"Call the length $L$ and set $\lVert\mathbf w'\rVert^2 = L^2$. It is an equation for $L^4$.",
        r"The tangent is the part across over the part along. Put in your $L^2$: something drops out.",
    ],
    outputs=("length", "tangent"),
)


@equilibrium.stub
def settled(rate, decay, s):
    """Return the length of w that a step leaves as it is, and the tangent of its turn.

    Args:
        rate: η.
        decay: λ.
        s: the gradient's length times that of w.
    """


@equilibrium.reference
def settled_reference(rate, decay, s):
    """Along w the step leaves q L with q = 1 − ηλ; across, it goes η s/L. By Pythagoras

    L² = q² L² + η² s²/L², or L⁴ (1 − q²) = η² s². So L² = η s/√(1 − q²). The tangent is across
    over along, (η s/L)/(q L) = η s/(q L²) = √(1 − q²)/q: s has dropped out.
    """
    shrink = 1 - rate * decay
    length = (rate * s) ** 0.5 / (1 - shrink**2) ** 0.25
    return length, rate * s / length**2 / shrink


@equilibrium.inputs
def equilibrium_inputs(random):
    rate = random.number(0.2, 0.9)
    return rate, random.number(0.2, 0.8), random.number(0.5, 3.0)


@equilibrium.wrong(
    "nearly: for small ηλ, but the decay's square was dropped; make no approximation"
)
def settled_roughly(rate, decay, s):
    length = (rate * s**2 / (2 * decay)) ** 0.25
    return length, (2 * rate * decay) ** 0.5


@equilibrium.wrong(
    "that is the square of the length; or was the gradient's length taken for s? It is s/‖w‖"
)
def settled_square(rate, decay, s):
    shrink = 1 - rate * decay
    square = rate * s / (1 - shrink**2) ** 0.5
    return square, rate * s / square / shrink


@equilibrium.wrong("a step shortens w by the share ηλ, not λ: the rate multiplies both terms")
def settled_without_rate(rate, decay, s):
    shrink = 1 - decay
    length = (rate * s) ** 0.5 / (1 - shrink**2) ** 0.25
    return length, rate * s / length**2 / shrink


@equilibrium.wrong(
    "the length is right; along w, the decay has shortened what the part across is set against"
)
def settled_unshrunk(rate, decay, s):
    shrink = 1 - rate * decay
    length = (rate * s) ** 0.5 / (1 - shrink**2) ** 0.25
    return length, rate * s / length**2


@equilibrium.wrong("that is the angle itself: its tangent is asked for")
def settled_angle(rate, decay, s):
    shrink = 1 - rate * decay
    length = (rate * s) ** 0.5 / (1 - shrink**2) ** 0.25
    return length, math.atan(rate * s / length**2 / shrink)


# --- program --------------------------------------------------------------------------------

groups = Exercise(
    "normalization.group-norm",
    "Group normalisation in four lines",
    kind="program",
    effort=2,
    statement=r"""
    Write group normalisation for an input of shape $(B, C, S)$: the channels are cut into $G$ groups of
    neighbours, every group of every sample gets mean 0 and variance 1 over its channels and places, and then
    every channel has its scale and shift. Use means, not a ready-made normalisation.
    """,
    hints=[
        "Give the channels two axes for a while: which group, and which one in it.",
        r"Average over the last two of four axes, with `keepdim=True`. Then go back to three axes, for scale and "
        "shift belong to channels.",
    ],
    axes={"x": "B C S", "weight": "C", "bias": "C"},
)


@groups.stub
def group_norm(x, G, weight, bias, eps=1e-5):
    """Return the normalised input, shape (B, C, S).

    Args:
        x: the input, shape (B, C, S).
        G: how many groups; divides C.
        weight: γ, shape (C,).
        bias: β, shape (C,).
        eps: added to the variance.
    """


@groups.reference
def group_norm_reference(x, G, weight, bias, eps=1e-5):
    d = x.reshape(len(x), G, -1, x.shape[2])
    d = d - d.mean((2, 3), keepdim=True)
    x_hat = d / ((d * d).mean((2, 3), keepdim=True) + eps).sqrt()
    return x_hat.reshape(x.shape) * weight[:, None] + bias[:, None]


@groups.inputs
def groups_inputs(random):
    B, S = random.sizes(2)
    G, members = random.choice([(2, 3), (3, 2), (2, 2), (3, 3)])
    C = G * members
    x = 3 * random.normal(B, C, S, dtype=torch.float64) + 1
    return x, G, random.normal(C, dtype=torch.float64), random.normal(C, dtype=torch.float64), 0.1


@groups.wrong("the groups are neighbours: channels 1, 2, … together, not every G-th one")
def group_norm_interleaved(x, G, weight, bias, eps=1e-5):
    d = x.reshape(len(x), -1, G, x.shape[2])
    d = d - d.mean((1, 3), keepdim=True)
    x_hat = d / ((d * d).mean((1, 3), keepdim=True) + eps).sqrt()
    return x_hat.reshape(x.shape) * weight[:, None] + bias[:, None]


@groups.wrong(
    "the variance is the mean of the squares, over n and not n − 1: var takes correction=0"
)
def group_norm_unbiased(x, G, weight, bias, eps=1e-5):
    d = x.reshape(len(x), G, -1, x.shape[2])
    d = d - d.mean((2, 3), keepdim=True)
    x_hat = d / (d.var((2, 3), keepdim=True) + eps).sqrt()
    return x_hat.reshape(x.shape) * weight[:, None] + bias[:, None]


@groups.wrong("ε is added to the variance, under the root")
def group_norm_eps_outside(x, G, weight, bias, eps=1e-5):
    d = x.reshape(len(x), G, -1, x.shape[2])
    d = d - d.mean((2, 3), keepdim=True)
    x_hat = d / ((d * d).mean((2, 3), keepdim=True).sqrt() + eps)
    return x_hat.reshape(x.shape) * weight[:, None] + bias[:, None]


@groups.wrong("no sample may see another: average within each sample only")
def group_norm_over_batch(x, G, weight, bias, eps=1e-5):
    d = x.reshape(len(x), G, -1, x.shape[2])
    d = d - d.mean((0, 2, 3), keepdim=True)
    x_hat = d / ((d * d).mean((0, 2, 3), keepdim=True) + eps).sqrt()
    return x_hat.reshape(x.shape) * weight[:, None] + bias[:, None]


fold = Exercise(
    "normalization.fold",
    "Fold it away",
    kind="program",
    effort=2,
    statement=r"""
    In evaluation, batch normalisation after a linear layer is one affine map after another. Write
    `folded`, which returns the weights and biases of a single linear layer that computes both at once. The
    result is to be the same up to rounding.
    """,
    hints=[
        r"Write out $y_k$ for one unit, and sort it into what is multiplied by $\mathbf a$ and what is not.",
        "Unit $k$ is row $k$ of the weights.",
    ],
    axes={"W": "K D", "b": "K"},
    outputs=("folded_W", "folded_b"),
)


@fold.stub
def folded(W, b, mean, var, gamma, beta, eps):
    """Return weights (K, D) and biases (K,) of linear layer and batch normalisation in one.

    Args:
        W: the linear layer's weights, shape (K, D).
        b: its biases, shape (K,).
        mean: the running mean, shape (K,).
        var: the running variance, shape (K,).
        gamma: the scale, shape (K,).
        beta: the shift, shape (K,).
        eps: added to the variance.
    """


@fold.reference
def folded_reference(W, b, mean, var, gamma, beta, eps):
    """y = s (W a + b − μ*) + β with s = γ/√(σ*² + ε), a number for each unit: sort by a."""
    s = gamma / (var + eps).sqrt()
    return s[:, None] * W, s * (b - mean) + beta


@fold.inputs
def fold_inputs(random):
    K, D = random.sizes(2)

    def vector():
        return random.normal(K, dtype=torch.float64)

    var = random.uniform(0.5, 4, K, dtype=torch.float64)
    W = random.normal(K, D, dtype=torch.float64)
    return W, vector(), vector(), var, vector(), vector(), 0.1


@fold.wrong("the linear layer's own bias has been left out")
def folded_without_bias(W, b, mean, var, gamma, beta, eps):
    s = gamma / (var + eps).sqrt()
    return s[:, None] * W, beta - s * mean


@fold.wrong("the mean is subtracted before the scaling, so it is scaled, too")
def folded_unscaled_mean(W, b, mean, var, gamma, beta, eps):
    s = gamma / (var + eps).sqrt()
    return s[:, None] * W, s * b - mean + beta


@fold.wrong("the layer's own bias is there before the scaling, so it is scaled, too")
def folded_unscaled_bias(W, b, mean, var, gamma, beta, eps):
    s = gamma / (var + eps).sqrt()
    return s[:, None] * W, b - s * mean + beta


@fold.wrong("eps has been forgotten: it is added to the variance")
def folded_without_eps(W, b, mean, var, gamma, beta, eps):
    s = gamma / var.sqrt()
    return s[:, None] * W, s * (b - mean) + beta


@fold.wrong("divide by the standard deviation, the root of the variance")
def folded_variance(W, b, mean, var, gamma, beta, eps):
    s = gamma / (var + eps)
    return s[:, None] * W, s * (b - mean) + beta


@fold.wrong("the shift comes after the scale and is not scaled itself")
def folded_scaled_shift(W, b, mean, var, gamma, beta, eps):
    s = gamma / (var + eps).sqrt()
    return s[:, None] * W, s * (b - mean + beta)


# --- break ----------------------------------------------------------------------------------

faulty = Exercise(
    "normalization.faulty-layer",
    "Three faults in five lines",
    kind="break",
    effort=2,
    statement=r"""
    This batch normalisation trains well, and nobody noticed anything until evaluation. It is to do
    what `BatchNorm1d` does, but return the output and both running averages as new tensors. Three
    things are wrong with it. Mend them.
    """,
    hints=[
        "Which variance divides the batch, and which one is remembered?",
        "After many batches with a momentum of 0.1, how much of the last one should the averages hold?",
        "In evaluation, may anything depend on the batch?",
    ],
    axes={"x": "N D"},  # more than one sample: no B, which the check would set to 1
    outputs=("y", "running_mean", "running_var"),
)


@faulty.stub
def batch_norm(x, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """Return the output (B, D), and the new running mean and variance (D,).

    Args:
        x: the input, shape (B, D).
        running_mean: shape (D,).
        running_var: shape (D,).
        training: whether the batch's own statistics are used, and remembered.
        momentum: the share of the new value.
        eps: added to the variance.
    """
    mean, var = x.mean(0), x.var(0)
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = momentum * running_var + (1 - momentum) * var
    if not training:
        mean, var = running_mean, running_var
    return (x - mean) / (var + eps).sqrt(), running_mean, running_var


@faulty.reference
def batch_norm_reference(x, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0, correction=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(0)
    return (x - mean) / (var + eps).sqrt(), running_mean, running_var


@faulty.inputs
def faulty_inputs(random):
    B, D = random.sizes(2, low=3)
    x = 2 * random.normal(B, D, dtype=torch.float64) + 1
    var = random.uniform(0.5, 3, D, dtype=torch.float64)
    mean = random.normal(D, dtype=torch.float64)
    return x, mean, var, random.choice([True, False]), random.number(0.1, 0.4), 1e-5


@faulty.probe("training")
def faulty_training(random):
    B, D = random.sizes(2, low=3)
    x = 2 * random.normal(B, D, dtype=torch.float64) + 1
    return x, torch.zeros(D).double(), torch.ones(D).double(), True, 0.1, 1e-5


@faulty.probe("evaluation")
def faulty_evaluation(random):
    B, D = random.sizes(2, low=3)
    x = 2 * random.normal(B, D, dtype=torch.float64) + 1
    return x, torch.zeros(D).double(), torch.ones(D).double(), False, 0.1, 1e-5


@faulty.wrong("the momentum is still the share of the old value")
def batch_norm_momentum(x, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0, correction=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * x.var(0)
    return (x - mean) / (var + eps).sqrt(), running_mean, running_var


@faulty.wrong("in evaluation the batch still gets into the averages")
def batch_norm_remembers(x, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = x.mean(0), x.var(0, correction=0)
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_var = (1 - momentum) * running_var + momentum * x.var(0)
    if not training:
        mean, var = running_mean, running_var
    return (x - mean) / (var + eps).sqrt(), running_mean, running_var


@faulty.wrong("a batch is still divided by the spread with n − 1 below the line")
def batch_norm_unbiased(x, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var
    return (x - mean) / (var + eps).sqrt(), running_mean, running_var


@faulty.wrong("now the variance that is remembered lacks its n − 1")
def batch_norm_biased(x, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0, correction=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var
    return (x - mean) / (var + eps).sqrt(), running_mean, running_var


# --- extend ---------------------------------------------------------------------------------

machines = Exercise(
    "normalization.two-machines",
    "One batch on two machines",
    kind="extend",
    effort=2,
    statement=r"""
    A batch is so large that two machines share it, not necessarily evenly. Batch normalisation should
    use the statistics of the whole batch, but the machines can only exchange a few numbers a channel. Each
    sends how many samples it has, their means and their variances (with $n$ below the line). Write `merge`: the mean and
    variance of all samples together. Do not go by way of mean squares: far from 0 they cancel in single
    precision.
    """,
    hints=[
        "The mean first. It is a weighted mean.",
        r"A number's deviation from the common mean is its deviation from its own machine's mean, and a step from there "
        "to the common mean. Square, and sum: the mixed term is 0. Why?",
        r"Both steps can be written with the difference of the two means.",
    ],
    axes={"mean_a": "C", "var_a": "C", "mean_b": "C", "var_b": "C"},
    outputs=("mean", "var"),
)


@machines.stub
def merge(n_a, mean_a, var_a, n_b, mean_b, var_b):
    """Return mean and variance of two sets of samples together, each of shape (C,).

    Args:
        n_a: how many samples the first machine has, a whole number.
        mean_a: their means, shape (C,).
        var_a: their variances, with n_a below the line, shape (C,).
        n_b: the same of the second machine.
        mean_b: its means.
        var_b: its variances.
    """


@machines.reference
def merge_reference(n_a, mean_a, var_a, n_b, mean_b, var_b):
    """With p = n_b/n and δ = μ_b − μ_a, the mean is (1 − p) μ_a + p μ_b = μ_a + p δ.

    From a's mean to it, it is p δ; from b's, −(1 − p) δ. A deviation x − μ is (x − μ_a) − p δ;
    squared and summed over a, the mixed term has the factor ∑(x − μ_a) = 0. What is left is
    n_a (σ_a² + p² δ²), and n_b (σ_b² + (1 − p)² δ²) from b. Divided by n, the terms with δ² are
    (1 − p) p² + p (1 − p)² = p (1 − p).
    """
    share = n_b / (n_a + n_b)
    step = mean_b - mean_a
    mean = mean_a + share * step
    var = (1 - share) * var_a + share * var_b + share * (1 - share) * step * step
    return mean, var


@machines.inputs
def machines_inputs(random):
    a, b, C = random.sizes(3)
    x, y = random.normal(a, C), 2 * random.normal(b, C) + 1
    return a, x.mean(0), x.var(0, correction=0), b, y.mean(0), y.var(0, correction=0)


@machines.probe("means near 10,000")
def machines_far(random):
    a, b, C = random.sizes(3)
    x, y = random.normal(a, C), random.normal(b, C) + 1
    return a, x.mean(0) + 1e4, x.var(0, correction=0), b, y.mean(0) + 1e4, y.var(0, correction=0)


@machines.wrong("the machines' means differ, and that spread belongs to the variance, too")
def merge_without_between(n_a, mean_a, var_a, n_b, mean_b, var_b):
    share = n_b / (n_a + n_b)
    return mean_a + share * (mean_b - mean_a), (1 - share) * var_a + share * var_b


@machines.wrong("the machine with more samples has more to say")
def merge_evenly(n_a, mean_a, var_a, n_b, mean_b, var_b):
    step = mean_b - mean_a
    return (mean_a + mean_b) / 2, (var_a + var_b) / 2 + step * step / 4


@machines.wrong("the shares are exchanged")
def merge_exchanged(n_a, mean_a, var_a, n_b, mean_b, var_b):
    share = n_a / (n_a + n_b)
    step = mean_b - mean_a
    mean = mean_a + share * step
    return mean, (1 - share) * var_a + share * var_b + share * (1 - share) * step * step


@machines.wrong("right for ordinary inputs, but for means near 10,000", match=False)
def merge_by_squares(n_a, mean_a, var_a, n_b, mean_b, var_b):
    share = n_b / (n_a + n_b)
    mean = (1 - share) * mean_a + share * mean_b
    squares = (1 - share) * (var_a + mean_a**2) + share * (var_b + mean_b**2)
    return mean, squares - mean**2
