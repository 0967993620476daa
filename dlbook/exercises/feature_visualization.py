"""Exercises of the chapter "feature-visualization"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import itertools

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

opinions = Exercise(
    "feature-visualization.three-opinions",
    "Three opinions on one pixel",
    kind="predict",
    effort=1,
    statement=r"""
    An image has two pixels, and a network the score
    $S = \max(0,\ 2x_1 - x_2 - 1) - \max(0,\ x_2 - x_1)$. The image is $(2, 1)$. What does the *first* pixel
    get: by the derivative of $S$; by covering it with 0; by integrated gradients from the blank image
    $(0, 0)$? Give three numbers; three digits behind the point are enough.
    """,
    hints=[
        "Which of the two rectifiers lets something through, at the image and when the pixel is covered?",
        r"On the way $\alpha\,(2, 1)$, from which $\alpha$ on is the first rectifier open? And the second?",
    ],
    atol=0.0006,
)


@opinions.stub
def three_opinions():
    """Return what derivative, covering and integrated gradients give: three numbers."""


@opinions.reference
def three_opinions_reference():
    """At (2, 1) the first sum is 2 and the second −1: only the first rectifier is open, and the
    derivative by x₁ is 2. The score is 2. Covered, the image is (0, 1): the first sum is −2, the
    second 1, the score −1. So covering costs 2 − (−1) = 3. On the way α(2, 1) the first sum is
    3α − 1, open from α = 1/3 on, and the second is −α, never open. The mean slope by x₁ is
    2 · 2/3 = 4/3, and the share 2 · 4/3 = 8/3. (The second pixel gets −2/3: together 2, the score.)
    """
    return (2, 3, 8 / 3)


opinions.wrong_value(
    (2, 2, 8 / 3), "look at the second rectifier when the first pixel is covered: it opens"
)
opinions.wrong_value(
    (2, 3, 4), "the slope is not the same on the whole way: the first rectifier opens later"
)
opinions.wrong_value(
    (2, 3, 4 / 3), "that is the mean slope on the way: the pixel has still to be moved along it"
)
opinions.wrong_value((4, 3, 8 / 3), "the first is the derivative alone, not times the pixel")

# --- derive ---------------------------------------------------------------------------------

no_biases = Exercise(
    "feature-visualization.no-biases",
    "Integrated gradients without an integral",
    kind="derive",
    effort=2,
    statement=r"""
    A network of dense or convolutional layers *without biases*, with rectifiers between them and nothing behind
    the last layer, has at the image $\mathbf x$ the derivative $\mathbf g = \partial S/\partial\mathbf x$. No sum before a rectifier
    is exactly 0. Derive the integrated gradients from the blank image, exactly, from $\mathbf x$ and $\mathbf g$ alone, and
    write them as `exact_shares(x, g)`.
    """,
    hints=[
        r"Compare the sums before the first rectifiers for $\mathbf x$ and for $\alpha\mathbf x$, $\alpha > 0$. Which of them "
        "change their sign?",
        r"So which rectifiers are open at $\alpha\mathbf x$? What does that say of the derivative there?",
    ],
    axes={"x": "H W", "g": "H W"},
)


@no_biases.stub
def exact_shares(x, g):
    """Return the integrated gradients from the blank image, shape (H, W).

    Args:
        x: the image, shape (H, W).
        g: the derivative of the score at the image, shape (H, W).
    """


@no_biases.reference
def exact_shares_reference(x, g):
    """Without biases the sums of the first layer for αx are α times those for x, of the same signs
    since α > 0. A rectifier of αz is α times the rectifier of z. So the second layer's sums are
    multiplied by α, too, and so on upwards: at αx exactly those rectifiers are open that are open
    at x. The derivative depends on the weights and on which rectifiers are open, so it is g on the
    whole way (but for the single point α = 0, which an integral does not see). The mean of g over
    the way is g, and the shares are (x − 0) times g.
    """
    return x * g


@no_biases.inputs
def no_biases_inputs(random):
    H, W = random.sizes(2)
    return random.uniform(0, 1, H, W, dtype=torch.float64), random.normal(H, W, dtype=torch.float64)


@no_biases.wrong("that is the mean slope on the way: each pixel has still to be moved along it")
def exact_shares_slope(x, g):
    return g.clone()


@no_biases.wrong("the slope does not grow from 0 on the way: which rectifiers are open at αx?")
def exact_shares_half(x, g):
    return x * g / 2


@no_biases.wrong("shares have signs: what speaks against the class is negative")
def exact_shares_size(x, g):
    return (x * g).abs()


@no_biases.wrong("shares have signs: nothing is thrown away, or they would not add up to the score")
def exact_shares_positive(x, g):
    return (x * g).clamp(min=0)


mean_head = Exercise(
    "feature-visualization.mean-head",
    "Where Grad-CAM is exact",
    kind="derive",
    effort=2,
    statement=r"""
    A network ends like this: each of its last feature maps $A_k$, with $h \times w$ places, is replaced by its mean, and
    a dense layer turns these means into the scores $S_c = b_c + \sum_k W_{ck}\,\mathrm{mean}(A_k)$. Derive Grad-CAM's
    map on the maps $A$ and write it as `cam(A, W, c)`, without any derivative taken by a machine.
    (Without its last step, the map would add up to $S_c - b_c$: no place is mixed up with another.)
    """,
    hints=[
        r"By how much does $S_c$ change for each unit of a single $A_{kij}$?",
        "Is that the same at all places of a map? Then what is its mean over the places?",
    ],
    axes={"A": "k h w", "W": "K k"},
)


@mean_head.stub
def cam(A, W, c):
    """Return Grad-CAM's map, shape (h, w).

    Args:
        A: the feature maps, shape (k, h, w).
        W: the weights of the dense layer, shape (K, k).
        c: the class, an integer.
    """


@mean_head.reference
def cam_reference(A, W, c):
    """One entry of map k takes part in its mean with the factor 1/(hw), so the derivative of S_c by
    it is W[c, k]/(hw), at every place. The mean of equal numbers is that number: the weight of map
    k is W[c, k]/(hw). Add up the maps with these weights, and keep what is positive. (Before that,
    the map's sum over the places is the sum over k of W[c, k] times the mean of map k: S_c − b_c.)
    """
    h, w = A.shape[1:]
    return torch.einsum("k,khw->hw", W[c], A).clamp(min=0) / (h * w)


@mean_head.inputs
def mean_head_inputs(random):
    h, w, k, K = random.sizes(4)
    A = random.normal(k, h, w, dtype=torch.float64).clamp(min=0)
    return A, random.normal(K, k, dtype=torch.float64), random.integer(0, K - 1)


@mean_head.wrong("the last step is missing: Grad-CAM keeps what is positive")
def cam_signed(A, W, c):
    h, w = A.shape[1:]
    return torch.einsum("k,khw->hw", W[c], A) / (h * w)


@mean_head.wrong(
    "one entry is only one of hw in its mean: its derivative is smaller than the weight"
)
def cam_unscaled(A, W, c):
    return torch.einsum("k,khw->hw", W[c], A).clamp(min=0)


@mean_head.wrong(
    "add up the maps first, then keep what is positive: a map may speak against the class"
)
def cam_early(A, W, c):
    h, w = A.shape[1:]
    return (W[c][:, None, None] * A).clamp(min=0).sum(0) / (h * w)


@mean_head.wrong("that is the mean of the weights times the maps: each map has its own weight")
def cam_one_weight(A, W, c):
    h, w = A.shape[1:]
    return (W[c].mean() * A.sum(0)).clamp(min=0) / (h * w)


rough = Exercise(
    "feature-visualization.rough-slope",
    "The slope of roughness",
    kind="derive",
    effort=2,
    statement=r"""
    The total variation of an image with one channel is
    $R(x) = \sum (x_{h,w+1} - x_{hw})^2 + \sum (x_{h+1,w} - x_{hw})^2$, each sum over all pairs of neighbours
    inside the image. Derive its gradient, and write it as `rough_slope(x)` without a loop over the pixels. What
    does a step against this gradient do to a single dark pixel on white paper?
    """,
    hints=[
        r"In how many squares does the pixel $x_{hw}$ stand, and with which sign?",
        "Begin with zeros. Every difference of two neighbours adds something to the one and takes the "
        "same from the other.",
    ],
    axes={"x": "H W"},
)


@rough.stub
def rough_slope(x):
    """Return the gradient of the total variation, shape (H, W).

    Args:
        x: an image, shape (H, W).
    """


@rough.reference
def rough_slope_reference(x):
    """The square of d = x[h, w+1] − x[h, w] changes by 2d for each unit of x[h, w+1] and by −2d for
    each unit of x[h, w]; likewise downwards. A pixel stands in as many squares as it has
    neighbours, so its slope is twice the sum of its differences from them. Of a single dark pixel
    of value v on white, with four neighbours, the slope is 8v, and each neighbour's is −2v: a step
    against it makes the pixel paler and its neighbours darker. It spreads, as ink does.
    """
    slope = torch.zeros_like(x)
    along, down = x[:, 1:] - x[:, :-1], x[1:] - x[:-1]
    slope[:, 1:] += 2 * along
    slope[:, :-1] -= 2 * along
    slope[1:] += 2 * down
    slope[:-1] -= 2 * down
    return slope


@rough.inputs
def rough_inputs(random):
    H, W = random.sizes(2)
    return (random.normal(H + 1, W + 1, dtype=torch.float64),)


@rough.wrong("the derivative of d² is 2d")
def rough_slope_half(x):
    slope = torch.zeros_like(x)
    along, down = x[:, 1:] - x[:, :-1], x[1:] - x[:-1]
    slope[:, 1:] += along
    slope[:, :-1] -= along
    slope[1:] += down
    slope[:-1] -= down
    return slope


@rough.wrong("a pixel stands in the differences to its left and upper neighbours, too")
def rough_slope_one_side(x):
    slope = torch.zeros_like(x)
    along, down = x[:, 1:] - x[:, :-1], x[1:] - x[:-1]
    slope[:, :-1] -= 2 * along
    slope[:-1] -= 2 * down
    return slope


@rough.wrong("the image does not go on around its edges: a pixel there has fewer neighbours")
def rough_slope_around(x):
    near = x.roll(1, 0) + x.roll(-1, 0) + x.roll(1, 1) + x.roll(-1, 1)
    return 2 * (4 * x - near)


@rough.wrong("beyond the edge there is no blank paper: a pixel there has fewer neighbours")
def rough_slope_blank_edge(x):
    wide = torch.zeros(x.shape[0] + 2, x.shape[1] + 2, dtype=x.dtype)
    wide[1:-1, 1:-1] = x
    near = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return 2 * (4 * x - near)


# --- program --------------------------------------------------------------------------------

by_hand = Exercise(
    "feature-visualization.guided-by-hand",
    "Guided backpropagation, by hand",
    kind="program",
    effort=2,
    statement=r"""
    The score is $S = \mathbf v\cdot\mathrm{relu}(\mathbf W_2\,\mathrm{relu}(\mathbf W_1\mathbf x))$. Write guided backpropagation to
    $\mathbf x$, as in {eq}`feature-visualization-guided`, with matrix products and comparisons only, without autodiff.
    """,
    hints=[
        "Write the plain backward pass first: from v downwards, through a rectifier, through a matrix, "
        "through a rectifier, through a matrix.",
        "At each of the two rectifiers two conditions decide what passes: one from the forward pass, one "
        "on what arrives.",
    ],
    axes={"W1": "H D", "W2": "M H", "v": "M", "x": "D"},
)


@by_hand.stub
def guided(W1, W2, v, x):
    """Return the guided cotangent of x, shape (D,).

    Args:
        W1: weights of the first layer, shape (H, D).
        W2: weights of the second, shape (M, H).
        v: weights of the score, shape (M,).
        x: the input, shape (D,).
    """


@by_hand.reference
def guided_reference(W1, W2, v, x):
    z1 = W1 @ x
    z2 = W2 @ z1.clamp(min=0)
    z2_bar = (z2 > 0) * v.clamp(min=0)
    z1_bar = (z1 > 0) * (W2.T @ z2_bar).clamp(min=0)
    return W1.T @ z1_bar


@by_hand.inputs
def by_hand_inputs(random):
    D, H, M = random.sizes(3)
    return (
        random.normal(H + 4, D, dtype=torch.float64),
        random.normal(M + 4, H + 4, dtype=torch.float64),
        random.normal(M + 4, dtype=torch.float64),
        random.normal(D, dtype=torch.float64),
    )


@by_hand.wrong("that is the derivative itself: nothing has been thrown away")
def guided_plain(W1, W2, v, x):
    z1 = W1 @ x
    z2 = W2 @ z1.clamp(min=0)
    return W1.T @ ((z1 > 0) * (W2.T @ ((z2 > 0) * v)))


@by_hand.wrong("the rule holds at the rectifiers: at the pixels nothing more is thrown away")
def guided_at_the_end(W1, W2, v, x):
    z1 = W1 @ x
    z2 = W2 @ z1.clamp(min=0)
    return (W1.T @ ((z1 > 0) * (W2.T @ ((z2 > 0) * v)))).clamp(min=0)


@by_hand.wrong("there is no rectifier at the pixels: a share of theirs may be negative")
def guided_once_more(W1, W2, v, x):
    z1 = W1 @ x
    z2 = W2 @ z1.clamp(min=0)
    z2_bar = (z2 > 0) * v.clamp(min=0)
    return (W1.T @ ((z1 > 0) * (W2.T @ z2_bar).clamp(min=0))).clamp(min=0)


@by_hand.wrong("the upper rectifier is a rectifier, too: what arrives at it is v")
def guided_lower_only(W1, W2, v, x):
    z1 = W1 @ x
    z2 = W2 @ z1.clamp(min=0)
    return W1.T @ ((z1 > 0) * (W2.T @ ((z2 > 0) * v)).clamp(min=0))


@by_hand.wrong("a rectifier that was closed on the way up passes nothing on the way down")
def guided_no_mask(W1, W2, v, x):
    return W1.T @ (W2.T @ v.clamp(min=0)).clamp(min=0)


averaged = Exercise(
    "feature-visualization.averaged-slopes",
    "Slopes in the neighbourhood",
    kind="program",
    effort=2,
    statement=r"""
    A derivative may be an accident of the very point. So take the mean of the derivatives at $n$ points near
    by, $\mathbf x + \mathbf e_1, \dots, \mathbf x + \mathbf e_n$. The score is $S = \mathbf v\cdot\mathrm{relu}(\mathbf W\mathbf x)$. Write it without
    a loop over the points and without autodiff. No sum before a rectifier is exactly 0.
    """,
    hints=[
        r"All points at once, one a row: what are the sums before the rectifiers, and of which shape?",
        "The derivative at one point is a sum of rows of W, those of the open rectifiers, with factors.",
    ],
    axes={"W": "H D", "v": "H", "x": "D", "noise": "n D"},
)


@averaged.stub
def averaged_slopes(W, v, x, noise):
    """Return the mean derivative of the score over the points, shape (D,).

    Args:
        W: weights, shape (H, D).
        v: weights of the score, shape (H,).
        x: the input, shape (D,).
        noise: what is added to the input, one row for each point, shape (n, D).
    """


@averaged.reference
def averaged_slopes_reference(W, v, x, noise):
    is_open = (x + noise) @ W.T > 0  # (n, H)
    return (is_open.to(W.dtype).mean(0) * v) @ W


@averaged.inputs
def averaged_inputs(random):
    D, H, n = random.sizes(3)
    return (
        random.normal(H + 3, D, dtype=torch.float64),
        random.normal(H + 3, dtype=torch.float64),
        random.normal(D, dtype=torch.float64),
        2 * random.normal(n + 5, D, dtype=torch.float64),
    )


@averaged.wrong("that is the derivative at x alone")
def averaged_slopes_here(W, v, x, noise):
    return ((W @ x > 0) * v) @ W


@averaged.wrong("that is the derivative at the mean of the points, not the mean of the derivatives")
def averaged_slopes_middle(W, v, x, noise):
    return ((W @ (x + noise.mean(0)) > 0) * v) @ W


@averaged.wrong("asked is the mean over the points, not the sum")
def averaged_slopes_sum(W, v, x, noise):
    return ((((x + noise) @ W.T > 0).to(W.dtype)).sum(0) * v) @ W


@averaged.wrong("the points lie around x: the noise comes on top of it")
def averaged_slopes_noise(W, v, x, noise):
    return (((noise @ W.T > 0).to(W.dtype)).mean(0) * v) @ W


# --- break ----------------------------------------------------------------------------------

either = Exercise(
    "feature-visualization.either-would-do",
    "Evidence that nobody finds",
    kind="break",
    effort=2,
    statement=r"""
    A network with two pixels has the score $S = 1 - \max(0,\ 1 - x_1 - x_2)$. Find an image, with pixels from 0 to 2,
    for which the derivative by each pixel is 0, covering either pixel with 0 changes nothing, and yet covering
    both costs the whole score of 1. Give two numbers. (What do integrated gradients say of it?)
    """,
    hints=[
        "When is the rectifier closed? Then the derivative is 0.",
        "It has to stay closed when one of the two is gone.",
    ],
)


@either.stub
def redundant_image():
    """Return x1 and x2, two numbers."""


@either.reference
def redundant_image_reference():
    """The rectifier is closed, and the score 1, where x₁ + x₂ > 1. With one pixel covered it must
    still not open: x₂ ≥ 1 and x₁ ≥ 1. With both covered the score is 0. Integrated gradients from
    the blank image share the 1 out evenly here, for on the way both pixels are equal and the slope
    is 1 for each while the rectifier is open, until α = 1/3: 1.5 · 1/3 = ½ each.
    """
    return (1.5, 1.5)


@either.judge
def either_judge(got):
    try:
        first, second = (float(number) for number in got)
    except (TypeError, ValueError):
        return "expected two numbers, x1 and x2"
    if not (0 <= first <= 2 and 0 <= second <= 2):
        return "the pixels must lie between 0 and 2"

    def score(a, b):
        return 1 - max(0.0, 1 - a - b)

    if first + second < 1:
        return "there the rectifier is open, and the derivative by each pixel is 1"
    for name, left in (("first", score(0, second)), ("second", score(first, 0))):
        cost = score(first, second) - left
        if abs(cost) > 1e-9:
            return f"covering the {name} pixel costs {cost:.3g}"
    return None


either.wrong_value((0.3, 0.3), "there the rectifier is open, and the derivative by each pixel is 1")
either.wrong_value((1.5, 0.25), "covering the first pixel costs 0.75")
either.wrong_value((0.5, 1.5), "covering the second pixel costs 0.5")
either.wrong_value((3, 3), "the pixels must lie between 0 and 2")

# --- extend ---------------------------------------------------------------------------------

all_orders = Exercise(
    "feature-visualization.all-orders",
    "Complete shares without a derivative",
    kind="extend",
    effort=3,
    statement=r"""
    Uncover the $D$ pixels of an image one after another. Each time the score changes, and the pixel that was just
    uncovered gets the change. In any order the shares add up to the score of the whole image less that of the
    covered one. But a pixel's share depends on the order; so take the mean over all $D!$ orders.
    All scores are given as `table` with $D$ axes of length 2: `table[1, 0, 1]` is the score with the first and the third pixel
    uncovered, of three. Write `shares(table)`.
    """,
    hints=[
        "Write it for one order first: begin at the index (0, …, 0) and set one entry after the other to 1.",
        "`itertools.permutations(range(D))` goes through all orders; a tensor takes a tuple as its index.",
    ],
)


@all_orders.stub
def shares(table):
    """Return the mean shares of the pixels over all orders, shape (D,).

    Args:
        table: the scores, shape (2, …, 2) with D axes; index 1 where a pixel is uncovered.
    """


@all_orders.reference
def shares_reference(table):
    D = table.dim()
    total = torch.zeros(D, dtype=table.dtype)
    orders = list(itertools.permutations(range(D)))
    for order in orders:
        place = [0] * D
        for pixel in order:
            before = table[tuple(place)]
            place[pixel] = 1
            total[pixel] += table[tuple(place)] - before
    return total / len(orders)


@all_orders.inputs
def all_orders_inputs(random):
    return (random.normal(*[2] * random.integer(3, 5), dtype=torch.float64),)


@all_orders.wrong("that is what each pixel brings as the first one: it must be asked in all orders")
def shares_first(table):
    D = table.dim()
    none = table[(0,) * D]
    only = [table[tuple(int(i == pixel) for i in range(D))] for pixel in range(D)]
    return torch.stack([score - none for score in only])


@all_orders.wrong("that is what each pixel brings as the last one, which is covering it alone")
def shares_last(table):
    D = table.dim()
    all_but = [table[tuple(int(i != pixel) for i in range(D))] for pixel in range(D)]
    return torch.stack([table[(1,) * D] - score for score in all_but])


@all_orders.wrong("that is one order only, from the first pixel to the last")
def shares_one_order(table):
    D = table.dim()
    scores = [table[tuple(int(i < n) for i in range(D))] for n in range(D + 1)]
    return torch.stack([scores[n + 1] - scores[n] for n in range(D)])


@all_orders.wrong("sets of uncovered pixels are not equally frequent: count orders, not sets")
def shares_over_sets(table):
    D = table.dim()
    means = []
    for pixel in range(D):
        gain = table.select(pixel, 1) - table.select(pixel, 0)
        means.append(gain.mean())
    return torch.stack(means)
