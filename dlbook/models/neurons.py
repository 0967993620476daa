r"""Single neurons and small nets of them, with the learning rules of their time.

Nothing here is differentiated. A :class:`ThresholdUnit` is set by hand; the others have a
``learn`` that changes their weights after every sample, by a rule of their own:

- :class:`HebbianUnit` and :class:`OjaUnit` by what goes in and out, without any target;
- :class:`HebbianNetwork` by what was lately active when a reward comes;
- :class:`Perceptron` by its mistakes;
- :class:`Adaline` by the error of its weighted sum.

Classes are the numbers −1 and +1, and silence and firing the numbers 0 and 1.

Chapter: :doc:`/foundations/neurons`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

__all__ = [
    "Adaline",
    "BooleanNetwork",
    "HebbianNetwork",
    "HebbianUnit",
    "Mistakes",
    "NormalizedHebbianNetwork",
    "OjaUnit",
    "Perceptron",
    "Separation",
    "ThresholdUnit",
    "binary_inputs",
    "retina",
    "separation",
]


# --- thresholds ---------------------------------------------------------------------------------


class ThresholdUnit(nn.Module):
    r"""A unit that fires, with a 1, when the weighted sum of its inputs reaches its threshold.

    .. math:: a = \mathbf 1\{\mathbf w \cdot \mathbf x \ge \tau\}

    Otherwise it is silent, which is 0.

    Args:
        weight: :math:`\mathbf w`, of shape (D,), of any sign.
        threshold: :math:`\tau`.

    Attributes:
        weight: :math:`\mathbf w`, of shape (D,).
        threshold: :math:`\tau`, of shape ().

    Raises:
        ValueError: if ``weight`` is no vector, or the inputs have another number of features.

    Departs from McCulloch and Pitts (1943), whose neuron counts its active excitatory synapses
    and is kept silent by a single active inhibitory one, whatever else is active. Here
    inhibition is a negative weight, which enough excitation may outvote. With D excitatory inputs
    of weight 1 and a threshold above 0, a weight of −D inhibits as theirs did.

    Example:
        >>> unit = ThresholdUnit.conjunction(2)
        >>> unit(torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
        tensor([0., 0., 0., 1.])

    Chapter: :doc:`/foundations/neurons`.
    """

    weight: Tensor
    threshold: Tensor

    def __init__(self, weight: Float[Tensor, "D"], threshold: float) -> None:
        super().__init__()
        if weight.dim() != 1:
            raise ValueError(
                f"ThresholdUnit: weight expects a vector (D,), got shape {tuple(weight.shape)}"
            )
        self.register_buffer("weight", weight)
        self.register_buffer("threshold", weight.new_tensor(threshold))

    @classmethod
    def conjunction(cls, inputs: int = 2) -> "ThresholdUnit":
        """Return AND: it fires when all its inputs are 1.

        Args:
            inputs: how many, D.
        """
        return cls(torch.ones(inputs), inputs)

    @classmethod
    def disjunction(cls, inputs: int = 2) -> "ThresholdUnit":
        """Return OR: it fires when at least one of its inputs is 1.

        Args:
            inputs: how many, D.
        """
        return cls(torch.ones(inputs), 1)

    @classmethod
    def negation(cls) -> "ThresholdUnit":
        """Return NOT: it has one input, and fires when that is 0."""
        return cls(-torch.ones(1), 0)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        """Return 1 where the unit fires, 0 where it is silent.

        Args:
            x: inputs, of shape ``(*B, D)``.
        """
        _features("ThresholdUnit", x, len(self.weight))
        return (x @ self.weight >= self.threshold).to(x.dtype)

    def extra_repr(self) -> str:
        return f"weight={self.weight.tolist()}, threshold={self.threshold.item():g}"


class BooleanNetwork(nn.Module):
    r"""Two layers of threshold units that compute any given function of binary inputs.

    There is one hidden unit for each row of the truth table that holds a 1. With
    :math:`\mathbf b` the inputs of that line it has

    .. math:: \mathbf w = 2\mathbf b - \mathbf 1, \qquad \tau = \sum_d b_d ,

    and so fires for that line alone: any other input lacks a wanted 1 or has an unwanted one,
    and either costs 1. The output unit fires when a hidden one does.

    Args:
        table: the outputs, of shape (2^D,), in the order of :func:`binary_inputs`.

    Attributes:
        weight: of the hidden units, of shape (M, D), for M ones in the table.
        threshold: of the hidden units, of shape (M,).
        output: the :class:`ThresholdUnit` that joins them.

    Raises:
        ValueError: if the length of ``table`` is no power of 2, or the inputs have another number
            of features.

    Example:
        >>> xor = BooleanNetwork(torch.tensor([False, True, True, False]))
        >>> xor(binary_inputs(2))
        tensor([0., 1., 1., 0.])

    Chapter: :doc:`/foundations/neurons`.
    """

    weight: Tensor
    threshold: Tensor

    def __init__(self, table: Bool[Tensor, "lines"]) -> None:
        super().__init__()
        inputs = max(table.numel(), 1).bit_length() - 1
        if table.dim() != 1 or len(table) != 2**inputs:
            raise ValueError(
                f"BooleanNetwork: table expects shape (2^D,), got {tuple(table.shape)}"
            )
        ones = binary_inputs(inputs)[table]
        self.register_buffer("weight", 2 * ones - 1)
        self.register_buffer("threshold", ones.sum(1))
        self.output = ThresholdUnit.disjunction(len(ones))

    def hidden(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B M"]:
        """Return what the hidden units do.

        Args:
            x: zeros and ones, of shape ``(*B, D)``.
        """
        _features("BooleanNetwork", x, self.weight.shape[1])
        return (x @ self.weight.T >= self.threshold).to(x.dtype)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        """Return the function's values, zeros and ones.

        Args:
            x: zeros and ones, of shape ``(*B, D)``.
        """
        value: Tensor = self.output(self.hidden(x))
        return value

    def extra_repr(self) -> str:
        units, inputs = self.weight.shape
        return f"inputs={inputs}, hidden={units}"


def binary_inputs(inputs: int) -> Float[Tensor, "lines D"]:
    """Return all rows of D zeros and ones, counting up in binary, the first input slowest.

    Args:
        inputs: D, at least 0.

    Raises:
        ValueError: for a negative number of inputs.

    Returns:
        A float32 tensor of shape (2^D, D).

    Example:
        >>> binary_inputs(2)
        tensor([[0., 0.],
                [0., 1.],
                [1., 0.],
                [1., 1.]])

    Chapter: :doc:`/foundations/neurons`.
    """
    if inputs < 0:
        raise ValueError(f"binary_inputs: inputs expects 0 or more, got {inputs}")
    numbers = torch.arange(2**inputs)[:, None]
    return (numbers >> torch.arange(inputs - 1, -1, -1) & 1).float()


# --- Hebb ---------------------------------------------------------------------------------------


class HebbianUnit(nn.Module):
    r"""A linear unit whose weights grow with the product of what goes in and what comes out.

    .. math:: \mathbf w \leftarrow \mathbf w + \eta\,a\,\mathbf x, \qquad
        a = \mathbf w \cdot \mathbf x

    On average over the inputs a step multiplies :math:`\mathbf w` by
    :math:`\mathbf I + \eta\,\mathbf C` with
    :math:`\mathbf C = \tfrac1N\sum_n \mathbf x_n \mathbf x_n^\top`: it grows without bound.

    Args:
        in_features: inputs, D.
        generator: draws the first weights, a random direction of length 1; torch's global one
            if None. (From 0 the rule would not move.)
        device: where the weights live.
        dtype: their floating-point type.

    Attributes:
        weight: :math:`\mathbf w`, of shape (D,).

    Departs from Hebb (1949), who stated the idea in words, without a formula.

    Example:
        >>> unit = HebbianUnit(2)
        >>> unit.weight[:] = torch.tensor([1.0, 0.0])
        >>> unit.learn(torch.tensor([[3.0, 4.0]]), lr=0.1)
        >>> unit.weight
        tensor([1.9000, 1.2000])

    Chapter: :doc:`/foundations/neurons`.
    """

    weight: Tensor

    def __init__(
        self,
        in_features: int,
        generator: Generator | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        direction = torch.randn(in_features, generator=generator, dtype=torch.float64)
        direction /= direction.norm()
        dtype = dtype or torch.get_default_dtype()
        self.register_buffer("weight", direction.to(device=device, dtype=dtype))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        """Return the weighted sums.

        Args:
            x: inputs, of shape ``(*B, D)``.
        """
        _features(type(self).__name__, x, len(self.weight))
        return x @ self.weight

    def update(self, x: Float[Tensor, "D"], lr: float) -> None:
        """Take one step of the rule.

        Args:
            x: one sample, of shape (D,).
            lr: the learning rate.
        """
        a = self.weight @ x
        self.weight += lr * a * x

    @torch.no_grad()
    def learn(
        self,
        x: Float[Tensor, "N D"],
        *,
        lr: float,
        epochs: int = 1,
        generator: Generator | None = None,
    ) -> None:
        """Go through the samples one by one, and take a step of the rule at each.

        Args:
            x: samples, of shape (N, D).
            lr: the learning rate, above 0.
            epochs: how often to go through them.
            generator: draws a new order for each time; the order of the rows if None.

        Raises:
            ValueError: for another number of features, or a setting out of range.
        """
        name = f"{type(self).__name__}.learn"
        _matrix(name, x, len(self.weight))
        _positive(name, lr=lr, epochs=epochs)
        for order in _orders(len(x), epochs, generator):
            for n in order:
                self.update(x[n], lr)

    def extra_repr(self) -> str:
        return f"in_features={len(self.weight)}"


class OjaUnit(HebbianUnit):
    r"""A Hebbian unit whose weights forget as much as they grow, and so keep the length 1.

    .. math:: \mathbf w \leftarrow \mathbf w + \eta\,a\,(\mathbf x - a\,\mathbf w)

    With a small learning rate, on inputs of mean 0, the weights turn towards the first principal
    component: the direction along which the inputs vary most (Oja, 1982).

    Args:
        in_features: inputs, D.
        generator: draws the first weights, a random direction of length 1.
        device: where the weights live.
        dtype: their floating-point type.

    Attributes:
        weight: :math:`\mathbf w`, of shape (D,).

    Example:
        >>> unit = OjaUnit(2, generator=torch.Generator().manual_seed(0))
        >>> unit.learn(torch.tensor([[3.0, 4.0], [-3.0, -4.0]]), lr=0.01, epochs=50)
        >>> unit.weight.abs()
        tensor([0.6000, 0.8000])

    Chapter: :doc:`/foundations/neurons`.
    """

    def update(self, x: Float[Tensor, "D"], lr: float) -> None:
        """Take one step of the rule.

        Args:
            x: one sample, of shape (D,).
            lr: the learning rate.
        """
        a = self.weight @ x
        self.weight += lr * a * (x - a * self.weight)


class HebbianNetwork(nn.Module):
    r"""Neurons that pass a signal on by chance, and more readily if reward followed when they did.

    A net in the spirit of SNARC, the forty neurons that M. Minsky and D. Edmonds built in 1951.
    As there, a neuron has a knob, the probability :math:`p` that it passes
    an arriving signal on, and a capacitor, which remembers for a while that it did. A reward turns
    up the knobs of those neurons whose capacitor is still charged, here by

    .. math:: p \leftarrow p + \eta\,c\,(1 - p)

    with :math:`c` the charge, 1 for the last neuron that fired, and ``memory`` times less with
    every signal since. So a connection grows when it was used and something good came of it.

    This is a reconstruction of the idea, not of the machine. SNARC's wiring was random; here it
    is laid out for a maze: each place has one neuron for each action. At a place the signal tries
    the place's neurons at random, again and again, until one passes it on. So neuron :math:`i`
    is the one with probability :math:`p_i / \sum_j p_j`.

    Args:
        places: how many places, S.
        actions: how many actions each of them has, A; the net has S·A neurons.
        probability: every neuron's first :math:`p`, above 0, at most 1.
        memory: what remains of a charge after one more signal, from 0 up to 1.

    Attributes:
        probability: the knobs, of shape (S, A).
        charge: the capacitors, of shape (S, A).

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> leads_to = torch.tensor([[0, 1], [0, 2], [2, 2]])  # a corridor; 2 is its end
        >>> rat = HebbianNetwork(3, 2)
        >>> generator = torch.Generator().manual_seed(0)
        >>> steps = [rat.run(leads_to, 0, 2, lr=0.3, generator=generator) for _ in range(30)]
        >>> bool(rat.probability[1, 1] > rat.probability[1, 0])
        True

    Chapter: :doc:`/foundations/neurons`.
    """

    probability: Tensor
    charge: Tensor

    def __init__(
        self, places: int, actions: int, *, probability: float = 0.05, memory: float = 0.8
    ) -> None:
        super().__init__()
        name = type(self).__name__
        _positive(name, places=places, actions=actions, probability=probability)
        if probability > 1 or not 0 <= memory < 1:
            raise ValueError(
                f"{name}: expects probability <= 1 and 0 <= memory < 1, "
                f"got probability={probability} and memory={memory}"
            )
        self.memory = memory
        self.register_buffer("probability", torch.full((places, actions), float(probability)))
        self.register_buffer("charge", torch.zeros(places, actions))

    @torch.no_grad()
    def act(self, place: int, generator: Generator | None = None) -> int:
        """Send a signal to the neurons of a place; return the one that passes it on.

        Args:
            place: from 0 to S − 1.
            generator: the source of chance; torch's global one if None.
        """
        action = int(torch.multinomial(self.probability[place], 1, generator=generator))
        self.charge *= self.memory
        self.charge[place, action] = 1
        return action

    @torch.no_grad()
    def reward(self, lr: float) -> None:
        """Turn up the knobs of the neurons that are still charged, and discharge all.

        Args:
            lr: how far, from 0 to 1.
        """
        self.probability += lr * self.charge * (1 - self.probability)
        self.charge.zero_()

    def run(
        self,
        leads_to: Int[Tensor, "S A"],
        start: int,
        goal: int,
        *,
        lr: float,
        limit: int = 10_000,
        generator: Generator | None = None,
    ) -> int:
        """Walk from start to goal, reward the net there, and return the number of steps.

        Args:
            leads_to: the place to which each action leads, of shape (S, A); the place itself where
                there is a wall.
            start: the first place.
            goal: the place of the reward.
            lr: how much a reward teaches, from 0 to 1.
            limit: after so many steps the walk ends without a reward.
            generator: the source of chance; torch's global one if None.

        Raises:
            ValueError: if the maze does not fit the net, or a setting is out of range.
        """
        name = f"{type(self).__name__}.run"
        if leads_to.shape != self.probability.shape:
            raise ValueError(
                f"{name}: leads_to expects shape {tuple(self.probability.shape)}, "
                f"got {tuple(leads_to.shape)}"
            )
        if not 0 <= lr <= 1:
            raise ValueError(f"{name}: lr expects a number from 0 to 1, got {lr}")
        self.charge.zero_()
        maze = leads_to.tolist()
        place, steps = start, 0
        while place != goal and steps < limit:
            place = maze[place][self.act(place, generator)]
            steps += 1
        if place == goal:
            self.reward(lr)
        return steps

    def extra_repr(self) -> str:
        places, actions = self.probability.shape
        return f"places={places}, actions={actions}, memory={self.memory}"


class NormalizedHebbianNetwork(HebbianNetwork):
    r"""A :class:`HebbianNetwork` in which the neurons of a place compete for its strength.

    After a reward the probabilities of each place whose sum exceeds 1 are divided by that sum,
    so that what one neuron gains beyond it, the others lose. SNARC had nothing of the kind, as far
    as we know.

    Args:
        places: how many places, S.
        actions: how many actions each of them has, A.
        probability: every neuron's first :math:`p`.
        memory: what remains of a charge after one more signal.

    Example:
        >>> rat = NormalizedHebbianNetwork(1, 2, probability=0.5)
        >>> rat.charge[0, 0] = 1
        >>> rat.reward(lr=0.5)
        >>> rat.probability
        tensor([[0.6000, 0.4000]])

    Chapter: :doc:`/foundations/neurons`.
    """

    @torch.no_grad()
    def reward(self, lr: float) -> None:
        """Turn up the knobs of the neurons that are still charged; then let each place's compete.

        Args:
            lr: how far, from 0 to 1.
        """
        super().reward(lr)
        self.probability /= self.probability.sum(1, keepdim=True).clamp(min=1)


# --- units that are told the answer -------------------------------------------------------------


@dataclass(frozen=True)
class Mistakes:
    """What a perceptron got wrong on its way, from the first sample on.

    Attributes:
        samples: the row of the sample at each mistake, in the order in which they happened.
        epochs: how many there were each time through the samples.

    Example:
        >>> unit = Perceptron(1)
        >>> unit.learn(torch.tensor([[2.0], [-1.0]]), torch.tensor([1.0, -1.0]))
        Mistakes(samples=[0], epochs=[1, 0])

    Chapter: :doc:`/foundations/neurons`.
    """

    samples: list[int]
    epochs: list[int]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def converged(self) -> bool:
        """Whether the last time through the samples was without a mistake."""
        return bool(self.epochs) and self.epochs[-1] == 0


class _Classifier(nn.Module):
    """A weighted sum with a bias, whose sign is the answer."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, in_features: int, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(in_features, device=device, dtype=dtype))
        self.register_buffer("bias", torch.zeros((), device=device, dtype=dtype))

    def score(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        r"""Return the weighted sums :math:`\mathbf w \cdot \mathbf x + b`.

        Args:
            x: inputs, of shape ``(*B, D)``.
        """
        _features(type(self).__name__, x, len(self.weight))
        return x @ self.weight + self.bias

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        """Return the classes, −1 or +1; 0 where the score is exactly 0.

        Args:
            x: inputs, of shape ``(*B, D)``.
        """
        return torch.sign(self.score(x))

    def extra_repr(self) -> str:
        return f"in_features={len(self.weight)}"


class Perceptron(_Classifier):
    r"""A unit that learns from its mistakes, and from nothing else.

    .. math:: \text{if } y\,(\mathbf w \cdot \mathbf x + b) \le 0: \qquad
        \mathbf w \leftarrow \mathbf w + y\,\mathbf x, \quad b \leftarrow b + y

    It begins with zeros. If some weights separate the classes, it makes at most
    :math:`(R/\gamma)^2` mistakes, however often it goes through the samples and in whatever order:
    see :func:`separation`.

    Args:
        in_features: inputs, D.
        device: where the weights live.
        dtype: their floating-point type.

    Attributes:
        weight: :math:`\mathbf w`, of shape (D,).
        bias: :math:`b`, of shape ().

    Departs from the perceptron of Rosenblatt (1958), in which a layer of units with fixed
    random connections stands between the retina and this unit.

    Example:
        >>> x, y = binary_inputs(2), torch.tensor([-1.0, 1.0, 1.0, 1.0])
        >>> unit = Perceptron(2)
        >>> mistakes = unit.learn(x, y)
        >>> len(mistakes), mistakes.converged, unit(x)
        (9, True, tensor([-1.,  1.,  1.,  1.]))

    Chapter: :doc:`/foundations/neurons`.
    """

    @torch.no_grad()
    def learn(
        self,
        x: Float[Tensor, "N D"],
        y: Float[Tensor, "N"],
        *,
        epochs: int = 1000,
        generator: Generator | None = None,
    ) -> Mistakes:
        """Go through the samples until once no mistake is made.

        Args:
            x: samples, of shape (N, D).
            y: their classes, −1 or +1, of shape (N,).
            epochs: how often to go through them at most.
            generator: draws a new order for each time; the order of the rows if None.

        Raises:
            ValueError: for shapes or classes that don't fit.
        """
        _examples("Perceptron.learn", x, y, len(self.weight))
        _positive("Perceptron.learn", epochs=epochs)
        samples: list[int] = []
        counts: list[int] = []
        classes = y.tolist()
        for order in _orders(len(x), epochs, generator):
            before = len(samples)
            for n in order:
                score = torch.dot(self.weight, x[n]) + self.bias
                if classes[n] * score <= 0:  # a mistake; 0 is no answer
                    self.weight += classes[n] * x[n]
                    self.bias += classes[n]
                    samples.append(n)
            counts.append(len(samples) - before)
            if counts[-1] == 0:
                break
        return Mistakes(samples, counts)


class Adaline(_Classifier):
    r"""A unit that is told how far its weighted sum is from the class, right or wrong.

    .. math:: \mathbf w \leftarrow \mathbf w + \eta\,(y - s)\,\mathbf x, \quad
        b \leftarrow b + \eta\,(y - s), \qquad s = \mathbf w \cdot \mathbf x + b

    It begins with zeros. A step goes down the slope of one sample's squared error; with a small
    learning rate the weights settle near the least squares over all samples, whether the classes
    can be separated or not.

    Args:
        in_features: inputs, D.
        device: where the weights live.
        dtype: their floating-point type.

    Attributes:
        weight: :math:`\mathbf w`, of shape (D,).
        bias: :math:`b`, of shape ().

    Example:
        >>> unit = Adaline(1)
        >>> errors = unit.learn(torch.tensor([[1.0], [3.0]]), torch.tensor([-1.0, 1.0]),
        ...                     lr=0.1, epochs=300)
        >>> unit.score(torch.tensor([[1.0], [2.0], [3.0]])).round(decimals=3)
        tensor([-1.,  0.,  1.])

    Chapter: :doc:`/foundations/neurons`.
    """

    @torch.no_grad()
    def learn(
        self,
        x: Float[Tensor, "N D"],
        y: Float[Tensor, "N"],
        *,
        lr: float,
        epochs: int = 1,
        generator: Generator | None = None,
    ) -> list[float]:
        """Go through the samples, and take a step at each; return each epoch's mean squared error.

        The error of a sample is taken just before its step.

        Args:
            x: samples, of shape (N, D).
            y: their classes, −1 or +1, of shape (N,).
            lr: the learning rate, above 0.
            epochs: how often to go through them.
            generator: draws a new order for each time; the order of the rows if None.

        Raises:
            ValueError: for shapes or classes that don't fit, or a setting out of range.
        """
        _examples("Adaline.learn", x, y, len(self.weight))
        _positive("Adaline.learn", lr=lr, epochs=epochs)
        history: list[float] = []
        for order in _orders(len(x), epochs, generator):
            squares = torch.zeros_like(self.bias)
            for n in order:
                error = y[n] - torch.dot(self.weight, x[n]) - self.bias
                self.weight += lr * error * x[n]
                self.bias += lr * error
                squares += error**2
            history.append(squares.item() / len(x))
        return history


class Separation(NamedTuple):
    r"""How widely given weights separate two classes, and what follows for the perceptron.

    Attributes:
        radius: :math:`R`, the largest length of a sample :math:`(\mathbf x, 1)`.
        margin: :math:`\gamma`, the smallest distance of a sample from the plane
            :math:`\mathbf w \cdot \mathbf x + b = 0`, measured in the space of the
            :math:`(\mathbf x, 1)`.
        bound: :math:`(R/\gamma)^2`, more mistakes than which a perceptron never makes.
    """

    radius: float
    margin: float
    bound: float


def separation(
    x: Float[Tensor, "N D"],
    y: Float[Tensor, "N"],
    weight: Float[Tensor, "D"],
    bias: Float[Tensor, ""] | float,
) -> Separation:
    r"""Return radius, margin and the perceptron's bound, from weights that separate the classes.

    .. math:: R = \max_n \lVert(\mathbf x_n, 1)\rVert, \qquad
        \gamma = \min_n \frac{y_n(\mathbf w \cdot \mathbf x_n + b)}{\lVert(\mathbf w, b)\rVert},
        \qquad \text{mistakes} \le (R/\gamma)^2

    Any separating weights give a bound that holds. The wider their margin, the lower it is.

    Args:
        x: samples, of shape (N, D), at least one.
        y: their classes, −1 or +1, of shape (N,).
        weight: :math:`\mathbf w`, of shape (D,).
        bias: :math:`b`.

    Raises:
        ValueError: if the weights do not separate the classes, or shapes or classes don't fit.

    Example:
        >>> x, y = binary_inputs(2), torch.tensor([-1.0, 1.0, 1.0, 1.0])
        >>> separation(x, y, torch.tensor([2.0, 2.0]), -1.0).bound  # of OR
        27.0

    Chapter: :doc:`/foundations/neurons`.
    """
    _examples("separation", x, y, len(weight))
    if not len(x):
        raise ValueError(f"separation: x expects at least one sample, got shape {tuple(x.shape)}")
    bias = float(bias)
    x, y, weight = x.double(), y.double(), weight.double()
    slack = (y * (x @ weight + bias)).min().item()
    if not slack > 0:
        raise ValueError(
            "separation: weight and bias expect to separate the classes, "
            f"got a sample on the wrong side by {-slack:g}"
        )
    square = (x * x).sum(1).max().item() + 1
    length = (weight @ weight).item() + bias * bias
    return Separation(
        math.sqrt(square), slack / math.sqrt(length), square * length / (slack * slack)
    )


# --- the retina ---------------------------------------------------------------------------------


def retina(
    images: Float[Tensor, "*B pixels"], size: int = 20, threshold: float = 0.5
) -> Float[Tensor, "*B cells"]:
    """Return what a square of photocells sees of grey images: 1 where it is dark, else 0.

    Each cell looks at one point of the image. The value there is a mixture of the four pixels
    around it, linear in both directions; beyond the centres of the outermost pixels it is theirs.

    Args:
        images: square images as rows of pixels, of shape ``(*B, H·H)``, such as
            :func:`dlbook.data.digits.load` gives them, 1 for ink.
        size: cells along a side; the perceptron Mark I had 20.
        threshold: how dark a point must be at least for its cell to see ink.

    Raises:
        ValueError: if the images are not square, or ``size`` is below 1.

    Returns:
        Zeros and ones in the type of the images, of shape ``(*B, size·size)``.

    Example:
        >>> retina(torch.tensor([0.0, 1.0, 0.0, 1.0]), size=4).reshape(4, 4)
        tensor([[0., 0., 1., 1.],
                [0., 0., 1., 1.],
                [0., 0., 1., 1.],
                [0., 0., 1., 1.]])

    Chapter: :doc:`/foundations/neurons`.
    """
    side = math.isqrt(images.shape[-1]) if images.dim() else 0
    if side < 1 or side * side != images.shape[-1]:
        raise ValueError(
            f"retina: images expects rows of H·H pixels, got shape {tuple(images.shape)}"
        )
    if size < 1:
        raise ValueError(f"retina: size expects 1 or more, got {size}")
    cells = (torch.arange(size, dtype=torch.float64) + 0.5) * side / size - 0.5
    distance = cells.clamp(0, side - 1)[:, None] - torch.arange(side)
    mix = (1 - distance.abs()).clamp(min=0).to(images)  # (size, H): a cell's share of each pixel
    grey = mix @ images.reshape(*images.shape[:-1], side, side) @ mix.T
    seen = (grey >= threshold).to(images.dtype)
    return seen.flatten(-2)


# --- checks -------------------------------------------------------------------------------------


def _orders(samples: int, epochs: int, generator: Generator | None) -> Iterator[list[int]]:
    """An order of the samples for each epoch."""
    for _ in range(epochs):
        if generator is None:
            yield list(range(samples))
        else:
            yield torch.randperm(samples, generator=generator).tolist()


def _features(name: str, x: Tensor, features: int) -> None:
    if x.dim() == 0 or x.shape[-1] != features:
        raise ValueError(f"{name}: x expects shape (..., {features}), got {tuple(x.shape)}")


def _matrix(name: str, x: Tensor, features: int) -> None:
    if x.dim() != 2 or x.shape[1] != features:
        raise ValueError(f"{name}: x expects shape (N, {features}), got {tuple(x.shape)}")


def _examples(name: str, x: Tensor, y: Tensor, features: int) -> None:
    _matrix(name, x, features)
    if y.shape != x.shape[:1]:
        raise ValueError(f"{name}: y expects shape ({len(x)},), got {tuple(y.shape)}")
    if not bool((y.abs() == 1).all()):
        found = sorted(set(y.tolist()))[:5]
        raise ValueError(f"{name}: y expects classes −1 and +1, got {found}")


def _positive(name: str, **settings: float) -> None:
    for setting, value in settings.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name}: {setting} expects a finite number above 0, got {value}")
