"""Exercises of the chapter "initialization"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook import init
from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

five_layers = Exercise(
    "initialization.five-layers",
    "Five layers of four hundred",
    kind="predict",
    effort=1,
    statement=r"""
    Five layers of 400 units each, without biases, get 400 inputs. All weights are drawn independently and evenly from the
    interval from $-0.1$ to $0.1$. By which factor is the mean square expected to be multiplied from the
    input to the output, if the units are linear? By which, if every layer ends with a ReLU? And which bound $b$ in
    place of 0.1 would keep the mean square through ReLU layers? Give the three numbers, three digits behind the
    point.
    """,
    hints=[
        r"A number spread evenly over $(-b, b)$ has the variance $b^2/3$.",
        "What is the factor of one layer? Five layers multiply five of them.",
    ],
    atol=0.0006,
)


@five_layers.stub
def factors_and_bound():
    """Return the factor for linear units, the factor for ReLU, and the bound: three numbers."""


@five_layers.reference
def factors_and_bound_reference():
    # a layer multiplies by D v with v = b²/3, and ReLU halves that; D b²/3 / 2 = 1 gives b
    linear = 400 * 0.1**2 / 3
    return (linear**5, (linear / 2) ** 5, math.sqrt(6 / 400))


five_layers.wrong_value(
    (4 / 3, 2 / 3, math.sqrt(6 / 400)), "that is the factor of one layer: there are five"
)
five_layers.wrong_value(
    (4.0**5, 2.0**5, math.sqrt(2 / 400)),
    "0.1 is the bound of the weights, not their standard deviation: U(−b, b) has variance b²/3",
)
five_layers.wrong_value(
    ((4 / 3) ** 5, (4 / 3) ** 5, math.sqrt(3 / 400)),
    "a ReLU hands on only half of the mean square, in every layer",
)
five_layers.wrong_value(
    ((4 / 3) ** 2.5, (2 / 3) ** 2.5, math.sqrt(6 / 400)),
    "those are the factors of the root mean square: asked are those of the mean square",
)

first_loss = Exercise(
    "initialization.first-loss",
    "What the first loss ought to be",
    kind="predict",
    effort=1,
    statement=r"""
    In a screening, nine samples of ten belong to class A and one to class B. A network with two logits is trained with the
    cross-entropy. Give three numbers, three digits behind the point: its cost before training if the last
    layer starts with zero weights and zero biases; the lowest cost that it could start with, if the weights of the
    last layer are zero but its biases may be chosen; and the bias of A minus the bias of B that achieves it.
    """,
    hints=[
        "With zero weights the logits are the biases, whatever the input. Which probabilities come from two zeros?",
        "A constant prediction is best when it says the frequencies. Softmax of two logits depends on their "
        "difference only.",
    ],
    atol=0.0006,
)


@first_loss.stub
def losses_and_bias():
    """Return the first cost, the lowest cost, and the difference of the biases."""


@first_loss.reference
def losses_and_bias_reference():
    lowest = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    return (math.log(2), lowest, math.log(9))


first_loss.wrong_value(
    (math.log(2), -math.log(0.9), math.log(9)),
    "the second is the loss of a sample of class A: the tenth of the samples in B pays, too",
)
first_loss.wrong_value(
    (1.0, 0.4689955935892812, 3.169925001442312), "logarithms are natural here, not to base 2"
)
first_loss.wrong_value(
    (math.log(2), 0.3250829733914482, 0.8),
    "0.8 is the difference of the probabilities: the logits differ by the logarithm of their ratio",
)
first_loss.wrong_value(
    (math.log(2), 0.3250829733914482, -math.log(9)), "the frequent class needs the larger bias"
)

# --- derive ---------------------------------------------------------------------------------

three_gains = Exercise(
    "initialization.three-gains",
    "Three more gains",
    kind="derive",
    effort=2,
    statement=r"""
    Weights are drawn with the standard deviation $\text{gain}/\sqrt D$. Which gain keeps the mean square of the
    activations, exactly, for each of these units?
    *Folded*: $a = \lvert z\rvert$. *Maxout*: $a = \max(z, z')$, where $z$ and $z'$ are two weighted sums of the same inputs, with weights of
    their own. *Thinned*: $a$ is a ReLU of $z$, but each output is replaced by 0 with probability ½, by a coin of its
    own. Weights are symmetric: $\mathbf w$ and $-\mathbf w$ are equally likely. Give three numbers, three digits behind
    the point.
    """,
    hints=[
        r"The question is always which share of $\operatorname{E}[z^2]$ is left.",
        r"For the second: what is $\max(z, z')^2 + \min(z, z')^2$? And how is $\min(z, z')$ related to "
        r"$\max(-z, -z')$?",
    ],
    atol=0.0006,
)


@three_gains.stub
def folded_maxout_thinned():
    """Return the gains for the folded, the maxout and the thinned unit: three numbers."""


@three_gains.reference
def folded_maxout_thinned_reference():
    # Folded: |z|² = z², nothing is lost. Maxout: max² + min² = z² + z'², and min(z, z') is
    # -max(-z, -z'), which with symmetric weights has the square of max in expectation: each has a
    # half of two, E[max²] = E[z²]. Thinned: ReLU leaves a half, the coin a half of that: gain² = 4.
    return (1.0, 1.0, 2.0)


three_gains.wrong_value(
    (math.sqrt(2), 1, 2), "folding drops nothing: the square of |z| is the square of z"
)
three_gains.wrong_value(
    (1, math.sqrt(2), 2),
    "is the second a ReLU? It is so only if the other sum is 0: look at both squares together",
)
three_gains.wrong_value(
    (1, math.sqrt(0.5), 2),
    "maxout does not have both squares, only the larger number's: which share do the two have?",
)
three_gains.wrong_value(
    (1, 1, math.sqrt(2)), "thinning takes a half of what the ReLU has left, and that was a half"
)
three_gains.wrong_value(
    (1, 1, 4), "a gain multiplies standard deviations: its square mends the mean square"
)

zigzag = Exercise(
    "initialization.zigzag",
    "A compromise that compromises both",
    kind="derive",
    effort=2,
    statement=r"""
    In a network of linear units, a layer of $M$ units follows one of $D$, then comes one of $D$ again, then one of $M$, and
    so on. All weights are drawn by Xavier's rule. By which factor is the mean square of the activations expected to
    be multiplied by a *pair* of layers, from $D$ units through $M$ to $D$? By which is that of the cotangents, on the way
    back through the pair? Write `pair_factors(D, M)`. (Then compare with weights of variance 1/fan-in, for $M = 4D$ and
    ten pairs.)
    """,
    hints=[
        "Both layers have the same variance, as fan-in and fan-out only change places.",
        "Forwards, the first layer adds up $D$ products and the second $M$. Backwards?",
    ],
    outputs=("forward", "backward"),
)


@zigzag.stub
def pair_factors(D, M):
    """Return the factors of the mean square through two layers, forwards and backwards.

    Args:
        D: units before and after the pair.
        M: units in between.
    """


@zigzag.reference
def pair_factors_reference(D, M):
    # fan-in and fan-out are D and M, then M and D: both layers have v = 2/(D + M). Forwards the sums
    # have D and then M terms, backwards M and then D: the same product, at most 1, 1 for D = M only.
    # With 1/fan-in it is 1 forwards; backwards M/D and then D/M, 1 as well.
    variance = 2 / (D + M)
    return D * variance * M * variance, M * variance * D * variance


@zigzag.inputs
def zigzag_inputs(random):
    return random.integer(10, 60), random.integer(70, 300)


@zigzag.wrong("a compromise between 1/D and 1/M is neither: compute what each layer multiplies by")
def pair_factors_one(D, M):
    return 1.0, 1.0


@zigzag.wrong("the second layer's sums run over M inputs, not over D again")
def pair_factors_same(D, M):
    return (2 * D / (D + M)) ** 2, (2 * M / (D + M)) ** 2


@zigzag.wrong("that is the first layer alone: a pair has two")
def pair_factors_single(D, M):
    return 2 * D / (D + M), 2 * M / (D + M)


@zigzag.wrong("that is the factor of the root mean square: leave out the root")
def pair_factors_root(D, M):
    return 2 * math.sqrt(D * M) / (D + M), 2 * math.sqrt(D * M) / (D + M)


branch = Exercise(
    "initialization.branches",
    "Shortcuts that add up",
    kind="derive",
    effort=2,
    statement=r"""
    A *residual* block adds to its input what a branch of layers makes of it: $\mathbf x' = \mathbf x + s\,f(\mathbf x)$. The branch is
    initialised such that $\operatorname{E}[f(\mathbf x)_i^2] = \operatorname{E}[x_i^2]$; its last layer has weights of its own, of mean 0. With
    $s = 1$, twenty such blocks multiply the mean square by about a million. Which $s > 0$ makes $L$ blocks multiply it by a
    given factor, `growth`, altogether? Write `branch_scale(L, growth)`.
    """,
    hints=[
        r"Multiply out $(x_i + s\,f_i)^2$. What is the mean of the mixed term, if $f_i$ is a sum with weights of mean 0 "
        r"that know nothing of $x_i$?",
        "Find the factor of one block, and set its power equal to the growth.",
    ],
)


@branch.stub
def branch_scale(L, growth):
    """Return s, such that L blocks multiply the mean square by growth (a number above 1)."""


@branch.reference
def branch_scale_reference(L, growth):
    # E[(x + s f)²] = E[x²] + 2 s E[x f] + s² E[f²] = (1 + s²) E[x²], since E[x f] = 0: the last
    # layer's weights have mean 0 and know nothing of x. So (1 + s²)^L = growth.
    return math.sqrt(growth ** (1 / L) - 1)


@branch.inputs
def branch_inputs(random):
    return random.integer(5, 60), random.number(1.5, 6.0)


@branch.wrong("the block multiplies by 1 + s², not by 1 + s: the branch's square counts")
def branch_scale_square(L, growth):
    return growth ** (1 / L) - 1


@branch.wrong("the block multiplies by 1 + s², not by (1 + s)²: the mixed term has the mean 0")
def branch_scale_mixed(L, growth):
    return growth ** (1 / (2 * L)) - 1


@branch.wrong("nearly, for many blocks; but factors are multiplied, not added: take the L-th root")
def branch_scale_sum(L, growth):
    return math.sqrt((growth - 1) / L)


@branch.wrong("a block without its shortcut would multiply by s²; the shortcut adds a 1")
def branch_scale_no_shortcut(L, growth):
    return math.sqrt(growth ** (1 / L))


# --- program --------------------------------------------------------------------------------

he_bug = Exercise(
    "initialization.he-for-kernels",
    "Find the bug: a rule that fits matrices only",
    kind="program",
    effort=1,
    statement=r"""
    The function below turns standard normal noise into weights for a layer with ReLU, such that the mean square of the activations is kept on the way
    *forwards*. It is right for a matrix of shape $(K, D)$. But the weights of
    a layer for images have the shape $(K, C, H, W)$, or even more axes: each of the $K$ outputs adds up $C\cdot H\cdot W$ products. Mend the function, so that it fits
    weights with any number of axes, the first of which counts the outputs.
    """,
    hints=[
        "Which number under the root counts the products that are added up?",
        "How many entries of the noise belong to one output?",
    ],
)


@he_bug.stub
def he_weights(noise):
    """Return weights of the shape of the noise, scaled for ReLU by He's rule, forwards."""
    return noise * math.sqrt(2 / noise.shape[1])


@he_bug.reference
def he_weights_reference(noise):
    return noise * math.sqrt(2 / noise[0].numel())


@he_bug.inputs
def he_bug_inputs(random):
    axes = random.choice([2, 4, 4, 5])
    return (random.normal(*random.sizes(axes)),)


@he_bug.wrong("outputs are counted, not the products that one output adds up: that is fan-out")
def he_weights_outputs(noise):
    return noise * math.sqrt(2 / noise.shape[0])


@he_bug.wrong("that keeps the mean square backwards: fan-out, where fan-in is asked")
def he_weights_backward(noise):
    return noise * math.sqrt(2 / noise[:, 0].numel())


@he_bug.wrong("half the mean square is lost in each layer: where is the 2 for ReLU?")
def he_weights_linear(noise):
    return noise * math.sqrt(1 / noise[0].numel())


@he_bug.wrong("2/fan-in is the variance: noise has to be multiplied by its root")
def he_weights_variance(noise):
    return noise * 2 / noise[0].numel()


by_data = Exercise(
    "initialization.scaled-by-data",
    "Ask the data for the scale",
    kind="program",
    effort=2,
    statement=r"""
    Where no formula fits, measure. Given a batch $\mathbf X$ and a list of weight matrices for layers with ReLU and no biases, multiply each matrix
    by a positive number of its own such that, on this batch, the pre-activations of *every* layer have the mean square 1, over all samples and units. Return the new matrices
    in a list. (The first layer gets $\mathbf X$ itself; the matrices given stay as they are. But for the mean square, where theirs is the variance, this is the second step of what Mishkin and Matas propose, cited on the page; their first is orthogonal matrices.)
    """,
    hints=[
        "Begin with the first layer. Multiplying its matrix by a number multiplies its pre-activations by it.",
        "The second layer has to be measured with what the *mended* first layer hands on.",
    ],
    axes={"X": "B D"},
)


@by_data.stub
def scale_by_data(X, weights):
    """Return the matrices, each scaled so that its layer's pre-activations have mean square 1.

    Args:
        X: a batch, shape (B, D).
        weights: matrices of shapes (M1, D), (M2, M1), …

    Returns:
        A list of as many matrices of the same shapes.
    """


@by_data.reference
def scale_by_data_reference(X, weights):
    scaled = []
    for W in weights:
        W = W / (X @ W.mT).square().mean().sqrt()
        scaled.append(W)
        X = torch.relu(X @ W.mT)
    return scaled


@by_data.inputs
def by_data_inputs(random):
    B, D, first, second, third = random.sizes(5)
    shapes = [(first + 2, D + 1), (second + 3, first + 2), (third + 1, second + 3)]
    X = random.normal(B + 4, D + 1, dtype=torch.float64)
    return X, [random.number(0.1, 3.0) * random.normal(*s, dtype=torch.float64) for s in shapes]


@by_data.wrong("from the second layer on: measure with what the scaled layers before hand on")
def scale_by_data_unscaled(X, weights):
    scaled = []
    for W in weights:
        Z = X @ W.mT
        scaled.append(W / Z.square().mean().sqrt())
        X = torch.relu(Z)
    return scaled


@by_data.wrong("divided by the mean square itself: pre-activations scale with the root")
def scale_by_data_squared(X, weights):
    scaled = []
    for W in weights:
        W = W / (X @ W.mT).square().mean()
        scaled.append(W)
        X = torch.relu(X @ W.mT)
    return scaled


@by_data.wrong("that gives the activations the mean square 1: asked are the pre-activations")
def scale_by_data_after(X, weights):
    scaled = []
    for W in weights:
        W = W / torch.relu(X @ W.mT).square().mean().sqrt()
        scaled.append(W)
        X = torch.relu(X @ W.mT)
    return scaled


@by_data.wrong("mean square, not variance: the mean of the pre-activations counts, too")
def scale_by_data_spread(X, weights):
    scaled = []
    for W in weights:
        W = W / (X @ W.mT).std(correction=0)
        scaled.append(W)
        X = torch.relu(X @ W.mT)
    return scaled


@by_data.wrong("the ReLU between the layers is missing")
def scale_by_data_linear(X, weights):
    scaled = []
    for W in weights:
        W = W / (X @ W.mT).square().mean().sqrt()
        scaled.append(W)
        X = X @ W.mT
    return scaled


@by_data.wrong("one number for each matrix: every row has been given a scale of its own")
def scale_by_data_rows(X, weights):
    scaled = []
    for W in weights:
        W = W / (X @ W.mT).square().mean(0).sqrt()[:, None]
        scaled.append(W)
        X = torch.relu(X @ W.mT)
    return scaled


# --- break ----------------------------------------------------------------------------------

mirror = Exercise(
    "initialization.mirror-units",
    "Unequal units that never part",
    kind="break",
    effort=2,
    statement=r"""
    A network with two inputs, two hidden tanh units without biases and one linear output, $\hat y = v_1\tanh(\mathbf w_1\cdot\mathbf x) + v_2\tanh(\mathbf w_2\cdot\mathbf x)$, is
    trained by gradient descent under the squared error. Find starting values for its six weights, no two nearer to each other than 0.1 and none nearer to 0, such that the second hidden unit is useless:
    after 500 steps with the learning rate 0.1, on data that the check makes up, the network computes no
    more than a network with a single hidden unit could. Return `W`, two rows of two numbers, and `v`, two numbers.
    """,
    hints=[
        r"Equal units stay equal, as the page proves. Which other relation between two units would gradients "
        "respect?",
        r"tanh is odd: $\tanh(-z) = -\tanh z$.",
    ],
)


@mirror.stub
def twins():
    """Return W, a list of two rows of two numbers, and v, a list of two numbers."""


@mirror.reference
def twins_reference():
    return [[0.3, 0.7], [-0.3, -0.7]], [0.5, -0.5]


@mirror.judge
def mirror_judge(got):
    try:
        W, v = (torch.as_tensor(part, dtype=torch.float64) for part in got)
    except (TypeError, ValueError, RuntimeError):
        return "expected W, two rows of two numbers, and v, two numbers"
    if W.shape != (2, 2) or v.shape != (2,):
        return "expected W, two rows of two numbers, and v, two numbers"
    numbers = torch.cat([W.flatten(), v])
    if not bool((numbers.abs() >= 0.1).all()) or not bool(numbers.isfinite().all()):
        return "one of the six numbers is nearer to 0 than 0.1, or is none"
    if float(numbers.sort().values.diff().min()) < 0.1 - 1e-9:
        return "two of the six numbers are nearer to each other than 0.1"
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(40, 2, generator=generator, dtype=torch.float64)
    y = torch.tanh(2 * X[:, 0] - X[:, 1]) - 0.5 * torch.tanh(X[:, 0] + 3 * X[:, 1])
    for _ in range(500):
        A = torch.tanh(X @ W.T)
        error = (A @ v - y) / len(X)
        D = error[:, None] * v * (1 - A * A)
        v, W = v - 0.1 * A.T @ error, W - 0.1 * D.T @ X
    if not bool(W.isfinite().all()):
        return "from there the training diverges"
    first, second = torch.tanh(X @ W.T).T
    apart = min((first - second).abs().max().item(), (first + second).abs().max().item())
    if apart > 1e-6:
        return "after 500 steps the two units compute different things"
    return None


mirror.wrong_value(
    ([[0.3, 0.7], [0.3, 0.7]], [0.5, -0.5]),
    "two of the six numbers are nearer to each other than 0.1",
)
mirror.wrong_value(
    ([[0.3, 0.7], [-0.3, -0.7]], [0.5, -0.4]),
    "after 500 steps the two units compute different things",
)
mirror.wrong_value(
    ([[0.3, 0.01], [-0.3, -0.01]], [0.5, -0.5]),
    "one of the six numbers is nearer to 0 than 0.1, or is none",
)

# --- extend ---------------------------------------------------------------------------------

edge = Exercise(
    "initialization.edge",
    "The edge of chaos",
    kind="extend",
    effort=3,
    statement=r"""
    In a deep network of wide tanh layers, weights are drawn with the variance $\text{gain}^2/D$ and biases with the
    variance $\sigma_b^2$, all independent, of mean 0. A bias adds $\sigma_b^2$ to the mean square of every
    pre-activation, and enters the formula of the backward factor only through it. For a gain above 1 there is one $\sigma_b$ such that, once the
    mean square of the pre-activations no longer changes from layer to layer, the cotangents keep theirs as well. Write `bias_at_the_edge(gain)`, which returns
    $\sigma_b$ with a relative error below 0.001 (don't round it). `init.gaussian_mean` may be used. (With smaller biases, cotangents then grow from layer to layer, with larger ones they shrink. The line
    between, found by Poole and others, is where Schoenholz and others could train the deepest networks; both are cited on the page.)
    """,
    hints=[
        r"First forget the biases: for which mean square $q$ of the pre-activations is the backward factor 1? It falls as $q$ grows.",
        r"Halve an interval again and again: with $q$ near 0 the factor is about $\text{gain}^2$, with a large $q$ below 1.",
        r"Then ask which $\sigma_b^2$ makes this $q$ come back after a layer.",
    ],
    rtol=1e-3,
    trials=3,
    seconds=60,
)


@edge.stub
def bias_at_the_edge(gain):
    """Return the standard deviation of the biases at which a deep tanh network keeps both.

    Args:
        gain: the standard deviation of the weights times the root of their fan-in, above 1.
    """


@edge.reference
def bias_at_the_edge_reference(gain):
    def backward(q):
        return gain**2 * init.gaussian_mean(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q)

    # the cotangents keep their scale where gain² E[tanh'²] = 1
    low, high = 0.0, 1.0
    while backward(high) > 1:
        high *= 2
    for _ in range(50):
        q = (low + high) / 2
        low, high = (q, high) if backward(q) > 1 else (low, q)
    # and this q is at rest if q = gain² E[tanh²] + σ_b²
    return math.sqrt(q - gain**2 * init.gaussian_mean(lambda z: torch.tanh(z) ** 2, q))


@edge.inputs
def edge_inputs(random):
    return (random.number(1.3, 2.5),)


@edge.wrong("that is the variance of the biases: asked is their standard deviation")
def bias_at_the_edge_variance(gain):
    low, high = 0.0, 100.0
    for _ in range(50):
        q = (low + high) / 2
        factor = gain**2 * init.gaussian_mean(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q)
        low, high = (q, high) if factor > 1 else (low, q)
    return q - gain**2 * init.gaussian_mean(lambda z: torch.tanh(z) ** 2, q)


@edge.wrong("the backward factor holds the mean of the squared slope, not of the slope")
def bias_at_the_edge_slope(gain):
    low, high = 0.0, 1e3
    for _ in range(60):
        q = (low + high) / 2
        factor = gain**2 * init.gaussian_mean(lambda z: 1 - torch.tanh(z) ** 2, q)
        low, high = (q, high) if factor > 1 else (low, q)
    return math.sqrt(max(q - gain**2 * init.gaussian_mean(lambda z: torch.tanh(z) ** 2, q), 0))


@edge.wrong("that is the root of q, the scale of the pre-activations; the weights give part of it")
def bias_at_the_edge_scale(gain):
    low, high = 0.0, 100.0
    for _ in range(50):
        q = (low + high) / 2
        factor = gain**2 * init.gaussian_mean(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q)
        low, high = (q, high) if factor > 1 else (low, q)
    return math.sqrt(q)


@edge.wrong("the gain counts on the way forwards, too: the weights hand on gain² · E[tanh²]")
def bias_at_the_edge_no_gain(gain):
    low, high = 0.0, 100.0
    for _ in range(50):
        q = (low + high) / 2
        factor = gain**2 * init.gaussian_mean(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q)
        low, high = (q, high) if factor > 1 else (low, q)
    return math.sqrt(q - init.gaussian_mean(lambda z: torch.tanh(z) ** 2, q))
