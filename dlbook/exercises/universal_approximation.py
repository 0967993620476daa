"""Exercises of the chapter "universal approximation"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

parabola = Exercise(
    "universal-approximation.more-pieces",
    "The parabola with more units",
    kind="predict",
    effort=1,
    statement=r"""The parabola $x^2$ is followed on $[0, 1]$ by straight lines between equally spaced knots. What is the
largest error with five pieces, where (a place $x$) is it attained first, counted from the left, and how many pieces keep the error at or
below $10^{-4}$? Give the three numbers in this order; the error and the place to within 0.001, the count exactly.""",
    hints=[
        "The bound with the second derivative holds with equality for a parabola, on every piece.",
        "How does the largest error change when the pieces become half as long?",
    ],
    atol=0.001,
)


@parabola.stub
def parabola_answers():
    """Return the largest error with five pieces, the first place of it, and the least count of pieces."""


@parabola.reference
def parabola_answers_reference():
    h = 1 / 5
    # f'' is 2, so each piece is off by 2h²/8 = h²/4 in its middle; 1/(4N²) ≤ 1/10000 from N = 50.
    return (2 * h**2 / 8, h / 2, 50)


parabola.wrong_value(
    (0.04, 0.1, 50),
    "the first number: the 8 of the bound, and the second derivative of x², which is 2",
)
parabola.wrong_value(
    (0.01, 0.2, 50), "at 0.2 there is a knot, and no error: it is largest in the middle of a piece"
)
parabola.wrong_value(
    (0.01, 0.1, 500), "the count goes with the square root of the error, not with the error"
)
parabola.wrong_value(
    (0.005, 0.1, 36), "the second derivative of x² is 2, not 1: that is in both of your numbers"
)

teeth = Exercise(
    "universal-approximation.counting-teeth",
    "Ten folds",
    kind="predict",
    effort=1,
    statement=r"""A sawtooth network has ten hidden layers of two units. How many straight pieces has its graph on $[0, 1]$? How many
units must a network with a single hidden layer of ReLUs have at least, if all you know is that its graph has as many pieces? And how many straight pieces has, at most, the graph of a network with one
hidden layer of 20 ReLUs? Give the three whole numbers in this order.""",
    hints=[
        "What does one more fold do to the number of pieces?",
        "One hidden unit can bend the graph at one place. N bends part the line into how many pieces?",
    ],
)


@teeth.stub
def three_counts():
    """Return the pieces of the sawtooth, the least units for as many, the pieces of 20 units."""


@teeth.reference
def three_counts_reference():
    # Each fold doubles the pieces. N units make N bends at most, and so N + 1 pieces. (To draw the
    # sawtooth itself 2¹⁰ − 1 don't suffice: each would make one of its bends, a change of slope by
    # ±2·2¹⁰; the first slope is minus the changes of those units that wake up to the left, a
    # multiple of 2·2¹⁰, and should be 2¹⁰.)
    return (2**10, 2**10 - 1, 21)


teeth.wrong_value((512, 1023, 21), "512 is the number of teeth; each tooth has two pieces")
teeth.wrong_value(
    (1024, 1024, 21),
    "the second: N bends make N + 1 pieces, so the count of pieces allows one unit less",
)
teeth.wrong_value((1024, 1023, 20), "the third: 20 bends part the line into one piece more")
teeth.wrong_value(
    (20, 19, 21), "each layer folds what the layers before it have made: pieces double"
)

# --- derive ---------------------------------------------------------------------------------

enough = Exercise(
    "universal-approximation.enough-units",
    "How many units are enough?",
    kind="derive",
    effort=2,
    statement=r"""Solve the bound for the number of units. Given $M$, the largest $|f''|$ on an interval of the given length, and an error
$\varepsilon > 0$, return the smallest number of equal pieces for which the promise is at most $\varepsilon$; at least 1, as there is no
network without units. The inputs are drawn so that rounding does not decide.""",
    hints=[
        "Write the promise as a function of the number of pieces N, through h = length / N.",
        "Solve for N, and remember that a network has a whole number of units.",
    ],
)


@enough.stub
def units(curvature, length, error):
    """Return the least N with promise ≤ error, an int.

    Args:
        curvature: M ≥ 0, a float.
        length: of the interval, a float > 0.
        error: ε > 0, a float.
    """


@enough.reference
def units_reference(curvature, length, error):
    # With h = length / N the promise is M·length² / (8N²). It is at most ε when
    # N² ≥ M·length² / (8ε), that is N ≥ length·√(M / (8ε)): the next whole number, and at least 1.
    return max(1, math.ceil(length * math.sqrt(curvature / (8 * error))))


@enough.inputs
def enough_inputs(random):
    length, error = random.number(0.5, 4), random.number(0.001, 0.1)
    pieces = random.integer(2, 40) - random.number(0.2, 0.8)
    return (8 * error * (pieces / length) ** 2, length, error)


@enough.probe("a straight line, M = 0")
def enough_straight(random):
    return (0.0, random.number(0.5, 4), random.number(0.001, 0.1))


@enough.wrong("one piece too few here: cutting off the decimals breaks the promise")
def units_floor(curvature, length, error):
    return max(1, math.floor(length * math.sqrt(curvature / (8 * error))))


@enough.wrong("the root is missing: the promise falls with N², so N grows with the square root")
def units_no_root(curvature, length, error):
    return max(1, math.ceil(length * curvature / (8 * error)))


@enough.wrong("the length of the interval is not used rightly: h is the length divided by N")
def units_unit_interval(curvature, length, error):
    return max(1, math.ceil(math.sqrt(curvature / (8 * error))))


@enough.wrong("the 8 of the bound is missing")
def units_no_eight(curvature, length, error):
    return max(1, math.ceil(length * math.sqrt(curvature / error)))


boxes = Exercise(
    "universal-approximation.price-of-dimension",
    "The price of a dimension",
    kind="derive",
    effort=1,
    statement=r"""A function on the unit cube in $D$ dimensions is nowhere steeper than $L$. It is tiled with equal boxes, $n$ along each
axis, each with the value at its middle. How many boxes are there, if $n$ is the smallest number for which the promise is at most $\varepsilon$? The
inputs are drawn so that rounding does not decide.""",
    hints=[
        "How far is a corner of a box of side 1/n from its middle, in D dimensions?",
        "First n, as a whole number; then all boxes.",
    ],
)


@boxes.stub
def number_of_boxes(lipschitz, dimensions, error):
    """Return how many boxes the cube needs, an int.

    Args:
        lipschitz: L > 0, the largest slope in any direction, a float.
        dimensions: D ≥ 1, an int.
        error: ε > 0, a float.
    """


@boxes.reference
def number_of_boxes_reference(lipschitz, dimensions, error):
    # A corner is h/2 from the middle along each of the D axes, so √(D·(h/2)²) = √D·h/2 away, and f
    # differs there by at most L·√D·h/2. With h = 1/n that is at most ε when n ≥ L·√D / (2ε).
    n = math.ceil(lipschitz * math.sqrt(dimensions) / (2 * error))
    return n**dimensions


@boxes.inputs
def boxes_inputs(random):
    D = random.integer(2, 6)
    error = random.number(0.01, 0.2)
    along = random.integer(2, 30) - random.number(0.2, 0.8)
    return (2 * error * along / math.sqrt(D), D, error)


@boxes.wrong("that is n, the number along one axis: how many boxes fill the cube?")
def boxes_along(lipschitz, dimensions, error):
    return math.ceil(lipschitz * math.sqrt(dimensions) / (2 * error))


@boxes.wrong("a corner is farther from the middle than half a side: by the root of D")
def boxes_no_root(lipschitz, dimensions, error):
    return math.ceil(lipschitz / (2 * error)) ** dimensions


@boxes.wrong("a corner is half a side from the middle along each axis, not a whole side")
def boxes_whole_side(lipschitz, dimensions, error):
    return math.ceil(lipschitz * math.sqrt(dimensions) / error) ** dimensions


@boxes.wrong("D boxes along each axis would be n·D in all; the axes multiply")
def boxes_sum(lipschitz, dimensions, error):
    return dimensions * math.ceil(lipschitz * math.sqrt(dimensions) / (2 * error))


@boxes.wrong("round n up before you raise it to the power: a box cannot be cut")
def boxes_round_late(lipschitz, dimensions, error):
    return math.ceil((lipschitz * math.sqrt(dimensions) / (2 * error)) ** dimensions)


# --- program --------------------------------------------------------------------------------

bends = Exercise(
    "universal-approximation.bends",
    "The weights of the output",
    kind="program",
    effort=1,
    statement=r"""The knots need not be equally far apart. Given $N + 1$ knots $x_0 < \dots < x_N$ and a function's values there, return the
$N$ output weights of the network that joins them by straight lines: the weights with which the units
$\operatorname{relu}(x - x_0), \dots, \operatorname{relu}(x - x_{N-1})$ are added to the first value.""",
    hints=[
        "Follow the graph from the left: what is its slope on the first piece, and which units make it?",
        "At each further knot one unit wakes up. What has it to change?",
    ],
)


@bends.stub
def output_weights(values, knots):
    """Return the N output weights.

    Args:
        values: the function at the knots, shape (N + 1,).
        knots: from left to right, shape (N + 1,).
    """


@bends.reference
def output_weights_reference(values, knots):
    slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
    return torch.cat([slopes[:1], slopes[1:] - slopes[:-1]])


@bends.inputs
def bends_inputs(random):
    n = random.integer(4, 9)
    gaps = random.uniform(0.2, 2.0, n, dtype=torch.float64)
    return (random.normal(n, dtype=torch.float64), gaps.cumsum(0) - 3)


@bends.wrong("those are the slopes of the pieces; a unit that woke up earlier is still at work")
def weights_slopes(values, knots):
    return values.diff() / knots.diff()


@bends.wrong("a slope is a difference of values divided by the distance of their knots")
def weights_no_distance(values, knots):
    slopes = values.diff()
    return torch.cat([slopes[:1], slopes.diff()])


@bends.wrong("the knots are not equally far apart: each slope has a distance of its own")
def weights_even(values, knots):
    slopes = values.diff() / (knots[1] - knots[0])
    return torch.cat([slopes[:1], slopes.diff()])


@bends.wrong("the first weight is missing: the first unit makes the slope of the first piece")
def weights_without_first(values, knots):
    return (values.diff() / knots.diff()).diff()


@bends.wrong("the changes have the wrong sign: the new slope minus the old one")
def weights_backwards(values, knots):
    slopes = values.diff() / knots.diff()
    return torch.cat([slopes[:1], -slopes.diff()])


bump = Exercise(
    "universal-approximation.bump",
    "A bump of two logistic units",
    kind="program",
    effort=1,
    statement=r"""Write the function `bump(x, left, right, height, steepness)`: the sum of two logistic units, each with the given steepness as its weight. Far inside
$[\text{left}, \text{right}]$ it is nearly `height`, far outside nearly 0, and exactly at each border a unit is half-way up.""",
    hints=[
        "A unit with weight s and bias b is half-way up where s·x + b = 0.",
        "The second unit has to undo the first, from its border on.",
    ],
)


@bump.stub
def bump_function(x, left, right, height, steepness):
    """Return the bump at x.

    Args:
        x: places, a tensor of any shape.
        left, right: its borders, floats with left < right.
        height: a float.
        steepness: the weight of both units, a float > 0.
    """


@bump.reference
def bump_function_reference(x, left, right, height, steepness):
    up = torch.sigmoid(steepness * (x - left))
    down = torch.sigmoid(steepness * (x - right))
    return height * (up - down)


@bump.inputs
def bump_inputs(random):
    left = random.number(-2.0, 0.0)
    return (
        random.normal(random.integer(5, 9), dtype=torch.float64) * 2,
        left,
        left + random.number(0.5, 2.0),
        random.number(0.5, 3.0),
        random.number(2.0, 20.0),
    )


@bump.wrong("the borders are used as biases: a unit is half-way up where weight · x + bias is 0")
def bump_bias(x, left, right, height, steepness):
    return height * (torch.sigmoid(steepness * x - left) - torch.sigmoid(steepness * x - right))


@bump.wrong("it is upside down: first up, then down")
def bump_reversed(x, left, right, height, steepness):
    return height * (torch.sigmoid(steepness * (x - right)) - torch.sigmoid(steepness * (x - left)))


@bump.wrong("the units are added with the same sign: outside on the right there should be 0")
def bump_sum(x, left, right, height, steepness):
    return height * (torch.sigmoid(steepness * (x - left)) + torch.sigmoid(steepness * (x - right)))


# --- break ----------------------------------------------------------------------------------

blind = Exercise(
    "universal-approximation.blind-spots",
    "A function that it cannot see",
    kind="break",
    effort=2,
    statement=r"""A network of 20 units joins the values of a function at the 21 knots $0, \tfrac1{20}, \dots, 1$ by straight lines. Write a
continuous function on $[0, 1]$, nowhere outside $[-1, 1]$ and nowhere steeper than 1000, that this network takes for 0 everywhere (knots count as 0 up to $10^{-6}$), although it comes within 0.01 of the
value 1 somewhere on every one of the 20 pieces. Your function gets a tensor of places and returns the values there.""",
    hints=[
        "The network knows the function at its knots, and nowhere else.",
        "A wave that crosses 0 at every knot. Mind its sign on every second piece.",
    ],
)


@blind.stub
def unseen(x):
    """Return the function's values at the places x, a tensor of the same shape (float64)."""


@blind.reference
def unseen_reference(x):
    # The sine crosses 0 at every knot and reaches ±1 in between; its magnitude reaches 1 on each piece.
    return torch.sin(20 * math.pi * x).abs()


@blind.use
def blind_use(answer):
    knots = torch.linspace(0, 1, 21, dtype=torch.float64)
    fine = torch.linspace(0, 1, 20 * 500 + 1, dtype=torch.float64)
    return (answer(knots), answer(fine))


@blind.judge
def blind_judge(got):
    try:
        at_knots, fine = got
        at_knots, fine = at_knots.detach().double(), fine.detach().double()
    except (TypeError, ValueError, AttributeError):
        return "expected a tensor of values for a tensor of places"
    if at_knots.shape != (21,) or fine.shape != (10_001,):
        return "expected as many values as places"
    if not (fine.isfinite().all() and at_knots.isfinite().all()):
        return "there are values that are not finite"
    if fine.abs().max() > 1 + 1e-9:
        return "it leaves the range from −1 to 1"
    if at_knots.abs().max() > 1e-6:
        return "the network sees it: it is not 0 at every knot"
    if fine.diff().abs().max() > 1000 / 10_000 + 1e-9:
        return "it is steeper than 1000 somewhere, or it jumps"
    pieces = fine[:-1].view(20, 500)
    unseen = (pieces.amax(1) < 0.99).nonzero()
    if len(unseen):
        low = unseen[0].item()
        return f"on the piece from {low / 20:g} to {(low + 1) / 20:g} it doesn't come near 1"
    return None


@blind.wrong("on the piece from 0.05 to 0.1 it doesn't come near 1", match=False)
def unseen_signed(x):
    return torch.sin(20 * math.pi * x)


@blind.wrong("it is not 0 at every knot", match=False)
def unseen_cosine(x):
    return torch.cos(40 * math.pi * x)


@blind.wrong("it is steeper than 1000 somewhere, or it jumps", match=False)
def unseen_jumps(x):
    on_knot = ((20 * x).round() - 20 * x).abs() < 1e-3
    return torch.where(on_knot, 0.0, 1.0).double()


# --- extend ---------------------------------------------------------------------------------

product = Exercise(
    "universal-approximation.product",
    "A product from squares",
    kind="extend",
    effort=2,
    statement=r"""Deep ReLU networks square a number between 0 and 1 cheaply. Use that to multiply: given `x` and `y` with entries between 0
and 1 and a function `square` that may only be asked for numbers between 0 and 1 (it gives `nan` elsewhere), return $x\,y$. Ask `square` for three
tensors, at most, and use otherwise only sums and multiples by constants, as an output layer would. Answers are compared to within $10^{-9}$.""",
    hints=[
        "Expand the square of a sum. Where does xy stand in it?",
        "The sum may exceed 1. Half of it does not, and its square is a quarter.",
    ],
    outputs=("product", "three squares at most", "sums and multiples only"),
    atol=1e-9,
)


@product.stub
def multiply(x, y, square):
    """Return x·y, elementwise.

    Args:
        x, y: numbers from 0 to 1, tensors of one shape (float64).
        square: maps such tensors to their squares, and anything outside [0, 1] to nan.
    """


@product.reference
def multiply_reference(x, y, square):
    # (x + y)² = x² + 2xy + y², and (x + y)² = 4·((x + y)/2)². So xy = 2·((x + y)/2)² − x²/2 − y²/2.
    return 2 * square((x + y) / 2) - square(x) / 2 - square(y) / 2


@product.use
def product_use(answer, x, y):
    # What is made of x, y and the squares by sums and multiples has the same slope in every entry.
    given, squares = [x.clone().requires_grad_(), y.clone().requires_grad_()], []

    def square(u):
        inside = (u >= 0) & (u <= 1)
        squares.append(torch.where(inside, u.detach() ** 2, math.nan).requires_grad_())
        return squares[-1].clone()

    result = answer(given[0].clone(), given[1].clone(), square)
    if not isinstance(result, torch.Tensor):
        return (result, len(squares) <= 3, False)
    constant = True
    if result.requires_grad:
        slopes = torch.autograd.grad(result.sum(), [*given, *squares], allow_unused=True)
        constant = all(s is None or torch.allclose(s, s.flatten()[0].expand_as(s)) for s in slopes)
    return (result.detach(), len(squares) <= 3, constant)


@product.inputs
def product_inputs(random):
    n = random.integer(5, 9)
    return (
        random.uniform(0.0, 1.0, n, dtype=torch.float64),
        random.uniform(0.0, 1.0, n, dtype=torch.float64),
    )


@product.wrong("is NaN in", match=False)
def multiply_outside(x, y, square):
    return (square(x + y) - square(x) - square(y)) / 2


@product.wrong("half a sum has a quarter of its square: the factor of the first term is too small")
def multiply_half(x, y, square):
    return square((x + y) / 2) - square(x) / 2 - square(y) / 2


@product.wrong("the squares of x and of y are still in it")
def multiply_no_rest(x, y, square):
    return 2 * square((x + y) / 2)


@product.wrong("x and y are multiplied with each other, which an output layer cannot do")
def multiply_directly(x, y, square):
    return x * y
