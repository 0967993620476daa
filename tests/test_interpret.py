"""Attribution and maximisation: against formulas, loops and networks set by hand."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import dlbook.nn
from dlbook import interpret


class Network(nn.Module):
    """A small convolutional network with all that might be left changed."""

    def __init__(self, library: Any = torch.nn) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            library.BatchNorm2d(4),
            library.ReLU(),
            library.MaxPool2d(2),
            nn.Conv2d(4, 5, 3),
            library.ReLU(),
        )
        self.dropout = nn.Dropout(0.5)
        self.classifier = library.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.features(x).flatten(1)))


def network(library: Any = torch.nn) -> Network:
    torch.manual_seed(1)
    model = Network(library).double()
    model.features[1].running_var.fill_(2.0)
    with torch.no_grad():
        model.classifier.weight.mul_(30.0)  # scores as far apart as those of a trained network
    return model


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(2)).double()


def scores(model: nn.Module, x: Tensor) -> Tensor:
    model.eval()
    with torch.no_grad():
        return model(x)


CALLS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "activations": lambda m, x: interpret.activations(m, x, "features.4"),
    "input_gradient": interpret.input_gradient,
    "saliency": interpret.saliency,
    "guided_backpropagation": interpret.guided_backpropagation,
    "integrated_gradients": lambda m, x: interpret.integrated_gradients(m, x, steps=3),
    "occlusion": lambda m, x: interpret.occlusion(m, x, size=4),
    "grad_cam": lambda m, x: interpret.grad_cam(m, x, "features.4"),
    "class_maximisation": lambda m, x: interpret.class_maximisation(
        m, [0, 1, 2], start=x, steps=3, jitter=1, generator=torch.Generator().manual_seed(0)
    ),
    "deep_dream": lambda m, x: interpret.deep_dream(
        m, x, "features.4", octaves=2, steps=2, generator=torch.Generator().manual_seed(0)
    ),
}
every = pytest.mark.parametrize("name", list(CALLS))


# --- the model stays as it was ------------------------------------------------------------------


def state(model: nn.Module) -> Any:
    return (
        [m.training for m in model.modules()],
        [len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()],
        [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()],
        {k: v.clone() for k, v in model.state_dict().items()},
    )


def assert_same(a: Any, b: Any) -> None:
    if isinstance(a, Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        assert_same(list(a.values()), list(b.values()))
    elif isinstance(a, (list, tuple)):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def prepared() -> Network:
    """In training, with one layer in evaluation, one frozen, gradients here and there, a hook."""
    model = network()
    model.train()
    model.features[1].eval()
    model.features[0].requires_grad_(False)
    model.classifier.weight.grad = torch.ones_like(model.classifier.weight)
    model.features[3].register_forward_hook(lambda *_: None)
    return model


@every
def test_the_model_stays_as_it_was(name: str) -> None:
    model, x = prepared(), images()
    before, pixels = state(model), x.clone()
    found = CALLS[name](model, x)
    assert_same(state(model), before)
    assert torch.equal(x, pixels)
    assert not x.requires_grad
    assert found.isfinite().all()
    assert not found.requires_grad


@every
def test_the_model_stays_as_it_was_if_it_fails(name: str) -> None:
    model = prepared()
    before = state(model)
    with pytest.raises((RuntimeError, ValueError)):
        CALLS[name](model, images()[:, :, :2, :2])  # the second convolution has no room
    assert_same(state(model), before)


@every
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_off_outside(name: str, context: Any) -> None:
    model = network()
    expected = CALLS[name](model, images())
    with context():
        assert torch.equal(CALLS[name](model, images()), expected)


@every
def test_evaluation_mode_is_looked_at(name: str) -> None:
    """No dropout, no statistics of the batch: twice the same, whatever the mode outside."""
    model = network()
    first = CALLS[name](model.train(), images())
    assert torch.equal(CALLS[name](model.eval(), images()), first)


@every
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    if name == "class_maximisation":
        pytest.skip("one image for each target")
    model, x = network(), images()
    together = CALLS[name](model, x)
    alone = torch.cat([CALLS[name](model, one[None]) for one in x])
    torch.testing.assert_close(together, alone)


@every
def test_our_modules_and_pytorchs_look_the_same(name: str) -> None:
    theirs, ours = network(), network(dlbook.nn)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(CALLS[name](ours, images()), CALLS[name](theirs, images()))


# --- names and classes --------------------------------------------------------------------------


def test_layers_bear_the_names_of_the_state_dict() -> None:
    model = network()
    names = interpret.layer_names(model)
    assert {key.rpartition(".")[0] for key in model.state_dict()} <= set(names)
    x = images()
    found = interpret.activations(model, x, "features.1")
    model.eval()
    torch.testing.assert_close(found, model.features[:2](x))


def test_an_unknown_layer_is_answered_with_those_that_there_are() -> None:
    model = network()
    for call in (
        lambda: interpret.activations(model, images(), "conv1"),
        lambda: interpret.grad_cam(model, images(), "conv1"),
        lambda: interpret.deep_dream(model, images(), "conv1"),
        lambda: interpret.class_maximisation(model, 0, (2, 8, 8), layer="conv1"),
    ):
        with pytest.raises(
            ValueError, match=r"a layer of Network, got 'conv1'; there are features, "
        ):
            call()
    with pytest.raises(ValueError, match="there are none"):
        interpret.activations(nn.ReLU(), images(), "0")


def test_a_layer_must_take_part_and_return_a_tensor() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(4, 3), nn.Linear(4, 3)
            self.memory = nn.LSTM(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.memory(self.used(x))[0]

    model, x = Idle(), torch.zeros(2, 4)
    for look in (interpret.activations, interpret.grad_cam):
        with pytest.raises(ValueError, match="but 'idle' has not run"):
            look(model, x, "idle")
        with pytest.raises(ValueError, match="expected 'memory' to return a tensor, got tuple"):
            look(model, x, "memory")
    with pytest.raises(ValueError, match=r"feature maps of shape \(B, k, h, w\), got \(2, 3\)"):
        interpret.grad_cam(model, x, "used")


def test_of_several_runs_the_first_counts() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    model, x = Twice(), torch.randn(2, 3)
    assert torch.equal(interpret.activations(model, x, "layer"), model.layer(x))


def test_classes_may_be_given_in_several_ways() -> None:
    model, x = network(), images()
    best = scores(model, x).argmax(1)
    assert torch.equal(interpret.saliency(model, x), interpret.saliency(model, x, best))
    assert torch.equal(interpret.saliency(model, x, 1), interpret.saliency(model, x, [1, 1, 1]))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "expected classes from 0 to 2, got"),
        (-1, "expected classes from 0 to 2, got"),
        ([0, 1], "expected target to be a class, or 3 of them"),
        (torch.zeros(3), "got torch.float32"),
    ],
)
def test_classes_that_there_are_not(target: Any, message: str) -> None:
    for look in (interpret.saliency, interpret.integrated_gradients):
        with pytest.raises(ValueError, match=message):
            look(network(), images(), target)


def test_models_and_inputs_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"saliency: expected the model to return scores of shape"):
        interpret.saliency(nn.Identity(), images())
    constant = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    constant.requires_grad_(False)
    constant[0].register_forward_hook(lambda _m, _i, y: y.detach().float())
    with pytest.raises(ValueError, match="expected scores with a derivative"):
        interpret.saliency(constant, images())


@pytest.mark.untyped
def test_inputs_of_another_kind_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="expected a batch of floating-point numbers"):
        interpret.saliency(nn.Linear(2, 2), torch.zeros(3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"images of shape \(B, C, H, W\), got \(2, 4\)"):
        interpret.occlusion(nn.Linear(4, 3), torch.zeros(2, 4), size=1)
    with pytest.raises(ValueError, match="expected floating-point images"):
        interpret.deep_dream(network(), images()[0], "features.4")
    with pytest.raises(
        ValueError, match=r"start of shape \(1, C, H, W\), one image for each target"
    ):
        interpret.class_maximisation(network(), 0, start=images()[0])


# --- attribution --------------------------------------------------------------------------------


def test_of_a_linear_model_the_gradient_is_the_weights() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 8 * 8, 3)).double()
    weights = model[1].weight.detach().reshape(3, 2, 8, 8)
    x = images()
    target = torch.tensor([2, 0, 1])
    assert torch.equal(interpret.input_gradient(model, x, target), weights[target])
    assert torch.equal(interpret.saliency(model, x, target), weights[target].abs().amax(1))
    rows = nn.Linear(4, 3)
    assert torch.equal(interpret.saliency(rows, torch.zeros(1, 4), 2)[0], rows.weight[2].abs())


def test_the_gradient_is_what_differences_say() -> None:
    model, x = network(), images(1)
    found = interpret.input_gradient(model, x, 1)
    step = 1e-6
    for place in [(0, 0, 3, 4), (0, 1, 7, 0), (0, 0, 5, 5)]:
        more, less = x.clone(), x.clone()
        more[place] += step
        less[place] -= step
        slope = (scores(model, more) - scores(model, less))[0, 1] / (2 * step)
        assert float(found[place]) == pytest.approx(float(slope), abs=1e-7)


class Rectified(nn.Module):
    """Two layers of rectifiers, set by hand, called in one of the ways that there are."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.relu = relu
        self.register_buffer("a", torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        self.register_buffer("b", torch.tensor([[1.0, -2.0, 5.0], [1.0, 1.0, 1.0]]))
        self.register_buffer("c", torch.tensor([[1.0, 1.0], [-3.0, 2.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.relu(x @ self.a.T + 0) @ self.b.T + 0) @ self.c.T


@pytest.mark.parametrize(
    "relu",
    [
        torch.relu,
        functional.relu,
        nn.ReLU(),
        nn.ReLU(inplace=True),
        torch.relu_,
        dlbook.nn.ReLU(),
        lambda x: dlbook.ops.relu(x),
    ],
)
def test_guided_backpropagation_by_hand(relu: Callable[[Tensor], Tensor]) -> None:
    """At (3, 1) the hidden layers hold (3, 1, 0) and (1, 4): all but one unit are on.

    Class 0 sends 1 and 1 back; below, the first unit gets 1 + 1, the second -2 + 1, which is
    dropped, the third is off. Class 1 sends -3, which is dropped, and 2, which goes to both.
    """
    model, x = Rectified(relu), torch.tensor([[3.0, 1.0]])
    assert model(x).tolist() == [[5.0, 5.0]]
    assert interpret.guided_backpropagation(model, x, 0).tolist() == [[2.0, 0.0]]
    assert interpret.input_gradient(model, x, 0).tolist() == [[2.0, -1.0]]
    assert interpret.guided_backpropagation(model, x, 1).tolist() == [[2.0, 2.0]]
    assert interpret.input_gradient(model, x, 1).tolist() == [[-1.0, 8.0]]


def test_guided_backpropagation_wants_rectifiers() -> None:
    with pytest.raises(ValueError, match="expected a network with rectifiers, found none in Lin"):
        interpret.guided_backpropagation(nn.Linear(2, 3), torch.zeros(1, 2))


@pytest.mark.parametrize("baseline", [0.0, 0.5, "noise"])
def test_integrated_gradients_are_complete(baseline: Any) -> None:
    """The sum is the difference of the scores, up to the midpoint rule's error, one over steps²."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    x = images()
    start = torch.randn_like(x[0]) if baseline == "noise" else torch.tensor(baseline).double()
    best = scores(model, x).argmax(1, keepdim=True)
    gain = (scores(model, x) - scores(model, start.expand(x.shape))).gather(1, best)[:, 0]
    gaps = []
    for steps in (20, 40, 80):
        shares = interpret.integrated_gradients(
            model, x, baseline=start if baseline == "noise" else baseline, steps=steps
        )
        gaps.append(float((shares.flatten(1).sum(1) - gain).abs().max()))
    assert gaps[2] < 1e-3
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.3)
    assert gaps[1] / gaps[2] == pytest.approx(4, rel=0.3)


def test_integrated_gradients_of_a_rectified_network_are_complete() -> None:
    model, x = network(), images()
    shares = interpret.integrated_gradients(model, x, 0, steps=2000)
    gain = (scores(model, x) - scores(model, torch.zeros_like(x)))[:, 0]
    torch.testing.assert_close(shares.flatten(1).sum(1), gain, rtol=0, atol=2e-3)


def test_integrated_gradients_of_a_linear_model_are_weights_times_inputs() -> None:
    model, x = nn.Linear(4, 3).double(), torch.randn(2, 4, dtype=torch.float64)
    for steps in (1, 7):
        found = interpret.integrated_gradients(model, x, 1, baseline=1.0, steps=steps)
        torch.testing.assert_close(found, model.weight[1].detach() * (x - 1))


def test_integrated_gradients_refuse() -> None:
    model, x = nn.Linear(4, 3), torch.zeros(2, 4)
    with pytest.raises(ValueError, match="expected at least 1 step, got 0"):
        interpret.integrated_gradients(model, x, steps=0)
    with pytest.raises(ValueError, match=r"input's shape \(2, 4\), got \(3,\)"):
        interpret.integrated_gradients(model, x, baseline=torch.zeros(3))


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("size", "stride", "fill"), [(3, 2, 0.0), ((2, 4), None, 1.5), (8, 1, "mean"), (1, 3, 0.0)]
)
def test_occlusion_is_its_definition(size: Any, stride: Any, fill: Any, batch_size: int) -> None:
    model, x = network(), images()
    cover = x.mean((2, 3), keepdim=True) if fill == "mean" else fill
    found = interpret.occlusion(
        model, x, size=size, stride=stride, fill=cover, batch_size=batch_size
    )
    h, w = (size, size) if isinstance(size, int) else size
    down, along = (h, w) if stride is None else (stride, stride)
    whole = scores(model, x)
    rows, columns = range(0, 8 - h + 1, down), range(0, 8 - w + 1, along)
    assert found.shape == (3, len(rows), len(columns))
    for (o, top), (p, left) in itertools.product(enumerate(rows), enumerate(columns)):
        for i in range(3):
            covered = x[i : i + 1].clone()
            for r, c in itertools.product(range(top, top + h), range(left, left + w)):
                covered[0, :, r, c] = cover[i, :, 0, 0] if fill == "mean" else cover
            c = int(whole[i].argmax())
            lost = whole[i, c] - scores(model, covered)[0, c]
            assert float(found[i, o, p]) == pytest.approx(float(lost), abs=1e-12)


def test_occlusion_refuses() -> None:
    with pytest.raises(ValueError, match="a patch that fits into images of 8×8, got 9×9"):
        interpret.occlusion(network(), images(), size=9)
    with pytest.raises(ValueError, match=r"of at least 1, got \(2, 2\), \(0, 0\) and 256"):
        interpret.occlusion(network(), images(), size=2, stride=0)


@pytest.mark.parametrize("inplace", [False, True])
def test_grad_cam_by_hand(inplace: bool) -> None:
    """Two maps, x and 1 - x; the second one's negative half is cut off before it is averaged."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1),
        nn.ReLU(inplace=inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2),
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        model[0].bias.copy_(torch.tensor([0.0, 1.0]))
        model[4].weight.copy_(torch.tensor([[4.0, -8.0], [-4.0, 8.0]]))
    x = torch.tensor([[[[0.5, 2.0], [3.0, 0.25]]]])
    # Of four places the first map is on in all, the second in two: each has a share of a quarter.
    alpha = torch.tensor([4.0 / 4 * 4 / 4, -8.0 / 4 * 2 / 4])
    maps = torch.stack([x[0, 0], 1 - x[0, 0]])
    expected = (alpha[:, None, None] * maps).sum(0)
    assert torch.equal(interpret.grad_cam(model, x, "0", 0)[0], expected.clamp(min=0))
    assert torch.equal(interpret.grad_cam(model, x, "0", 1)[0], (-expected).clamp(min=0))


def test_grad_cam_is_class_activation_mapping_before_a_global_mean() -> None:
    """Where it was derived from: the class's weights for the maps, a number of places smaller."""
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    ).double()
    x = images()
    maps = interpret.activations(model, x, "1")
    for c in range(3):
        cam = torch.einsum("k,bkhw->bhw", model[4].weight[c].detach(), maps).clamp(min=0)
        found = interpret.grad_cam(model, x, "1", c)
        torch.testing.assert_close(found, cam / 36)
        larger = interpret.grad_cam(model, x, "1", c, size=(8, 8))
        assert larger.shape == (3, 8, 8)
        assert float(larger.max()) <= float(found.max())


# --- maximisation -------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_total_variation_is_its_definition(beta: float) -> None:
    x = images().requires_grad_()
    expected = torch.zeros(3, dtype=torch.float64)
    for b, c, i, j in itertools.product(range(3), range(2), range(8), range(8)):
        along = float((x[b, c, i, j + 1] - x[b, c, i, j]).detach()) if j < 7 else 0.0
        down = float((x[b, c, i + 1, j] - x[b, c, i, j]).detach()) if i < 7 else 0.0
        expected[b] += (along**2 + down**2) ** (beta / 2)
    torch.testing.assert_close(interpret.total_variation(x.detach(), beta), expected)
    assert torch.autograd.gradcheck(lambda v: interpret.total_variation(v, beta), x[:1, :1, :3, :3])
    flat = torch.zeros(1, 1, 3, 3, requires_grad=True)
    (g,) = torch.autograd.grad(interpret.total_variation(flat, beta).sum(), flat)
    assert torch.equal(g, torch.zeros_like(g))


def test_total_variation_refuses() -> None:
    with pytest.raises(ValueError, match="expected beta above 0, got 0"):
        interpret.total_variation(images(), 0)


@pytest.mark.parametrize("jitter", [0, 1])
def test_class_maximisation_raises_the_score(jitter: int) -> None:
    model = network()
    before = scores(model, torch.zeros(3, 2, 8, 8).double()).diagonal()
    found = interpret.class_maximisation(
        model, [0, 1, 2], (2, 8, 8), jitter=jitter, generator=torch.Generator().manual_seed(0)
    )
    after = scores(model, found)
    assert (after.diagonal() > before + (0.5 if jitter else 1.0)).all()
    assert jitter or (after.argmax(1) == torch.arange(3)).all()


def test_class_maximisation_finds_the_maximum_where_it_is_known() -> None:
    r"""Of :math:`w x - \lambda x^2` it is at :math:`w / 2 \lambda`."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double()
    lr = 0.01
    found = interpret.class_maximisation(model, 1, (1, 4, 4), lr=lr, l2=0.2, tv=0.0, steps=1000)
    top = model[1].weight[1].detach() / 0.4
    assert float((found.flatten() - top).abs().mean()) <= lr


def test_class_maximisation_smooths_as_it_is_told() -> None:
    model = network()
    rough, smooth = (
        interpret.class_maximisation(model, [0, 1], (2, 8, 8), tv=tv, l2=0.0) for tv in (0.0, 0.3)
    )
    lengths = [x.square().sum((1, 2, 3)) for x in (rough, smooth)]
    variations = [interpret.total_variation(x) for x in (rough, smooth)]
    assert (variations[1] / lengths[1] < variations[0] / lengths[0] / 2).all()
    short = interpret.class_maximisation(model, [0, 1], (2, 8, 8), tv=0.0, l2=1.0)
    assert (short.square().sum((1, 2, 3)) < lengths[0] / 4).all()


def test_class_maximisation_of_several_is_that_of_each() -> None:
    model = network()
    together = interpret.class_maximisation(model, [0, 2], (2, 8, 8), steps=20)
    alone = [interpret.class_maximisation(model, c, (2, 8, 8), steps=20) for c in (0, 2)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_maximisation_of_a_unit_of_a_layer() -> None:
    model = network()
    start = images(2) * 0.1
    for layer, unit in (("features.4", 3), ("classifier", 1)):

        def mean(x: Tensor, layer: str = layer, unit: int = unit) -> Tensor:
            return interpret.activations(model, x, layer)[:, unit].reshape(len(x), -1).mean(1)

        found = interpret.class_maximisation(
            model, [unit] * 2, start=start, layer=layer, steps=50, l2=0.0, tv=0.0
        )
        assert (mean(found) > mean(start) + 0.5).all()


def test_maximisation_keeps_within_bounds_and_repeats_itself() -> None:
    model = network()

    def run(seed: int) -> tuple[Tensor, Tensor]:
        g = torch.Generator().manual_seed(seed)
        image = interpret.class_maximisation(
            model, 1, (2, 8, 8), jitter=3, bounds=(-0.2, 0.3), generator=g, steps=30
        )
        dream = interpret.deep_dream(
            model, images(1), "features.4", octaves=2, jitter=3, bounds=(-1.0, 1.0), generator=g
        )
        return image, dream

    first, again, other = run(0), run(0), run(1)
    for a, b, c, low, high in zip(first, again, other, (-0.2, -1.0), (0.3, 1.0)):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert low <= float(a.min()) <= float(a.max()) <= high


def test_class_maximisation_refuses() -> None:
    model = network()

    def call(target: Any = 0, shape: Any = (2, 8, 8), **settings: Any) -> None:
        interpret.class_maximisation(model, target, shape, **settings)

    for settings, message in (
        ({"shape": None}, r"expected shape \(C, H, W\) or start, got None"),
        ({"shape": (8, 8)}, r"expected shape \(C, H, W\) or start, got \(8, 8\)"),
        ({"start": images()}, r"start of shape \(1, C, H, W\)"),
        ({"target": 3}, r"expected targets from 0 to 2, got \[3\]"),
        ({"target": [5], "layer": "features.4"}, r"expected targets from 0 to 4, got \[5\]"),
        ({"lr": 0.0}, "lr above 0"),
        ({"steps": -1}, "steps and jitter of at least 0"),
        ({"jitter": -1}, "steps and jitter of at least 0"),
        ({"bounds": (1.0, 0.0)}, "with low < high"),
    ):
        with pytest.raises(ValueError, match=message):
            call(**settings)
    dead = copy.deepcopy(model)
    with torch.no_grad():
        dead.features[4].bias.fill_(-1000.0)
    with pytest.raises(ValueError, match=r"those of \[1\] do not change with the image there"):
        interpret.class_maximisation(dead, 1, (2, 8, 8))


@pytest.mark.parametrize("unit", [None, 2])
@pytest.mark.parametrize("octaves", [1, 2])
def test_deep_dream_raises_the_layers_output(octaves: int, unit: int | None) -> None:
    model, x = network(), images()
    layer = "features.5"

    def energy(x: Tensor) -> Tensor:
        a = interpret.activations(model, x, layer)
        return (a if unit is None else a[:, unit]).flatten(1).square().sum(1)

    dream = interpret.deep_dream(
        model,
        x,
        layer,
        unit=unit,
        octaves=octaves,
        steps=20,
        lr=0.05,
        generator=torch.Generator().manual_seed(0),
    )
    assert dream.shape == x.shape
    assert (energy(dream) > 2 * energy(x)).all()


def test_one_step_of_deep_dream_is_the_layers_own_output_sent_back() -> None:
    model, x = network().eval(), images(1)
    found = interpret.deep_dream(model, x, "features.4", octaves=1, steps=1, lr=0.1, jitter=0)
    leaf = x.clone().requires_grad_()
    a = model.features[:5](leaf)
    (g,) = torch.autograd.grad(a, leaf, a.detach())
    torch.testing.assert_close(found, x + 0.1 * g / g.abs().mean())


def test_dreams_without_steps_are_the_image() -> None:
    x = images()
    assert torch.equal(interpret.deep_dream(network(), x, "features.4", octaves=2, steps=0), x)


def test_deep_dream_refuses() -> None:
    model, x = network(), images()
    for settings, message in (
        ({"unit": 5, "octaves": 1}, r"a unit of 'features.4', whose output has shape \(3, 5, "),
        ({"octaves": 0}, "at least 1 octave and a scale above 1, got 0 and 1.4"),
        ({"scale": 1.0}, "at least 1 octave and a scale above 1, got 4 and 1.0"),
        ({"octaves": 4}, "but it refuses images of 3×3; take fewer than 4"),
        ({"octaves": 12}, "octaves of at least one pixel, got 12 for images of 8×8"),
    ):
        with pytest.raises(ValueError, match=message):
            interpret.deep_dream(model, x, "features.4", **settings)
