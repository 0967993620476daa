"""Exercises of the chapter "embeddings"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

moving = Exercise(
    "embeddings.rows-that-move",
    "Rows that move",
    kind="predict",
    effort=1,
    statement=r"""
    A table has six rows, 0 to 5, none of them zero. Two training steps are made. All numbers in the cotangents are
    positive, and nothing happens to be cancelled exactly by something else. The first batch holds the words 3, 1, 3, the second the words 1, 4. How many rows does each of
    these change: the first step of plain gradient descent; its second step; the second step of Adam; the second
    step of AdamW, with its weight decay? Four numbers.
    """,
    hints=[
        "A row that nobody fetched has the gradient 0. For which optimiser does that mean: no step?",
        "Adam steps along a running mean of gradients. What is the mean of row 3 in the second step?",
    ],
    outputs=("the first step", "the second step", "the second step of Adam", "that of AdamW"),
)


@moving.stub
def four_counts():
    """Return four numbers of rows: first step, second step, with Adam, with AdamW."""


@moving.reference
def four_counts_reference():
    # The gradient has rows 1 and 3 in the first step, 1 and 4 in the second. Adam still remembers
    # the gradient of row 3 from the first, so that 1, 3 and 4 move. AdamW multiplies the whole
    # table by a number below 1 besides, so that all six change.
    return (2, 2, 3, 6)


moving.wrong_value((3, 2, 3, 6), "a word that comes twice is one row, whose cotangents add up")
moving.wrong_value((2, 2, 2, 6), "what has Adam kept of the first step?")
moving.wrong_value((2, 2, 3, 3), "weight decay asks no row whether it has a gradient")
moving.wrong_value(
    (2, 2, 6, 6), "Adam's mean of a row that was never fetched is 0, and so is its step"
)
moving.wrong_value((2, 3, 3, 6), "plain gradient descent remembers nothing of the first step")

peru = Exercise(
    "embeddings.peru",
    "A fourth country",
    kind="predict",
    effort=1,
    statement=r"""
    Add two sentences to the six of the chapter: *Peru pays sol* and *Peru speaks Spanish*. Contexts reach over the
    whole sentence, as before. What are: the number of all pairs $N$; the PMI of Peru and the sol; the PMI of
    Mexico and the peso, whose sentences have not changed; the cosine of the rows of counts of Peru and Mexico?
    Three decimals are enough.
    """,
    hints=[
        "How many ordered pairs does a sentence of three words have?",
        "Write both rows of counts. In how many places do both hold a 1?",
    ],
    outputs=("N", "the PMI of Peru and the sol", "the PMI of Mexico and the peso", "the cosine"),
    atol=0.0006,
)


@peru.stub
def four_numbers():
    """Return N, two PMIs and a cosine."""


@peru.reference
def four_numbers_reference():
    # Eight sentences of six pairs. Peru's row: pays, sol, speaks, Spanish, a 1 each, sum 4; the
    # sol's row sums to 2. Mexico and peso have rows of sum 4 as before, but N has grown. Of
    # four words each, Peru and Mexico share pays, speaks, Spanish: 3/(2·2).
    return (48, math.log(1 * 48 / (4 * 2)), math.log(1 * 48 / (4 * 4)), 3 / 4)


peru.wrong_value(
    (48, math.log(6), math.log(36 / 16), 3 / 4), "N enters every PMI, and it has grown"
)
peru.wrong_value(
    (48, math.log(3), math.log(3), 3 / 4),
    "the sol stands in one sentence: how many neighbours has it?",
)
peru.wrong_value((24, math.log(3), math.log(3 / 2), 3 / 4), "each pair counts both ways")
peru.wrong_value((48, math.log(6), math.log(3), 1 / 2), "Peru and Mexico share Spanish as well")
peru.wrong_value((48, math.log2(6), math.log2(3), 3 / 4), "the chapter takes the natural logarithm")

# --- derive ---------------------------------------------------------------------------------

squares = Exercise(
    "embeddings.squared-guesses",
    "Guessing with squares",
    kind="derive",
    effort=1,
    statement=r"""
    Somebody leaves out the sigmoid and the logarithm. A genuine pair costs $(1 - s)^2$, each of the $K$ words of noise
    costs $s^2$, where $s = \mathbf u\cdot\mathbf v$ is the score itself. Suppose that every pair's score can be chosen freely.
    Which score is best for a pair that is met with probability $P(w, o)$, if $w$ has the probability $P(w)$ and the
    noise draws $o$ with probability $q(o)$? Write it as `best_score(joint, centre, noise, K)`. Compare it with $\sigma$ of
    the best score in the chapter.
    """,
    hints=[
        "Collect what the pair costs in expectation, as the chapter does: a part in which it is genuine, and "
        "a part in which it comes out of the hat.",
        "A parabola in $s$. Where is its derivative 0?",
    ],
)


@squares.stub
def best_score(joint, centre, noise, K):
    """Return the best score.

    Args:
        joint: P(w, o), shape (M,), one for each of M pairs.
        centre: P(w) of each, shape (M,).
        noise: q(o) of each, shape (M,).
        K: words of noise for a genuine pair.
    """


@squares.reference
def best_score_reference(joint, centre, noise, K):
    # The pair's part of the expected cost is joint (1 − s)² + K centre noise s². Its derivative,
    # −2 joint (1 − s) + 2 K centre noise s, is 0 where s (joint + K centre noise) = joint. The
    # second derivative is positive, so that is the minimum. It equals σ(ln(joint / (K centre
    # noise))), the σ of the chapter's best score: both losses want the same probability.
    return joint / (joint + K * centre * noise)


@squares.inputs
def squares_inputs(random):
    M = random.integer(4, 7)
    return (
        random.uniform(0.001, 0.02, M),
        random.uniform(0.02, 0.2, M),
        random.uniform(0.02, 0.2, M),
        random.integer(2, 6),
    )


@squares.probe("a pair that never met")
def squares_unmet(random):
    return torch.zeros(3), random.uniform(0.1, 0.2, 3), random.uniform(0.1, 0.2, 3), 5


@squares.wrong("that is the best score of the logistic cost, not of this one")
def best_score_logistic(joint, centre, noise, K):
    return torch.log(joint / (K * centre * noise))


@squares.wrong("each genuine pair comes with K words of noise: K is missing")
def best_score_without_K(joint, centre, noise, K):
    return joint / (joint + centre * noise)


@squares.wrong("the noise is drawn for a centre: how often is w the centre?")
def best_score_without_centre(joint, centre, noise, K):
    return joint / (joint + K * noise)


# --- program --------------------------------------------------------------------------------

positive = Exercise(
    "embeddings.positive-pmi",
    "Positive PMI, smoothed and shifted",
    kind="program",
    effort=2,
    statement=r"""
    The chapter's `pmi` trusts its counts. Write `positive_pmi(n, power, K)`, which doesn't: from a matrix of counts, rows for words and columns for contexts, the matrix of
    $\max\bigl(0,\ \ln\frac{P(w, o)}{P(w)\,q(o)} - \ln K\bigr)$. Here $q$ is made of the sums of the *columns*: $q(o) \propto n_o^{\text{power}}$, with sum 1.
    Pairs that never met get 0. So do words without any count: no NaN and no infinity may come out. Tolerance: $10^{-5}$.
    """,
    hints=[
        "Powers first, then divide by their sum.",
        "For a pair that met, nothing can go wrong. Compute with those only, or put zeros where the others are.",
    ],
    axes={"n": "V C"},
    atol=1e-5,
    rtol=1e-5,
)


@positive.stub
def positive_pmi(n, power, K):
    """Return the shifted positive PMI, shape (V, C), of n's dtype.

    Args:
        n: counts, shape (V, C), not negative.
        power: of the columns' sums.
        K: the number whose logarithm is taken away.
    """


@positive.reference
def positive_pmi_reference(n, power, K):
    q = n.sum(0) ** power
    q = q / q.sum()
    chance = K * n.sum(1, keepdim=True) * q  # N times K P(w) q(o)
    ratio = torch.ones_like(n)  # whose logarithm is 0
    met = n > 0
    ratio[met] = n[met] / chance[met]
    return ratio.log().clamp(min=0)


@positive.inputs
def positive_inputs(random):
    V, C = random.sizes(2, low=4, high=7)
    n = random.integers(0, 12, V, C).float()
    n[0, 0] = 40.0
    return n + 1, random.choice([0.5, 0.75]), 1


@positive.probe("pairs that never met")
def positive_unmet(random):
    n = random.integers(1, 9, 5, 4).float()
    n[torch.eye(5, 4).bool()] = 0.0
    return n, 0.75, 1


@positive.probe("a word and a context without any count")
def positive_empty(random):
    n = random.integers(1, 9, 5, 4).float()
    n[2], n[:, 1] = 0.0, 0.0
    return n, 0.75, 1


@positive.probe("K = 3")
def positive_shifted(random):
    n = random.integers(1, 4, 5, 6).float() + 30 * torch.eye(5, 6)
    return n, 0.75, 3


@positive.wrong("right where all pairs met: ln 0 and 0/0 need care")
def positive_pmi_careless(n, power, K):
    q = n.sum(0) ** power
    q = q / q.sum()
    P = n / n.sum()
    return (P / P.sum(1, keepdim=True) / q / K).log().clamp(min=0)


@positive.wrong("the power is missing: q is smoother than the contexts' own frequencies")
def positive_pmi_plain(n, power, K):
    q = n.sum(0) / n.sum()
    chance = K * n.sum(1, keepdim=True) * q
    return torch.where(n > 0, n / chance.clamp(min=1e-30), 1.0).log().clamp(min=0)


@positive.wrong("after the power q must be made to sum to 1 again")
def positive_pmi_unscaled(n, power, K):
    q = (n.sum(0) / n.sum()) ** power
    chance = K * n.sum(1, keepdim=True) * q
    return torch.where(n > 0, n / chance.clamp(min=1e-30), 1.0).log().clamp(min=0)


@positive.wrong("negative numbers are left: max(0, …) is missing")
def positive_pmi_signed(n, power, K):
    q = n.sum(0) ** power
    q = q / q.sum()
    chance = K * n.sum(1, keepdim=True) * q
    return torch.where(n > 0, n / chance.clamp(min=1e-30), 1.0).log()


full = Exercise(
    "embeddings.every-word",
    "Against every word",
    kind="program",
    effort=1,
    statement=r"""
    Without negative sampling the cost of a pair would be $-\ln p_o$, where $\mathbf p = \operatorname{softmax}(\mathbf U\mathbf v)$ are the probabilities of all $V$
    words as a neighbour of the centre $\mathbf v$. Write `softmax_gradients(v, U, o)`: the gradients by $\mathbf v$ and by $\mathbf U$, by formulas, without
    any automatic differentiation. Compare: how many rows of $\mathbf U$ does negative sampling touch? Tolerance: $10^{-5}$.
    """,
    hints=[
        "The gradient of softmax and negative logarithm together, by the scores, was one subtraction.",
        r"Scores are $\mathbf U\mathbf v$. Which shape must each gradient have?",
    ],
    axes={"v": "D", "U": "V D"},
    outputs=("the gradient by v", "the gradient by U"),
    atol=1e-5,
)


@full.stub
def softmax_gradients(v, U, o):
    """Return the gradients by v, shape (D,), and by U, shape (V, D).

    Args:
        v: the centre's vector, shape (D,).
        U: all contexts' vectors, shape (V, D).
        o: the number of the true neighbour.
    """


@full.reference
def softmax_gradients_reference(v, U, o):
    # By the scores s = U v the gradient is e = p − onehot(o). Each score is a row of U times v:
    # by v that gives Uᵀ e, by U the outer product of e and v. All V rows are touched;
    # negative sampling touches K + 1 at most.
    error = torch.softmax(U @ v, 0)
    error[o] -= 1
    return U.T @ error, torch.outer(error, v)


@full.inputs
def full_inputs(random):
    V, D = random.sizes(2, low=3, high=8)
    return random.normal(D), random.normal(V, D), random.integer(0, V - 1)


@full.probe("scores near 1000")
def full_large(random):
    v = torch.tensor([1.0, 0.0, 0.0])
    U = random.normal(5, 3)
    U[:, 0] = 1000.0 + torch.arange(5.0)
    return v, U, 2


@full.wrong("the true neighbour pulls the other way: 1 is missing from its error")
def softmax_gradients_without_target(v, U, o):
    error = torch.softmax(U @ v, 0)
    return U.T @ error, torch.outer(error, v)


@full.wrong("the sign: that is the way down, not the gradient")
def softmax_gradients_downhill(v, U, o):
    error = -torch.softmax(U @ v, 0)
    error[o] += 1
    return U.T @ error, torch.outer(error, v)


@full.wrong("sigmoids are for yes-or-no questions; these V answers share one probability")
def softmax_gradients_of_sigmoids(v, U, o):
    error = torch.sigmoid(U @ v)
    error[o] -= 1
    return U.T @ error, torch.outer(error, v)


# --- break ----------------------------------------------------------------------------------

long = Exercise(
    "embeddings.long-words-win",
    "Long words win",
    kind="break",
    effort=1,
    statement=r"""
    This function answers analogies by the number of the best word. With vectors of length 1 it does so well. With vectors as they come
    out of training the same few words win again and again, and sometimes the answer is a word of the question.
    Mend both: nearness is the cosine, for $a$, $b$ and $c$ as well as for the candidates, and none of the three may be the answer.
    """,
    hints=[
        "Which vectors have a large inner product with almost anything that points their way?",
        "In $b - a + c$, too, a long vector outshouts the others, unless all are brought to length 1 first.",
    ],
    axes={"E": "V D"},
)


@long.stub
def analogy(E, a, b, c):
    """Return the number of the answer.

    Args:
        E: vectors of all words, shape (V, D), none of them zero.
        a: the number of a word.
        b: what it goes with.
        c: the number of another word.
    """
    scores = E @ (E[b] - E[a] + E[c])
    scores[c] = -torch.inf
    return int(scores.argmax())


@long.reference
def analogy_reference(E, a, b, c):
    E = E / E.norm(dim=1, keepdim=True)
    scores = E @ (E[b] - E[a] + E[c])
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


@long.inputs
def long_inputs(random):
    E = random.normal(12, 3) * torch.exp(1.2 * random.normal(12, 1))
    return E, 0, 1, 2


@long.probe("vectors of length 1")
def long_unit(random):
    E = random.normal(9, 3)
    return E / E.norm(dim=1, keepdim=True), 0, 1, 2


@long.probe("one very long vector")
def long_one(random):
    E = random.normal(9, 3)
    E[5] *= 1000
    return E, 0, 1, 2


@long.wrong("the candidates have length 1 now, but a, b and c have not")
def analogy_half(E, a, b, c):
    unit = E / E.norm(dim=1, keepdim=True)
    scores = unit @ (E[b] - E[a] + E[c])
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


@long.wrong("a word of the question can still be the answer")
def analogy_included(E, a, b, c):
    E = E / E.norm(dim=1, keepdim=True)
    return int((E @ (E[b] - E[a] + E[c])).argmax())


@long.wrong("a or b can still be the answer: leave out all three words of the question")
def analogy_only_c(E, a, b, c):
    E = E / E.norm(dim=1, keepdim=True)
    scores = E @ (E[b] - E[a] + E[c])
    scores[c] = -torch.inf
    return int(scores.argmax())


@long.wrong("the words of the question are left out, but nearness is still the inner product")
def analogy_inner(E, a, b, c):
    scores = E @ (E[b] - E[a] + E[c])
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


# --- extend ---------------------------------------------------------------------------------

against = Exercise(
    "embeddings.against-the-arrow",
    "Right, against the arrow",
    kind="extend",
    effort=2,
    statement=r"""
    An analogy can be answered rightly although the arrows do not agree. Find five vectors of the plane, $a, b, c, d, e$, each of length 1
    (to within $10^{-6}$), such that the answer to "$a$ is to $b$ as $c$ is to …?" is $d$: of the two words left, $d$ is nearer to $b - a + c$ than $e$, with
    cosines that differ by at least 0.1. Yet $b - a$ and $d - c$ point in opposite directions: their cosine is below $-0.9$. Both
    arrows must be at least $0.01$ long. Return a tensor of shape (5, 2).
    """,
    hints=[
        "If $b - a$ is short, $b - a + c$ is nearly $c$. Who is nearest then?",
        r"Write each vector as $(\cos\varphi, \sin\varphi)$. A small step in angle is an arrow at a right angle to the vector: which way does it point at $0$, and which way at $\pi$?",
    ],
)


@against.stub
def five_vectors():
    """Return the rows a, b, c, d, e, shape (5, 2)."""


@against.reference
def five_vectors_reference():
    # From angle 0 to 0.05 the arrow points up. At π a growing angle leads down: from π to π + 0.05.
    # b − a + c differs from c by 0.05 only, so d, 0.05 away from c, beats e at π/2 by far.
    angles = torch.tensor([0, 0.05, math.pi, math.pi + 0.05, math.pi / 2], dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin()], 1)


@against.judge
def against_judge(got):
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != (5, 2):
        return "expected a tensor of shape (5, 2)"
    x = got.detach().double()
    if not bool(torch.isfinite(x).all()) or float((x.norm(dim=1) - 1).abs().max()) > 1e-6:
        return "not every row has the length 1"
    a, b, c, d, e = x
    first, second = b - a, d - c
    if float(first.norm()) < 0.01 or float(second.norm()) < 0.01:
        return "an arrow is shorter than 0.01"
    target = b - a + c
    if float(target.norm()) < 1e-9:
        return "b − a + c is zero and near nothing"
    lead = float((target @ d - target @ e) / target.norm())
    if lead < 0.1 - 1e-9:
        return f"the cosine of d must be ahead of that of e by 0.1; it is by {lead:.3f}"
    cosine = float(first @ second / (first.norm() * second.norm()))
    if cosine >= -0.9:
        return f"the arrows have the cosine {cosine:.3f}, not below −0.9"
    return None


against.wrong_value(torch.zeros(5, 2), "not every row has the length 1")
against.wrong_value(
    torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [-1, 0]]), "an arrow is shorter than 0.01"
)
against.wrong_value(
    torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, 1], [0, -1]]),
    "the arrows have the cosine 0.000, not below −0.9",
)
against.wrong_value(
    torch.tensor([[1.0, 0], [0, 1], [-1, 0], [1, 0], [0, 1]]),
    "the cosine of d must be ahead of that of e by 0.1; it is by -1.342",
)
