"""Exercises of the chapter "regularization"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

two_penalties = Exercise(
    "regularization.two-penalties",
    "One penalty, the other, both",
    kind="predict",
    effort=1,
    statement=r"""
    The cost of a single weight is $J(w) = 2\,(w - 5)^2$. Give three numbers: where the sum of cost and
    penalty is lowest if the penalty is $\tfrac62 w^2$; if it is $6\,\lvert w\rvert$; and if both are added
    at once. (With all three in one sum, in the third case.)
    """,
    hints=[
        "The curvature of this cost is not 1, as it was on the page. What is its derivative?",
        "All three lowest points lie to the right of 0, where $|w|$ is $w$: set the derivative of each sum to 0.",
    ],
    atol=0.0006,
)


@two_penalties.stub
def three_weights():
    """Return the lowest points with the squared penalty, the absolute one, and both."""


@two_penalties.reference
def three_weights_reference():
    # the slope of the cost is 4 (w − 5), of the penalties 6 w and, to the right of 0, 6:
    # 4 (w − 5) + 6 w = 0;  4 (w − 5) + 6 = 0;  4 (w − 5) + 6 w + 6 = 0
    return (20 / 10, 14 / 4, 14 / 10)


two_penalties.wrong_value(
    (5 / 7, 0.0, 0.0), "this cost has the curvature 4, not 1: differentiate 2 (w − 5)²"
)
two_penalties.wrong_value(
    (20 / 16, 3.5, 14 / 16), "½ · 6 · w² has the derivative 6w: the ½ is used up by the square"
)
two_penalties.wrong_value(
    (2.0, 3.5, 0.5), "the third is not one penalty after the other: solve with both terms at once"
)
two_penalties.wrong_value((2.0, 3.5, 2.75), "the third is not the mean of the first two")

three_products = Exercise(
    "regularization.dropped-unit",
    "What a dropped unit says",
    kind="predict",
    effort=1,
    statement=r"""
    A linear unit without bias has the weights $(3, 4)$ and sees $(2, -1)$. Each of the two *inputs* is
    dropped independently with probability $\tfrac14$, and what is kept is divided by $\tfrac34$. Give three
    numbers: the expectation of the output, its variance, and the probability that it is exactly 0.
    """,
    hints=[
        "Write the output as a sum of two independent terms. What are the two values of each?",
        "Four masks are possible. For which of them is the sum 0?",
    ],
    outputs=("the expectation", "the variance", "the probability of 0"),
    atol=0.006,
)


@three_products.stub
def moments():
    """Return expectation, variance and the probability of exactly 0."""


@three_products.reference
def moments_reference():
    """The terms are 3 · 2 = 6 and 4 · (−1) = −4, each times its own m, which is 0 or 4/3.

    E[m] = 1, so the expectation is 6 − 4. Var(m) = p/(1 − p) = 1/3, and independent terms add:
    (36 + 16)/3. The four outputs are 0, 8, −16/3 and 8/3: 0 only if both inputs are dropped, p².
    """
    p = 1 / 4
    return (3 * 2 - 4 * 1, p / (1 - p) * (6**2 + 4**2), p * p)


three_products.wrong_value(
    (1.5, 9.75, 1 / 16), "without the division by 1 − p? What is kept is enlarged"
)
three_products.wrong_value((2, 52 / 3, 1 / 4), "the third: both inputs have to be dropped, not one")
three_products.wrong_value(
    (2, 13.0, 1 / 16), "the variance: kept numbers are divided by 1 − p, which enlarges them"
)
three_products.wrong_value(
    (2, 156.0, 1 / 16), "the variance: p/(1 − p) is 1/3, not 3: p is the probability of dropping"
)
three_products.wrong_value(
    (1.5, 52 / 3, 1 / 16), "the expectation: dividing by 1 − p makes up for what is dropped"
)
three_products.wrong_value(
    (2, 52 / 3, 7 / 16), "the third: with one input dropped the other still speaks"
)
three_products.wrong_value(
    (2, 4 / 3, 1 / 16),
    "the variance: independent terms add their variances, whatever their signs; (6 − 4)² adds the terms",
)

# --- derive ---------------------------------------------------------------------------------

noise = Exercise(
    "regularization.noisy-inputs",
    "Noise is a penalty, too",
    kind="derive",
    effort=2,
    statement=r"""
    A linear unit $\hat y = \mathbf w\cdot\mathbf x$ is trained with noise: whenever sample $n$ comes up, it sees
    $\mathbf x_n + \mathbf e$, where the entries of $\mathbf e$ are drawn anew, independently, with expectation 0 and
    standard deviation $s_d$ for input $d$. So the expected cost is the mean over $n$ of
    $\tfrac12\,\mathbb E\bigl[(\mathbf w\cdot(\mathbf x_n + \mathbf e) - y_n)^2\bigr]$. Derive the weights that minimise it,
    exactly, and write them as `robust(X, y, s)`. No random numbers are needed.
    """,
    hints=[
        r"Multiply out $(a + \mathbf w\cdot\mathbf e)^2$ with $a = \mathbf w\cdot\mathbf x_n - y_n$, and take expectations.",
        r"What is the variance of $\mathbf w\cdot\mathbf e$? Differentiate the whole by $\mathbf w$.",
    ],
    axes={"X": "N D", "y": "N", "s": "D"},
)


@noise.stub
def robust(X, y, s):
    """Return the weights with the lowest expected cost, shape (D,).

    Args:
        X: inputs without their noise, shape (N, D).
        y: targets, shape (N,).
        s: the noise's standard deviation for each input, shape (D,).
    """


@noise.reference
def robust_reference(X, y, s):
    """With a = w · x_n − y_n, the square is (a + w · e)² = a² + 2a (w · e) + (w · e)².

    E[w · e] = 0 takes the middle away. In (w · e)² = Σ w_d w_k e_d e_k, E[e_d e_k] = E[e_d] E[e_k] = 0
    for d ≠ k, and E[e_d²] = s_d². So each sample's expected cost is ½a² + ½ Σ s_d² w_d²: that without noise
    and a penalty, the same for all n.

    The gradient of the mean, Xᵀ(Xw − y)/N + diag(s²) w, vanishes where (XᵀX/N + diag(s²)) w = Xᵀy/N. The cost is
    convex, so that is the minimum.
    """
    H = X.T @ X / len(X)
    return torch.linalg.solve(H + torch.diag(s * s), X.T @ y / len(X))


@noise.inputs
def noise_inputs(random):
    N, D = random.sizes(2)
    X = random.normal(N + D, D, dtype=torch.float64)
    return X, random.normal(N + D, dtype=torch.float64), random.uniform(0.3, 1.2, D).double()


@noise.wrong("the penalty has the variances, s², not the standard deviations")
def robust_deviation(X, y, s):
    H = X.T @ X / len(X)
    return torch.linalg.solve(H + torch.diag(s), X.T @ y / len(X))


@noise.wrong("each input has its own noise, and so its own penalty")
def robust_mean(X, y, s):
    H = X.T @ X / len(X)
    same = (s * s).mean() * torch.eye(X.shape[1], dtype=X.dtype)
    return torch.linalg.solve(H + same, X.T @ y / len(X))


@noise.wrong("XᵀX is a sum over the samples and s² is not: divide by N, for the cost is a mean")
def robust_sum(X, y, s):
    return torch.linalg.solve(X.T @ X + torch.diag(s * s), X.T @ y)


@noise.wrong("the ½ is used up by the square: the gradient of ½ Σ s_d² w_d² is s_d² w_d")
def robust_half(X, y, s):
    H = X.T @ X / len(X)
    return torch.linalg.solve(H + torch.diag(s * s) / 2, X.T @ y / len(X))


@noise.wrong(
    "the penalty ½ Σ s_d² w_d² counts once: its gradient is s_d² w_d, as the cost has its ½"
)
def robust_doubled(X, y, s):
    H = X.T @ X / len(X)
    return torch.linalg.solve(H + 2 * torch.diag(s * s), X.T @ y / len(X))


@noise.wrong("that is the solution without noise: what does (w · e)² contribute on average?")
def robust_without(X, y, s):
    return torch.linalg.solve(X.T @ X, X.T @ y)


same_shrink = Exercise(
    "regularization.stopped-or-penalised",
    "Which penalty is a stopped descent?",
    kind="derive",
    effort=1,
    statement=r"""
    Gradient descent with the learning rate $\eta$ starts at 0 on a quadratic bowl and is stopped after $t$
    steps, with $\eta h < 1$. Along a direction of curvature $h > 0$ it has then covered a certain share of
    the way. Derive the $\lambda$ for which the penalty $\tfrac\lambda2\lVert\mathbf w\rVert^2$, with descent to the very
    end, leads to *exactly* the same share in this direction. Write it as `penalty(h, eta, t)`, for a
    whole tensor of curvatures. (If it came out the same for every $h$, the two would be the same cure.)
    """,
    hints=[
        "What share of the way is left after one step? After $t$?",
        "Both shares are on the page, one for the penalty, one for the descent. Set them equal.",
    ],
    axes={"h": "D"},
)


@same_shrink.stub
def penalty(h, eta, t):
    """Return the equivalent λ for each curvature, shape (D,).

    Args:
        h: curvatures, all above 0, shape (D,).
        eta: the learning rate, below 1/h for all of them.
        t: the number of steps, 1 or more.
    """


@same_shrink.reference
def penalty_reference(h, eta, t):
    """Each step leaves the factor 1 − ηh of the way to the minimum, t steps leave q = (1 − ηh)ᵗ.

    So descent has covered 1 − q. The penalty's minimum, h (c − c*) + λc = 0, lies at the share h/(h + λ).
    They are equal if h = (1 − q)(h + λ), so h q = (1 − q) λ, and λ = h q/(1 − q).

    For small ηht, q is nearly 1 − ηht, and λ nearly 1/(ηt), the page's rule. It falls with h: a stopped descent
    penalises steep directions less than any single λ does.
    """
    left = (1 - eta * h) ** t  # of the way, after t steps
    return h * left / (1 - left)


@same_shrink.inputs
def same_shrink_inputs(random):
    (D,) = random.sizes(1)
    return random.uniform(0.2, 2.0, D).double(), random.number(0.05, 0.4), random.integer(2, 12)


@same_shrink.wrong("that is the page's rough rule: asked is the exact penalty, for each curvature")
def penalty_rough(h, eta, t):
    return torch.full_like(h, 1 / (eta * t))


@same_shrink.wrong(
    "you have set h/(h + λ) equal to what is left of the way, not to what is covered"
)
def penalty_of_the_rest(h, eta, t):
    left = (1 - eta * h) ** t
    return h * (1 - left) / left


@same_shrink.wrong("the factor (1 − ηh) acts once in every step: t times in all")
def penalty_one_step(h, eta, t):
    return h * (1 - eta * h) / (eta * h)


@same_shrink.wrong("1 − ηh is not e^(−ηh): the steps are finite")
def penalty_of_flow(h, eta, t):
    left = torch.exp(-eta * h * t)
    return h * left / (1 - left)


# --- program --------------------------------------------------------------------------------

mixed = Exercise(
    "regularization.mixed-loss",
    "Mixup without mixed targets",
    kind="program",
    effort=1,
    statement=r"""
    Mixup gives sample $i$ the share $\lambda_i$ of its own target and $1 - \lambda_i$ of another's. The targets are
    classes, and you have no one-hot vectors at hand, only `torch.logsumexp` and `torch.gather`. Write the
    mean cross-entropy of a mixed batch, `mixed_loss(scores, y, other, share)`, where `y` holds the own
    classes and `other` those of the partners.
    """,
    hints=[
        r"The cross-entropy is $-\sum_k q_k\log p_k$: what happens to it if $\mathbf q$ is a mixture of two vectors?",
        "`scores.gather(1, y[:, None])[:, 0]` takes from each row the score of class `y`.",
    ],
    axes={"scores": "B K", "y": "B", "other": "B", "share": "B"},
)


@mixed.stub
def mixed_loss(scores, y, other, share):
    """Return the mean cross-entropy with mixed targets, a tensor without axes.

    Args:
        scores: what the network says of the mixed inputs, shape (B, K).
        y: the own classes, int64, shape (B,).
        other: the partners' classes, int64, shape (B,).
        share: λ of each sample, from 0 to 1, shape (B,).
    """


@mixed.reference
def mixed_loss_reference(scores, y, other, share):
    log_p = scores - torch.logsumexp(scores, 1, keepdim=True)
    own = log_p.gather(1, y[:, None])[:, 0]
    partner = log_p.gather(1, other[:, None])[:, 0]
    return -(share * own + (1 - share) * partner).mean()


@mixed.inputs
def mixed_inputs(random):
    B, K = random.sizes(2)
    return (
        random.normal(B, K, dtype=torch.float64),
        random.integers(0, K - 1, B),
        random.integers(0, K - 1, B),
        random.uniform(0, 1, B).double(),
    )


@mixed.probe("scores near 1000")
def mixed_large(random):
    B, K = random.sizes(2)
    return (
        1000 * random.normal(B, K, dtype=torch.float64),
        random.integers(0, K - 1, B),
        random.integers(0, K - 1, B),
        random.uniform(0, 1, B).double(),
    )


@mixed.wrong("the shares are exchanged: λ belongs to the own class")
def mixed_loss_exchanged(scores, y, other, share):
    log_p = scores - torch.logsumexp(scores, 1, keepdim=True)
    own = log_p.gather(1, y[:, None])[:, 0]
    partner = log_p.gather(1, other[:, None])[:, 0]
    return -((1 - share) * own + share * partner).mean()


@mixed.wrong("the scores still have to become log-probabilities: subtract their log-sum-exp")
def mixed_loss_of_scores(scores, y, other, share):
    own = scores.gather(1, y[:, None])[:, 0]
    partner = scores.gather(1, other[:, None])[:, 0]
    return -(share * own + (1 - share) * partner).mean()


@mixed.wrong("a loss: the mean of the log-probabilities with a minus sign")
def mixed_loss_sign(scores, y, other, share):
    log_p = scores - torch.logsumexp(scores, 1, keepdim=True)
    own = log_p.gather(1, y[:, None])[:, 0]
    partner = log_p.gather(1, other[:, None])[:, 0]
    return (share * own + (1 - share) * partner).mean()


@mixed.wrong(
    "the log of a mixed probability is not the mixture of the logs: the targets are mixed, not p"
)
def mixed_loss_inside(scores, y, other, share):
    p = torch.exp(scores - torch.logsumexp(scores, 1, keepdim=True))
    own = p.gather(1, y[:, None])[:, 0]
    partner = p.gather(1, other[:, None])[:, 0]
    return -torch.log(share * own + (1 - share) * partner).mean()


lasso = Exercise(
    "regularization.soft-steps",
    "Descent that reaches zero",
    kind="program",
    effort=2,
    statement=r"""
    Gradient descent on a cost with the penalty $\lambda\sum_d\lvert w_d\rvert$ jitters about the kink and never
    leaves a weight at exactly 0. The cure takes turns: a plain step against the gradient of the cost
    *without* the penalty, and then, for each entry of the result, the point that minimises
    $\tfrac1{2\eta}(w - a)^2 + \lambda\lvert w\rvert$, where $a$ is that entry. Write `sparse(X, y, lam, eta, steps)`: start at
    $\mathbf w = \mathbf 0$ on the cost $\tfrac1{2N}\lVert\mathbf X\mathbf w - \mathbf y\rVert^2$, take that many turns, and return the weights.
    """,
    hints=[
        r"Multiply $\tfrac1{2\eta}(w - a)^2 + \lambda|w|$ by $\eta$: the minimum stays, and you have met the sum on the page.",
        r"So each turn ends with a soft threshold. At $\lambda$, or at something else?",
    ],
    axes={"X": "N D", "y": "N"},
    atol=1e-6,
)


@lasso.stub
def sparse(X, y, lam, eta, steps):
    """Return the weights after so many turns, shape (D,).

    Args:
        X: inputs, shape (N, D).
        y: targets, shape (N,).
        lam: λ, a number above 0.
        eta: the learning rate.
        steps: how many turns.
    """


@lasso.reference
def sparse_reference(X, y, lam, eta, steps):
    # times η, the sum is ½ (w − a)² + ηλ |w|: the page's, with the threshold ηλ
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        a = w - eta * X.T @ (X @ w - y) / len(X)
        w = torch.sign(a) * (a.abs() - eta * lam).clamp(min=0)
    return w


@lasso.inputs
def lasso_inputs(random):
    N, D = random.sizes(2)
    X = random.normal(N + 4, D + 2, dtype=torch.float64)
    y = X[:, 0] - 2 * X[:, 1] + 0.1 * random.normal(N + 4, dtype=torch.float64)
    return X, y, random.number(0.1, 0.4), random.number(0.05, 0.15), random.integer(3, 9)


@lasso.wrong("the threshold is ηλ: multiply the sum by η, and compare with ½(w − a)² + (…)|w|")
def sparse_full_threshold(X, y, lam, eta, steps):
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        a = w - eta * X.T @ (X @ w - y) / len(X)
        w = torch.sign(a) * (a.abs() - lam).clamp(min=0)
    return w


@lasso.wrong("that is descent on the penalised cost with the sign as slope: it jumps across 0")
def sparse_subgradient(X, y, lam, eta, steps):
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        w = w - eta * (X.T @ (X @ w - y) / len(X) + lam * torch.sign(w))
    return w


@lasso.wrong(
    "an entry may be negative: then it is brought nearer to 0 from below, and keeps its sign"
)
def sparse_positive(X, y, lam, eta, steps):
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        w = (w - eta * X.T @ (X @ w - y) / len(X) - eta * lam).clamp(min=0)
    return w


@lasso.wrong("what survives the threshold is shortened by it, too: soft, not hard")
def sparse_hard(X, y, lam, eta, steps):
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        a = w - eta * X.T @ (X @ w - y) / len(X)
        w = a * (a.abs() > eta * lam)
    return w


@lasso.wrong("that shrinks in proportion, as the squared penalty does: nothing becomes exactly 0")
def sparse_ridge(X, y, lam, eta, steps):
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        w = (w - eta * X.T @ (X @ w - y) / len(X)) / (1 + eta * lam)
    return w


@lasso.wrong("the threshold belongs to every turn, not only to the last")
def sparse_at_the_end(X, y, lam, eta, steps):
    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(steps):
        w = w - eta * X.T @ (X @ w - y) / len(X)
    return torch.sign(w) * (w.abs() - eta * lam).clamp(min=0)


# --- break ----------------------------------------------------------------------------------

twins = Exercise(
    "regularization.twins",
    "Two answers to one question",
    kind="break",
    effort=2,
    statement=r"""
    With a squared penalty, $\lambda > 0$, the best weights of a linear unit are unique, whatever the data: every
    curvature of the sum is at least $\lambda$. With the absolute one they need not be. A linear unit has three samples,

    $$
    \mathbf X = \begin{pmatrix} 1 & 1\\ 2 & 2\\ 3 & 3\end{pmatrix},\qquad
    \mathbf y = \begin{pmatrix} 1\\ 2\\ 3\end{pmatrix},
    $$

    and the cost is $\tfrac16\lVert\mathbf X\mathbf w - \mathbf y\rVert^2 + \lvert w_1\rvert + \lvert w_2\rvert$. Give two different weight
    vectors, as a tensor of shape (2, 2) with a vector in each row, that both have the lowest cost there is. (They must differ
    by 0.1 somewhere; their costs may exceed the lowest by $10^{-6}$.)
    """,
    hints=[
        "The two inputs are the same, so the output depends on $w_1 + w_2$ only. What does the penalty depend on, if neither is negative?",
        "Find the best sum first: one weight, the same soft threshold as on the page, but another curvature. Then share it out.",
    ],
)


@twins.stub
def two_vectors():
    """Return two weight vectors with the lowest cost, shape (2, 2)."""


@twins.reference
def two_vectors_reference():
    # the sum s minimises ½ · (14/3) (s − 1)² + |s|: s = 1 − 3/14; any shares ≥ 0 do
    s = 1 - 3 / 14
    return torch.tensor([[s, 0.0], [s / 2, s / 2]], dtype=torch.float64)


@twins.judge
def twins_judge(got):
    try:
        w = torch.as_tensor(got).double()
    except (TypeError, ValueError, RuntimeError):
        return "expected four numbers, a tensor of shape (2, 2)"
    if w.shape != (2, 2):
        return f"expected a tensor of shape (2, 2), got {tuple(w.shape)}"
    if not torch.isfinite(w).all():
        return "the weights have to be finite"
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    costs = [
        (((v.sum() - 1) * x) ** 2).sum().item() / 6 + v.abs().sum().item() for v in (w[0], w[1])
    ]
    lowest = 14 / 6 * (3 / 14) ** 2 + 1 - 3 / 14
    for row, (v, cost) in enumerate(zip(w, costs, strict=True)):
        if cost > lowest + 1e-6:
            if (v < 0).any() and (v > 0).any():
                return f"row {row}: weights of opposite sign pay twice for the same output"
            return f"row {row} has the cost {cost:.4f}, and there is a lower one"
    if (w[0] - w[1]).abs().max() < 0.1:
        return "the two vectors are the same: they have to differ by 0.1 somewhere"
    return None


twins.wrong_value([[1.0, 0.0], [0.0, 1.0]], "row 0 has the cost 1.0000, and there is a lower one")
twins.wrong_value(
    [[11 / 14, 0.0], [11 / 14, 0.0]],
    "the two vectors are the same: they have to differ by 0.1 somewhere",
)
twins.wrong_value(
    [[11 / 14, 0.0], [1.0, -3 / 14]],
    "row 1: weights of opposite sign pay twice for the same output",
)

# --- extend ---------------------------------------------------------------------------------

left_out = Exercise(
    "regularization.leave-one-out",
    "A validation part that costs nothing",
    kind="extend",
    effort=3,
    statement=r"""
    Choosing $\lambda$ takes a validation part, and with 20 samples none can be spared. So leave out some
    samples, fit the others, predict those left out; and so on for all of them. For ridge regression that needs
    only a single fit. Let $\mathbf w$ minimise $\tfrac12\lVert\mathbf X\mathbf w - \mathbf y\rVert^2 + \tfrac\mu2\lVert\mathbf w\rVert^2$ (a sum over the samples, so that
    leaving some out does not change the weight of the penalty), with $\mu > 0$. The predictions are
    $\hat{\mathbf y} = \mathbf S\mathbf y$ with a matrix $\mathbf S$ that does not depend on $\mathbf y$. Show first that the error of a single
    sample $n$, predicted from all others, is its ordinary error $\hat y_n - y_n$ divided by $1 - S_{nn}$. Then leave out a whole
    *group* of samples at once. Write `left_out_errors(X, y, mu, group)`, the errors, prediction minus target, of the group's samples,
    predicted from all samples outside the group. You may use $\mathbf S$, and no second fit.
    """,
    hints=[
        r"$\mathbf S = \mathbf X(\mathbf X^\top\mathbf X + \mu\mathbf I)^{-1}\mathbf X^\top$.",
        "One sample: replace the target of sample $n$ by what the others predict for it, and fit *all* samples. "
        "Does the fit to the others change? Then what does row $n$ of the matrix say?",
        "A group: do the same with all its targets at once. There is one equation for each of its samples, "
        "and the unknown errors stand in all of them.",
    ],
    axes={"X": "N D", "y": "N"},
)


@left_out.stub
def left_out_errors(X, y, mu, group):
    """Return prediction minus target for each sample of the group, predicted from those outside it.

    Args:
        X: inputs, shape (N, D).
        y: targets, shape (N,).
        mu: the factor of ½‖w‖², above 0.
        group: the numbers of the samples left out together, all different, int64; one or more.
    """


@left_out.reference
def left_out_errors_reference(X, y, mu, group):
    """Xᵀ(Xw − y) + μw = 0 gives w = (XᵀX + μI)⁻¹Xᵀy, so S = X (XᵀX + μI)⁻¹Xᵀ.

    Let w' be fitted without the group G, and v its predictions for G. Fit all samples, with v in place of the
    targets of G: for w' the new samples' errors are 0 and so are their gradients, so that w' minimises the
    new cost, too, and its predictions are S times the new targets. Those differ from y by e = v − y_G, on G only.
    Read the rows of G: v = ŷ_G + S_GG e. Subtract y_G on both sides: e = (ŷ_G − y_G) + S_GG e, so

        (I − S_GG) e = ŷ_G − y_G,

    for a single sample the division by 1 − S_nn. It can always be solved: the eigenvalues of S are
    h/(h + μ) with those of XᵀX for h, and 0, all below 1; those of its part S_GG are no larger.
    """
    A = X.T @ X + mu * torch.eye(X.shape[1], dtype=X.dtype)
    S = X @ torch.linalg.solve(A, X.T)
    inner = S[group][:, group]
    return torch.linalg.solve(torch.eye(len(group), dtype=X.dtype) - inner, (S @ y - y)[group])


@left_out.inputs
def left_out_inputs(random):
    N, D = random.sizes(2)
    X = random.normal(N + 3, D, dtype=torch.float64)
    y = random.normal(N + 3, dtype=torch.float64)
    return X, y, random.number(0.3, 3.0), random.permutation(N + 3)[: random.integer(2, 4)]


@left_out.probe("a group of one")
def left_out_single(random):
    N, D = random.sizes(2)
    X = random.normal(N + 3, D, dtype=torch.float64)
    y = random.normal(N + 3, dtype=torch.float64)
    return X, y, random.number(0.3, 3.0), random.permutation(N + 3)[:1]


@left_out.wrong("those are the errors on samples that were fitted")
def left_out_errors_fitted(X, y, mu, group):
    A = X.T @ X + mu * torch.eye(X.shape[1], dtype=X.dtype)
    return (X @ torch.linalg.solve(A, X.T @ y) - y)[group]


@left_out.wrong("prediction minus target, not target minus prediction")
def left_out_errors_sign(X, y, mu, group):
    return -left_out_errors_reference(X, y, mu, group)


@left_out.wrong("that leaves out one sample at a time: the others of the group must not help")
def left_out_errors_one_by_one(X, y, mu, group):
    A = X.T @ X + mu * torch.eye(X.shape[1], dtype=X.dtype)
    S = X @ torch.linalg.solve(A, X.T)
    return ((S @ y - y) / (1 - S.diagonal()))[group]


@left_out.wrong("the penalty is missing from S")
def left_out_errors_plain(X, y, mu, group):
    return left_out_errors_reference(X, y, 1e-9, group)


@left_out.wrong("here the cost is a sum over the samples: μ stands beside XᵀX, not beside XᵀX/N")
def left_out_errors_scaled(X, y, mu, group):
    return left_out_errors_reference(X, y, mu * len(y), group)
