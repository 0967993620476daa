"""Exercises of the chapter "transformers"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

swapped = Exercise(
    "transformers.two-swapped",
    "Two words swapped",
    kind="predict",
    effort=2,
    statement=r"""
    No positions are added to the features. Four different tokens $a, b, c, d$ go through blocks of attention and
    feed-forward network, with random weights; then once more with the first two swapped, $b, a, c, d$. Does the output at the *last*
    place change (beyond rounding)? Answer for three cases, with `True` where it changes: blocks without a
    mask, one or two; one block with a causal mask; two blocks with a causal mask. Then program it and look.
    """,
    hints=[
        "What does the last place of a block read: a sequence, or a heap?",
        "In the second block it reads what the first one wrote. Under a causal mask, what has the place of $a$ "
        "read in the first block, before the swap and after it?",
    ],
    outputs=("without_mask", "one_causal", "two_causal"),
)


@swapped.stub
def does_it_change():
    """Return three booleans: without a mask, one causal block, two causal blocks."""


@swapped.reference
def does_it_change_reference():
    # The last place takes a weighted mean over all places, and a mean does not mind their order.
    # Without a mask every place reads the same heap, so its output goes with its token, in every
    # block. Under a causal mask the first place reads itself only. Before the swap that is a, and
    # the place of b has read a and b; after it, that of a has read both. So the first block's
    # outputs are other vectors, and the second block's last place takes its mean over those.
    return False, False, True


swapped.wrong_value(
    (False, False, False), "in the second block, what does each place hold, and which did it read?"
)
swapped.wrong_value(
    (False, True, True),
    "with one causal block, the last place reads the same four inputs before and after",
)
swapped.wrong_value((True, True, True), "a weighted mean does not mind the order of its terms")
swapped.wrong_value(
    (True, False, True),
    "without a mask every place reads the same heap, in the second block, too",
)

cache = Exercise(
    "transformers.cache-bytes",
    "What the cache takes",
    kind="predict",
    effort=1,
    statement=r"""
    GPT-2's smallest network has 12 blocks of 12 heads, and a head has 64 features. Its context of 1,024 positions is full, one text at a
    time, and a number takes 2 bytes. How many bytes do the kept keys and values take? And how many, if every
    four heads of the queries share one head of keys and values?
    """,
    hints=["What does one position leave behind in one block?", "Queries are not kept."],
    outputs=("bytes", "bytes_shared"),
)


@cache.stub
def two_sizes():
    """Return the bytes of the cache, and of the one with shared heads."""


@cache.reference
def two_sizes_reference():
    whole = (
        2 * 12 * 12 * 64 * 1024 * 2
    )  # keys and values, blocks, heads, features, positions, bytes
    return whole, whole // 4


cache.wrong_value((18874368, 4718592), "keys and values: two rows for every position")
cache.wrong_value((3145728, 786432), "every block has keys and values of its own")
cache.wrong_value((56623104, 14155776), "queries are used once and not kept")
cache.wrong_value(
    (37748736, 12582912), "twelve heads of queries, four to a group: how many groups?"
)

# --- derive ---------------------------------------------------------------------------------

scale = Exercise(
    "transformers.scale-gradient",
    "A scale that learns",
    kind="derive",
    effort=2,
    statement=r"""
    Let the factor $c$ of the scores be a parameter: $\mathbf Y = \mathbf P\mathbf V$,
    $\mathbf P = \operatorname{softmax}(c\,\mathbf Q\mathbf K^\top)$. Given the cotangent $\bar{\mathbf Y}$ of the output, derive $\bar c$, and write it as
    `scale_gradient(Q, K, V, c, Y_bar)`.
    """,
    hints=[
        r"The page has $\bar{\mathbf Z}$, the cotangent of the scores. Which scores does $c$ touch?",
        r"$c$ is one number and moves all $z_{ts}$: each by how much, for a nudge of 1?",
    ],
    axes={"Q": "T D", "K": "S D", "V": "S M", "Y_bar": "T M"},
)


@scale.stub
def scale_gradient(Q, K, V, c, Y_bar):
    """Return the cotangent of the scale, a tensor without axes.

    Args:
        Q: queries (T, D).
        K: keys (S, D).
        V: values (S, M).
        c: the factor of the scores, a number.
        Y_bar: the cotangent of the output (T, M).
    """


@scale.reference
def scale_gradient_reference(Q, K, V, c, Y_bar):
    # z_ts = c a_ts with a = Q Kᵀ, so a nudge of c moves z_ts by a_ts times the nudge, and the
    # moves add up: c̄ = Σ_ts z̄_ts a_ts. Softmax's rule is z̄_ts = p_ts (p̄_ts − Σ_s' p_ts' p̄_ts'),
    # where p̄ = Ȳ Vᵀ.
    a = Q @ K.T
    P = torch.softmax(c * a, 1)
    P_bar = Y_bar @ V.T
    Z_bar = P * (P_bar - (P * P_bar).sum(1, keepdim=True))
    return (Z_bar * a).sum()


@scale.inputs
def scale_inputs(random):
    T, S, D, M = random.sizes(4)
    F = torch.float64
    Q, K, V = (
        random.normal(T, D, dtype=F),
        random.normal(S, D, dtype=F),
        random.normal(S, M, dtype=F),
    )
    return Q, K, V, random.number(0.3, 0.9), random.normal(T, M, dtype=F)


@scale.wrong("softmax's rule subtracts the row's mean of p̄, weighted by p")
def scale_gradient_no_mean(Q, K, V, c, Y_bar):
    a = Q @ K.T
    return (torch.softmax(c * a, 1) * (Y_bar @ V.T) * a).sum()


@scale.wrong("a nudge of c moves z by Q Kᵀ, not by c Q Kᵀ")
def scale_gradient_scaled(Q, K, V, c, Y_bar):
    a = c * (Q @ K.T)
    P = torch.softmax(a, 1)
    P_bar = Y_bar @ V.T
    return (P * (P_bar - (P * P_bar).sum(1, keepdim=True)) * a).sum()


@scale.wrong("the weights are those of the scaled scores: c is missing in the softmax")
def scale_gradient_unscaled(Q, K, V, c, Y_bar):
    a = Q @ K.T
    P = torch.softmax(a, 1)
    P_bar = Y_bar @ V.T
    return (P * (P_bar - (P * P_bar).sum(1, keepdim=True)) * a).sum()


@scale.wrong("the mean in the rule is weighted by p, and it runs along the keys")
def scale_gradient_plain_mean(Q, K, V, c, Y_bar):
    a = Q @ K.T
    P = torch.softmax(c * a, 1)
    P_bar = Y_bar @ V.T
    return (P * (P_bar - P_bar.mean(1, keepdim=True)) * a).sum()


merge = Exercise(
    "transformers.merge",
    "Two halves of the keys",
    kind="derive",
    effort=2,
    statement=r"""
    One machine has gone through the first half of the keys, another through the second, with the same queries. Each hands over, for every query,
    its largest score $m$, the sum $l$ of $e^{z - m}$ over its keys, and the sum $\mathbf o$ of $e^{z - m}\,\mathbf v$. Derive what to make of the two, and
    return the attention's result $\mathbf y$ over all keys: `merged(m1, l1, o1, m2, l2, o2)`. A half may have nothing that a query may see: then its $m$ is
    $-\infty$ and its $l$ and $\mathbf o$ are 0 (never both halves). Scores may lie near 1,000: no exponential
    of a large positive number may occur. Halves may be far apart, and so may queries.
    """,
    hints=[
        "Both halves have to speak of the same $m$. Which one is safe?",
        r"$e^{z - m'} = e^{z - m}\,e^{m - m'}$, the same factor for all terms of a half.",
    ],
    axes={"m1": "T one", "o1": "T M"},
)


@merge.stub
def merged(m1, l1, o1, m2, l2, o2):
    """Return the result over all keys, of shape (T, M).

    Args:
        m1: the first half's largest scores (T, 1).
        l1: its sums of exponentials (T, 1).
        o1: its sums of weighted values (T, M).
        m2: the second half's largest scores (T, 1).
        l2: its sums (T, 1).
        o2: its weighted values (T, M).
    """


@merge.reference
def merged_reference(m1, l1, o1, m2, l2, o2):
    # With m the larger of the two, each half's terms e^{z − m_i} become e^{z − m} by the factor
    # e^{m_i − m} ≤ 1. Then numerators add up, denominators add up, and e^{−m} cancels.
    m = torch.maximum(m1, m2)
    f1, f2 = torch.exp(m1 - m), torch.exp(m2 - m)
    return (f1 * o1 + f2 * o2) / (f1 * l1 + f2 * l2)


@merge.inputs
def merge_inputs(random):
    T, S, R, M = random.sizes(4)
    F = torch.float64
    parts = []
    for n in (S, R):
        z, v = 3 * random.normal(T, n, dtype=F), random.normal(n, M, dtype=F)
        m = z.amax(1, keepdim=True)
        e = torch.exp(z - m)
        parts += [m, e.sum(1, keepdim=True), e @ v]
    return tuple(parts)


@merge.probe("scores near 1,000")
def merge_large(random):
    F = torch.float64
    m1, m2 = 1000 + random.normal(3, 1, dtype=F), 1000 + random.normal(3, 1, dtype=F)
    l1, l2 = 1 + random.uniform(0, 1, 3, 1, dtype=F), 1 + random.uniform(0, 1, 3, 1, dtype=F)
    return m1, l1, random.normal(3, 2, dtype=F), m2, l2, random.normal(3, 2, dtype=F)


@merge.probe("halves whose scores are 1,000 apart")
def merge_apart(random):
    m1, l1, o1, m2, l2, o2 = merge_large(random)
    apart = torch.tensor([[-1000.0], [0.0], [1000.0]], dtype=torch.float64)
    return m1, l1, o1, m2 + apart, l2, o2


@merge.probe("queries whose scores are 1,000 apart")
def merge_queries_apart(random):
    m1, l1, o1, m2, l2, o2 = merge_large(random)
    apart = torch.tensor([[-1000.0], [0.0], [1000.0]], dtype=torch.float64)
    return m1 + apart, l1, o1, m2 + apart, l2, o2


@merge.probe("a half in which a query sees nothing")
def merge_nothing(random):
    F = torch.float64
    m1, m2 = random.normal(4, 1, dtype=F), random.normal(4, 1, dtype=F)
    l1, l2 = 1 + m1.abs(), 1 + m2.abs()
    o1, o2 = random.normal(4, 2, dtype=F), random.normal(4, 2, dtype=F)
    for rows, largest, *sums in ((slice(0, 2), m1, l1, o1), (slice(2, 3), m2, l2, o2)):
        largest[rows] = -math.inf  # in one half or in the other
        for total in sums:
            total[rows] = 0
    return m1, l1, o1, m2, l2, o2


@merge.wrong("the halves speak of different m: bring them to the same before adding")
def merged_unscaled(m1, l1, o1, m2, l2, o2):
    return (o1 + o2) / (l1 + l2)


@merge.wrong("the mean of two results: a half with larger scores has to count for more")
def merged_mean(m1, l1, o1, m2, l2, o2):
    y1, y2 = o1 / l1, o2 / l2
    return (y1 + y2) / 2


@merge.wrong("the sums l speak of their half's m, as o does: they need the factor, too")
def merged_half(m1, l1, o1, m2, l2, o2):
    m = torch.maximum(m1, m2)
    return (torch.exp(m1 - m) * o1 + torch.exp(m2 - m) * o2) / (l1 + l2)


@merge.wrong("the first half's m is not safe: it may be far below the other's, or minus infinity")
def merged_by_the_first(m1, l1, o1, m2, l2, o2):
    f = torch.exp(m2 - m1)
    return (o1 + o2 * f) / (l1 + l2 * f)


@merge.wrong("the second half's m is not safe: the first's may lie far above it")
def merged_by_the_second(m1, l1, o1, m2, l2, o2):
    f = torch.exp(m1 - m2)
    return (o1 * f + o2) / (l1 * f + l2)


@merge.wrong("each query has an m of its own: the largest of all may lie far above its scores")
def merged_one_largest(m1, l1, o1, m2, l2, o2):
    m = torch.maximum(m1, m2).max()
    f1, f2 = torch.exp(m1 - m), torch.exp(m2 - m)
    return (f1 * o1 + f2 * o2) / (f1 * l1 + f2 * l2)


@merge.wrong("scores near 1,000", match=False)
def merged_overflow(m1, l1, o1, m2, l2, o2):
    f1, f2 = torch.exp(m1), torch.exp(m2)
    return (f1 * o1 + f2 * o2) / (f1 * l1 + f2 * l2)


shift = Exercise(
    "transformers.shifted",
    "Some steps on, from where?",
    kind="derive",
    effort=2,
    statement=r"""
    You get one row of the waves (sinusoidal encoding, base 10,000) and are not told which position it belongs to. Derive the row that stands
    $k$ positions later from its entries alone, and write it as `shifted(wave, k)`; $k$ may be negative. The entries come in pairs,
    $\sin\omega_it$ and $\cos\omega_it$. No angle has to be recovered, nor $t$; tried are 4 to 10 features and positions up to 3,000, where even the slowest
    wave may have gone round. (`wave` is in double precision; errors below $10^{-5}$ pass.)
    """,
    hints=[
        r"What is $\sin(\alpha + \beta)$, in sines and cosines of $\alpha$ and $\beta$?",
        "`wave[0::2]` are the sines and `wave[1::2]` the cosines. One frequency for each pair.",
    ],
    axes={"wave": "D"},
    rtol=1e-5,
    atol=1e-5,
)


@shift.stub
def shifted(wave, k):
    """Return the row of waves that stands k positions after the given one.

    Args:
        wave: sines and cosines in turn, (D,), of an unknown position, float64.
        k: how many positions, a whole number.
    """


@shift.reference
def shifted_reference(wave, k):
    # sin(ω(t + k)) = sin ωt cos ωk + cos ωt sin ωk and cos(ω(t + k)) = cos ωt cos ωk − sin ωt sin ωk:
    # the pair is turned by ωk, and t does not occur.
    D = len(wave)
    omega = 10_000.0 ** -(torch.arange(0, D, 2, dtype=wave.dtype) / D)
    s, c = torch.sin(omega * k), torch.cos(omega * k)
    sines, cosines = wave[0::2], wave[1::2]
    return torch.stack([sines * c + cosines * s, cosines * c - sines * s], 1).flatten()


@shift.inputs
def shift_inputs(random):
    D = 2 * random.integer(2, 5)
    t, k = random.integer(0, 3000), random.integer(-40, 40)
    omega = 10_000.0 ** -(torch.arange(0, D, 2, dtype=torch.float64) / D)
    wave = torch.stack([torch.sin(omega * t), torch.cos(omega * t)], 1).flatten()
    return wave, k if k else 7


@shift.wrong("turned the other way: that row stands k positions before")
def shifted_back(wave, k):
    D = len(wave)
    omega = 10_000.0 ** -(torch.arange(0, D, 2, dtype=wave.dtype) / D)
    s, c = torch.sin(omega * k), torch.cos(omega * k)
    sines, cosines = wave[0::2], wave[1::2]
    return torch.stack([sines * c - cosines * s, cosines * c + sines * s], 1).flatten()


@shift.wrong("every pair has its own frequency; here all turn as fast as the first")
def shifted_one_frequency(wave, k):
    s, c = math.sin(k), math.cos(k)
    sines, cosines = wave[0::2], wave[1::2]
    return torch.stack([sines * c + cosines * s, cosines * c - sines * s], 1).flatten()


@shift.wrong("the frequencies are b^(−2i/D): the exponent goes from 0 to nearly 1 over the pairs")
def shifted_half_way(wave, k):
    D = len(wave)
    omega = 10_000.0 ** -(torch.arange(0, D // 2, dtype=wave.dtype) / D)
    s, c = torch.sin(omega * k), torch.cos(omega * k)
    sines, cosines = wave[0::2], wave[1::2]
    return torch.stack([sines * c + cosines * s, cosines * c - sines * s], 1).flatten()


@shift.wrong("an encoding is no sum: the row k later is not this row plus the row of k")
def shifted_sum(wave, k):
    D = len(wave)
    omega = 10_000.0 ** -(torch.arange(0, D, 2, dtype=wave.dtype) / D)
    return wave + torch.stack([torch.sin(omega * k), torch.cos(omega * k)], 1).flatten()


crossing = Exercise(
    "transformers.crossover",
    "Where length becomes dear",
    kind="derive",
    effort=2,
    statement=r"""
    In a block of width $E$ the queries have $h$ heads, but keys and values only $g$, which divides $h$: each of them serves $h/g$ heads of queries. The
    feed-forward network has $rE$ hidden units. Derive the length $T$ at which the two products of attention ($\mathbf Q\mathbf K^\top$ and
    $\mathbf P\mathbf V$, over all $T^2$ pairs) take as many multiplications as all matrices of the block together. Write it as `crossover(E, h, g, r)`.
    """,
    hints=[
        "How many rows has each of the block's six matrices (queries, keys, values, output, and the network's two)? "
        "Each entry is multiplied once for a position.",
        "The scores of one query with one key take $E/h$ multiplications a head. How many heads of scores are there: $h$ or $g$?",
    ],
)


@crossing.stub
def crossover(E, h, g, r):
    """Return the length at which attention takes as many multiplications as the matrices.

    Args:
        E: width of the block.
        h: heads of the queries.
        g: heads of keys and values.
        r: hidden units of the network, in widths.
    """


@crossing.reference
def crossover_reference(E, h, g, r):
    # Matrices, for each position: queries E², output E², keys and values E · E g/h each, network
    # 2 r E². Attention, for each query and key: E/h a head for the score and E/h for the mean, and h
    # heads: 2 E. So T · (2 + 2 g/h + 2 r) E² = T² · 2 E.
    return (1 + g / h + r) * E


@crossing.inputs
def crossing_inputs(random):
    g, times = random.integer(1, 4), random.integer(2, 4)
    return 16 * g * times * random.integer(1, 5), g * times, g, random.integer(2, 6)


@crossing.wrong("keys and values have g heads of the h, so their matrices are smaller")
def crossover_full(E, h, g, r):
    return (2 + r) * E


@crossing.wrong("sharing keys makes no score cheaper: each of the h heads has its own scores")
def crossover_shared(E, h, g, r):
    return (1 + g / h + r) * E * h / g


@crossing.wrong("two products: the scores, and the weighted mean of the values")
def crossover_one_product(E, h, g, r):
    return 2 * (1 + g / h + r) * E


@crossing.wrong("the network has two matrices, in and out")
def crossover_one_matrix(E, h, g, r):
    return (1 + g / h + r / 2) * E


# --- program --------------------------------------------------------------------------------

window = Exercise(
    "transformers.window-mask",
    "Only the last few",
    kind="program",
    effort=1,
    statement=r"""
    Let each position see only the last $w$ positions, itself among them. Write `window_mask(T, w)`: booleans of
    shape $(T, T)$, true where the query of the row may see the key of the column. (The mask alone saves nothing, as all $T^2$ products are
    still formed. To think about: how many of them does it leave, for $T$ much larger than $w$, and how would you form only those?)
    """,
    hints=[
        "For a query at $t$ and a key at $s$: between which two numbers has $t - s$ to lie?",
        "`torch.arange(T)[:, None]` is a column of positions, `torch.arange(T)` a row.",
    ],
)


@window.stub
def window_mask(T, w):
    """Return the mask, (T, T) of booleans.

    Args:
        T: positions.
        w: how many of them each may see, at least 1.
    """


@window.reference
def window_mask_reference(T, w):
    back = torch.arange(T)[:, None] - torch.arange(T)  # how far the key lies behind the query
    return (back >= 0) & (back < w)


@window.inputs
def window_inputs(random):
    T = random.integer(5, 9)
    return T, random.integer(2, T - 2)


@window.probe("a window of one")
def window_one(random):
    return random.integer(3, 6), 1


@window.wrong("true means seen: this hides what should be seen, and shows the rest")
def window_hidden(T, w):
    back = torch.arange(T)[:, None] - torch.arange(T)
    return ~((back >= 0) & (back < w))


@window.wrong("one too many: the position itself is one of the w")
def window_wide(T, w):
    back = torch.arange(T)[:, None] - torch.arange(T)
    return (back >= 0) & (back <= w)


@window.wrong("that window looks to both sides: later positions have to stay hidden")
def window_both(T, w):
    back = torch.arange(T)[:, None] - torch.arange(T)
    return back.abs() < w


@window.wrong("rows are queries and columns keys: this one looks ahead")
def window_ahead(T, w):
    ahead = torch.arange(T) - torch.arange(T)[:, None]
    return (ahead >= 0) & (ahead < w)


bits = Exercise(
    "transformers.bits-per-byte",
    "Comparable bits",
    kind="program",
    effort=1,
    statement=r"""
    A model with a byte-pair vocabulary is tested on a text: `losses` holds its cross-entropy for each token, in nats (natural logarithm), and
    `lengths` how many bytes each token stands for. Write `bits_per_byte(losses, lengths)`: the bits that it would need for the text, divided by the
    text's bytes. It is this number that can be compared with other vocabularies and with gzip.
    """,
    hints=[
        "How many bits does the whole text cost, and how many bytes has it?",
        r"$\log_2 x = \log x/\log 2$.",
    ],
    axes={"losses": "N", "lengths": "N"},
)


@bits.stub
def bits_per_byte(losses, lengths):
    """Return bits for each byte, a tensor without axes.

    Args:
        losses: nats of each token (N,).
        lengths: bytes of each token (N,).
    """


@bits.reference
def bits_per_byte_reference(losses, lengths):
    return losses.sum() / math.log(2) / lengths.sum()


@bits.inputs
def bits_inputs(random):
    N = random.integer(5, 12)
    losses = random.uniform(0.1, 5.0, N, dtype=torch.float64)
    lengths = random.integers(1, 7, N)
    lengths[0], lengths[1] = 1, 7
    return losses, lengths


@bits.wrong("those are nats: a bit is log 2 of them")
def bits_nats(losses, lengths):
    return losses.sum() / lengths.sum()


@bits.wrong("those are bits for each token, not for each byte")
def bits_per_token(losses, lengths):
    return losses.mean() / math.log(2)


@bits.wrong("a mean of ratios gives a long token no more weight than a short one")
def bits_of_ratios(losses, lengths):
    return (losses / lengths).mean() / math.log(2)


@bits.wrong("a nat has 1/log 2 bits, which is more than one")
def bits_wrong_way(losses, lengths):
    return losses.sum() * math.log(2) / lengths.sum()


pair = Exercise(
    "transformers.merge-pair",
    "One merge",
    kind="program",
    effort=2,
    statement=r"""
    Write the step of byte-pair encoding: `merge_pair(tokens, pair, new)` gets a list of whole numbers, replaces the two neighbours in `pair` by `new`
    wherever they stand, from left to right, and returns a new list. What a merge has used up is gone: in `[5, 5, 5]` the pair `(5, 5)` occurs once.
    """,
    hints=[
        "Where do you look next, after a merge? And where, if there was none?",
        "A `for` loop moves on by one each time. Which loop lets you choose?",
    ],
)


@pair.stub
def merge_pair(tokens, pair, new):
    """Return the list with all occurrences of the pair merged.

    Args:
        tokens: a list of whole numbers.
        pair: a tuple of two of them.
        new: what stands for the pair.
    """


@pair.reference
def merge_pair_reference(tokens, pair, new):
    merged, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == tuple(pair):
            merged.append(new)
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    return merged


@pair.inputs
def pair_inputs(random):
    tokens = random.integers(0, 1, random.integer(8, 14)).tolist()
    return [*tokens, 0, 0, 0, 1, 0, 0, 0], (0, 0), 2


@pair.probe("a pair of two different tokens")
def pair_different(random):
    tokens = random.integers(0, 2, 12).tolist()
    return [*tokens, 0, 1, 0, 1, 0], (0, 1), 3


@pair.probe("an empty list")
def pair_empty(random):
    return [], (0, 1), 3


@pair.wrong("nothing was merged: a list and a tuple are never equal, `[0, 1] == (0, 1)` is false")
def merge_pair_never(tokens, pair, new):
    return list(tokens)


@pair.wrong("a token that a merge has used up can't be used by the next one")
def merge_pair_overlapping(tokens, pair, new):
    merged = []
    for i, token in enumerate(tokens):
        here, before = tuple(tokens[i : i + 2]) == tuple(pair), tuple(tokens[max(i - 1, 0) : i + 1])
        if here:
            merged.append(new)
        elif i == 0 or before != tuple(pair):
            merged.append(token)
    return merged


@pair.wrong("from left to right: the first two of three are merged, not the last two")
def merge_pair_backwards(tokens, pair, new):
    merged, i = [], len(tokens)
    while i > 0:
        if i > 1 and tuple(tokens[i - 2 : i]) == tuple(pair):
            merged.append(new)
            i -= 2
        else:
            merged.append(tokens[i - 1])
            i -= 1
    return merged[::-1]


@pair.wrong("wherever they stand: this merges the first occurrence only")
def merge_pair_once(tokens, pair, new):
    for i in range(len(tokens) - 1):
        if tuple(tokens[i : i + 2]) == tuple(pair):
            return [*tokens[:i], new, *tokens[i + 2 :]]
    return list(tokens)


# --- break ----------------------------------------------------------------------------------

aligned = Exercise(
    "transformers.root-not-enough",
    "Where the root is not enough",
    kind="break",
    effort=2,
    statement=r"""
    Division by $\sqrt D$ is to keep softmax out of saturation. Find a query and two keys of $D = 64$ features for which it fails: the first key gets a weight
    above 0.999. Each of the three has mean 0 and mean square 1 over its features (to within 0.001), just as the derivation
    supposes of the single features. Return them as the rows of a tensor of shape $(3, 64)$. Which supposition did you break?
    """,
    hints=[
        "How large can the product of two rows be whose squares add up to 64 each?",
        r"The derivation gives $q_ik_i$ the mean $\mathbb E[q_i]\,\mathbb E[k_i]$. When may one do that?",
    ],
)


@aligned.stub
def query_and_two_keys():
    """Return a query and two keys as rows, shape (3, 64)."""


@aligned.reference
def query_and_two_keys_reference():
    # By Cauchy and Schwarz q · k is at most 64, for k = q. Then the mean of q_i k_i is the mean of
    # q_i², which is 1 and not E[q_i] E[k_i] = 0: the key depends on the query. The features of the
    # query may be as independent as you like. Scaled, the scores of k = q and k = −q are 8 and −8.
    q = torch.tensor([1.0, -1.0]).repeat(32)
    return torch.stack([q, q, -q])


@aligned.judge
def aligned_judge(got):
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != (3, 64):
        return "expected a tensor of shape (3, 64)"
    x = got.double()
    if not bool(x.isfinite().all()):
        return "some numbers are not finite"
    if bool((x.mean(1).abs() > 0.001).any()):
        return "a row's mean is not 0"
    if bool(((x * x).mean(1) - 1).abs().max() > 0.001):
        return "a row's mean square is not 1"
    weight = float(torch.softmax(x[1:] @ x[0] / 8, 0)[0])
    if weight <= 0.999:
        return f"the first key gets the weight {weight:.4f} only"
    return None


aligned.wrong_value(torch.zeros(3, 64), "a row's mean square is not 1")
aligned.wrong_value(torch.ones(3, 64), "a row's mean is not 0")
aligned.wrong_value(
    torch.tensor([1.0, -1.0]).repeat(3, 32), "the first key gets the weight 0.5000 only"
)
aligned.wrong_value(torch.ones(3, 8), "expected a tensor of shape (3, 64)")
