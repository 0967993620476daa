"""dlbook.init: torch.nn.init's names, numbers and arguments."""

import inspect
import math

import numpy as np
import pytest
import torch

from dlbook import init

wrong_types = pytest.mark.untyped  # annotations would refuse them first


SAME_DRAWS = [
    ("uniform_", {"a": -2.0, "b": 3.0}),
    ("normal_", {"mean": 1.0, "std": 2.0}),
    ("xavier_uniform_", {"gain": 1.5}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {"nonlinearity": "relu"}),
    ("kaiming_normal_", {"nonlinearity": "selu", "mode": "fan_out"}),
    ("orthogonal_", {"gain": 2.0}),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (3, 2, 3, 3)])
@pytest.mark.parametrize(("name", "settings"), SAME_DRAWS, ids=str)
def test_same_generator_same_numbers(name, settings, shape, dtype):
    ours, theirs = torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=dtype)
    returned = getattr(init, name)(ours, **settings, generator=torch.Generator().manual_seed(3))
    getattr(torch.nn.init, name)(theirs, **settings, generator=torch.Generator().manual_seed(3))
    assert returned is ours
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_global_generator_and_gradients():
    w = torch.nn.Parameter(torch.empty(4, 4))
    torch.manual_seed(5)
    first = init.xavier_normal_(w).detach().clone()
    torch.manual_seed(5)
    torch.nn.init.xavier_normal_(w)
    assert w.requires_grad
    assert torch.allclose(w, first)


OURS_ALONE = {"fans", "gaussian_mean"}


@pytest.mark.parametrize("name", [n for n in init.__all__ if n not in OURS_ALONE])
def test_argument_names_and_order_are_torchs(name):
    ours = inspect.signature(getattr(init, name)).parameters
    theirs = inspect.signature(getattr(torch.nn.init, name)).parameters
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


@pytest.mark.parametrize(
    ("nonlinearity", "param"),
    [(n, None) for n in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")]
    + [("leaky_relu", 0.3), ("leaky_relu", 2)],
)
def test_gains(nonlinearity, param):
    expected = torch.nn.init.calculate_gain(nonlinearity, param)
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(expected, rel=1e-15)


def test_fills():
    assert torch.equal(init.constant_(torch.empty(3), 2.5), torch.full((3,), 2.5))
    assert torch.equal(init.zeros_(torch.empty(2, 2)), torch.zeros(2, 2))
    assert torch.equal(init.ones_(torch.empty(())), torch.ones(()))


@pytest.mark.parametrize("shape", [(3, 4), (5, 2, 3), (7, 1, 2, 2)])
def test_fans(shape):
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init.fans(torch.empty(shape)) == expected


class TestGaussianMean:
    @pytest.mark.parametrize("q", [0.0, 0.3, 1.0, 7.5])
    def test_moments(self, q):
        assert init.gaussian_mean(torch.ones_like, q) == pytest.approx(1, rel=1e-12)
        assert init.gaussian_mean(lambda z: z, q) == pytest.approx(0, abs=1e-12)
        assert init.gaussian_mean(lambda z: z**2, q) == pytest.approx(q, rel=1e-12)
        assert init.gaussian_mean(lambda z: z**4, q) == pytest.approx(3 * q * q, rel=1e-12)

    def test_kink_and_jump_at_zero(self):
        assert init.gaussian_mean(torch.relu) == pytest.approx(1 / math.sqrt(2 * math.pi), 1e-7)
        assert init.gaussian_mean(lambda z: (z > 0).double()) == pytest.approx(0.5, rel=1e-12)

    @pytest.mark.parametrize("q", [0.01, 1.0, 300.0])
    def test_against_quadrature(self, q):
        from scipy.integrate import quad

        def integrand(z):
            return math.tanh(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        exact = 2 * quad(integrand, 0, 12, epsabs=1e-13, limit=500)[0]
        assert init.gaussian_mean(lambda z: torch.tanh(z) ** 2, q) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (4, 3, 2, 2)])
def test_orthogonal(shape):
    w = init.orthogonal_(torch.empty(shape, dtype=torch.float64)).flatten(1)
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    torch.testing.assert_close(small, torch.eye(len(small), dtype=torch.float64))


class TestTruncatedNormal:
    @pytest.mark.parametrize(
        ("mean", "std", "a", "b"),
        [(0, 1, -2, 2), (0, 0.02, -0.04, 0.04), (1, 2, 0, 9), (0, 1, 5, 6), (0, 1, -9, -8)],
    )
    def test_distribution(self, mean, std, a, b):
        from scipy.stats import kstest, truncnorm

        x = torch.empty(20_000, dtype=torch.float64)
        init.trunc_normal_(x, mean, std, a, b, generator=torch.Generator().manual_seed(0))
        assert a <= x.min()
        assert x.max() <= b
        exact = truncnorm((a - mean) / std, (b - mean) / std, loc=mean, scale=std)
        assert kstest(x.numpy(), exact.cdf).pvalue > 1e-3

    def test_float32_stays_inside(self):
        x = init.trunc_normal_(torch.empty(10_000), 0, 1, 20, 21)
        assert x.min() >= 20
        assert x.max() <= 21


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_", "orthogonal_"])
def test_empty_tensors_stay(name):
    assert getattr(init, name)(torch.empty(0, 3)).shape == (0, 3)


@wrong_types
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.xavier_uniform_(torch.empty(5)), ValueError, r"xavier_uniform_.*\(5,\)"),
        (lambda: init.kaiming_normal_(torch.empty(())), ValueError, r"kaiming_normal_.*\(\)"),
        (lambda: init.orthogonal_(torch.empty(5)), ValueError, r"orthogonal_.*\(5,\)"),
        (lambda: init.fans(torch.empty(2)), ValueError, "fans: expects a weight"),
        (lambda: init.uniform_(torch.empty(2), 1, 0), ValueError, "a <= b, got a=1, b=0"),
        (lambda: init.uniform_(torch.empty(2), 0, math.inf), ValueError, "finite bounds"),
        (lambda: init.normal_(torch.empty(2), std=-1), ValueError, "std expects .* got -1"),
        (lambda: init.normal_(torch.empty(2), mean=math.nan), ValueError, "mean expects"),
        (lambda: init.trunc_normal_(torch.empty(2), a=1, b=1), ValueError, "a < b"),
        (lambda: init.trunc_normal_(torch.empty(2), std=0), ValueError, "std expects"),
        (lambda: init.xavier_normal_(torch.empty(2, 2), -1), ValueError, "gain expects"),
        (lambda: init.orthogonal_(torch.empty(2, 2), math.nan), ValueError, "gain expects"),
        (lambda: init.kaiming_uniform_(torch.empty(2, 2), mode="in"), ValueError, "mode expects"),
        (lambda: init.gaussian_mean(torch.cos, -1.0), ValueError, "variance expects"),
        (lambda: init.gaussian_mean(torch.sum), ValueError, r"to return shape \(24000,\).*\(\)"),
        (lambda: init.calculate_gain("swish"), ValueError, "got 'swish'"),
        (lambda: init.calculate_gain("leaky_relu", "x"), ValueError, "slope expects a number"),
        (lambda: init.normal_(torch.zeros(2, dtype=torch.int64)), TypeError, "torch.int64"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_sparse_takes_its_places_from_the_generator_too():
    torch.manual_seed(0)
    first = init.sparse_(torch.empty(20, 5), 0.5, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    again = init.sparse_(torch.empty(20, 5), 0.5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert ((first == 0).sum(0) == 10).all()
    assert len({tuple((column == 0).tolist()) for column in first.T}) == 5


def test_dirac_is_the_identity_of_convolution():
    x = torch.randn(2, 4, 7, 7)
    w = init.dirac_(torch.empty(4, 4, 3, 3))
    assert torch.equal(torch.nn.functional.conv2d(x, w, padding=1), x)
    grouped = init.dirac_(torch.empty(4, 2, 3, 3), groups=2)
    assert torch.equal(torch.nn.functional.conv2d(x, grouped, padding=1, groups=2), x)


class TestScaleThroughDepth:
    """What twenty layers make of the size of a signal, forwards, and of a gradient, backwards."""

    WIDTH, DEPTH, BATCH = 256, 20, 256

    ACTIVATIONS = {  # noqa: RUF012
        "linear": (lambda z: z, torch.ones_like),
        "relu": (lambda z: z.clamp(min=0), lambda z: (z > 0).to(z.dtype)),
        "tanh": (torch.tanh, lambda z: 1 - torch.tanh(z) ** 2),
    }

    def through(self, fill, activation, seed, width=WIDTH):
        """Mean squares of the pre-activations, layer by layer, and of their cotangents."""
        g = torch.Generator().manual_seed(seed)
        function, slope = self.ACTIVATIONS[activation]
        weights, zs = [], []
        a = torch.randn(self.BATCH, width, generator=g, dtype=torch.float64)
        for _ in range(self.DEPTH):
            weights.append(fill(torch.empty(width, width, dtype=torch.float64), generator=g))
            zs.append(a @ weights[-1].T)
            a = function(zs[-1])
        bar = torch.randn(self.BATCH, width, generator=g, dtype=torch.float64) * slope(zs[-1])
        bars = [bar]
        for w, z in zip(reversed(weights[1:]), reversed(zs[:-1])):
            bar = (bar @ w) * slope(z)
            bars.append(bar)
        return [[float(t.square().mean()) for t in ts] for ts in (zs, bars[::-1])]

    def change(self, fill, activation):
        """The median over five seeds of last ÷ first size of signal, and first ÷ last of gradient.

        Sizes are root mean squares.
        """
        runs = [self.through(fill, activation, seed) for seed in range(5)]
        forwards = sorted(math.sqrt(z[-1] / z[0]) for z, _ in runs)[2]
        backwards = sorted(math.sqrt(b[0] / b[-1]) for _, b in runs)[2]
        return forwards, backwards

    @pytest.mark.parametrize(
        ("fill", "activation"),
        [
            (init.xavier_normal_, "linear"),
            (init.xavier_uniform_, "linear"),
            (init.orthogonal_, "linear"),
            (init.kaiming_normal_, "relu"),
            (init.kaiming_uniform_, "relu"),
        ],
        ids=lambda value: getattr(value, "__name__", value),
    )
    def test_made_to_measure(self, fill, activation):
        for ratio in self.change(fill, activation):
            assert 0.5 < ratio < 2

    @pytest.mark.parametrize("activation", ["linear", "relu"])
    @pytest.mark.parametrize("std", [0.01, 1.0])
    def test_naive(self, std, activation):
        """Each layer multiplies by std √width, and by √½ more if it rectifies."""

        def fill(w, generator):
            return init.normal_(w, std=std, generator=generator)

        factor = std * math.sqrt(self.WIDTH / (2 if activation == "relu" else 1))
        predicted = factor ** (self.DEPTH - 1)
        for ratio in self.change(fill, activation):
            assert not 1e-3 < ratio < 1e3
            assert 0.5 < ratio / predicted < 2

    def test_xavier_starves_rectifiers_and_he_bursts_linear_units(self):
        """The gain belongs to the activation: √½ too little a layer, or √2 too much."""
        starved, burst = (
            self.change(init.xavier_normal_, "relu"),
            self.change(init.kaiming_normal_, "linear"),
        )
        for low, high in zip(starved, burst):
            assert 0.5 < low / 0.5 ** ((self.DEPTH - 1) / 2) < 2
            assert 0.5 < high / 2 ** ((self.DEPTH - 1) / 2) < 2

    @pytest.mark.parametrize("gain", [1.0, 5 / 3])
    def test_the_drift_of_tanh_is_predicted(self, gain):
        """In wide layers a pre-activation is normal, and its variance q follows a recursion.

        q' = gain² E[tanh(√q z)²]; a cotangent's mean square shrinks by gain² E[tanh'(√q z)²].
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        weights = weights / weights.sum()
        width = 512

        def fill(w, generator):
            return init.xavier_normal_(w, gain=gain, generator=generator)

        q, predicted, slopes = gain**2, [], []
        for _ in range(self.DEPTH):
            predicted.append(q)
            tanh = np.tanh(math.sqrt(q) * nodes)
            slopes.append(gain**2 * float(weights @ (1 - tanh**2) ** 2))
            q = gain**2 * float(weights @ tanh**2)
        runs = [self.through(fill, "tanh", seed, width) for seed in range(5)]
        for layer, expected in enumerate(predicted):
            measured = sorted(z[layer] for z, _ in runs)[2]
            assert measured == pytest.approx(expected, rel=0.15)
        back = sorted(b[0] / b[-1] for _, b in runs)[2]
        # From the last layer's cotangent to the first's: every slope but the last layer's.
        assert math.log(back) == pytest.approx(math.log(math.prod(slopes[:-1])), abs=math.log(2))
        if gain == 1:  # 0 is where it goes, ever more slowly
            assert predicted[-1] < 0.05 * predicted[0]
        else:  # a variance that reproduces itself
            assert predicted[-1] == pytest.approx(predicted[-2], rel=1e-3)

    def test_the_default_of_linear_layers_shrinks_by_the_root_of_six(self):
        def fill(w, generator):
            return init.kaiming_uniform_(w, a=math.sqrt(5), generator=generator)

        for ratio in self.change(fill, "relu"):
            assert 0.5 < ratio / 6 ** (-(self.DEPTH - 1) / 2) < 2

    def test_naive_tanh_keeps_its_signal_and_loses_its_gradient(self):
        def fill(w, generator):
            return init.normal_(w, std=1.0, generator=generator)

        forwards, backwards = self.change(fill, "tanh")
        assert 0.5 < forwards < 2
        assert backwards > 1e3

    def test_the_expectation_that_predicts_it(self):
        """gaussian_mean and the quadrature above agree."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        for q in (0.1, 1.0, 1.5):
            expected = float(weights @ np.tanh(math.sqrt(q) * nodes) ** 2 / weights.sum())
            found = init.gaussian_mean(lambda z: torch.tanh(z) ** 2, q)
            assert found == pytest.approx(expected, rel=1e-5)

    def test_narrow_layers_scatter_as_predicted(self):
        """One ReLU layer multiplies by a mean of n terms of variance 5; the logarithms add."""
        n, depth, networks = 64, 20, 1000
        generator = torch.Generator().manual_seed(0)
        a = torch.ones(networks, n, dtype=torch.float64)
        for _ in range(depth):
            w = torch.randn(networks, n, n, generator=generator, dtype=torch.float64)
            a = torch.relu(torch.einsum("bkd,bd->bk", w, a)) * math.sqrt(2 / n)
        logarithms = a.square().mean(1).log()
        assert float(logarithms.var()) == pytest.approx(5 * depth / n, rel=0.2)
        assert float(logarithms.mean()) == pytest.approx(-5 * depth / (2 * n), rel=0.2)
