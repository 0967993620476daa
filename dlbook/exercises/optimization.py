"""Exercises of the chapter "optimization"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

rolling = Exercise(
    "optimization.rolling-past",
    "Three steps of a heavy ball",
    kind="predict",
    effort=1,
    statement=r"""
    The cost is $J(w) = (w - 1)^2$. Momentum starts at $w = 5$ at rest ($v = 0$), with the learning rate $\eta = 0.25$ and
    $\mu = 0.75$. Give two numbers: where it stands after three steps; and how far it would go in each step, in the
    long run, on a slope whose gradient is 1 everywhere. Three digits behind the point are enough.
    """,
    hints=[
        "The gradient is $2(w - 1)$. Velocity first, then the weight: the new velocity moves it.",
        r"On the even slope the velocity settles at the $v$ that a step leaves alone: $v = \mu v + 1$.",
    ],
    atol=0.0006,
)


@rolling.stub
def place_and_pace():
    """Return w after three steps, and the length of a step on the even slope: two numbers."""


@rolling.reference
def place_and_pace_reference():
    w, v = 5.0, 0.0
    for _ in range(3):
        v = 0.75 * v + 2 * (w - 1)
        w = w - 0.25 * v
    return (w, 0.25 / (1 - 0.75))


rolling.wrong_value((1.5, 1.0), "the first is where gradient descent without momentum would stand")
rolling.wrong_value(
    (0.5, 1.0), "that is where it stands after two steps: its velocity carries it on"
)
rolling.wrong_value(
    (-1.125, 4.0), "4 is the velocity in the long run: a step is the learning rate times as far"
)
rolling.wrong_value((-1.125, 0.25), "0.25 is the first step on the slope: the velocity then grows")
rolling.wrong_value(
    (2.7421875, 0.25),
    "the gradient enters the velocity with its full weight: this one is a sum, not a mean",
)

# --- derive ---------------------------------------------------------------------------------

borders = Exercise(
    "optimization.borders",
    "How large a learning rate momentum bears",
    kind="derive",
    effort=2,
    statement=r"""
    Gradient descent diverges on a bowl above $\eta = 2/L$. Where is that border with momentum, and where with
    Nesterov's variant? The largest curvature is $L$, and $0 \le \mu < 1$. Write both as `borders_of(L, mu)`. (A quadratic
    $r^2 - br + c$ has both roots inside the unit circle exactly if $|c| < 1$ and $|b| < 1 + c$.)
    """,
    hints=[
        r"Both methods follow a recurrence of two terms along a direction of curvature $\lambda$; the page has "
        r"both. Read off $b$ and $c$.",
        r"Of the three inequalities, one fails first when $\eta\lambda$ grows: the one that says that $-1$ is no "
        "root. A ball that jumps across the valley in every step is then just kept up.",
    ],
    outputs=("heavy", "nesterov"),
)


@borders.stub
def borders_of(L, mu):
    """Return the learning rates above which heavy ball and Nesterov's variant diverge.

    Args:
        L: the largest curvature.
        mu: the momentum, at least 0 and below 1.
    """


@borders.reference
def borders_of_reference(L, mu):
    """Heavy ball: b = 1 + μ − ηλ and c = μ. |c| < 1 holds, and b < 1 + c says ηλ > 0. What can fail
    is −b < 1 + c, that is, ηλ < 2(1 + μ).

    Nesterov: b = (1 + μ)(1 − ηλ) and c = μ(1 − ηλ). Write a for ηλ. Again b < 1 + c says a > 0.
    −b < 1 + c says (1 + μ)(a − 1) < 1 − μ(a − 1), so (1 + 2μ)(a − 1) < 1, so
    a < 2(1 + μ)/(1 + 2μ). |c| < 1 asks for a < 1 + 1/μ only, which is more.

    The largest curvature reaches the border first: λ = L.
    """
    return 2 * (1 + mu) / L, 2 * (1 + mu) / ((1 + 2 * mu) * L)


@borders.inputs
def borders_inputs(random):
    return random.number(0.5, 9.0), random.number(0.2, 0.95)


@borders.wrong("that is the border without momentum")
def borders_plain(L, mu):
    return 2 / L, 2 / L


@borders.wrong("the lengthening by 1/(1 − μ) is for gradients that stay: a jumping one turns round")
def borders_shrunk(L, mu):
    return 2 * (1 - mu) / L, 2 * (1 - mu) / L


@borders.wrong("Nesterov's is another: there c depends on ηλ, too")
def borders_same(L, mu):
    return 2 * (1 + mu) / L, 2 * (1 + mu) / L


@borders.wrong("that is where the roots cease to be complex: real ones may still be inside")
def borders_complex(L, mu):
    return (1 + math.sqrt(mu)) ** 2 / L, 1 / L


hats = Exercise(
    "optimization.without-hats",
    "Adam without its hats",
    kind="derive",
    effort=1,
    statement=r"""
    Someone leaves out the two corrections of Adam and steps by $\eta\,m_t/\sqrt{v_t}$ (without $\varepsilon$). Under a constant gradient,
    by which factor is step $t$ too long or too short, compared with $\eta$? Write it as `factor(t, beta1, beta2)`. (For
    the usual values $0.9$ and $0.999$ the worst is not the first step, but one of the first twenty. Look for it.)
    """,
    hints=[
        "Both means start at 0. The page says what fraction of a constant they have reached after $t$ "
        "steps.",
        "The fraction of the squares stands under a root.",
    ],
)


@hats.stub
def factor(t, beta1, beta2):
    """Return the length of step t in units of the learning rate.

    Args:
        t: the number of the step, from 1 on.
        beta1: the weight of the past in the mean of the gradient.
        beta2: the weight of the past in the mean of its square.
    """


@hats.reference
def factor_reference(t, beta1, beta2):
    """By the sum of the geometric series, m = (1 − β₁ᵗ) g and v = (1 − β₂ᵗ) g² after t equal gradients.

    The quotient m/√v is the factor, up to the sign of g. With 0.9 and 0.999 it is 3.16 in the first
    step, and largest in the twelfth: 6.57.
    """
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)


@hats.inputs
def hats_inputs(random):
    return random.integer(1, 20), random.number(0.5, 0.95), random.number(0.9, 0.999)


@hats.wrong("the mean of the squares stands under a root")
def factor_rootless(t, beta1, beta2):
    return (1 - beta1**t) / (1 - beta2**t)


@hats.wrong("right for the first step only: a mean has 1 − βᵗ of a constant after t steps")
def factor_first(t, beta1, beta2):
    return (1 - beta1) / math.sqrt(1 - beta2)


@hats.wrong("upside down: m is too small, which makes the step shorter")
def factor_inverse(t, beta1, beta2):
    return math.sqrt(1 - beta2**t) / (1 - beta1**t)


@hats.wrong("those are the weights of the first gradient: what share have all t of them together?")
def factor_of_one_gradient(t, beta1, beta2):
    return beta1 ** (t - 1) * (1 - beta1) / math.sqrt(beta2 ** (t - 1) * (1 - beta2))


floor = Exercise(
    "optimization.momentum-floor",
    "The floor under a heavy ball",
    kind="derive",
    effort=3,
    statement=r"""
    One direction of a bowl, of curvature $\lambda$, the minimum at 0. Momentum goes down with noisy gradients,
    $$
    \begin{aligned}
    v' &= \mu v + \lambda c + \xi ,\\
    c' &= c - \eta v' ,
    \end{aligned}
    $$
    where $\xi$ is new in each step, with average 0 and mean square $s$, and $\eta$ is small enough not to diverge. In the
    long run, what is the mean square of $c$? For small $\eta$ the page gives the mean *height*, $\tfrac12\lambda$ times as much; here the mean square is
    asked for, and exactly. Write it as
    `mean_square(eta, mu, curvature, s)`.
    """,
    hints=[
        r"There are three averages that settle: $A$ of $c^2$, $B$ of $cv$, $C$ of $v^2$. Each must be the same after "
        "a step as before.",
        r"Square $c' = c - \eta v'$ and average: what does that say about the average of $cv'$? Multiply the same "
        r"line by $v'$ and average: that gives $B = -\tfrac12\eta C$.",
        r"Two equations are left: $\mu B + \lambda A = \tfrac12\eta C$, and the square of the first line, in which $\xi$ "
        "meets neither $v$ nor $c$.",
    ],
)


@floor.stub
def mean_square(eta, mu, curvature, s):
    """Return the mean square of the distance to the minimum in the long run.

    Args:
        eta: the learning rate.
        mu: the momentum, at least 0 and below 1.
        curvature: λ.
        s: the mean square of the noise.
    """


@floor.reference
def mean_square_reference(eta, mu, curvature, s):
    """Let A, B, C be the averages of c², cv, v² in the long run, the same before and after a step.

    The square of c' = c − ηv' is c² − 2ηcv' + η²v'². With A on both sides, cv' averages ηC/2.
    The same line times v': B = ηC/2 − ηC = −ηC/2.
    But cv' is also μcv + λc² + cξ, and ξ averages 0 whatever c is: ηC/2 = μB + λA. So
    λA = (1 + μ)ηC/2.
    The square of the first line: C = μ²C + 2μλB + λ²A + s. Put in B and A:
    C (1 − μ² + μηλ − (1 + μ)ηλ/2) = s, and the bracket is (1 − μ)(1 + μ − ηλ/2).
    With this C, A = (1 + μ)ηC/(2λ) is what is returned.
    """
    a = eta * curvature
    return eta * s * (1 + mu) / (curvature * (1 - mu) * (2 * (1 + mu) - a))


@floor.inputs
def floor_inputs(random):
    curvature = random.number(0.5, 3.0)
    return (
        random.number(0.2, 1.5) / curvature,
        random.number(0.2, 0.9),
        curvature,
        random.number(0.2, 2.0),
    )


@floor.wrong("that is the floor without momentum")
def mean_square_plain(eta, mu, curvature, s):
    return eta * s / (curvature * (2 - eta * curvature))


@floor.wrong("that is the page's approximation for small learning rates: asked is the exact value")
def mean_square_small(eta, mu, curvature, s):
    return eta * s / (2 * curvature * (1 - mu))


@floor.wrong(
    "that puts the lengthened rate η/(1 − μ) into the formula without momentum, which is right for "
    "small rates only"
)
def mean_square_lengthened(eta, mu, curvature, s):
    rate = eta / (1 - mu)
    return rate * s / (curvature * (2 - rate * curvature))


@floor.wrong("that is the mean height λc²/2: asked is the mean square of c itself")
def mean_square_as_height(eta, mu, curvature, s):
    return curvature / 2 * mean_square_reference(eta, mu, curvature, s)


@floor.wrong("that is the mean square of the velocity")
def mean_square_of_velocity(eta, mu, curvature, s):
    return s / ((1 - mu) * (1 + mu - eta * curvature / 2))


# --- program --------------------------------------------------------------------------------

schedule = Exercise(
    "optimization.warm-up",
    "Up in a line, down in a wave",
    kind="program",
    effort=1,
    statement=r"""
    Write the schedule that many large networks are trained with. Of `total` steps, counted $t = 0, 1, \dots$, the first
    `warm` rise in a straight line: step $t$ has the rate $\text{peak}\cdot(t + 1)/\text{warm}$. The others follow half a wave of the
    cosine down from the peak; the wave begins at $t = \text{warm}$ with the peak itself and would reach 0 at $t = \text{total}$, a step after the last.
    """,
    hints=[
        r"Half a wave is $\tfrac12(1 + \cos\pi x)$ for $x$ from 0 to 1.",
        "How long does the wave last, and how much of that has passed at $t$?",
    ],
)


@schedule.stub
def rate(t, peak, warm, total):
    """Return the learning rate of step t, a number.

    Args:
        t: the step, from 0 to total − 1.
        peak: the largest rate.
        warm: how many steps the rise takes, at least 1.
        total: how many steps there are, more than warm.
    """


@schedule.reference
def rate_reference(t, peak, warm, total):
    if t < warm:
        return peak * (t + 1) / warm
    return peak * (1 + math.cos(math.pi * (t - warm) / (total - warm))) / 2


@schedule.inputs
def schedule_inputs(random):
    warm, rest = random.integer(2, 6), random.integer(5, 12)
    return random.integer(0, warm + rest), random.number(0.1, 1.0), warm, warm + rest


@schedule.wrong("the wave begins when the rise is over, and lasts for what is left")
def rate_unshifted(t, peak, warm, total):
    if t < warm:
        return peak * (t + 1) / warm
    return peak * (1 + math.cos(math.pi * t / total)) / 2


@schedule.wrong("the first step would have the rate 0, and be lost: the rise counts from t + 1")
def rate_from_zero(t, peak, warm, total):
    if t < warm:
        return peak * t / warm
    return peak * (1 + math.cos(math.pi * (t - warm) / (total - warm))) / 2


@schedule.wrong("this wave reaches 0 in the last step: it should a step later, at t = total")
def rate_early_end(t, peak, warm, total):
    if t < warm:
        return peak * (t + 1) / warm
    return peak * (1 + math.cos(math.pi * (t - warm) / (total - warm - 1))) / 2


@schedule.wrong("the fall is a wave, not a straight line")
def rate_straight(t, peak, warm, total):
    if t < warm:
        return peak * (t + 1) / warm
    return peak * (total - t) / (total - warm)


@schedule.wrong("half a wave only: with 2π it would be up again at the end")
def rate_whole_wave(t, peak, warm, total):
    if t < warm:
        return peak * (t + 1) / warm
    return peak * (1 + math.cos(2 * math.pi * (t - warm) / (total - warm))) / 2


lion = Exercise(
    "optimization.lion",
    "Lion from its description",
    kind="program",
    effort=2,
    statement=r"""
    Lion remembers one running mean of the gradients, $m$. To take a step it mixes $m$ with the new gradient, $m$ with the weight
    $\beta_1$; and moves every parameter by the learning rate against the *sign* of the mixture. The parameters decay
    by themselves, as in AdamW. Only then is $m$ brought up to date, with $\beta_2$ as the weight of the past. Write the
    step as a function that leaves its arguments as they are.
    """,
    hints=[
        "There are two mixtures of the same two tensors; the step uses one, the memory becomes the other.",
        r"AdamW's decay is the factor $1 - \eta\lambda$ on the old parameters.",
    ],
    axes={"theta": "D", "g": "D", "m": "D"},
    outputs=("theta", "m"),
)


@lion.stub
def lion_step(theta, g, m, lr, beta1, beta2, decay):
    """Return the new parameters and the new mean.

    Args:
        theta: the parameters, shape (D,).
        g: the gradient there, shape (D,).
        m: the mean of the gradients before, shape (D,).
        lr: the learning rate.
        beta1: the weight of the past in the step.
        beta2: the weight of the past in the memory.
        decay: λ, the weight decay.
    """


@lion.reference
def lion_step_reference(theta, g, m, lr, beta1, beta2, decay):
    mixture = beta1 * m + (1 - beta1) * g
    theta = (1 - lr * decay) * theta - lr * torch.sign(mixture)
    return theta, beta2 * m + (1 - beta2) * g


@lion.inputs
def lion_inputs(random):
    (D,) = random.sizes(1)
    theta, g, m = (random.normal(D + 3, dtype=torch.float64) for _ in range(3))
    return theta, g, m, random.number(0.05, 0.3), 0.6, 0.9, random.number(0.1, 0.5)


@lion.wrong("the step is along the mixture that was made with β₁: the memory is updated afterwards")
def lion_step_with_memory(theta, g, m, lr, beta1, beta2, decay):
    m = beta2 * m + (1 - beta2) * g
    return (1 - lr * decay) * theta - lr * torch.sign(m), m


@lion.wrong("the decay is missing")
def lion_step_without_decay(theta, g, m, lr, beta1, beta2, decay):
    mixture = beta1 * m + (1 - beta1) * g
    return theta - lr * torch.sign(mixture), beta2 * m + (1 - beta2) * g


@lion.wrong("the decay does not pass through the sign: the weights shrink by themselves")
def lion_step_with_penalty(theta, g, m, lr, beta1, beta2, decay):
    g = g + decay * theta
    mixture = beta1 * m + (1 - beta1) * g
    return theta - lr * torch.sign(mixture), beta2 * m + (1 - beta2) * g


@lion.wrong("the decay shrinks the old parameters, not the ones that the step has moved")
def lion_step_decayed_late(theta, g, m, lr, beta1, beta2, decay):
    mixture = beta1 * m + (1 - beta1) * g
    moved = theta - lr * torch.sign(mixture)
    return (1 - lr * decay) * moved, beta2 * m + (1 - beta2) * g


@lion.wrong("of the mixture only the sign counts")
def lion_step_without_sign(theta, g, m, lr, beta1, beta2, decay):
    mixture = beta1 * m + (1 - beta1) * g
    return (1 - lr * decay) * theta - lr * mixture, beta2 * m + (1 - beta2) * g


# --- break ----------------------------------------------------------------------------------

turning = Exercise(
    "optimization.newton-turns",
    "A start that Newton throws from side to side",
    kind="break",
    effort=2,
    statement=r"""
    The cost $J(w) = \tfrac14w^4 - \tfrac12w^2$ has its minima at $\pm1$ and a maximum at 0. Find a start from which Newton's
    method, without damping or line search, jumps to the opposite point, $w$ to $-w$, and back, and so on. Give one
    number, best as an expression: the check takes four steps in double precision, each has to hit the opposite point to
    within $10^{-6}$, and near the start each step makes an error about six times larger, so that a number typed with seven
    digits fails. (After many more steps rounding errors, too, will have grown until it leaves.)
    """,
    hints=[
        "A step divides the slope by the curvature. Write out where it leads from $w$.",
        "Set that equal to $-w$ and divide by $w$.",
    ],
)


@turning.stub
def start():
    """Return the start, a number."""


@turning.reference
def start_reference():
    """Newton leads from w to w − (w³ − w)/(3w² − 1) = 2w³/(3w² − 1). Set that to −w and divide by w:
    2w² = 1 − 3w², so w² = 1/5. (The other start is −1/√5.) The slope of 2w³/(3w² − 1) there is
    −6: an error grows sixfold in a step.
    """
    return 1 / math.sqrt(5)


@turning.judge
def turning_judge(got):
    try:
        w = float(got)
    except (TypeError, ValueError):
        return "expected one number"
    if not 1e-3 < abs(w) < 1e3:
        return "start at least 0.001 and at most 1000 away from 0"
    for step in range(1, 5):
        if 3 * w * w == 1:
            return "there the curvature is 0, and the step has no end"
        new = w - (w**3 - w) / (3 * w * w - 1)
        if abs(new + w) > 1e-6:
            near = (
                "; you are near: give an expression, or more digits" if abs(new + w) < 1e-3 else ""
            )
            return f"step {step} leads from {w:.7g} to {new:.7g}, not to the opposite point{near}"
        w = new
    return None


turning.wrong_value(1.0, "step 1 leads from 1 to 1, not to the opposite point")
turning.wrong_value(0.0, "start at least 0.001 and at most 1000 away from 0")
turning.wrong_value(0.4, "step 1 leads from 0.4 to -0.2461538, not to the opposite point")
turning.wrong_value(0.447, "step 1 leads from 0.447 to -0.445933, not to the opposite point")
turning.wrong_value(
    0.4472136,
    "step 4 leads from -0.4472146 to 0.4472194, not to the opposite point; you are near: give an "
    "expression, or more digits",
)

# --- extend ---------------------------------------------------------------------------------

rulers = Exercise(
    "optimization.other-rulers",
    "Steepest descent with other rulers",
    kind="extend",
    effort=2,
    statement=r"""
    "Steepest" depends on what is called the length of a step $\mathbf d$. Among all steps of length 1 at most, find the one that
    lowers the linear model $\mathbf g\cdot\mathbf d$ most: first when the length is the largest size of an entry, $\max_i|d_i|$;
    then when it is the sum of the sizes, $\sum_i|d_i|$. No entry of $\mathbf g$ is 0, and no two have the same size. Several
    optimisers on the page take the first of these in their first step, up to its length: which? (The second, which moves one
    parameter at a time, is *coordinate descent*.)
    """,
    hints=[
        "With the first ruler each entry may be chosen by itself. What is best for one of them?",
        "With the second, the entries share a budget. Which entry gives most for a unit of it?",
    ],
    axes={"g": "D"},
    outputs=("largest", "total"),
)


@rulers.stub
def steepest(g):
    """Return the best step by each of the two rulers, both of shape (D,).

    Args:
        g: the gradient, shape (D,), without zeros.
    """


@rulers.reference
def steepest_reference(g):
    """The largest entry may be 1: each term g_i d_i is at least −|g_i|, with equality for −sign(g_i).

    The sizes may sum to 1: g·d ≥ −Σ|g_i||d_i| ≥ −max|g_i|, with equality if all of the budget goes to
    the entry of the largest |g_i|, against its sign.

    On the page Adam, AdamW, Adagrad, RMSprop and Lion begin with the sign of the gradient, up to ε
    and the length: each of the first four divides g by a multiple of its own size.
    """
    k = g.abs().argmax()
    single = torch.zeros_like(g)
    single[k] = -torch.sign(g[k])
    return -torch.sign(g), single


@rulers.inputs
def rulers_inputs(random):
    (D,) = random.sizes(1)
    order = random.permutation(D + 2)
    sizes = (1 + order.double()) * random.number(0.3, 2.0)
    signs = 2.0 * random.integers(0, 2, D + 2).double() - 1
    return (sizes * signs,)


@rulers.wrong("that is the step for the ordinary length, the root of the sum of squares")
def steepest_euclidean(g):
    step = -g / g.norm()
    return step, step


@rulers.wrong("that climbs: the model is lowered against the gradient")
def steepest_uphill(g):
    k = g.abs().argmax()
    single = torch.zeros_like(g)
    single[k] = torch.sign(g[k])
    return torch.sign(g), single


@rulers.wrong("the two rulers are exchanged")
def steepest_exchanged(g):
    k = g.abs().argmax()
    single = torch.zeros_like(g)
    single[k] = -torch.sign(g[k])
    return single, -torch.sign(g)


@rulers.wrong(
    "the second: a step that divides its budget lowers the model less than one that does not"
)
def steepest_divided(g):
    return -torch.sign(g), -g / g.abs().sum()
