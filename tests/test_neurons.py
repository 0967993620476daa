"""dlbook.models.neurons: what single units can, what they can't, and what they learn."""

import itertools
from fractions import Fraction

import matplotlib.pyplot as plt
import pytest
import torch
from scipy.optimize import linprog
from sklearn.linear_model import Perceptron as SklearnPerceptron
from sklearn.svm import SVC

from dlbook import plot
from dlbook.data import digits
from dlbook.models import (
    Adaline,
    BooleanNetwork,
    HebbianNetwork,
    HebbianUnit,
    Mistakes,
    NormalizedHebbianNetwork,
    OjaUnit,
    Perceptron,
    ThresholdUnit,
    binary_inputs,
    retina,
    separation,
)

wrong_shapes = pytest.mark.untyped  # annotations would refuse them first


def augmented(x):
    """The samples with an input that is always 1, whose weight is the bias."""
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)


def certificate(x, y):
    """Shares λ ≥ 0 with Σ λ = 1 and Σ λ y (x, 1) = 0: then no unit separates. Or None."""
    signed = (augmented(x) * y[:, None]).double().numpy().T
    equations = [*signed.tolist(), [1.0] * len(x)]
    found = linprog([0] * len(x), A_eq=equations, b_eq=[0] * len(signed) + [1], method="highs")
    return torch.tensor(found.x) if found.status == 0 else None


def widest(x, y):
    """Weights and bias of the widest margin through the origin of the (x, 1)."""
    signed = (augmented(x) * y[:, None]).double().numpy()
    machine = SVC(kernel="linear", C=1e7)
    machine.fit([*signed, *-signed], [1] * len(x) + [-1] * len(x))
    w = torch.tensor(machine.coef_[0])
    return w[:-1], w[-1].item()


def pair(first, second, part, **kwargs):
    """Two digits as the retina sees them, classes −1 and +1."""
    examples = getattr(digits.load(dtype=torch.float64, **kwargs), part)
    chosen = (examples.y == first) | (examples.y == second)
    y = torch.where(examples.y[chosen] == second, 1.0, -1.0).double()
    return retina(examples.x[chosen]), y


class TestThresholdUnits:
    def test_truth_tables(self):
        two = binary_inputs(2)
        assert ThresholdUnit.conjunction()(two).tolist() == [0, 0, 0, 1]
        assert ThresholdUnit.disjunction()(two).tolist() == [0, 1, 1, 1]
        assert ThresholdUnit.negation()(binary_inputs(1)).tolist() == [1, 0]

    @pytest.mark.parametrize("inputs", [1, 3, 5])
    def test_many_inputs(self, inputs):
        lines = binary_inputs(inputs).bool()
        assert torch.equal(ThresholdUnit.conjunction(inputs)(lines.float()).bool(), lines.all(1))
        assert torch.equal(ThresholdUnit.disjunction(inputs)(lines.float()).bool(), lines.any(1))

    def test_any_batch_shape_and_the_edge(self):
        unit = ThresholdUnit(torch.tensor([1.0, -2.0]), 0.5)
        x = torch.tensor([[[0.5, 0.0], [0.49, 0.0]], [[3.0, 1.0], [3.0, 2.0]]])
        assert unit(x).tolist() == [[1, 0], [1, 0]]  # exactly the threshold fires
        assert unit(x[0, 0]).shape == ()

    @pytest.mark.parametrize("excitatory", [1, 2, 3])
    @pytest.mark.parametrize("inhibitory", [1, 2])
    def test_absolute_inhibition_is_a_weight_of_minus_d(self, excitatory, inhibitory):
        """The neuron of 1943, for every threshold from 1 on."""
        lines = binary_inputs(excitatory + inhibitory)
        on, off = lines[:, :excitatory], lines[:, excitatory:]
        weight = torch.tensor([1.0] * excitatory + [-float(excitatory)] * inhibitory)
        for threshold in range(1, excitatory + 1):
            fires = (on.sum(1) >= threshold) & (off.sum(1) == 0)
            assert torch.equal(ThresholdUnit(weight, threshold)(lines).bool(), fires)

    def test_state_is_loaded(self):
        unit = ThresholdUnit.disjunction()
        unit.load_state_dict(ThresholdUnit.conjunction().state_dict())
        assert unit(binary_inputs(2)).tolist() == [0, 0, 0, 1]
        assert "threshold=2" in repr(unit)

    @wrong_shapes
    def test_refusals(self):
        with pytest.raises(ValueError, match=r"ThresholdUnit: weight expects .* \(1, 2\)"):
            ThresholdUnit(torch.ones(1, 2), 1)
        with pytest.raises(ValueError, match=r"expects shape \(\.\.\., 2\), got \(4, 3\)"):
            ThresholdUnit.conjunction(2)(torch.ones(4, 3))
        with pytest.raises(ValueError, match="0 or more, got -1"):
            binary_inputs(-1)

    def test_binary_inputs(self):
        assert binary_inputs(0).shape == (1, 0)
        expected = [list(map(float, row)) for row in itertools.product((0, 1), repeat=4)]
        assert binary_inputs(4).tolist() == expected


class TestXor:
    XOR = torch.tensor([-1.0, 1.0, 1.0, -1.0])

    def test_the_four_inequalities_add_up_to_nothing(self):
        signed = augmented(binary_inputs(2)) * self.XOR[:, None]
        assert signed.sum(0).tolist() == [0, 0, 0]

    def test_no_unit_on_a_grid_and_a_certificate_for_all(self):
        values = torch.linspace(-3, 3, 25)
        w1, w2, b = torch.cartesian_prod(values, values, values).T
        scores = torch.stack([b, w2 + b, w1 + b, w1 + w2 + b])
        right = ((scores > 0) == (self.XOR[:, None] > 0)).sum(0)
        assert right.max() == 3
        shares = certificate(binary_inputs(2), self.XOR)
        assert torch.allclose(shares, torch.full((4,), 0.25).double())

    @pytest.mark.parametrize(("inputs", "separable"), [(1, 4), (2, 14), (3, 104)])
    def test_how_many_functions_one_unit_computes(self, inputs, separable):
        """A perceptron that converges is a witness, shares that add up to 0 are one against."""
        lines, count = binary_inputs(inputs), 0
        for ones in itertools.product((-1.0, 1.0), repeat=2**inputs):
            y = torch.tensor(ones)
            unit = Perceptron(inputs)
            converged = unit.learn(lines, y, epochs=60).converged
            assert converged == (certificate(lines, y) is None)
            if converged:
                assert torch.equal(unit(lines), y)
            count += converged
        assert count == separable

    @pytest.mark.parametrize("inputs", [0, 1, 2, 3])
    def test_two_layers_compute_every_function(self, inputs):
        lines = binary_inputs(inputs)
        for ones in itertools.product((False, True), repeat=2**inputs):
            table = torch.tensor(ones)
            network = BooleanNetwork(table)
            assert torch.equal(network(lines).bool(), table)
            assert network.hidden(lines).shape == (2**inputs, int(table.sum()))
            assert (network.hidden(lines).sum(1) <= 1).all()

    def test_a_function_of_eight_inputs(self):
        table = torch.rand(256) < 0.5
        assert torch.equal(BooleanNetwork(table)(binary_inputs(8)).bool(), table)

    @wrong_shapes
    def test_refusals(self):
        for table in (torch.ones(3).bool(), torch.ones(2, 2).bool(), torch.ones(0).bool()):
            with pytest.raises(ValueError, match=r"BooleanNetwork: table expects shape \(2\^D,\)"):
                BooleanNetwork(table)
        with pytest.raises(ValueError, match=r"got \(4, 3\)"):
            BooleanNetwork(torch.ones(4).bool())(torch.ones(4, 3))


class TestHebb:
    def test_hebb_multiplies_on_average(self):
        x = torch.randn(50, 3, dtype=torch.float64)
        unit = HebbianUnit(3, dtype=torch.float64)
        before, lr = unit.weight.clone(), 1e-6
        unit.learn(x, lr=lr)
        assert torch.allclose((unit.weight - before) / (50 * lr), x.T @ x / 50 @ before, atol=1e-4)

    def test_oja_is_hebb_and_then_length_one_to_first_order(self):
        x, errors = torch.tensor([0.3, -1.1, 0.7]).double(), []
        for lr in (1e-2, 1e-3):
            hebb = HebbianUnit(3, torch.Generator().manual_seed(0), dtype=torch.float64)
            oja = OjaUnit(3, torch.Generator().manual_seed(0), dtype=torch.float64)
            assert torch.equal(hebb.weight, oja.weight)
            hebb.update(x, lr)
            oja.update(x, lr)
            errors.append((hebb.weight / hebb.weight.norm() - oja.weight).norm().item())
        assert 90 < errors[0] / errors[1] < 110  # second order

    @pytest.mark.parametrize("split", ["stratified", "file-order"])
    def test_oja_finds_the_first_principal_component(self, split):
        x = digits.load(split=split, dtype=torch.float64).train.x
        x = x - x.mean(0)
        top = torch.linalg.eigh(x.T @ x / len(x)).eigenvectors[:, -1]
        generator = torch.Generator().manual_seed(0)
        unit = OjaUnit(64, generator, dtype=torch.float64)
        for lr, epochs in ((0.03, 20), (0.01, 10), (0.003, 10)):
            unit.learn(x, lr=lr, epochs=epochs, generator=generator)
        assert abs(unit.weight.norm().item() - 1) < 0.01
        assert (unit.weight @ top).abs() / unit.weight.norm() > 0.998
        assert torch.allclose(unit(x), x @ unit.weight)

    def test_first_weights_and_order(self):
        for seed in range(3):
            unit = HebbianUnit(5, torch.Generator().manual_seed(seed))
            assert unit.weight.norm().item() == pytest.approx(1)
        x = torch.randn(20, 2)
        units = [OjaUnit(2, torch.Generator().manual_seed(0)) for _ in range(3)]
        for unit, seed in zip(units, (1, 1, 2)):
            unit.learn(x, lr=0.1, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(units[0].weight, units[1].weight)
        assert not torch.equal(units[0].weight, units[2].weight)

    def test_refusals(self):
        unit = OjaUnit(3)
        for bad in ({"lr": 0.0}, {"lr": float("nan")}, {"lr": 0.1, "epochs": 0}):
            with pytest.raises(ValueError, match=r"OjaUnit.learn: .* above 0"):
                unit.learn(torch.ones(2, 3), **bad)
        with pytest.raises(ValueError, match=r"OjaUnit.learn: x expects shape \(N, 3\)"):
            unit.learn(torch.ones(2, 4), lr=0.1)
        with pytest.raises(ValueError, match=r"OjaUnit: x expects shape \(\.\.\., 3\)"):
            unit(torch.ones(4))


#: Ten places: 0 … 9 in a ring, with the goal at 5. Forwards, backwards, and two walls.
RING = torch.tensor([[(s + 1) % 10, (s - 1) % 10, s, s] for s in range(10)])


class TestHebbianNetwork:
    def test_a_reward_turns_up_what_is_charged(self):
        net = HebbianNetwork(3, 2, probability=0.1, memory=0.5)
        net.probability[1] = torch.tensor([1.0, 0.0])
        net.probability[2] = torch.tensor([0.0, 1.0])
        assert [net.act(1), net.act(2)] == [0, 1]
        assert net.charge.tolist() == [[0, 0], [0.5, 0], [0, 1]]
        net.probability.fill_(0.1)
        net.reward(0.2)
        expected = torch.tensor([[0.1, 0.1], [0.1 + 0.2 * 0.5 * 0.9, 0.1], [0.1, 0.1 + 0.2 * 0.9]])
        assert torch.allclose(net.probability, expected)
        assert net.charge.tolist() == [[0, 0]] * 3

    def test_trying_until_one_passes_is_drawing_by_share(self):
        """The docstring's claim: exact shares, by the geometric series, as fractions."""
        p = [Fraction(1, 10), Fraction(3, 10), Fraction(1, 2), Fraction(1, 20)]
        silent = 1 - sum(p) / 4  # one neuron at random, and it does not pass it on
        for each in p:
            assert each / 4 / (1 - silent) == each / sum(p)
        net = HebbianNetwork(1, 4)
        net.probability[0] = torch.tensor([float(each) for each in p])
        drawn = torch.tensor([net.act(0) for _ in range(4000)]).bincount(minlength=4) / 4000
        assert torch.allclose(drawn, net.probability[0] / net.probability[0].sum(), atol=0.03)

    @pytest.mark.parametrize("kind", [HebbianNetwork, NormalizedHebbianNetwork])
    def test_it_learns_its_way(self, kind):
        better = 0
        for seed in range(5):
            generator = torch.Generator().manual_seed(seed)
            net = kind(10, 4, memory=0.5)
            steps = [net.run(RING, 0, 5, lr=0.1, generator=generator) for _ in range(100)]
            assert min(steps) >= 5  # the shortest way
            better += sum(steps[-20:]) / 20 < sum(steps[:10]) / 10 / 2
        assert better >= 4

    def test_without_reward_nothing_is_learned(self):
        net = HebbianNetwork(10, 4)
        before = net.probability.clone()
        net.run(RING, 0, 5, lr=0)
        assert torch.equal(net.probability, before)
        assert net.run(RING, 0, 5, lr=0.5, limit=3) == 3  # five away: no reward
        assert torch.equal(net.probability, before)

    def test_the_strength_of_a_place_is_bounded_when_normalized(self):
        plain, shared = HebbianNetwork(10, 4), NormalizedHebbianNetwork(10, 4)
        for net in (plain, shared):
            generator = torch.Generator().manual_seed(0)
            for _ in range(300):
                net.run(RING, 0, 5, lr=0.3, generator=generator)
        assert shared.probability.sum(1).max() <= 1 + 1e-6
        assert plain.probability.sum(1).max() > 3.9  # all four knobs near 1: chance again
        assert plain.probability.max() <= 1

    @wrong_shapes
    def test_refusals(self):
        for bad in ({"probability": 0}, {"probability": 1.5}, {"memory": 1.0}, {"memory": -0.1}):
            with pytest.raises(ValueError, match="HebbianNetwork: "):
                HebbianNetwork(2, 2, **bad)
        net = NormalizedHebbianNetwork(10, 4)
        with pytest.raises(ValueError, match=r"NormalizedHebbianNetwork.run: .* got \(10, 2\)"):
            net.run(RING[:, :2], 0, 5, lr=0.1)
        with pytest.raises(ValueError, match="from 0 to 1, got 2"):
            net.run(RING, 0, 5, lr=2)


class TestPerceptron:
    def test_by_hand(self):
        """OR from its last line backwards, the page's pencil: seven mistakes."""
        x = torch.tensor([[1.0, 1], [0, 1], [1, 0], [0, 0]])
        y = torch.tensor([1.0, 1, 1, -1])
        unit = Perceptron(2)
        mistakes = unit.learn(x, y)
        assert mistakes.samples == [0, 3, 3, 1, 3, 2, 3]
        assert (unit.weight.tolist(), unit.bias.item()) == ([2, 2], -1)
        assert len(mistakes) == 7 <= separation(x, y, unit.weight, unit.bias).bound

    def test_the_weights_are_the_sum_of_the_mistakes(self):
        x, y = pair(3, 8, "train")
        unit = Perceptron(400, dtype=torch.float64)
        mistakes = unit.learn(x, y, generator=torch.Generator().manual_seed(3))
        signed = (augmented(x) * y[:, None])[mistakes.samples]
        assert torch.equal(torch.cat([unit.weight, unit.bias[None]]), signed.sum(0))
        assert mistakes.converged
        assert torch.equal(unit(x), y)
        assert sum(mistakes.epochs) == len(mistakes)

    def test_as_scikit_learns(self):
        """Its perceptron steps at a score of 0 only for one class, so start it elsewhere."""
        x, y = pair(4, 9, "train")
        theirs = SklearnPerceptron(shuffle=False, tol=None, max_iter=50)
        theirs.fit(x.numpy(), y.numpy())
        unit = Perceptron(400, dtype=torch.float64)
        unit.learn(x, y)
        for weight, bias in (
            (unit.weight, unit.bias),
            (torch.tensor(theirs.coef_[0]), theirs.intercept_[0]),
        ):
            assert separation(x, y, weight, bias).margin > 0

    @pytest.mark.parametrize("split", ["stratified", "file-order"])
    @pytest.mark.parametrize("classes", [(0, 1), (3, 8), (1, 8), (4, 9)])
    def test_the_theorem_step_by_step(self, classes, split):
        x, y = pair(*classes, "train", split=split)
        weight, bias = widest(x, y)
        radius, margin, bound = separation(x, y, weight, bias)
        best = torch.cat([weight, torch.tensor([bias]).double()])
        best = best / best.norm()
        assert bound == pytest.approx((radius / margin) ** 2)
        for seed in range(5):
            unit = Perceptron(400, dtype=torch.float64)
            mistakes = unit.learn(x, y, generator=torch.Generator().manual_seed(seed))
            assert mistakes.converged
            assert len(mistakes) <= bound
            path = (augmented(x) * y[:, None])[mistakes.samples].cumsum(0)
            count = torch.arange(1, len(mistakes) + 1)
            along, squared = path @ best, (path**2).sum(1)
            assert (along >= count * margin - 1e-6).all()
            assert (squared <= count * radius**2).all()

    def test_xor_goes_round_for_ever(self):
        unit = Perceptron(2)
        y = torch.tensor([-1.0, 1.0, 1.0, -1.0])
        for _ in range(3):
            mistakes = unit.learn(binary_inputs(2), y, epochs=1)
            assert mistakes.epochs == [4]
            assert not mistakes.converged
            assert (unit.weight.tolist(), unit.bias.item()) == ([0, 0], 0)

    def test_nothing_to_learn(self):
        unit = Perceptron(2)
        assert unit(torch.ones(3, 2)).tolist() == [0, 0, 0]  # undecided
        mistakes = unit.learn(torch.ones(0, 2), torch.ones(0))
        assert mistakes == Mistakes([], [0])
        assert mistakes.converged

    @wrong_shapes
    def test_refusals(self):
        unit, x, y = Perceptron(2), torch.ones(4, 2), torch.ones(4)
        with pytest.raises(ValueError, match=r"Perceptron.learn: x expects shape \(N, 2\)"):
            unit.learn(torch.ones(4, 3), y)
        with pytest.raises(ValueError, match=r"y expects shape \(4,\), got \(3,\)"):
            unit.learn(x, y[:3])
        with pytest.raises(ValueError, match=r"classes −1 and \+1, got \[0.0, 1.0\]"):
            unit.learn(x, torch.tensor([0.0, 1, 1, 0]))
        with pytest.raises(ValueError, match="epochs expects a finite number above 0"):
            unit.learn(x, y, epochs=0)
        with pytest.raises(ValueError, match="at least one sample"):
            separation(x[:0], y[:0], torch.ones(2), 0)
        with pytest.raises(ValueError, match="wrong side by 1"):
            separation(x, -y, torch.zeros(2), 1.0)
        with pytest.raises(ValueError, match="separation: weight and bias expect to separate"):
            separation(x, y, torch.zeros(2), 0.0)


class TestAdaline:
    def test_one_step_is_minus_the_slope_of_half_the_squared_error(self):
        x, y = torch.randn(1, 3, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
        unit = Adaline(3, dtype=torch.float64)
        unit.weight[:] = torch.randn(3)
        w = unit.weight.clone().requires_grad_()
        (((x @ w) - y) ** 2).sum().div(2).backward()
        before = unit.weight.clone()
        errors = unit.learn(x, y, lr=0.1)
        assert torch.allclose(unit.weight, before - 0.1 * w.grad)
        assert errors == [pytest.approx((x @ before - y).square().item())]

    def test_it_settles_near_the_least_squares_where_the_perceptron_does_not(self):
        train = digits.load(dtype=torch.float64).train
        chosen = (train.y == 3) | (train.y == 9)
        x = train.x[chosen][:, [30, 26]]
        y = torch.where(train.y[chosen] == 9, 1.0, -1.0).double()
        assert certificate(x, y) is not None
        assert not Perceptron(2, dtype=torch.float64).learn(x, y, epochs=50).converged
        best = torch.linalg.lstsq(augmented(x), y).solution
        distances = []
        for lr in (0.1, 0.01):
            unit = Adaline(2, dtype=torch.float64)
            unit.learn(x, y, lr=lr, epochs=200, generator=torch.Generator().manual_seed(0))
            found = torch.cat([unit.weight, unit.bias[None]])
            distances.append((found - best).norm().item())
        assert distances[1] < distances[0] / 2
        assert distances[1] < 0.05

    def test_separable_need_not_mean_separated(self):
        x, y = torch.tensor([[-1.0], [1], [1], [10]]), torch.tensor([-1.0, 1, 1, 1])
        assert Perceptron(1).learn(x, y).converged
        unit = Adaline(1)
        unit.learn(x, y, lr=0.005, epochs=1000)
        assert unit(x).tolist() == [1, 1, 1, 1]

    def test_refusals(self):
        with pytest.raises(ValueError, match="lr expects a finite number above 0"):
            Adaline(2).learn(torch.ones(4, 2), torch.ones(4), lr=-1.0)


class TestRetina:
    @pytest.mark.parametrize("size", [1, 4, 8, 20, 33])
    def test_is_torchs_bilinear_interpolation_and_a_threshold(self, size):
        x = digits.load(dtype=torch.float64).test.x[:50]
        grey = torch.nn.functional.interpolate(
            x.reshape(-1, 1, 8, 8), size=size, mode="bilinear", align_corners=False
        ).flatten(1)
        clear = (grey - 0.45).abs() > 1e-9
        seen = retina(x, size, threshold=0.45)
        assert seen.shape == (50, size * size)
        assert torch.equal(seen[clear].bool(), (grey >= 0.45)[clear])

    def test_at_eight_it_is_the_image_itself(self):
        x = digits.load().test.x[0]
        assert torch.equal(retina(x, 8), (x >= 0.5).float())

    def test_refusals(self):
        with pytest.raises(ValueError, match=r"rows of H·H pixels, got shape \(2, 63\)"):
            retina(torch.zeros(2, 63))
        with pytest.raises(ValueError, match="size expects 1 or more, got 0"):
            retina(torch.zeros(2, 64), 0)


class TestDecisionLines:
    def test_lines_lie_where_the_sum_is_zero(self):
        weights = torch.tensor([[1.0, 1], [0, 2], [3, 0], [1, 1]])
        biases = torch.tensor([-1.5, -1.0, -1.0, -9.0])
        ax = plot.decision_lines(weights, biases, (-1, 2), (-1, 2), labels="abcd")
        lines = ax.get_lines()
        assert len(lines) == 3  # the last misses the frame
        assert len(ax.texts) == 3  # their arrows
        for line, w, b in zip(lines, weights, biases):
            points = torch.tensor(line.get_xydata())
            assert torch.allclose(points @ w.double() + b, torch.zeros(2).double())
            assert points.min() >= -1
            assert points.max() <= 2
        for text, w, b in zip(ax.texts, weights, biases):
            tip, foot = torch.tensor(text.xy), torch.tensor(text.xyann)
            assert tip @ w + b > foot @ w + b - 1e-9
        plt.close(ax.figure)

    def test_refusals(self):
        box = ((-1, 1), (-1, 1))
        with pytest.raises(ValueError, match=r"weights \(K, 2\) and biases \(K,\)"):
            plot.decision_lines(torch.ones(2, 3), torch.ones(2), *box)
        with pytest.raises(ValueError, match="expects 2 labels or none, got 1"):
            plot.decision_lines(torch.ones(2, 2), torch.ones(2), *box, labels=["one"])
        with pytest.raises(ValueError, match="not 0"):
            plot.decision_lines(torch.zeros(1, 2), torch.ones(1), *box)
