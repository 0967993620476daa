"""Homework zero: linear algebra, calculus and probability, to find out what to revise."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- linear algebra -------------------------------------------------------------------------

inner = Exercise(
    "homework-zero.inner-product",
    "A product, two lengths, an angle",
    kind="predict",
    effort=1,
    statement=r"""
    Let $\mathbf u = (1, -2, 2)$ and $\mathbf v = (4, 0, 3)$. Give four numbers: the inner product $\mathbf u\cdot\mathbf v$, the lengths
    $\lVert\mathbf u\rVert$ and $\lVert\mathbf v\rVert$, and the cosine of the angle between the two (two digits behind the point).
    """,
    hints=[
        "Multiply entry by entry and add up; a length is the root of a vector's product with itself.",
        "The inner product is the product of both lengths and the cosine.",
    ],
    atol=0.005,
    group="linear algebra",
    revise=("foundations/tensors", "Vectors"),
)


@inner.stub
def product_lengths_cosine():
    """Return u·v, the length of u, the length of v and the cosine: four numbers."""


@inner.reference
def product_lengths_cosine_reference():
    u = torch.tensor([1.0, -2, 2], dtype=torch.float64)
    v = torch.tensor([4.0, 0, 3], dtype=torch.float64)
    return tuple(x.item() for x in (u @ v, u.norm(), v.norm(), u @ v / (u.norm() * v.norm())))


inner.wrong_value((10, 9, 25, 10 / 225), "those are the squares of the lengths: take the root")
inner.wrong_value((10, 3, 5, 10), "the last is not divided by the lengths yet")
inner.wrong_value((10, 1, 7, 10 / 7), "a length is no sum of entries: square, add, take the root")
inner.wrong_value((10, 3, 5, 0.84), "that is the angle, in radians: asked is its cosine")

times_vector = Exercise(
    "homework-zero.matrix-times-vector",
    "A matrix, and its transpose",
    kind="predict",
    effort=1,
    statement=r"""
    Let

    $$
    \mathbf A = \begin{pmatrix} 1 & 2 & 0\\ 3 & -1 & 4\end{pmatrix} ,
    $$

    $\mathbf x = (2, 1, -1)$ and $\mathbf y = (1, 1)$. Give $\mathbf A\mathbf x$ and $\mathbf A^\top\mathbf y$, each as a tuple or a list.
    """,
    hints=[
        "Every entry of a product is the inner product of a row with the vector.",
        "The rows of the transpose are the columns of the matrix.",
    ],
    group="linear algebra",
    revise=("foundations/tensors", "Matrices"),
)


@times_vector.stub
def two_vectors():
    """Return A x and Aᵀ y, each as a tuple of whole numbers."""


@times_vector.reference
def two_vectors_reference():
    A = torch.tensor([[1, 2, 0], [3, -1, 4]])
    return tuple((A @ torch.tensor([2, 1, -1])).tolist()), tuple(A.sum(0).tolist())


times_vector.wrong_value(
    ((4, 9), (4, 1, 4)), "the first: a sign was lost, 4 is multiplied with a negative number"
)
times_vector.wrong_value(
    ((4, 1), (3, 6)), "the second: the entries of a row were added up, but the transpose was asked"
)
times_vector.wrong_value(((2, 2, 0), (4, 1, 4)), "the first has as many entries as A has rows")
times_vector.wrong_value(((4, 1, 4), (4, 1)), "the two are exchanged")

two_orders = Exercise(
    "homework-zero.product",
    "The same two matrices, in both orders",
    kind="predict",
    effort=1,
    statement=r"""
    Let

    $$
    \mathbf A = \begin{pmatrix} 1 & 2\\ 0 & 1\end{pmatrix} , \qquad \mathbf B = \begin{pmatrix} 1 & 0\\ 3 & 1\end{pmatrix} .
    $$

    Give $\mathbf A\mathbf B$ and $\mathbf B\mathbf A$, each as a list of rows.
    """,
    hints=[
        "Row of the first times column of the second.",
        "Column by column: a column of the product is the first matrix times that column of the "
        "second.",
    ],
    group="linear algebra",
    revise=("foundations/tensors", "Products"),
)


@two_orders.stub
def both_products():
    """Return A B and B A, each as a list of two rows."""


@two_orders.reference
def both_products_reference():
    A, B = torch.tensor([[1, 2], [0, 1]]), torch.tensor([[1, 0], [3, 1]])
    return (A @ B).tolist(), (B @ A).tolist()


two_orders.wrong_value(([[1, 2], [3, 7]], [[7, 2], [3, 1]]), "the two are exchanged")
two_orders.wrong_value(
    ([[1, 0], [0, 1]], [[1, 0], [0, 1]]), "that is the product entry by entry, not of matrices"
)
two_orders.wrong_value(
    ([[7, 2], [3, 1]], [[7, 2], [3, 1]]), "the order matters: the second is another matrix"
)

solve = Exercise(
    "homework-zero.solve",
    "Two equations",
    kind="predict",
    effort=1,
    statement=r"""
    Give three numbers: the $x$ and the $y$ with $2x + y = 5$ and $x + 3y = 10$; and the $c$ for which

    $$
    \begin{pmatrix} 2 & 1\\ 6 & c\end{pmatrix}
    $$

    has no inverse.
    """,
    hints=[
        "Take twice the second equation from the first, or the other way round.",
        "There is no inverse where one column is a multiple of the other.",
    ],
    group="linear algebra",
    revise=("foundations/tensors", "Undoing a matrix"),
)


@solve.stub
def unknowns():
    """Return x, y and c: three numbers."""


@solve.reference
def unknowns_reference():
    x, y = torch.linalg.solve(torch.tensor([[2.0, 1], [1, 3]]), torch.tensor([5.0, 10])).tolist()
    return round(x), round(y), 3


solve.wrong_value((3, 1, 3), "x and y are exchanged: put them into the second equation")
solve.wrong_value((1, 3, 12), "the third: 2·c − 1·6 has to be 0, not 1·c − 2·6")
solve.wrong_value((1, 3, 0), "the third: a 0 alone spoils nothing; are the columns parallel?")
solve.wrong_value((1, 3, -3), "the third: the sign. The columns are parallel where 2·c = 1·6")

fit = Exercise(
    "homework-zero.shapes",
    "Which products are there?",
    kind="predict",
    effort=1,
    statement=r"""
    $\mathbf A$ has 3 rows and 8 columns, $\mathbf B$ has 8 rows and 2 columns. Which shapes have $\mathbf A\mathbf B$, $\mathbf B\mathbf A$,
    $\mathbf A^\top\mathbf B$ and $\mathbf B^\top\mathbf A^\top$? Give four answers, each a shape, rows first, such as `(3, 8)`, or the
    text `"error"` where the product does not exist.
    """,
    hints=[
        "Write the shapes side by side. The inner lengths have to agree.",
        "What agreed vanishes; the outer lengths remain.",
    ],
    group="linear algebra",
    revise=("foundations/tensors", "Shapes first"),
)


@fit.stub
def four_shapes():
    """Return four shapes, each a tuple (rows, columns) or the text "error"."""


@fit.reference
def four_shapes_reference():
    return (3, 2), "error", "error", (2, 3)


fit.wrong_value(((3, 2), (2, 3), "error", (2, 3)), "the second: B A is (8, 2)(3, 8)")
fit.wrong_value(((3, 2), "error", (8, 2), (2, 3)), "the third: it is (8, 3)(8, 2)")
fit.wrong_value(((8, 8), "error", "error", (2, 3)), "the first: what agrees, vanishes")
fit.wrong_value(((3, 2), "error", "error", (3, 2)), "the fourth is the transpose of the first")

kept = Exercise(
    "homework-zero.eigenvectors",
    "Which directions stay?",
    kind="predict",
    effort=1,
    statement=r"""
    For which of the vectors $(1, 1)$, $(1, 0)$ and $(1, -1)$ does the matrix

    $$
    \begin{pmatrix} 3 & 1\\ 1 & 3\end{pmatrix}
    $$

    change nothing but the length? Give for each, in this order, the factor (its eigenvalue), or `None` if it is no
    eigenvector.
    """,
    hints=[
        "Multiply, and compare the result with the vector.",
        "An eigenvector's image is a multiple of it, also where the factor is not 1.",
    ],
    group="linear algebra",
    revise=("foundations/tensors", "The directions that a matrix keeps"),
)


@kept.stub
def factors():
    """Return three answers, each a number or None."""


@kept.reference
def factors_reference():
    return 4, None, 2


kept.wrong_value((4, 3, 2), "the second: (1, 0) goes to (3, 1), which points elsewhere")
kept.wrong_value((4, None, 4), "the third: 3 and 1 are subtracted, for the second entry is −1")
kept.wrong_value((None, None, None), "a vector may be stretched: it need not stay as it is")

# --- calculus -------------------------------------------------------------------------------

rules = Exercise(
    "homework-zero.derivatives",
    "Three slopes",
    kind="predict",
    effort=1,
    statement=r"""
    Give three numbers: the derivative of $x^3 - 2x$ at $x = 2$, that of $e^{3x}$ at $x = 0$, and that of
    $\log(1 + x^2)$ at $x = 1$. The logarithm is the natural one.
    """,
    hints=[
        "Power by power; the exponential is its own derivative; that of the logarithm is 1 over its "
        "argument.",
        "Where something other than x stands inside, multiply by the derivative of what stands "
        "there.",
    ],
    group="calculus",
    revise=("foundations/calculus", "Rules, on numbers"),
)


@rules.stub
def three_slopes():
    """Return three numbers."""


@rules.reference
def three_slopes_reference():
    return 3 * 2**2 - 2, 3, 2 * 1 / (1 + 1**2)


rules.wrong_value((10, 1, 1), "the second: the factor in the exponent is a derivative, too")
rules.wrong_value((10, 3, 0.5), "the third: multiply by the derivative of what is in the logarithm")
rules.wrong_value((4, 3, 1), "the first is the value of the function: asked is its slope")
rules.wrong_value((12, 3, 1), "the first: −2x has a slope as well")

chain = Exercise(
    "homework-zero.chain-rule",
    "A product of compositions",
    kind="derive",
    effort=1,
    statement=r"""
    Derive the derivative of $f(x) = x\,e^{-x^2/2}$, and write it as `slope(x)`.
    """,
    hints=[
        "It is a product of two functions of x. The second is a composition.",
        r"The derivative of $-x^2/2$ is $-x$.",
    ],
    group="calculus",
    revise=("foundations/calculus", "Rules, on numbers"),
)


@chain.stub
def slope(x):
    """Return f'(x) for every entry of the tensor x, in its shape."""


@chain.reference
def slope_reference(x):
    return (1 - x**2) * torch.exp(-(x**2) / 2)


@chain.inputs
def chain_inputs(random):
    (N,) = random.sizes(1)
    return (random.normal(N, dtype=torch.float64),)


@chain.wrong("a product has two terms: the x in front is differentiated in one of them")
def slope_without_product(x):
    return -(x**2) * torch.exp(-(x**2) / 2)


@chain.wrong("the inner derivative is missing: the exponent depends on x")
def slope_without_chain(x):
    return (1 + x) * torch.exp(-(x**2) / 2)


@chain.wrong("the exponent falls as x grows: its derivative is negative")
def slope_sign(x):
    return (1 + x**2) * torch.exp(-(x**2) / 2)


@chain.wrong("the derivative of −x²/2 is −x: the 2 of the square and the ½ cancel")
def slope_half(x):
    return (1 - x**2 / 2) * torch.exp(-(x**2) / 2)


partial = Exercise(
    "homework-zero.gradient",
    "Two partial derivatives and a small step",
    kind="predict",
    effort=1,
    statement=r"""
    Let $f(x, y) = x^2y + 3y$. Give three numbers: $\partial f/\partial x$ and $\partial f/\partial y$ at $(x, y) = (2, -1)$; and by how
    much $f$ changes, to first order, if from there $x$ grows by 0.01 and $y$ by 0.02.
    """,
    hints=[
        "For the first, treat y as a constant; for the second, x.",
        "To first order, each input contributes its slope times its change.",
    ],
    atol=0.0005,
    group="calculus",
    revise=("foundations/calculus", "Several inputs"),
)


@partial.stub
def slopes_and_change():
    """Return ∂f/∂x, ∂f/∂y and the change of f: three numbers."""


@partial.reference
def slopes_and_change_reference():
    x, y = 2, -1
    return 2 * x * y, x**2 + 3, 2 * x * y * 0.01 + (x**2 + 3) * 0.02


partial.wrong_value((-4, 4, 0.04), "the second: 3y has a slope in the direction of y")
partial.wrong_value((-4, 7, 0.01), "the third: the steps in x and in y have different lengths")
partial.wrong_value((-4, 7, 3), "the third: multiply each slope by its own small step")
partial.wrong_value((7, -4, 0.01), "the first two are exchanged")

paths = Exercise(
    "homework-zero.two-paths",
    "Two ways to the same number",
    kind="predict",
    effort=1,
    statement=r"""
    Let $z = x^2 + y^2$ with $x = 3t$ and $y = t^2$. Give $\mathrm dz/\mathrm dt$ at $t = 1$, by the chain rule.
    """,
    hints=[
        "A change of t reaches z on two ways, through x and through y.",
        "Along each way the derivatives multiply; the ways add up.",
    ],
    group="calculus",
    revise=("foundations/calculus", "The chain rule is a product of matrices"),
)


@paths.stub
def rate():
    """Return dz/dt at t = 1, a number."""


@paths.reference
def rate_reference():
    t = 1
    x, y = 3 * t, t**2
    return 2 * x * 3 + 2 * y * 2 * t


paths.wrong_value(18, "that is the way through x alone")
paths.wrong_value(4, "that is the way through y alone")
paths.wrong_value(8, "the inner derivatives are missing: x and y change at rates of their own")
paths.wrong_value(10, "that is the value of z: asked is how fast it changes")
paths.wrong_value(72, "the ways add up: only along one way are derivatives multiplied")

lowest = Exercise(
    "homework-zero.minimum",
    "The bottom of a parabola",
    kind="predict",
    effort=1,
    statement=r"""
    Give three numbers about $f(x) = 2x^2 - 12x + 5$: where it is smallest, its value there, and its second
    derivative.
    """,
    hints=["At a minimum the slope is 0.", "The second derivative is the slope of the slope."],
    group="calculus",
    revise=("foundations/calculus", "Second derivatives"),
)


@lowest.stub
def place_value_bend():
    """Return the place of the minimum, the value there and the second derivative."""


@lowest.reference
def place_value_bend_reference():
    x = 12 / 4
    return x, 2 * x**2 - 12 * x + 5, 4


lowest.wrong_value((6, 5, 4), "the slope of 2x² is 4x, so the place comes out half as large")
lowest.wrong_value((-3, 59, 4), "the first: the slope 4x − 12 is 0 for a positive x")
lowest.wrong_value((3, -13, 2), "the third: the second derivative of 2x² is not its factor")
lowest.wrong_value((3, 0, 4), "the second: 0 is the slope at the minimum, not the value")

# --- probability ----------------------------------------------------------------------------

moments = Exercise(
    "homework-zero.mean-and-variance",
    "Mean and variance",
    kind="predict",
    effort=1,
    statement=r"""
    $X$ is 0 with probability ½, 2 with probability ¼ and 4 with probability ¼. Give four numbers: the expectation
    and the variance of $X$, and those of $3X + 1$.
    """,
    hints=[
        "The expectation weighs each value with its probability; the variance does so with the "
        "squared distances from the expectation.",
        "What does adding 1 do to the distances from the expectation, and what does multiplying "
        "by 3 do to their squares?",
    ],
    atol=0.001,
    group="probability",
    revise=("foundations/probability", "Numbers that depend on chance"),
)


@moments.stub
def two_means_and_variances():
    """Return E[X], Var[X], E[3X + 1] and Var[3X + 1]: four numbers."""


@moments.reference
def two_means_and_variances_reference():
    x, p = torch.tensor([0.0, 2, 4]), torch.tensor([0.5, 0.25, 0.25])
    mean = (p * x).sum().item()
    variance = (p * (x - mean) ** 2).sum().item()
    return mean, variance, 3 * mean + 1, 9 * variance


moments.wrong_value((2, 8 / 3, 7, 24), "the three values are not equally probable")
moments.wrong_value((1.5, 5, 5.5, 45), "the mean of the squares: take the squared mean from it")
moments.wrong_value((1.5, 2.75, 5.5, 8.25), "the variance is measured in squares: 3 enters squared")
moments.wrong_value((1.5, 2.75, 5.5, 25.75), "adding 1 moves all values alike: no distance changes")

bayes = Exercise(
    "homework-zero.bayes",
    "A word in a letter",
    kind="predict",
    effort=1,
    statement=r"""
    One letter in five is spam. A certain word occurs in half of all spam, and in one of twenty other
    letters. Give two probabilities: that the next letter has the word, and that a letter which
    has the word is spam. Two digits behind the point.
    """,
    hints=[
        "Imagine a hundred letters. How many are spam with the word, how many are others with it?",
        "Among those with the word, which share is spam?",
    ],
    atol=0.005,
    group="probability",
    revise=("foundations/probability", "The formula"),
)


@bayes.stub
def word_and_spam():
    """Return the probability of the word, and that of spam given the word."""


@bayes.reference
def word_and_spam_reference():
    word = 0.2 * 0.5 + 0.8 * 0.05
    return word, 0.2 * 0.5 / word


bayes.wrong_value((0.14, 0.5), "the second is the word given spam: asked is spam given the word")
bayes.wrong_value((0.14, 0.1), "the second: spam and word together. Given the word, divide by it")
bayes.wrong_value((0.55, 0.91), "spam is rarer than other letters: weigh each share by its kind")
bayes.wrong_value((0.14, 0.2), "the second: the word is a hint, so the share of spam has changed")

trials = Exercise(
    "homework-zero.independence",
    "Three readers",
    kind="predict",
    effort=1,
    statement=r"""
    Three machines read the same kind of digit, independently, each right with probability 0.9. Give three
    probabilities: that all are right, that at least one is wrong, and that exactly two are right. Three digits behind
    the point.
    """,
    hints=[
        "Independent: the probabilities multiply.",
        "Which of the three is the one that is wrong? That can happen in several ways.",
    ],
    atol=0.0005,
    group="probability",
    revise=("foundations/probability", "The formula"),
)


@trials.stub
def three_probabilities():
    """Return three probabilities."""


@trials.reference
def three_probabilities_reference():
    p = 0.9
    return p**3, 1 - p**3, 3 * p**2 * (1 - p)


trials.wrong_value((0.729, 0.001, 0.243), "the second: that is the probability that all are wrong")
trials.wrong_value(
    (0.729, 0.271, 0.081), "the third: any of the three may be the one that is wrong"
)
trials.wrong_value((0.729, 0.3, 0.243), "the second: adding up counts some cases more than once")
trials.wrong_value(
    (0.729, 0.271, 0.81), "the third: the one that is wrong has a probability as well"
)

likelihood = Exercise(
    "homework-zero.likelihood",
    "Seven of ten",
    kind="predict",
    effort=1,
    statement=r"""
    A coin shows heads with an unknown probability $p$. Ten independent throws gave heads seven times, in a
    certain order. Give two numbers: the $p$ for which that result is most probable; and the
    derivative of the logarithm of its probability by $p$, at $p = \tfrac12$.
    """,
    hints=[
        r"The probability of that order is $p^7(1 - p)^3$. A logarithm makes a sum of it.",
        "Where the logarithm is largest, its derivative is 0.",
    ],
    atol=0.001,
    group="probability",
    revise=("foundations/probability", "From data to parameters"),
)


@likelihood.stub
def best_and_slope():
    """Return the best p, and the slope of the log-likelihood at ½: two numbers."""


@likelihood.reference
def best_and_slope_reference():
    return 7 / (7 + 3), 7 / 0.5 - 3 / (1 - 0.5)


likelihood.wrong_value((0.5, 8), "the first: fairness is not asked; seven of ten were heads")
likelihood.wrong_value((0.7, 20), "the second: the derivative of log(1 − p) is negative")
likelihood.wrong_value((0.7, 0), "the second: the slope is 0 at the best p, not at ½")
likelihood.wrong_value(
    (0.7, 1 / 128), "the second: that is of the probability, not of its logarithm"
)
