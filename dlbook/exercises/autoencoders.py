"""Exercises of the chapter "autoencoders"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

budget = Exercise(
    "autoencoders.loss-by-eigenvalues",
    "A loss from eigenvalues",
    kind="predict",
    effort=1,
    statement=r"""
    The covariance matrix of some data in four dimensions has the eigenvalues 5, 3, 2 and 1, with eigenvectors $\mathbf v_1, \dots, \mathbf v_4$.
    A linear autoencoder has a code of two numbers, and the cost is the mean squared length of the error. Give four numbers (the encoder is always the best for its decoder): the least cost; the cost if the decoder's
    columns span $\mathbf v_1$ and $\mathbf v_3$; the sum of the squared sines of the principal angles between that span and that of $\mathbf v_1, \mathbf v_2$;
    and the cost if the columns are $\mathbf v_1$ and $\mathbf v_1 + \mathbf v_2$.
    """,
    hints=[
        "An error keeps the variance along the directions that were left out.",
        "The cost depends on the span of the columns alone. What do $\\mathbf v_1$ and $\\mathbf v_1 + \\mathbf v_2$ span?",
    ],
    outputs=(
        "the least cost",
        "the cost for v1, v3",
        "the sum of sin²",
        "the cost for v1, v1 + v2",
    ),
)


@budget.stub
def four_costs():
    """Return the least cost, that of v1 and v3, the sum of sin², and that of v1 and v1 + v2."""


@budget.reference
def four_costs_reference():
    # Left out are 2 and 1 at best. With v1, v3 they are 3 and 1. The two spans share v1 (angle 0),
    # and v3 is at a right angle to v2 (sine 1). v1 and v1 + v2 span the same plane as v1 and v2.
    return (3, 4, 1, 3)


budget.wrong_value((8, 7, 1, 8), "that is the variance which is kept; the cost is the rest")
budget.wrong_value((3, 4, 0, 3), "v3 is perpendicular to v1 and to v2: how large is that angle?")
budget.wrong_value((3, 4, 1, 4), "oblique columns span a plane as well as perpendicular ones")
budget.wrong_value((0.75, 1, 1, 0.75), "the squared length is a sum over the numbers, no mean")

coin = Exercise(
    "autoencoders.two-greys",
    "Two greys and noise",
    kind="predict",
    effort=2,
    statement=r"""
    A pixel is 0 or 1, each with probability ½. Gaussian noise with standard deviation $\sigma = 0.5$ is added, and
    you see $y$. What does the best denoiser under squared error answer for $y = 0.5$, for $y = 0.75$ and for $y = 2$? And the best
    *affine* denoiser, $ay + b$, for $y = 2$? Three decimals are enough.
    """,
    hints=[
        "The best answer is a mean: the probability that the pixel was 1, given $y$.",
        "Divide the two densities by each other. The squares of $y$ cancel in the exponent, and what is left is a sigmoid.",
        "For the affine one: the slope is the variance of the pixel over that of $y$, and means are kept.",
    ],
    outputs=("best at 0.5", "best at 0.75", "best at 2", "affine at 2"),
    atol=0.0006,
)


@coin.stub
def four_answers():
    """Return the best answers at 0.5, 0.75 and 2, and the affine one at 2."""


@coin.reference
def four_answers_reference():
    # P(1 | y) = e^{−(y−1)²/2σ²} / (e^{−(y−1)²/2σ²} + e^{−y²/2σ²}) = sigmoid((2y − 1)/(2σ²)), and
    # 2σ² = 0.5. The pixel has variance 1/4 and so has the noise: the slope is 1/2, through (½, ½).
    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    return (0.5, sigmoid(1.0), sigmoid(6.0), 0.5 + 0.5 * (2 - 0.5))


coin.wrong_value(
    (0.5, 1, 1, 1.25), "that is the likelier of the two; squared error wants the mean of both"
)
coin.wrong_value(
    (0.5, 0.622459, 0.952574, 1.25), "the exponent is divided by 2σ², and 2σ² is 0.5 here"
)
coin.wrong_value((0.5, 0.880797, 0.999994, 1.25), "the exponent is divided by 2σ², not by σ²")
coin.wrong_value((0.5, 0.731059, 0.997527, 1), "an affine function knows no bounds: compute it")

# --- derive ---------------------------------------------------------------------------------

tied = Exercise(
    "autoencoders.tied-weights",
    "One matrix both ways",
    kind="derive",
    effort=1,
    statement=r"""
    A linear autoencoder without biases uses one matrix twice: $\mathbf h = \mathbf W\mathbf x$ and $\hat{\mathbf x} = \mathbf W^\top\mathbf h$. The cost
    is $J = \frac1N\sum_n\lVert\mathbf W^\top\mathbf W\mathbf x_n - \mathbf x_n\rVert^2$. Derive $\overline{\mathbf W}$, and write it as `gradient(W, X)` with the rows of
    $\mathbf X$ as examples, without automatic differentiation (which the check doesn't see).
    """,
    hints=[
        "Call the two uses $\\mathbf W_e$ and $\\mathbf W_d$, with $\\mathbf W_e = \\mathbf W$ and $\\mathbf W_d = \\mathbf W^\\top$, and take both gradients from the chapter.",
        "What is used twice gets the sum of both. One of them comes out transposed.",
    ],
    axes={"W": "K D", "X": "N D"},
)


@tied.stub
def gradient(W, X):
    """Return dJ/dW, shape (K, D), for examples X of shape (N, D)."""


@tied.reference
def gradient_reference(W, X):
    # With R = H W − X, H = X Wᵀ: the decoder's matrix Wᵀ has the gradient 2/N RᵀH, shape (D, K),
    # of which W sees the transpose 2/N HᵀR. The encoder's has 2/N (R Wᵀ)ᵀX. W is used in both
    # places, so that the two add up.
    H = X @ W.T
    R = H @ W - X
    return 2 / len(X) * (H.T @ R + W @ R.T @ X)


@tied.inputs
def tied_inputs(random):
    K, D, N = 2, 5, 7
    return random.normal(K, D), random.normal(N, D)


@tied.wrong("the encoder uses W, too: its gradient is missing")
def gradient_decoder_only(W, X):
    H = X @ W.T
    return 2 / len(X) * H.T @ (H @ W - X)


@tied.wrong("the decoder uses W, too: its gradient is missing")
def gradient_encoder_only(W, X):
    R = X @ W.T @ W - X
    return 2 / len(X) * W @ R.T @ X


@tied.wrong("the second part has to be that of the encoder, not the decoder's once more")
def gradient_twice(W, X):
    H = X @ W.T
    return 4 / len(X) * H.T @ (H @ W - X)


uneven = Exercise(
    "autoencoders.uneven-snow",
    "Uneven snow",
    kind="derive",
    effort=2,
    statement=r"""
    Not all pixels are equally exposed: to examples $\mathbf x_n$, the rows of $\mathbf X$, fresh Gaussian noise is added, independent in all numbers, with the standard deviation $s_d > 0$
    in number $d$. Derive the matrix $\mathbf A$ and the vector
    $\mathbf b$ of the least $\mathbb E\lVert\mathbf A\tilde{\mathbf x} + \mathbf b - \mathbf x\rVert^2$, where the mean is over the examples and over the noise. Write `best_affine(X, s)`,
    which returns $(\mathbf A, \mathbf b)$ without drawing any noise. (The covariance matrix is $\frac1N\sum_n(\mathbf x_n - \boldsymbol\mu)(\mathbf x_n - \boldsymbol\mu)^\top$.)
    """,
    hints=[
        "For any $\\mathbf A$ the best $\\mathbf b$ makes the mean error 0. So subtract means first.",
        "Multiply out. The noise is independent of the examples: what is the mean of $\\tilde{\\mathbf x}\\tilde{\\mathbf x}^\\top$, and that of $\\mathbf x\\tilde{\\mathbf x}^\\top$?",
        "Set the derivative by $\\mathbf A$ to 0 and solve for it.",
    ],
    outputs=("A", "b"),
    axes={"X": "N D", "s": "D"},
)


@uneven.stub
def best_affine(X, s):
    """Return A, shape (D, D), and b, shape (D,), for noise of standard deviations s, (D,)."""


@uneven.reference
def best_affine_reference(X, s):
    # Let x be centred, with covariance C, and S = diag(s²). Noise and example are independent, and
    # the noise has mean 0, so E x̃x̃ᵀ = C + S and E x x̃ᵀ = C. Multiplied out, E‖Ax̃ − x‖² =
    # tr(A (C + S) Aᵀ) − 2 tr(A C) + tr C. Its derivative by A is 2A(C + S) − 2C, which is 0 at
    # A = C(C + S)⁻¹: a minimum, as the cost is a bowl in A. And b = μ − Aμ takes care of the mean.
    mean = X.mean(0)
    C = (X - mean).T @ (X - mean) / len(X)
    A = C @ torch.linalg.inv(C + torch.diag(s**2))
    return A, mean - A @ mean


@uneven.inputs
def uneven_inputs(random):
    X = random.normal(30, 4, dtype=torch.float64) @ random.normal(4, 4, dtype=torch.float64)
    return X + 1, random.uniform(0.3, 1.0, 4, dtype=torch.float64)


@uneven.probe("examples in a plane")
def uneven_plane(random):
    flat = random.normal(9, 2, dtype=torch.float64) @ random.normal(2, 4, dtype=torch.float64)
    return flat, random.uniform(0.3, 1.0, 4, dtype=torch.float64)


@uneven.wrong("the noise has the variance s², not s")
def best_affine_deviation(X, s):
    mean = X.mean(0)
    C = (X - mean).T @ (X - mean) / len(X)
    A = C @ torch.linalg.inv(C + torch.diag(s))
    return A, mean - A @ mean


@uneven.wrong("the examples have a mean: what becomes of it under A?")
def best_affine_no_bias(X, s):
    mean = X.mean(0)
    C = (X - mean).T @ (X - mean) / len(X)
    A = C @ torch.linalg.inv(C + torch.diag(s**2))
    return A, torch.zeros_like(mean)


@uneven.wrong("the factors of A are in the wrong order: with uneven noise they do not commute")
def best_affine_order(X, s):
    mean = X.mean(0)
    C = (X - mean).T @ (X - mean) / len(X)
    A = torch.linalg.inv(C + torch.diag(s**2)) @ C
    return A, mean - A @ mean


@uneven.wrong("the noise differs from number to number; its mean variance will not do")
def best_affine_even(X, s):
    mean = X.mean(0)
    C = (X - mean).T @ (X - mean) / len(X)
    A = C @ torch.linalg.inv(C + s.square().mean() * torch.eye(len(s), dtype=X.dtype))
    return A, mean - A @ mean


@uneven.wrong("the covariance matrix needs the examples less their mean")
def best_affine_uncentred(X, s):
    mean = X.mean(0)
    C = X.T @ X / len(X)
    A = C @ torch.linalg.inv(C + torch.diag(s**2))
    return A, mean - A @ mean


@uneven.wrong("the covariance matrix is divided by N here, not by N − 1")
def best_affine_unbiased(X, s):
    mean = X.mean(0)
    C = (X - mean).T @ (X - mean) / (len(X) - 1)
    A = C @ torch.linalg.inv(C + torch.diag(s**2))
    return A, mean - A @ mean


# --- program --------------------------------------------------------------------------------

recover = Exercise(
    "autoencoders.components-in-order",
    "Components in order",
    kind="program",
    effort=2,
    statement=r"""
    A trained linear autoencoder knows the principal subspace, not the components. Write `components(W, X)`, which
    takes the decoder's matrix $\mathbf W$ of shape $(D, K)$ and examples $\mathbf X$ of shape $(N, D)$, and returns a matrix of the same shape as
    $\mathbf W$: its columns have length 1, are perpendicular to each other, span what the columns of $\mathbf W$ span, and are those directions *within that span* along which the examples
    vary most, second most, and so on. The sign of a column is free. No matrix of $D \times D$ numbers may be decomposed; the check looks at the columns, your conscience at this.
    """,
    hints=[
        "First find any perpendicular columns of length 1 with the same span: `torch.linalg.qr(W).Q`.",
        "Write the examples, less their mean, in those coordinates: $K$ numbers each. Now it is a small problem.",
        "`torch.linalg.eigh` gives eigenvalues that rise.",
    ],
    axes={"W": "D K", "X": "N D"},
)


@recover.stub
def components(W, X):
    """Return the principal directions within the span of W's columns, shape (D, K)."""


@recover.reference
def components_reference(W, X):
    Q = torch.linalg.qr(W).Q
    small = (X - X.mean(0)) @ Q  # (N, K)
    _, turn = torch.linalg.eigh(small.T @ small)
    return Q @ turn.flip(1)


@recover.inputs
def recover_inputs(random):
    spread = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.3, 0.1], dtype=torch.float64)
    X = random.normal(40, 6, dtype=torch.float64) * spread
    return random.normal(6, 3, dtype=torch.float64), X + 2


@recover.judge
def recover_judge(got, W, X):
    K = W.shape[1]
    if not isinstance(got, torch.Tensor) or got.shape != W.shape:
        return f"expected a matrix of shape {tuple(W.shape)}, like W"
    if not got.isfinite().all():
        return "there are numbers that are not finite"
    got = got.to(W.dtype)
    if (got.T @ got - torch.eye(K, dtype=W.dtype)).abs().max() > 1e-4:
        return "the columns are not perpendicular to each other and of length 1"
    Q = torch.linalg.qr(W).Q
    if (got - Q @ (Q.T @ got)).abs().max() > 1e-4:
        return "these leave the span of W: are they the components of the examples themselves?"
    small = (X - X.mean(0)) @ got
    spread = small.T @ small / len(X)
    if (spread - torch.diag(spread.diagonal())).abs().max() > 1e-3 * spread.diagonal().max():
        second = X @ got
        raw = second.T @ second / len(X)
        if (raw - torch.diag(raw.diagonal())).abs().max() < 1e-3 * raw.diagonal().max():
            return "is the mean of the examples subtracted?"
        return "perpendicular, but the directions of greatest variance within the span are others"
    if (spread.diagonal().diff() > 0).any():
        return "the first column has to be that along which the examples vary most"
    return None


@recover.wrong("the first column has to be that along which the examples vary most")
def components_rising(W, X):
    Q = torch.linalg.qr(W).Q
    small = (X - X.mean(0)) @ Q
    return Q @ torch.linalg.eigh(small.T @ small).eigenvectors


@recover.wrong("perpendicular, but the directions of greatest variance within the span are others")
def components_qr(W, X):
    return torch.linalg.qr(W).Q


@recover.wrong("is the mean of the examples subtracted?")
def components_uncentred(W, X):
    Q = torch.linalg.qr(W).Q
    small = X @ Q
    return Q @ torch.linalg.eigh(small.T @ small).eigenvectors.flip(1)


@recover.wrong("these leave the span of W: are they the components of the examples themselves?")
def components_of_data(W, X):
    centred = X - X.mean(0)
    return torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, : W.shape[1]]


masked = Exercise(
    "autoencoders.holes",
    "Holes, without drawing any",
    kind="extend",
    effort=2,
    statement=r"""
    Now the spoiling is a mask: each number of $\mathbf x$ is set to 0 with probability $p$, independently of the others, and is left alone otherwise. Which matrix $\mathbf A$ makes
    $\mathbb E\lVert\mathbf A\tilde{\mathbf x} - \mathbf x\rVert^2$ least, averaged over the examples (the rows of $\mathbf X$) and over all masks? There is no bias. Write `best_mender(X, p)`, which returns $\mathbf A$
    for $0 < p < 1$ without drawing a mask. You may suppose that the matrix to be inverted can be.
    """,
    hints=[
        "Multiply out, as for Gaussian noise. Which two means do you need, and how do they follow from $\\mathbf S = \\frac1N\\mathbf X^\\top\\mathbf X$?",
        "Two different numbers both survive with probability $(1 - p)^2$. And a number together with itself?",
    ],
    axes={"X": "N D"},
)


@masked.stub
def best_mender(X, p):
    """Return A, shape (D, D), the best linear mender of masked examples."""


@masked.reference
def best_mender_reference(X, p):
    # E[x x̃ᵀ] = (1 − p) S: each column is kept with probability 1 − p. E[x̃x̃ᵀ] has (1 − p)² S off
    # the diagonal, where two masks must both keep, and (1 − p) S on it, where there is one mask.
    # The cost tr(A E[x̃x̃ᵀ] Aᵀ) − 2 tr(A E[x̃xᵀ]) + tr S has its minimum at the quotient.
    keep = 1 - p
    S = X.T @ X / len(X)
    both = keep**2 * S + (keep - keep**2) * torch.diag(S.diagonal())
    return keep * S @ torch.linalg.inv(both)


@masked.inputs
def masked_inputs(random):
    mixed = random.normal(30, 4, dtype=torch.float64) @ random.normal(4, 4, dtype=torch.float64)
    return mixed + 0.5, random.number(0.2, 0.7)


@masked.wrong("a number and itself share one mask: the diagonal survives more often")
def best_mender_squared(X, p):
    keep = 1 - p
    S = X.T @ X / len(X)
    return keep * S @ torch.linalg.inv(keep**2 * S)


@masked.wrong("p is the probability of a hole, not that of being kept")
def best_mender_exchanged(X, p):
    S = X.T @ X / len(X)
    both = p**2 * S + (p - p**2) * torch.diag(S.diagonal())
    return p * S @ torch.linalg.inv(both)


@masked.wrong("the target is whole: E[x x̃ᵀ] is thinned once")
def best_mender_unthinned(X, p):
    keep = 1 - p
    S = X.T @ X / len(X)
    both = keep**2 * S + (keep - keep**2) * torch.diag(S.diagonal())
    return S @ torch.linalg.inv(both)


@masked.wrong("each of the two means is thinned by its own count: E[x x̃ᵀ] meets one mask")
def best_mender_thinned_twice(X, p):
    keep = 1 - p
    S = X.T @ X / len(X)
    both = keep**2 * S + (keep - keep**2) * torch.diag(S.diagonal())
    return keep**2 * S @ torch.linalg.inv(both)


@masked.wrong("what the masks add on the diagonal is in proportion to the diagonal of S")
def best_mender_identity(X, p):
    keep = 1 - p
    S = X.T @ X / len(X)
    both = keep**2 * S + (keep - keep**2) * torch.eye(len(S), dtype=X.dtype)
    return keep * S @ torch.linalg.inv(both)


# --- program: the score of remembered images ------------------------------------------------

memory = Exercise(
    "autoencoders.score-from-memory",
    "Which way is up?",
    kind="program",
    effort=2,
    statement=r"""
    Clean examples are the rows of $\mathbf X$; the $n$th is met with probability $w_n$, which may be 0 for some. Gaussian noise of standard deviation $\sigma$ is added to every number.
    Write `score(Y, X, w, sigma)`: the gradient of $\ln p$ at each row of $\mathbf Y$, shape $(B, D)$, where $p$ is the density of what is seen. No automatic differentiation, no loop over examples; and
    it must be right far away from all examples, where every density underflows.
    """,
    hints=[
        "By the chapter's formula the score is known once the mean of the clean example is known, given what is seen.",
        "The weights of that mean are probabilities after seeing: before seeing they were $w_n$. Work with their logarithms.",
    ],
    axes={"Y": "B D", "X": "N D", "w": "N"},
)


@memory.stub
def score(Y, X, w, sigma):
    """Return the gradient of ln p at each row of Y, shape (B, D)."""


@memory.reference
def score_reference(Y, X, w, sigma):
    squares = (Y[:, None, :] - X[None, :, :]).square().sum(2)  # (B, N)
    after = torch.softmax(w.log() - squares / (2 * sigma**2), dim=1)
    return (after @ X - Y) / sigma**2


@memory.inputs
def memory_inputs(random):
    w = torch.softmax(random.normal(8), 0)
    return random.normal(5, 3), random.normal(8, 3), w, random.number(0.5, 1.5)


@memory.probe("rows far away from all examples")
def memory_far(random):
    w = torch.softmax(random.normal(8), 0)
    return 40 + random.normal(5, 3), random.normal(8, 3), w, 0.7


@memory.probe("an example that is never met")
def memory_never(random):
    w = torch.tensor([0.5, 0.0, 0.3, 0.2])
    return random.normal(5, 3), random.normal(4, 3), w, 0.7


@memory.wrong("before anything is seen, the examples are not equally likely: where is w?")
def score_equal(Y, X, w, sigma):
    squares = (Y[:, None, :] - X[None, :, :]).square().sum(2)
    return (torch.softmax(-squares / (2 * sigma**2), dim=1) @ X - Y) / sigma**2


@memory.wrong("the density of Gaussian noise has 2σ² below the squared distance")
def score_without_two(Y, X, w, sigma):
    squares = (Y[:, None, :] - X[None, :, :]).square().sum(2)
    return (torch.softmax(w.log() - squares / sigma**2, dim=1) @ X - Y) / sigma**2


@memory.wrong("that is the mended row, E[x | y]; the score is the way there, divided by σ²")
def score_mended(Y, X, w, sigma):
    squares = (Y[:, None, :] - X[None, :, :]).square().sum(2)
    return torch.softmax(w.log() - squares / (2 * sigma**2), dim=1) @ X


@memory.wrong("the way to E[x | y] still has to be divided by σ²")
def score_undivided(Y, X, w, sigma):
    squares = (Y[:, None, :] - X[None, :, :]).square().sum(2)
    return torch.softmax(w.log() - squares / (2 * sigma**2), dim=1) @ X - Y


# --- break ----------------------------------------------------------------------------------

cheat = Exercise(
    "autoencoders.cheap-code",
    "The same picture for a tenth of the price",
    kind="break",
    effort=1,
    statement=r"""
    A code $\mathbf h = \operatorname{relu}(\mathbf W_e\mathbf x + \mathbf b_e)$ pays the sum of its absolute values, and the reconstruction is $\mathbf W_d\mathbf h + \mathbf b_d$. Show that the price can be cheated:
    write `cheaper(We, be, Wd, bd, factor)`, which returns four parameters of the same shapes. For every input the reconstruction must be the same as before (to within $10^{-4}$),
    and the sum of the absolute values `factor` times as large, for any `factor` above 0.
    """,
    hints=[
        "Which property of relu lets a positive factor pass through?",
        "What one side loses the other has to make good. Which of the two biases must change?",
    ],
    outputs=("the reconstruction", "the sum of absolute values"),
    axes={"We": "K D", "Wd": "D K"},
    atol=1e-4,
)


@cheat.stub
def cheaper(We, be, Wd, bd, factor):
    """Return We, be, Wd, bd with the same reconstructions and a code `factor` times as large."""


@cheat.reference
def cheaper_reference(We, be, Wd, bd, factor):
    # relu(c z) = c relu(z) for c > 0.
    return factor * We, factor * be, Wd / factor, bd


@cheat.inputs
def cheat_inputs(random):
    K, D = random.sizes(2)
    return (
        random.normal(K, D),
        random.normal(K),
        random.normal(D, K),
        random.normal(D),
        random.number(0.1, 0.9),
    )


@cheat.use
def cheat_use(answer, We, be, Wd, bd, factor):
    new_e, new_b, new_d, new_c = answer(We, be, Wd, bd, factor)
    x = torch.randn(20, We.shape[1], generator=torch.Generator().manual_seed(0))
    code = torch.relu(x @ new_e.T + new_b)
    return code @ new_d.T + new_c, code.abs().sum(1)


@cheat.wrong("the encoder's bias must shrink with its matrix, or other units are on")
def cheaper_without_bias(We, be, Wd, bd, factor):
    return factor * We, be, Wd / factor, bd


@cheat.wrong("the code grows: which of the two must be multiplied by the factor, which divided?")
def cheaper_upside_down(We, be, Wd, bd, factor):
    return We / factor, be / factor, factor * Wd, bd


@cheat.wrong("the code shrinks, and so does the reconstruction: who makes it good?")
def cheaper_encoder_only(We, be, Wd, bd, factor):
    return factor * We, factor * be, Wd, bd


@cheat.wrong("the decoder's bias does not see the code: leave it as it is")
def cheaper_every_bias(We, be, Wd, bd, factor):
    return factor * We, factor * be, Wd / factor, bd / factor


spoiled = Exercise(
    "autoencoders.spoiled-target",
    "It gives the noise back",
    kind="break",
    effort=1,
    statement=r"""
    With this cost a denoiser doesn't learn to denoise: the longer it is trained, the more faithfully it gives back what it sees. One fault explains this; another is one of scale. Mend both. `model` is a function from a batch to a batch,
    `noise` another; the cost is the mean over all numbers of the squared error.
    """,
    hints=[
        "What is the least this cost could be, and which function reaches it?",
        "Six examples of four numbers make how many squared errors? By what is their sum divided?",
    ],
)


@spoiled.stub
def denoising_cost(model, noise, x):
    """Return the cost of one batch x, shape (B, D)."""
    seen = noise(x)
    return (model(seen) - seen).square().sum() / len(x)


@spoiled.reference
def denoising_cost_reference(model, noise, x):
    return (model(noise(x)) - x).square().mean()


@spoiled.inputs
def spoiled_inputs(random):
    weight = random.normal(4, 4)
    shift = random.normal(4)
    return (lambda y: y @ weight), (lambda x: 0.5 * x + shift), random.normal(6, 4)


@spoiled.wrong("the target is still spoiled")
def denoising_cost_spoiled(model, noise, x):
    seen = noise(x)
    return (model(seen) - seen).square().mean()


@spoiled.wrong("the target is clean now; but is it the mean over all numbers?")
def denoising_cost_sum(model, noise, x):
    return (model(noise(x)) - x).square().sum() / len(x)


@spoiled.wrong("nothing is spoiled any more: this trains copying")
def denoising_cost_clean(model, noise, x):
    return (model(x) - x).square().mean()
