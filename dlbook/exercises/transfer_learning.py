"""Exercises of the chapter "transfer-learning"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

frozen_where = Exercise(
    "transfer-learning.which-gradients",
    "Four layers, and what each plan computes",
    kind="predict",
    effort=1,
    statement=r"""
    A network has four dense layers, each with 100 multiply-adds a sample. How many multiply-adds
    does a training step take for each sample, forward and backward together, if nothing is frozen;
    if the first two layers are; if the last two are; if only the second is? Nobody wants the slope
    by the input of the network. Give four numbers.
    """,
    hints=[
        "The forward pass is the same in all four. Then go through the layers from the last to the "
        "first and ask of each: does it need the slope by its parameters? Does anybody below it "
        "need the slope by its inputs?",
        "A layer computes the slope by its inputs if and only if some layer *below* it is trained.",
    ],
)


@frozen_where.stub
def multiply_adds():
    """Return four numbers: none frozen, first two, last two, only the second."""


@frozen_where.reference
def multiply_adds_reference():
    def plan(frozen):
        total = 400  # forward
        for layer in range(4):
            if layer not in frozen:
                total += 100  # slopes by its parameters
            if any(below not in frozen for below in range(layer)):
                total += 100  # slopes by its inputs, for a layer below that is trained
        return total

    return plan(()), plan((0, 1)), plan((2, 3)), plan((1,))


frozen_where.wrong_value(
    (1200, 800, 1000, 1100),
    "the lowest layer that is trained need not hand any slope down: nobody waits for it",
)
frozen_where.wrong_value(
    (1100, 700, 700, 1000),
    "frozen layers on top still hand the slopes down to those that are trained below",
)
frozen_where.wrong_value(
    (1100, 800, 900, 1000),
    "with the first two frozen, the third layer is the lowest that is trained: who needs the slope "
    "by its inputs?",
)
frozen_where.wrong_value((700, 300, 500, 600), "the forward pass counts, too")
frozen_where.wrong_value(
    (1100, 700, 900, 800),
    "a frozen layer in the middle hands the slopes down to the first: its backward pass is not gone",
)

# --- derive ---------------------------------------------------------------------------------

plan = Exercise(
    "transfer-learning.cheapest-plan",
    "When stored features pay",
    kind="derive",
    effort=1,
    statement=r"""
    The first $k$ layers are frozen, $1 \le k < L$, and the rest is trained on $N$ samples for $E$ epochs.
    Compare two plans for the whole training, forward and backward: to run the frozen layers in every
    step, or to run them once for every sample and store what they give. How many times as many
    multiply-adds does the first plan take in all? Write it as `ratio(P, k, E)`, where `P` holds
    $P_1, \dots, P_L$.
    """,
    hints=[
        "Write both totals for one sample. What happens once, what happens in every epoch?",
        "With stored features, the lowest layer that is trained reads them as if they were the "
        "data; it costs the same in both plans.",
    ],
    axes={"P": "L"},
)


@plan.stub
def ratio(P, k, E):
    """Return the multiply-adds without stored features over those with them.

    Args:
        P: forward multiply-adds of each layer, shape (L,).
        k: how many layers are frozen, at least 1 and fewer than L.
        E: epochs.
    """


@plan.reference
def ratio_reference(P, k, E):
    """The ratio of the two totals of one sample.

    An epoch runs the frozen layers forward: sum of P_1 … P_k. Each trained layer takes P forward, P
    for the slopes by its parameters, and P for those by its inputs, but for the lowest, whose
    inputs nobody asks about: 3 (P_{k+1} + … + P_L) − P_{k+1}. Without storing, both come E times.
    With stored features the first comes once, the second E times. The number of samples cancels.
    """
    below, above = P[:k].sum(), 3 * P[k:].sum() - P[k]
    return E * (below + above) / (below + E * above)


@plan.inputs
def plan_inputs(random):
    L = random.integer(3, 7)
    return random.uniform(1.0, 9.0, L), random.integer(1, L - 1), random.integer(2, 9)


@plan.wrong("the lowest trained layer does not hand a slope down: P[k] too many in each epoch")
def ratio_all_slopes(P, k, E):
    below, above = P[:k].sum(), 3 * P[k:].sum()
    return E * (below + above) / (below + E * above)


@plan.wrong("that is upside down: storing is the cheaper plan")
def ratio_inverse(P, k, E):
    below, above = P[:k].sum(), 3 * P[k:].sum() - P[k]
    return (below + E * above) / (E * (below + above))


@plan.wrong("the features have to be computed once: they are not free")
def ratio_free(P, k, E):
    below, above = P[:k].sum(), 3 * P[k:].sum() - P[k]
    return (below + above) / above


@plan.wrong("that is the ratio for the frozen layers alone: the trained ones cost in both plans")
def ratio_frozen_alone(P, k, E):
    return P.new_tensor(float(E))


@plan.wrong("frozen layers have no backward pass: they take P each, not 3 P")
def ratio_backward_below(P, k, E):
    below, above = 3 * P[:k].sum(), 3 * P[k:].sum() - P[k]
    return E * (below + above) / (below + E * above)


counting = Exercise(
    "transfer-learning.counting-head",
    "One hidden layer for every function that counts",
    kind="derive",
    effort=2,
    statement=r"""
    The body is frozen: for $D$ inputs that are 0 or 1, with the sum $s$, its features are
    $h_j = \operatorname{relu}(s - j)$ for $j = 0, \dots, D - 1$. A target depends on the sum only: it is $f_s$
    for $s = 0, \dots, D$. Derive the head, $b + \sum_j v_jh_j$, that gives it exactly, and write it
    as `counting_head(f)`.
    """,
    hints=[
        "Begin at $s = 0$, where all features are 0, and go up. At $s = 1$ only $h_0$ is not 0.",
        r"Between $s$ and $s + 1$ the head rises by $v_0 + \dots + v_s$. That has to be $f_{s+1} - f_s$.",
    ],
    axes={"f": "S"},
    outputs=("v", "b"),
)


@counting.stub
def counting_head(f):
    """Return the weights v, shape (D,), and the bias b, a tensor without axes.

    Args:
        f: the targets for the sums 0 … D, shape (D + 1,).
    """


@counting.reference
def counting_head_reference(f):
    """The second differences of f.

    At s = 0 all features are 0, so b = f_0. From s to s + 1 each of h_0 … h_s rises by 1 and the
    others stay 0, so v_0 + … + v_s = f_{s+1} − f_s. For s = 0 this is v_0 = f_1 − f_0. The
    demand for s less the one for s − 1 is v_s = (f_{s+1} − f_s) − (f_s − f_{s−1}).
    """
    rises = f[1:] - f[:-1]
    return torch.cat([rises[:1], rises[1:] - rises[:-1]]), f[0]


@counting.inputs
def counting_inputs(random):
    return (random.normal(random.integer(3, 7), dtype=torch.float64),)


@counting.wrong(
    "those are the rises of f: but h_0 goes on rising after s = 1, and has to be taken off"
)
def counting_head_rises(f):
    return f[1:] - f[:-1], f[0]


@counting.wrong("the bias is what the head says when all features are 0, at s = 0")
def counting_head_no_bias(f):
    rises = f[1:] - f[:-1]
    return torch.cat([rises[:1], rises[1:] - rises[:-1]]), torch.zeros_like(f[0])


@counting.wrong("the first weight is f_1 − f_0: at s = 1 there is the bias already")
def counting_head_first(f):
    rises = f[1:] - f[:-1]
    return torch.cat([f[1:2], rises[1:] - rises[:-1]]), f[0]


@counting.wrong("the differences of the rises have the wrong sign")
def counting_head_sign(f):
    rises = f[1:] - f[:-1]
    return torch.cat([rises[:1], rises[:-1] - rises[1:]]), f[0]


labels = Exercise(
    "transfer-learning.how-many-labels",
    "What a start is worth",
    kind="derive",
    effort=2,
    statement=r"""
    In the linear model of the page, a pre-trained start lies at $r$ times the distance of zero from
    the truth, $\lVert\mathbf w_0 - \mathbf w^*\rVert = r\,\lVert\mathbf w^*\rVert$, with $0 < r < 1$. It is tuned on $N \le D$ samples
    with random directions. How many samples would a start at zero need for the same expected
    squared distance? Write it as `worth(N, D, r)`; it need not be a whole number.
    """,
    hints=[
        "Write the formula of the expected squared distance twice, once for each start.",
        "Set the two equal. The length of the truth drops out.",
    ],
)


@labels.stub
def worth(N, D, r):
    """Return the number of samples from zero that match N samples from the pre-trained start.

    Args:
        N: samples that the pre-trained start is tuned on.
        D: weights.
        r: distance of that start from the truth, as a share of the distance of zero.
    """


@labels.reference
def worth_reference(N, D, r):
    """The M for which both distances are equal.

    From zero, M samples leave (1 − M/D) ‖w*‖². From the other start, N samples leave (1 − N/D) r² ‖w*‖².
    Equal: 1 − M/D = r² (1 − N/D), so M = D − r² (D − N). For N = 0 the start is worth D (1 − r²) samples; for
    N = D both need all.
    """
    return D - r**2 * (D - N)


@labels.inputs
def labels_inputs(random):
    D = random.integer(10, 60)
    return random.integer(1, D - 1), D, random.number(0.2, 0.9)


@labels.wrong("the distance enters squared: r², not r")
def worth_not_squared(N, D, r):
    return D - r * (D - N)


@labels.wrong("at N = D the start is forgotten, and is worth nothing more: your formula goes on")
def worth_sum(N, D, r):
    return N + D * (1 - r**2)


@labels.wrong(
    "what falls is the distance, not the number of samples: r² stands by 1 − N/D, not by N"
)
def worth_divided(N, D, r):
    return N / r**2


@labels.wrong("turned round: from zero one needs more samples, not fewer")
def worth_fewer(N, D, r):
    return D - (D - N) / r**2


# --- program --------------------------------------------------------------------------------

new_classes = Exercise(
    "transfer-learning.new-classes",
    "A head for some old classes and some new ones",
    kind="program",
    effort=1,
    statement=r"""
    The old head knows some classes, the new one is to know others; some are in both. Write
    `new_head(weight, bias, old, new)`, which returns weight and bias of a head for the classes
    `new`, in their order: the old row where the class was known, and zeros where it was not.
    """,
    hints=[
        "Begin with zeros of the new shape. Which row of the old head belongs to a class?",
        "`old.index(name)` is the place of a name in a list, `name in old` says whether it is there.",
    ],
    axes={"weight": "K D", "bias": "K"},
    outputs=("weight", "bias"),
)


@new_classes.stub
def new_head(weight, bias, old, new):
    """Return the weight, shape (len(new), D), and the bias, shape (len(new),), of the new head.

    Args:
        weight: of the old head, shape (K, D).
        bias: of the old head, shape (K,).
        old: the K old classes, a list of different names.
        new: the new classes, a list of different names.
    """


@new_classes.reference
def new_head_reference(weight, bias, old, new):
    W = weight.new_zeros(len(new), weight.shape[1])
    b = bias.new_zeros(len(new))
    for row, name in enumerate(new):
        if name in old:
            W[row], b[row] = weight[old.index(name)], bias[old.index(name)]
    return W, b


@new_classes.inputs
def new_classes_inputs(random):
    K, D = random.sizes(2)
    names = [f"class {i}" for i in random.permutation(2 * K + 2).tolist()]
    old = names[:K]
    new = [*old[1:], *names[K : K + 3]]  # the first is dropped, three come
    new = [new[i] for i in random.permutation(len(new)).tolist()]
    return random.normal(K, D), random.normal(K), old, new


@new_classes.wrong("the bias of the known classes is lost")
def new_head_no_bias(weight, bias, old, new):
    W = weight.new_zeros(len(new), weight.shape[1])
    for row, name in enumerate(new):
        if name in old:
            W[row] = weight[old.index(name)]
    return W, bias.new_zeros(len(new))


@new_classes.wrong("rows are taken by their place: a class has another place in the new list")
def new_head_by_place(weight, bias, old, new):
    W = weight.new_zeros(len(new), weight.shape[1])
    b = bias.new_zeros(len(new))
    n = min(len(new), len(old))
    W[:n], b[:n] = weight[:n], bias[:n]
    return W, b


@new_classes.wrong("new classes shall have zeros, not the mean of the old rows")
def new_head_means(weight, bias, old, new):
    W = weight.mean(0).repeat(len(new), 1)
    b = bias.mean().repeat(len(new))
    for row, name in enumerate(new):
        if name in old:
            W[row], b[row] = weight[old.index(name)], bias[old.index(name)]
    return W, b


store = Exercise(
    "transfer-learning.stored-features",
    "Features to keep",
    kind="program",
    effort=2,
    statement=r"""
    Write `store_features(body, x)`: the features that `body`, any PyTorch module, gives for the images `x`
    when it is *used*, without dropout and with its running averages. They shall need no slope (their
    `requires_grad` is False), and the body shall be afterwards as it was before: its running
    averages, and which of its modules were in training mode; a part of it may have been in
    evaluation mode.
    """,
    hints=[
        "`body.eval()` switches the mode of all modules in it; `module.training` tells that of each. "
        "What should happen to one that was in evaluation mode already?",
        "`with torch.no_grad():` computes without a record for the backward pass; `body.modules()` "
        "goes through the body and all modules in it, and `module.training` can be set.",
    ],
    outputs=("features", "requires_grad", "training", "running mean"),
)


@store.stub
def store_features(body, x):
    """Return the features of x in evaluation mode, without a gradient; leave the body as it was.

    Args:
        body: a module.
        x: its input.
    """


@store.reference
def store_features_reference(body, x):
    modes = [(module, module.training) for module in body.modules()]
    body.eval()
    with torch.no_grad():
        features = body(x)
    for module, mode in modes:
        module.training = mode  # each its own: train(mode) would set those inside as well
    return features


@store.inputs
def store_inputs(random):
    B, D = random.sizes(2)
    return random.normal(B + 2, D) + 1, bool(random.integer(0, 1)), bool(random.integer(0, 1))


@store.probe("training mode, but for the normalisation")
def store_part_frozen(random):
    return random.normal(5, 3) + 1, True, True


@store.probe("all in evaluation mode")
def store_evaluating(random):
    return random.normal(5, 3) + 1, False, True


@store.use
def store_used(answer, x, training, frozen):
    generator = torch.Generator().manual_seed(len(x))
    norm, dense = torch.nn.BatchNorm1d(x.shape[1]), torch.nn.Linear(x.shape[1], 3)
    with torch.no_grad():
        dense.weight.copy_(torch.randn(3, x.shape[1], generator=generator))
        dense.bias.zero_()
    body = torch.nn.Sequential(norm, torch.nn.Dropout(0.5), dense)
    body.train(training)
    if frozen:
        norm.eval()
    with torch.random.fork_rng(devices=[]):  # whatever dropout draws, it draws again
        torch.manual_seed(len(x))
        features = answer(body, x)
    return (
        features.detach(),
        torch.tensor(float(features.requires_grad)),
        torch.tensor([float(module.training) for module in body.modules()]),
        norm.state_dict()["running_mean"].clone(),
    )


@store.wrong(
    "the body is in the mode that it happened to have: in training mode the features are random"
)
def store_features_as_is(body, x):
    with torch.no_grad():
        return body(x)


@store.wrong("the features still hang on the graph: their requires_grad is True")
def store_features_graph(body, x):
    mode = body.training
    body.eval()
    features = body(x)
    body.train(mode)
    return features


@store.wrong("a part that was in evaluation mode is in training mode now: each module has its own")
def store_features_one_mode(body, x):
    mode = body.training
    body.eval()
    with torch.no_grad():
        features = body(x)
    body.train(mode)
    return features


@store.wrong("the body stays in evaluation mode: give it back its own")
def store_features_stays(body, x):
    body.eval()
    with torch.no_grad():
        return body(x)


@store.wrong("the body is in training mode afterwards, though it need not have been before")
def store_features_trains(body, x):
    body.eval()
    with torch.no_grad():
        features = body(x)
    body.train()
    return features


# --- break ----------------------------------------------------------------------------------

moving = Exercise(
    "transfer-learning.frozen-and-moving",
    "Frozen, and another function",
    kind="break",
    effort=2,
    statement=r"""
    The parameters of a layer of batch normalisation with a single channel are frozen at $\gamma = 1$ and
    $\beta = 0$, its running mean is 0, its running variance 1, its momentum 0.1 (a pass
    moves both the share 0.1 of the way to the mean and the variance of the batch), and its small
    constant is $10^{-5}$. In evaluation mode it turns the input 1 into (very nearly) 1. Find a
    batch of four numbers such that, after that batch has gone through ten times in training mode,
    evaluation mode turns the input 1 into something below $-5$. Give the four numbers, all between $-10$ and 10.
    """,
    hints=[
        "Which share of the running mean and of the running variance is from the batch after ten "
        "passes?",
        "You want a large mean and a small variance: what remains of the old variance of 1?",
    ],
)


@moving.stub
def spoiling_batch():
    """Return four numbers between −10 and 10."""


@moving.reference
def spoiling_batch_reference():
    return (9.0, 9.0, 9.0, 9.0)


@moving.judge
def moving_judge(got):
    try:
        batch = [float(number) for number in got]
    except (TypeError, ValueError):
        return "expected four numbers"
    if len(batch) != 4:
        return f"expected four numbers, got {len(batch)}"
    if not all(-10 <= number <= 10 for number in batch):
        return "all four numbers have to lie between −10 and 10"
    x = torch.tensor(batch, dtype=torch.float64)
    mean, variance = 0.0, 1.0
    for _ in range(10):
        mean = 0.9 * mean + 0.1 * x.mean().item()
        variance = 0.9 * variance + 0.1 * x.var().item()  # over n − 1, as the layer stores it
    result = (1 - mean) / (variance + 1e-5) ** 0.5
    if not result < -5:
        return f"after ten passes the input 1 becomes {result:.2f}, which is not below −5"
    return None


moving.wrong_value((1, 2, 3), "expected four numbers, got 3")
moving.wrong_value((0, 0, 0, 0), "after ten passes the input 1 becomes 1.69, which is not below −5")
moving.wrong_value(
    (-9, -9, -9, -9), "after ten passes the input 1 becomes 11.61, which is not below −5"
)
moving.wrong_value((11, 11, 11, 11), "all four numbers have to lie between −10 and 10")

# --- extend ---------------------------------------------------------------------------------

pull = Exercise(
    "transfer-learning.pull-to-the-start",
    "A penalty that remembers",
    kind="extend",
    effort=3,
    statement=r"""
    {term}`Weight decay` pulls the weights to zero. After pre-training one may rather pull them to where
    they started. For a linear unit, minimise

    $$
    \tfrac{1}{2N}\lVert\mathbf X\mathbf w - \mathbf y\rVert^2 + \tfrac{\alpha}{2}\lVert\mathbf w - \mathbf w_0\rVert^2
    $$

    with $\alpha > 0$. Derive the minimum, and write it as `pulled(X, y, w0, alpha)`. It shall work for
    fewer samples than weights as well, and for a tiny $\alpha$ come near to where plain descent from
    $\mathbf w_0$ ends.
    """,
    hints=[
        r"Set the gradient to zero. With $\mathbf d = \mathbf w - \mathbf w_0$, what does $\mathbf d$ have to fit?",
        r"$\mathbf d$ is {term}`ridge regression <ridge regression>` on what the start leaves unexplained, $\mathbf y - \mathbf X\mathbf w_0$.",
    ],
    axes={"X": "N D", "y": "N", "w0": "D"},
)


@pull.stub
def pulled(X, y, w0, alpha):
    """Return the weights with the least penalised cost, shape (D,).

    Args:
        X: samples, shape (N, D).
        y: targets, shape (N,).
        w0: the start, shape (D,).
        alpha: the strength of the pull, greater than 0.
    """


@pull.reference
def pulled_reference(X, y, w0, alpha):
    """The start, and a ridge regression on what it leaves unexplained.

    The gradient is Xᵀ(Xw − y)/N + α(w − w0). Put w = w0 + d: it is (XᵀX/N + αI) d − Xᵀ(y − Xw0)/N, and zero for
    d = (XᵀX/N + αI)⁻¹ Xᵀ(y − Xw0)/N. The matrix has an inverse for every N, as its eigenvalues are at least α. The
    cost is convex, so the zero of its gradient is its minimum. Since d is a combination of the
    samples, nothing changes in directions that they do not show; in a direction of curvature λ the
    share λ/(λ + α) of the way is gone, all of it as α goes to 0.
    """
    N, D = X.shape
    matrix = X.T @ X / N + alpha * torch.eye(D, dtype=X.dtype)
    return w0 + torch.linalg.solve(matrix, X.T @ (y - X @ w0) / N)


@pull.inputs
def pull_inputs(random):
    N, D = random.sizes(2)
    X = random.normal(N, D, dtype=torch.float64)
    w0 = random.normal(D, dtype=torch.float64)
    return X, random.normal(N, dtype=torch.float64), w0, random.number(0.1, 2.0)


@pull.probe("fewer samples than weights and a tiny alpha")
def pull_few(random):
    D = random.integer(5, 8)
    X = random.normal(3, D, dtype=torch.float64)
    w0 = random.normal(D, dtype=torch.float64)
    return X, random.normal(3, dtype=torch.float64), w0, 1e-6


@pull.wrong("that pulls to zero: the start appears nowhere")
def pulled_to_zero(X, y, w0, alpha):
    N, D = X.shape
    return torch.linalg.solve(X.T @ X / N + alpha * torch.eye(D, dtype=X.dtype), X.T @ y / N)


@pull.wrong("the fit is a mean over the samples: divide XᵀX and Xᵀy by N, or multiply α by it")
def pulled_sum(X, y, w0, alpha):
    D = X.shape[1]
    matrix = X.T @ X + alpha * torch.eye(D, dtype=X.dtype)
    return w0 + torch.linalg.solve(matrix, X.T @ (y - X @ w0))


@pull.wrong("w0 is added to the ridge regression on y: fit what the start leaves unexplained")
def pulled_twice(X, y, w0, alpha):
    N, D = X.shape
    matrix = X.T @ X / N + alpha * torch.eye(D, dtype=X.dtype)
    return w0 + torch.linalg.solve(matrix, X.T @ y / N)


@pull.wrong("that is the unpulled least squares: α has no say in it")
def pulled_not(X, y, w0, alpha):
    return w0 + torch.linalg.pinv(X) @ (y - X @ w0)
