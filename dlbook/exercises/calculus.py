"""Exercises of the chapter "calculus"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

three_quotients = Exercise(
    "calculus.three-quotients",
    "Three quotients without a computer",
    kind="predict",
    effort=1,
    statement=r"""
    At $x = 3$ and with $h = 0.1$, what is the forward quotient of $x^2$, the central quotient of $x^2$,
    and the central quotient of $x^3$? Expand the powers with a pencil, and give three exact numbers.
    """,
    hints=[
        "Write each quotient for a general $h$ first. What cancels?",
        "In a central quotient all even powers of $h$ cancel in the numerator. Which power is left "
        "over for the cube?",
    ],
    atol=1e-6,
    rtol=0,
)


@three_quotients.stub
def quotients():
    """Return the three quotients: forward of x², central of x², central of x³."""


@three_quotients.reference
def quotients_reference():
    """(x + h)² − x² = 2xh + h²; divided by h, that is 2x + h.

    (x + h)² − (x − h)² = 4xh; divided by 2h, that is 2x.
    (x + h)³ − (x − h)³ = 6x²h + 2h³; divided by 2h, that is 3x² + h².
    """
    x, h = 3, 0.1
    return 2 * x + h, 2 * x, 3 * x**2 + h**2


three_quotients.wrong_value((6, 6, 27), "those are the derivatives: the quotients keep their h")
three_quotients.wrong_value((6.1, 6.1, 27.91), "those are three forward quotients")
three_quotients.wrong_value((6.1, 6, 27), "the cube leaves something over: h³ has no partner")
three_quotients.wrong_value((6.1, 6, 27.1), "what the cube leaves over is h³ divided by h")
three_quotients.wrong_value((6.1, 6, 27.02), "divide by 2h at the end: both halves give an h³")

three_quotients.wrong_value((0.61, 1.2, 5.402), "those are the changes: divide them by the nudge")

mixed = Exercise(
    "calculus.mixed-partials",
    "A Hessian that is not symmetric",
    kind="predict",
    effort=2,
    statement=r"""
    Let $f(0, 0) = 0$, and everywhere else

    $$
    f(x, y) = x\,y\;\frac{x^2 - y^2}{x^2 + y^2} .
    $$

    Find the slope $\partial f/\partial x$ at the points $(0, y)$ of the one axis, then how fast it changes along that
    axis: this is the derivative by $x$ and then by $y$. In the same way find the derivative by $y$ and then by
    $x$. Both at $(0, 0)$; give the two numbers in this order. (Which condition of the chapter's
    proof is broken?)
    """,
    hints=[
        "Close to the axis $x = 0$ the fraction is almost a constant. Which?",
        r"$\partial f/\partial x$ at $(0, y)$ is $y$ times that constant.",
        "Exchanging $x$ and $y$ turns $f$ into $-f$.",
    ],
    atol=1e-6,
)


@mixed.stub
def two_orders():
    """Return the derivative by x then y, and that by y then x, both at (0, 0)."""


@mixed.reference
def two_orders_reference():
    """The fraction is −1 + 2x²/(x² + y²). At a point (0, y) other than the origin, f is therefore
    −xy + o(x), and the slope by x is −y; at the origin it is 0, which is −y, too. Along the axis
    it changes by −1 for each unit of y. Exchanging x and y turns f into −f: the other is +1.

    The broken condition: away from the origin the two orders agree, but with 1 on the x axis and
    −1 on the y axis. So the second derivatives are not continuous at the origin.
    """
    return (-1, 1)


mixed.wrong_value((1, -1), "the two are exchanged: which order is asked for first?")
mixed.wrong_value((0, 0), "f is 0 on both axes, but the slope across an axis is not")
mixed.wrong_value((1, 1), "they are not equal: what becomes of f when x and y are exchanged?")
mixed.wrong_value((-1, -1), "the fraction is not the same on both axes: look at the second again")

# --- derive ---------------------------------------------------------------------------------

length = Exercise(
    "calculus.length",
    "The slope and the bend of a length",
    kind="derive",
    effort=2,
    statement=r"""
    Derive the gradient and the Hessian of the Euclidean length $f(\mathbf x) = \lVert\mathbf x\rVert$, at a point other
    than zero, and write them as `length_derivatives(x)`.
    """,
    hints=[
        r"$f = \sqrt{\mathbf x^\top\mathbf x}$: the chain rule, with a rule of the page inside.",
        r"The Hessian is the Jacobian of the gradient. That is a product of a number, "
        r"$1/\lVert\mathbf x\rVert$, and a vector, $\mathbf x$; both move.",
        r"Check with a direction along $\mathbf x$: there the length is a straight line, so its curvature "
        "must be 0.",
    ],
    axes={"x": "D"},
    outputs=("the gradient", "the Hessian"),
)


@length.stub
def length_derivatives(x):
    """Return the gradient, shape (D,), and the Hessian, shape (D, D), of ‖x‖.

    Args:
        x: a vector other than zero, shape (D,).
    """


@length.reference
def length_derivatives_reference(x):
    """r² = x·x has the gradient 2x, and by the chain rule 2r ∇r. So ∇r = x/r.

    Move x by d. Then r becomes r + x·d/r + o(‖d‖), and 1/r becomes 1/r − x·d/r³ + o(‖d‖). The
    product of 1/r and x gains d/r − x (x·d)/r³, which is (I/r − x xᵀ/r³) d: this matrix is the
    Hessian. With unit = x/r it is (I − unit unitᵀ)/r, and it turns x into 0.
    """
    r = x.norm()
    unit = x / r
    return unit, (torch.eye(len(x), dtype=x.dtype) - unit[:, None] * unit) / r


@length.inputs
def length_inputs(random):
    (D,) = random.sizes(1)
    return (2 * random.normal(D, dtype=torch.float64) + 1,)


@length.wrong("that gradient belongs to half the squared length: the root is missing")
def length_derivatives_squared(x):
    return x, torch.eye(len(x), dtype=x.dtype)


@length.wrong("the Hessian lacks a term: the factor 1/‖x‖ of the gradient moves with x, too")
def length_derivatives_one_term(x):
    r = x.norm()
    return x / r, torch.eye(len(x), dtype=x.dtype) / r


@length.wrong("the Hessian's second term is x xᵀ/‖x‖³: there one more length divides")
def length_derivatives_unscaled(x):
    r = x.norm()
    return x / r, torch.eye(len(x), dtype=x.dtype) / r - x[:, None] * x / r**2


@length.wrong("plus in the Hessian: along x it would bend, but there the length is a straight line")
def length_derivatives_plus(x):
    r = x.norm()
    unit = x / r
    return unit, (torch.eye(len(x), dtype=x.dtype) + unit[:, None] * unit) / r


stretch = Exercise(
    "calculus.stretch",
    "How much a matrix stretches",
    kind="derive",
    effort=2,
    statement=r"""
    For a square matrix $\mathbf A$, not symmetric in general, let

    $$
    q(\mathbf x) = \frac{\mathbf x^\top\mathbf A\,\mathbf x}{\mathbf x^\top\mathbf x} .
    $$

    Derive its gradient, and write it as `stretch_gradient(x, A)`. (Where it vanishes, a symmetric $\mathbf A$
    does nothing to $\mathbf x$ but stretch it.)
    """,
    hints=[
        r"$q\cdot(\mathbf x^\top\mathbf x) = \mathbf x^\top\mathbf A\,\mathbf x$. Apply the product rule to the left side.",
        "Solve that for the gradient of $q$. $q$ itself may stay in the answer.",
    ],
    axes={"x": "D", "A": "D D"},
)


@stretch.stub
def stretch_gradient(x, A):
    """Return the gradient of xᵀAx / xᵀx by x, shape (D,).

    Args:
        x: a vector other than zero, shape (D,).
        A: a square matrix, shape (D, D).
    """


@stretch.reference
def stretch_gradient_reference(x, A):
    """Take the gradient on both sides of q · (xᵀx) = xᵀAx, on the left by the product rule:

    (xᵀx) ∇q + q · 2x = (A + Aᵀ) x. Solve for ∇q.
    """
    q = (x @ A @ x) / (x @ x)
    return (A @ x + A.mT @ x - 2 * q * x) / (x @ x)


@stretch.inputs
def stretch_inputs(random):
    (D,) = random.sizes(1)
    return random.normal(D, dtype=torch.float64) + 1, random.normal(D, D, dtype=torch.float64)


@stretch.wrong("A is not symmetric: besides A x, the gradient of xᵀAx has a term with Aᵀ")
def stretch_gradient_symmetric(x, A):
    q = (x @ A @ x) / (x @ x)
    return 2 * (A @ x - q * x) / (x @ x)


@stretch.wrong("the denominator depends on x, too")
def stretch_gradient_numerator(x, A):
    return (A @ x + A.mT @ x) / (x @ x)


@stretch.wrong("the gradient of xᵀx is 2x: a factor 2 is missing in the second part")
def stretch_gradient_half(x, A):
    q = (x @ A @ x) / (x @ x)
    return (A @ x + A.mT @ x - q * x) / (x @ x)


@stretch.wrong("one division by xᵀx is missing")
def stretch_gradient_undivided(x, A):
    q = (x @ A @ x) / (x @ x)
    return A @ x + A.mT @ x - 2 * q * x


bend = Exercise(
    "calculus.second-difference",
    "The best nudge for a second derivative",
    kind="derive",
    effort=2,
    statement=r"""
    The quotient

    $$
    \frac{f(x + h) - 2f(x) + f(x - h)}{h^2}
    $$

    estimates $f''(x)$. Each of the three values may be wrong by up to $\delta$, and of $f$ you know the size
    $F$ of its fourth derivative. Find the error of the quotient for exact values, to leading order in $h$; add the
    largest error that $\delta$ can cause; and find the $h$ for which the sum is smallest. Write
    `best_nudge(delta, F)`, which returns this $h$ and that smallest sum.
    """,
    hints=[
        r"Go on with Taylor's model up to $\tfrac1{24}h^4f''''$. What is left in $f(x+h) + f(x-h)$?",
        "The value in the middle counts twice, so the values can cause an error of four times "
        r"$\delta$, divided by $h^2$.",
        "At the best $h$ the derivative of the sum by $h$ is 0. Here the two parts then happen to "
        "be equal.",
    ],
    outputs=("the nudge", "the error"),
    rtol=1e-5,
    atol=0,
)


@bend.stub
def best_nudge(delta, F):
    """Return the best h and the error that is to be expected with it.

    Args:
        delta: the largest error of a value of f.
        F: the size of the fourth derivative, above 0.
    """


@bend.reference
def best_nudge_reference(delta, F):
    """f(x ± h) = f ± f'h + f''h²/2 ± f'''h³/6 + f''''h⁴/24. The odd powers cancel in the sum, so

    (f(x + h) − 2f(x) + f(x − h))/h² = f'' + 2 f''''h²/24: the error is F h²/12. The values add
    at most (δ + 2δ + δ)/h² = 4δ/h². The slope of the sum by h is F h/6 − 8δ/h³. It is 0 where
    h⁴ = 48δ/F, and as the sum grows without bound on both sides, this is its smallest value.
    """
    h = (48 * delta / F) ** 0.25
    return h, h**2 * F / 12 + 4 * delta / h**2


@bend.inputs
def bend_inputs(random):
    return random.number(0.5, 2.0), random.number(0.5, 4.0)


@bend.wrong("the middle value counts twice: its error, too")
def best_nudge_two(delta, F):
    h = (24 * delta / F) ** 0.25
    return h, h**2 * F / 12 + 2 * delta / h**2


@bend.wrong("1/24 h⁴ comes from each side: divided by h², that is 1/12 of h²")
def best_nudge_one_side(delta, F):
    h = (96 * delta / F) ** 0.25
    return h, h**2 * F / 24 + 4 * delta / h**2


@bend.wrong("that error is one of the two parts, not their sum")
def best_nudge_part(delta, F):
    h = (48 * delta / F) ** 0.25
    return h, h**2 * F / 12


@bend.wrong("a square root is missing: the sum depends on h², and its best value is for h²")
def best_nudge_squared(delta, F):
    h = (48 * delta / F) ** 0.5
    return h, h**2 * F / 12 + 4 * delta / h**2


# --- program --------------------------------------------------------------------------------

root = Exercise(
    "calculus.where-all-vanish",
    "Where several functions vanish at once",
    kind="program",
    effort=2,
    statement=r"""
    To follow a level line, the chapter moved $y$ to where a linear model said the right value would be, and
    repeated that. Do the same for $D$ equations with $D$ unknowns: given a function $\mathbf g$ that takes a vector of
    $D$ numbers to one of $D$ numbers, its Jacobian, and a start not far from a place where all outputs are zero
    and the Jacobian can be inverted, find that place to ten digits. Write `vanish(g, jacobian, x)`. `torch.linalg.solve(A, b)` returns the
    $\mathbf u$ with $\mathbf A\mathbf u = \mathbf b$.
    """,
    hints=[
        r"For which move $\mathbf d$ is the linear model $\mathbf g(\mathbf x) + \mathbf G\,\mathbf d$ the zero vector?",
        "Make this move, compute model and move anew at the place where you arrive, and repeat. "
        "Ten or twenty times will do.",
    ],
    rtol=1e-9,
    atol=1e-9,
)


@root.stub
def vanish(g, jacobian, x):
    """Return the place where g is zero, shape (D,).

    Args:
        g: takes a vector (D,) and returns a vector (D,).
        jacobian: takes a vector (D,) and returns the Jacobian of g there, shape (D, D).
        x: the start, shape (D,), float64.
    """


@root.reference
def vanish_reference(g, jacobian, x):
    """The model g + G d is zero for the d with G d = −g. Go there, and ask a new model."""
    for _ in range(20):
        x = x - torch.linalg.solve(jacobian(x), g(x))
    return x


@root.inputs
def root_inputs(random):
    (D,) = random.sizes(1)
    A = 1.5 * torch.linalg.qr(random.normal(D, D, dtype=torch.float64))[0]
    place = random.normal(D, dtype=torch.float64)
    away = -random.uniform(1.0, 1.3, D, dtype=torch.float64)  # A (start - place)
    return place + torch.linalg.solve(A, away), A, place


@root.use
def root_use(answer, start, A, place):
    def g(x):
        return torch.exp(A @ (x - place)) - 1

    def jacobian(x):
        return torch.exp(A @ (x - place))[:, None] * A

    return answer(g, jacobian, start)


@root.wrong(
    "the model of the start doesn't fit where you arrive: compute the Jacobian anew each time"
)
def vanish_frozen(g, jacobian, x):
    G = jacobian(x)
    for _ in range(20):
        x = x - torch.linalg.solve(G, g(x))
    return x


@root.wrong("one move is not enough: g is not its linear model. Repeat")
def vanish_once(g, jacobian, x):
    return x - torch.linalg.solve(jacobian(x), g(x))


@root.wrong("plus: the move has to cancel g, so it is minus the solution of G d = g")
def vanish_plus(g, jacobian, x):
    return x + torch.linalg.solve(jacobian(x), g(x))


@root.wrong("that multiplies with the Jacobian: asked is the move that the Jacobian turns into −g")
def vanish_product(g, jacobian, x):
    return x - jacobian(x) @ g(x)


@root.wrong("the Jacobian is transposed: its row k holds the slopes of output k")
def vanish_transposed(g, jacobian, x):
    return x - torch.linalg.solve(jacobian(x).mT, g(x))


# --- break ----------------------------------------------------------------------------------

fooled = Exercise(
    "calculus.fooled",
    "A check that sees a slope where there is none",
    kind="break",
    effort=1,
    statement=r"""
    Write a continuous function with $f(0) = 0$ for which the central quotient at $x = 0$ is 7 (up to
    rounding) whatever the nudge, and which has no derivative there all the same: the quotients of the two
    sides have to differ by at least 1, however small the nudge. Nudges down to $10^{-150}$ are tried.
    """,
    hints=[
        "A central quotient is blind to one kind of function altogether. Which?",
        "The central quotient of a sum is the sum of the central quotients.",
    ],
)


@fooled.stub
def kinked(x):
    """Return the function's values, entry by entry.

    Args:
        x: places, shape (N,), float64.
    """


@fooled.reference
def kinked_reference(x):
    return 7 * x + abs(x)


@fooled.inputs
def fooled_inputs(random):
    h = 10.0 ** (-random.uniform(0, 6, 8, dtype=torch.float64))
    tiny = 10.0 ** (-random.uniform(6, 150, 8, dtype=torch.float64))
    tiny[0] = 1e-150
    h = torch.cat([tiny, h])
    return (torch.cat([h, torch.zeros(1, dtype=torch.float64), -h]),)


@fooled.judge
def fooled_judge(got, x):
    if not isinstance(got, torch.Tensor) or got.shape != x.shape:
        return "expected a tensor of the shape of x"
    if not got.isfinite().all():
        return "that function has no value at some of the places"
    n = len(x) // 2
    h, above, middle, below = x[:n], got[:n], got[n], got[n + 1 :]
    if max(abs(above[0] - middle), abs(below[0] - middle)) > 1e-12:
        return "that function jumps at 0: it has to be continuous"
    if middle != 0:
        return f"f(0) is {middle:.2g}, not 0"
    central = (above - below) / (2 * h)
    if (central - 7).abs().max() > 1e-6:
        worst = (central - 7).abs().argmax()
        if 7 * h[worst] < 1e-12 * max(abs(above[worst]), abs(below[worst])):
            return (
                f"at x = {h[worst]:.2g} the function is so much larger than 7x that a slope of 7 is "
                "rounded away: take a kink that is no steeper than straight lines"
            )
        return f"the central quotient with h = {h[worst]:.2g} is {central[worst]:.6g}, not 7"
    gap = (above - middle) / h - (middle - below) / h
    if gap.abs().min() < 1 - 1e-6:
        least = gap.abs().argmin()
        if gap.abs().max() > 1 - 1e-6:
            return (
                f"with h = {h[least]:.2g} the quotients of the two sides differ by "
                f"{gap[least].abs():.2g} only, and for some larger h by 1 or more: a rounded "
                "kink has a derivative"
            )
        return (
            f"with h = {h[least]:.2g} the quotients of the two sides differ by "
            f"{gap[least].abs():.2g} only"
        )
    return None


@fooled.wrong("differ by 0 only", match=False)
def kinked_line(x):
    return 7 * x


@fooled.wrong("is 0, not 7", match=False)
def kinked_even(x):
    return abs(x)


@fooled.wrong("a rounded kink has a derivative", match=False)
def kinked_rounded(x):
    c = torch.full_like(x, 1e-20)
    return 7 * x + (torch.sqrt(x * x + c) - torch.sqrt(c))


@fooled.wrong("f(0) is 1e-10, not 0", match=False)
def kinked_lifted(x):
    return 7 * x + torch.sqrt(x * x + 1e-20)


@fooled.wrong("a slope of 7 is rounded away", match=False)
def kinked_steep(x):
    return 7 * x + abs(x).pow(0.9)


@fooled.wrong("that function jumps at 0: it has to be continuous")
def kinked_jump(x):
    return 7 * x + abs(x) + 1e-4 * (x != 0)


# --- extend ---------------------------------------------------------------------------------

complex_step = Exercise(
    "calculus.complex-nudge",
    "A nudge into the imaginary",
    kind="extend",
    effort=2,
    statement=r"""
    Rounding spoils difference quotients because they subtract two numbers that are nearly equal.
    A complex nudge does without the subtraction: move $x$ by $\mathrm i h$ with $\mathrm i^2 = -1$. For functions made of
    $+$, $-$, $\times$, $\div$, exponentials, sines, and roots and logarithms of numbers above 0, Taylor's model holds for
    such nudges, too. (It does not for $|x|$, a maximum, or whatever asks for a sign.) What are its real and its
    imaginary part? Use the answer to write `slope(f, x)`, correct to a relative error of
    $10^{-13}$. The functions detach their input, so a tape is of no use. (`torch.complex(a, b)` is $a + \mathrm i b$, for two tensors of
    one type, here `torch.float64`; its parts are `.real` and `.imag`.)
    """,
    hints=[
        r"$f(x + \mathrm ih) = f(x) + \mathrm ih f'(x) - \tfrac12h^2f''(x) - \dots$ Which part holds the slope, and times what?",
        "Nothing is subtracted from the part that you want, so nothing forbids a very small $h$. How small must it be "
        r"for $\tfrac16h^2f'''$ to be lost in the rounding?",
    ],
    rtol=1e-13,
    atol=0,
)


@complex_step.stub
def slope(f, x):
    """Return the derivative of f at x, a tensor without axes.

    Args:
        f: a function of one number, which also takes complex tensors.
        x: the place, a float64 tensor without axes.
    """


@complex_step.reference
def slope_reference(f, x):
    """The real part of f(x + ih) is f − h²f''/2 + …, the imaginary part h f' − h³f'''/6 + …

    Divided by h, the latter is f' up to h²f'''/6. With h = 1e-20 that is lost in the rounding.
    """
    h = torch.tensor(1e-20, dtype=x.dtype)
    return f(torch.complex(x, h)).imag / h


@complex_step.inputs
def complex_step_inputs(random):
    return (2 + random.uniform(0, 1, dtype=torch.float64),)


@complex_step.use
def complex_step_use(answer, x):
    functions = (
        lambda z: torch.sqrt(torch.exp(z) + z * z) / (1 + z),
        lambda z: torch.log(1 + z * z) + torch.sin(z) / 5,
        lambda z: torch.exp(-z / 2) / z,
    )
    return torch.stack([answer(lambda z, f=f: f(z.detach()), x) for f in functions])


@complex_step.wrong("that is the value, not the slope: take the other part")
def slope_real(f, x):
    return f(torch.complex(x, torch.full_like(x, 1e-20))).real


@complex_step.wrong("that is h times the slope")
def slope_undivided(f, x):
    return f(torch.complex(x, torch.full_like(x, 1e-20))).imag


@complex_step.wrong("the nudge is too large: what is left is f''' h²/6, as with a central quotient")
def slope_coarse(f, x):
    return f(torch.complex(x, torch.full_like(x, 1e-3))).imag / 1e-3


@complex_step.wrong(
    "about as good as a central quotient can be, and no better: nudge the other way"
)
def slope_central(f, x):
    return (f(x + 6e-6) - f(x - 6e-6)) / 1.2e-5


@complex_step.wrong("the nudge was rounded to single precision: make it with dtype=torch.float64")
def slope_single(f, x):
    return f(torch.complex(x, torch.tensor(1e-20).double())).imag / 1e-20
