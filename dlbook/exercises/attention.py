"""Exercises of the chapter "attention"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import itertools
import math

import torch

from dlbook.exercises._core import Exercise
from dlbook.models.seq2seq import beam_search

# --- predict --------------------------------------------------------------------------------

three_scores = Exercise(
    "attention.three-scores",
    "Three scores",
    kind="predict",
    effort=1,
    statement=r"""
    A source has three positions with the scores $7$, $7 + \log 2$ and $7 + \log 5$. What can be read there is 8, 4 and 0. What is
    read? What is read if the third position is padding and hidden? And what (with nothing hidden) if all three scores are doubled?
    Three numbers, with three digits behind the point.
    """,
    hints=[
        "What happens to the weights if the same number is added to all scores?",
        r"$e^{\log 2} = 2$: the first weights are in the ratio $1 : 2 : 5$. Doubling a logarithm squares the number.",
    ],
    outputs=("read", "hidden", "doubled"),
    atol=0.0006,
)


@three_scores.stub
def three_readings():
    """Return what is read: as given, with the third hidden, with all scores doubled."""


@three_scores.reference
def three_readings_reference():
    # The common 7 cancels. Weights 1/8, 2/8, 5/8; then 1/3, 2/3; then 1/30, 4/30, 25/30.
    return (8 + 2 * 4) / 8, (8 + 2 * 4) / 3, (8 + 4 * 4) / 30


three_scores.wrong_value((16.0, 16.0, 24.0), "divide by the sum of what you have weighed with")
three_scores.wrong_value((4.0, 6.0, 4.0), "that is the mean without weights")
three_scores.wrong_value((2.0, 2.0, 0.8), "weights add up to 1 also where something is hidden")
three_scores.wrong_value(
    (2.0, 16 / 3, 2.0), "a common summand changes no weight, but a common factor does"
)

work = Exercise(
    "attention.how-much-work",
    "How much work",
    kind="predict",
    effort=1,
    statement=r"""
    A decoder with states of 64 numbers looks back at 20 positions of 96 numbers each, by additive attention with 32 hidden units and
    without a bias. It writes 10 tokens. How many parameters has the attention? How many times is tanh computed for the whole
    text? How many multiplications does the product $W_k h_j$ take if it is computed once for every position, and how many if it is computed
    anew for every token written? Four whole numbers.
    """,
    hints=[
        "Three objects have parameters: a matrix for the state, one for the positions, and a vector.",
        "There is a hidden layer for every *pair* of a token and a position.",
    ],
    outputs=("parameters", "tanhs", "once", "anew"),
)


@work.stub
def four_amounts():
    """Return parameters, tanhs, and multiplications of the keys' product in two ways."""


@work.reference
def four_amounts_reference():
    once = 20 * 32 * 96
    return 32 * 64 + 32 * 96 + 32, 10 * 20 * 32, once, 10 * once


work.wrong_value(
    (5120, 6400, 61440, 614400), "the vector that makes one number of the hidden units is missing"
)
work.wrong_value((5152, 200, 61440, 614400), "each pair has 32 hidden units")
work.wrong_value(
    (5152, 640, 61440, 614400), "the hidden units belong to pairs: tokens times positions"
)
work.wrong_value(
    (5152, 6400, 614400, 614400), "what is computed from the positions alone needs no second time"
)

all_right = Exercise(
    "attention.all-right",
    "All eleven right",
    kind="predict",
    effort=1,
    statement=r"""
    A date is eleven tokens: ten characters and the stop. Suppose that each token is right with the same probability $q$ once those
    before it are, whatever they were. Which share of dates is entirely right for $q = 0.99$? Which $q$ is needed for 95 %? Give both as numbers
    between 0 and 1, with four digits.
    """,
    hints=[
        "A date is right when the first token is, and then the second, and so on: what happens to the probabilities?",
        "For the second question, the formula of the first must be solved for the other number.",
    ],
    outputs=("exact", "needed"),
    atol=0.00006,
)


@all_right.stub
def exact_and_needed():
    """Return the share of right dates for q = 0.99, and the q for a share of 0.95."""


@all_right.reference
def exact_and_needed_reference():
    return 0.99**11, 0.95 ** (1 / 11)


all_right.wrong_value((0.89, 0.9955), "eleven times 0.01 is an approximation: multiply")
all_right.wrong_value((0.9044, 0.9949), "the stop is a token, too")
all_right.wrong_value((0.99, 0.95), "that is for one token; a date has eleven")

# --- derive ---------------------------------------------------------------------------------

sharpest = Exercise(
    "attention.sharpest",
    "How sharply can it look?",
    kind="derive",
    effort=2,
    statement=r"""
    Additive scores are $z_j = w^\top \tanh(\cdot)$. Whatever states, positions and matrices there are, how near to 1 can the weight of one of $S$
    positions come? Derive the least upper bound from the vector $w$ and $S$ alone, and write it as `largest_weight(w, S)`. The relative error
    may be $10^{-4}$.
    """,
    hints=[
        "tanh lies between −1 and 1. What are the largest and the smallest score that $w$ allows?",
        "The weight is largest when one score is the largest possible, and all others are the smallest. Divide numerator and denominator by "
        "the numerator.",
    ],
    rtol=1e-4,
)


@sharpest.stub
def largest_weight(w, S):
    """Return the bound, a float.

    Args:
        w: the vector of the scores, shape (M,).
        S: positions of the source.
    """


@sharpest.reference
def largest_weight_reference(w, S):
    # Every hidden unit lies in (-1, 1), so that each score lies between -L and L, where L is the
    # sum of |w_m|. The first weight is e^z1 / (e^z1 + sum of the S - 1 others e^zj); it grows with
    # z1 and falls with each other zj. So it stays below e^L / (e^L + (S - 1) e^-L), and comes as
    # near to that as you like when the hidden units are nearly sign(w) at the first position and
    # nearly -sign(w) at the others. Divide by e^L:
    return 1 / (1 + (S - 1) * math.exp(-2 * float(w.abs().sum())))


@sharpest.inputs
def sharpest_inputs(random):
    return random.normal(random.integer(2, 6)), random.integer(2, 40)


@sharpest.probe("a single position")
def sharpest_single(random):
    return random.normal(3), 1


@sharpest.wrong("the sum of absolute values bounds the scores, not the Euclidean length")
def largest_by_length(w, S):
    return 1 / (1 + (S - 1) * math.exp(-2 * float(w.norm())))


@sharpest.wrong("scores can also be negative: the others may lie as far below 0 as the one above")
def largest_above_zero(w, S):
    return 1 / (1 + (S - 1) * math.exp(-float(w.abs().sum())))


@sharpest.wrong("there are S − 1 others, not S")
def largest_of_one_more(w, S):
    return 1 / (1 + S * math.exp(-2 * float(w.abs().sum())))


@sharpest.wrong("entries of w may be negative; a hidden unit near −1 makes them count upwards")
def largest_of_the_sum(w, S):
    return 1 / (1 + (S - 1) * math.exp(-2 * float(w.sum())))


general = Exercise(
    "attention.general-back",
    "The way back of a simpler score",
    kind="derive",
    effort=2,
    statement=r"""
    Luong's general score has no hidden layer: $z_{tj} = s_t^\top A\,h_j$, for all $t$ and $j$ at once $Z = Q A H^\top$ with states as rows of
    $Q$ (`s` in the code) and positions as rows of $H$. Given $\bar Z$, derive the cotangents of $Q$, $A$ and $H$. Write `general_back(z_bar, s, A, h)`, by matrix products
    only. Tolerance: $10^{-4}$.
    """,
    hints=[
        r"For one pair: $\bar s_t = \sum_j \bar z_{tj}\,A h_j$. And $\bar A$ is a sum over all pairs.",
        r"Check shapes: $\bar A$ is (D, E). Of which (T, D), (T, S) and (S, E) can it be a product?",
    ],
    outputs=("s_bar", "A_bar", "h_bar"),
    axes={"s": "T D", "A": "D E", "h": "S E", "z_bar": "T S"},
    atol=1e-4,
)


@general.stub
def general_back(z_bar, s, A, h):
    """Return the cotangents of s, A and h.

    Args:
        z_bar: cotangents of the scores, shape (T, S).
        s: states, (T, D).
        A: the matrix between them, (D, E).
        h: positions of the source, (S, E).
    """


@general.reference
def general_back_reference(z_bar, s, A, h):
    # z_tj = sum_de s_td A_de h_je is linear in each of the three:
    # by s_td its derivative is (A h_j)_d, so s_bar_t = sum_j z_bar_tj A h_j;
    # by h_je it is (A^T s_t)_e, so h_bar_j = sum_t z_bar_tj A^T s_t;
    # by A_de it is s_td h_je, so A_bar = sum_tj z_bar_tj s_t h_j^T.
    return z_bar @ h @ A.mT, s.mT @ z_bar @ h, z_bar.mT @ s @ A


@general.inputs
def general_inputs(random):
    T, S, D, E = random.sizes(4)
    return random.normal(T, S), random.normal(T, D), random.normal(D, E), random.normal(S, E)


@general.wrong(
    "a position is scored by every state: sum over them all, each with its own cotangent"
)
def general_first_state(z_bar, s, A, h):
    return z_bar @ h @ A.mT, s.mT @ z_bar @ h, z_bar[:1].mT @ s[:1] @ A


@general.wrong("the cotangents of the scores are missing in that of the matrix")
def general_without_scores(z_bar, s, A, h):
    ones = torch.ones_like(z_bar)
    return z_bar @ h @ A.mT, s.mT @ ones @ h, z_bar.mT @ s @ A


@general.wrong(
    "states and positions meet through the matrix: it belongs in both of their cotangents"
)
def general_without_matrix(z_bar, s, A, h):
    eye = torch.eye(*A.shape)
    return z_bar @ h @ eye.mT, s.mT @ z_bar @ h, z_bar.mT @ s @ eye


# --- program --------------------------------------------------------------------------------

reading = Exercise(
    "attention.read",
    "Read a padded batch",
    kind="program",
    effort=2,
    statement=r"""
    Write `read(s, h, lengths, w, W_q, W_k)`: additive attention for a batch of B sources of different lengths, one state for each. Return
    what is read, (B, K), and the weights, (B, S). Beyond a source's length weights are 0, whatever numbers stand there, and the others add up to 1. Write the
    softmax out, by `exp` and sums; it must also be right where scores are near 1000. Tolerance: $10^{-5}$, relative $10^{-4}$.
    """,
    hints=[
        "`s @ W_q.mT` is (B, M) and `h @ W_k.mT` is (B, S, M). Which axis does the first one lack?",
        "`torch.arange(S) < lengths[:, None]` is true within the sources. What score gives a weight of exactly 0?",
    ],
    outputs=("c", "p"),
    axes={"s": "B D", "h": "B S K", "lengths": "B", "w": "M", "W_q": "M D", "W_k": "M K"},
    atol=1e-5,
    rtol=1e-4,
)


@reading.stub
def read(s, h, lengths, w, W_q, W_k):
    """Return what is read and the weights.

    Args:
        s: states, shape (B, D).
        h: positions, (B, S, K).
        lengths: positions of each source that are no padding, (B,), at least 1.
        w: the scores' vector, (M,).
        W_q: the matrix for states, (M, D).
        W_k: the matrix for positions, (M, K).
    """


@reading.reference
def read_reference(s, h, lengths, w, W_q, W_k):
    u = torch.tanh((s @ W_q.mT)[:, None] + h @ W_k.mT)  # (B, S, M)
    z = u @ w
    inside = torch.arange(h.shape[1]) < lengths[:, None]
    z = z.masked_fill(~inside, -torch.inf)
    e = (z - z.amax(-1, keepdim=True)).exp()  # no exponential above 1, and 0 where hidden
    p = e / e.sum(-1, keepdim=True)
    return (p[:, None] @ h)[:, 0], p


@reading.inputs
def read_inputs(random):
    B, S, D, K, M = random.sizes(5)
    lengths = random.integers(1, S, B)
    lengths[0] = 1  # so that something is hidden
    return (
        *(random.normal(B, D), random.normal(B, S, K), lengths),
        *(random.normal(M), random.normal(M, D), random.normal(M, K)),
    )


@reading.probe("scores near 1000")
def read_large(random):
    B, S, D, K = random.sizes(4)
    lengths = random.integers(1, S, B)
    w = torch.tensor([1000.0, 1.0])
    W_q, W_k = torch.zeros(2, D), torch.zeros(2, K)
    W_q[0, 0] = 20.0  # tanh is 1 there: every score has the summand 1000
    W_k[1] = 1.0
    s = random.normal(B, D)
    s[:, 0] = 1.0
    return s, random.normal(B, S, K), lengths, w, W_q, W_k


@reading.probe("large numbers in the padding")
def read_rubbish(random):
    B, S, D, K, M = random.sizes(5)
    lengths = random.integers(1, S, B)
    lengths[0] = 1
    h = random.normal(B, S, K)
    h[torch.arange(S) >= lengths[:, None]] = 1e4
    return (
        *(random.normal(B, D), h, lengths),
        *(random.normal(M), random.normal(M, D), random.normal(M, K)),
    )


@reading.wrong("padding gets weight: hide it before the softmax")
def read_everything(s, h, lengths, w, W_q, W_k):
    p = (torch.tanh((s @ W_q.mT)[:, None] + h @ W_k.mT) @ w).softmax(-1)
    return (p[:, None] @ h)[:, 0], p


@reading.wrong("a score of 0 is a score like others; padding needs minus infinity")
def read_zero_scores(s, h, lengths, w, W_q, W_k):
    z = torch.tanh((s @ W_q.mT)[:, None] + h @ W_k.mT) @ w
    p = (z * (torch.arange(h.shape[1]) < lengths[:, None])).softmax(-1)
    return (p[:, None] @ h)[:, 0], p


@reading.wrong("cut off after the softmax, the weights no longer add up to 1")
def read_cut(s, h, lengths, w, W_q, W_k):
    p = (torch.tanh((s @ W_q.mT)[:, None] + h @ W_k.mT) @ w).softmax(-1)
    p = p * (torch.arange(h.shape[1]) < lengths[:, None])
    return (p[:, None] @ h)[:, 0], p


@reading.wrong("exponentials of scores near 1000 are infinite: subtract the largest score first")
def read_overflow(s, h, lengths, w, W_q, W_k):
    e = (torch.tanh((s @ W_q.mT)[:, None] + h @ W_k.mT) @ w).exp()
    e = e * (torch.arange(h.shape[1]) < lengths[:, None])
    p = e / e.sum(-1, keepdim=True)
    return (p[:, None] @ h)[:, 0], p


growing = Exercise(
    "attention.beam-step",
    "One step of a beam",
    kind="program",
    effort=2,
    statement=r"""
    A beam holds $N$ beginnings with the logarithmic probabilities `scores`, and the network gives the logarithmic probability of each of $V$
    tokens after each of them, `log_p`. Write `grow(scores, log_p, K)`, which returns the $K$ best continuations, best first: their
    scores, the beginning that each continues, and its new token.
    """,
    hints=[
        "A continuation's score is a sum. All N · V of them compete with each other.",
        "Put them all in one flat list. How do you get from a place in that list to a row and a column?",
    ],
    outputs=("scores", "parents", "tokens"),
    axes={"scores": "N", "log_p": "N V"},
    atol=1e-5,
)


@growing.stub
def grow(scores, log_p, K):
    """Return scores, parents and tokens, each of shape (K,).

    Args:
        scores: of the beginnings, shape (N,).
        log_p: of the next tokens, (N, V).
        K: how many shall stay, at most N · V.
    """


@growing.reference
def grow_reference(scores, log_p, K):
    best, index = (scores[:, None] + log_p).flatten().topk(K)
    return best, index // log_p.shape[1], index % log_p.shape[1]


@growing.inputs
def grow_inputs(random):
    N, V = random.sizes(2)
    log_p = (2 * random.normal(N, V)).log_softmax(-1)
    return -3 * random.uniform(0.0, 1.0, N), log_p, random.integer(2, 4)


@growing.wrong("how probable the beginnings are counts, too")
def grow_forgetful(scores, log_p, K):
    best, index = log_p.flatten().topk(K)
    return best, index // log_p.shape[1], index % log_p.shape[1]


@growing.wrong("an index in the flat list is the beginning times V plus the token, not times N")
def grow_wrong_size(scores, log_p, K):
    best, index = (scores[:, None] + log_p).flatten().topk(K)
    return best, index // log_p.shape[0], index % log_p.shape[0]


@growing.wrong("logarithms of probabilities are added, not multiplied")
def grow_product(scores, log_p, K):
    best, index = (scores[:, None] * log_p).flatten().topk(K)
    return best, index // log_p.shape[1], index % log_p.shape[1]


# --- break ----------------------------------------------------------------------------------

beaten = Exercise(
    "attention.beaten-beam",
    "A table that beats a beam of two",
    kind="break",
    effort=2,
    statement=r"""
    Tokens are numbered otherwise than above: 0 is the start, 1 the stop; the letters are 2, 3 and 4. The next token depends on the last one alone, by a table of
    probabilities with five rows and five columns: row 2 says what comes after the letter 2. Nothing leads back to the start, so column 0 is zeros; the other rows add up to 1,
    that of the stop may be anything. A text ends with the stop and has at most four tokens, the stop included. The beam follows the page's rules: a text
    that has stopped keeps its place. What hasn't stopped after four tokens is thrown away. Find a table for which the most probable text is
    at least *twice* as probable as the best text that a beam of two finds (and it must find one).
    """,
    hints=[
        "Three ways lead from the start. Which of them does a beam of two leave out?",
        "What makes a way better in the end than it looks at first?",
    ],
)


@beaten.stub
def five_by_five():
    """Return the table, five rows of five probabilities."""


@beaten.reference
def five_by_five_reference():
    return torch.tensor(
        [
            [0.0, 0.0, 0.35, 0.34, 0.31],  # 4 is left out at once
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [0.0, 0.28, 0.26, 0.24, 0.22],  # 2 and 3 lead to many ends, none of them probable
            [0.0, 0.27, 0.26, 0.25, 0.22],
            [0.0, 1.0, 0.0, 0.0, 0.0],  # and would have come to its end for certain
        ]
    )


@beaten.judge
def beaten_judge(got):
    try:
        table = torch.as_tensor(got, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return "expected five rows of five numbers"
    if table.shape != (5, 5):
        return f"expected five rows of five numbers, got shape {tuple(table.shape)}"
    rows = table[[0, 2, 3, 4]]
    if not bool((rows >= 0).all()) or not bool(((rows.sum(1) - 1).abs() < 1e-5).all()):
        return "rows 0, 2, 3 and 4 must hold probabilities that add up to 1"
    if bool((rows[:, 0] != 0).any()):
        return "nothing leads back to the start: column 0 must be zeros"

    def step(last, state):
        (count,) = state  # tokens written before this one
        log_p = table[last].log()
        log_p[count == 3, 2:] = -torch.inf  # the fourth must be the stop
        return log_p, (count + 1,), torch.ones(len(last), 1)

    found = beam_search(
        step,
        [torch.zeros(1)],
        beam_size=2,
        max_length=4,
        length_power=0.0,
        padding=1,
        start=0,
        stop=1,
    )
    few = float(found.scores.exp())
    best = 0.0
    for length in range(4):  # letters before the stop
        for letters in itertools.product((2, 3, 4), repeat=length):
            path = [0, *letters, 1]
            best = max(best, math.prod(float(table[a, b]) for a, b in itertools.pairwise(path)))
    if few == 0:
        return "the beam of two finds no text that ends within four tokens"
    if few * 2 > best + 1e-9:
        return f"the beam finds {few:.3f}, the best of all is {best:.3f}: not twice as much"
    return None


beaten.wrong_value(
    [
        [0.0, 0.0, 0.6, 0.4, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.5, 0.5, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
    ],
    "the beam finds 0.400, the best of all is 0.400: not twice as much",
)
beaten.wrong_value(  # 4 is followed by 4 for ever: no text
    [
        [0.0, 0.0, 0.35, 0.34, 0.31],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.28, 0.26, 0.24, 0.22],
        [0.0, 0.27, 0.26, 0.25, 0.22],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ],
    "the beam finds 0.098, the best of all is 0.098: not twice as much",
)
beaten.wrong_value(  # 2 and 3 never stop
    [
        [0.0, 0.0, 0.34, 0.34, 0.32],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
    ],
    "the beam of two finds no text that ends within four tokens",
)
beaten.wrong_value([[0.2] * 5] * 5, "nothing leads back to the start: column 0 must be zeros")
beaten.wrong_value(
    [[0.0, 0.5, 0.5, 0.5, 0.5]] * 5,
    "rows 0, 2, 3 and 4 must hold probabilities that add up to 1",
)
beaten.wrong_value([0.25] * 4, "expected five rows of five numbers, got shape (4,)")

# --- extend ---------------------------------------------------------------------------------

window = Exercise(
    "attention.window",
    "Look near a place",
    kind="extend",
    effort=2,
    statement=r"""
    Luong's local attention looks near a place that the network has chosen. For token $t$ let the centre be $m_t$, a real number. Only
    positions $j$ with $|j - m_t| \le D$ are seen; the softmax is over their scores; then each weight is multiplied by
    $\exp\bigl(-(j - m_t)^2 / (2\sigma^2)\bigr)$ with $\sigma = D/2$, and is not made to add up to 1 again. Positions count from 0. Write `near(z, centre, D)`, which
    returns the weights, (T, S). At least one position is always seen. Tolerance: $10^{-5}$.
    """,
    hints=[
        "`torch.arange(S) - centre[:, None]` has the distances, (T, S).",
        "Hiding is done to scores, before the softmax; the bell to weights, after it.",
    ],
    axes={"z": "T S", "centre": "T"},
    atol=1e-5,
)


@window.stub
def near(z, centre, D):
    """Return the weights, shape (T, S).

    Args:
        z: scores, (T, S).
        centre: where each token looks, (T,), real numbers from 0 to S − 1.
        D: how far it sees, at least 1.
    """


@window.reference
def near_reference(z, centre, D):
    distance = torch.arange(z.shape[1]) - centre[:, None]
    p = z.masked_fill(distance.abs() > D, -torch.inf).softmax(-1)
    return p * torch.exp(-(distance**2) / (2 * (D / 2) ** 2))


@window.inputs
def near_inputs(random):
    T, S = random.sizes(2)
    S = S + 4
    return random.normal(T, S), random.uniform(0.0, S - 1.0, T), random.integer(1, 3)


@window.wrong("the softmax is over the positions that are seen, not over all")
def near_all(z, centre, D):
    distance = torch.arange(z.shape[1]) - centre[:, None]
    p = z.softmax(-1) * (distance.abs() <= D)
    return p * torch.exp(-(distance**2) / (2 * (D / 2) ** 2))


@window.wrong("these weights are not made to add up to 1 again")
def near_normalized(z, centre, D):
    distance = torch.arange(z.shape[1]) - centre[:, None]
    p = z.masked_fill(distance.abs() > D, -torch.inf).softmax(-1)
    p = p * torch.exp(-(distance**2) / (2 * (D / 2) ** 2))
    return p / p.sum(-1, keepdim=True)


@window.wrong("the bell's width is half of D")
def near_wide(z, centre, D):
    distance = torch.arange(z.shape[1]) - centre[:, None]
    p = z.masked_fill(distance.abs() > D, -torch.inf).softmax(-1)
    return p * torch.exp(-(distance**2) / (2 * D**2))


@window.wrong("positions count from 0")
def near_from_one(z, centre, D):
    distance = torch.arange(1, z.shape[1] + 1) - centre[:, None]
    p = z.masked_fill(distance.abs() > D, -torch.inf).softmax(-1).nan_to_num()
    return p * torch.exp(-(distance**2) / (2 * (D / 2) ** 2))
