"""dlbook.train.transfer: what is frozen stays, what is loaded is all there, rates by layer."""

import copy
import pickle

import pytest
import torch
from torch import nn

from dlbook import optim
from dlbook.models import resnet18
from dlbook.train import fit, freeze, load_except, parameter_groups, unfreeze


def network(classes=3):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5))
    model = nn.Sequential()
    model.add_module("body", body)
    model.add_module("body2", nn.Linear(6, 5))
    model.add_module("head", nn.Linear(5, classes))
    return model


def examples(n=40):
    x = 3 * torch.randn(n, 4, generator=torch.Generator().manual_seed(1)) + 1
    return x, x[:, :3].argmax(1)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def moved(model, before):
    return {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}


def free(model):
    return [name for name, p in model.named_parameters() if p.requires_grad]


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "torch": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
}


class TestFreeze:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_what_is_frozen_does_not_move_and_the_rest_does(self, optimizer):
        model = network()
        named = freeze(model, "body")
        assert named == ["body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"]
        before = state(model)
        step = OPTIMIZERS[optimizer](model.parameters())
        fit(model, nn.CrossEntropyLoss(), step, examples(), epochs=2, seed=0, device="cpu")
        assert moved(model, before) == {"body2.weight", "body2.bias", "head.weight", "head.bias"}

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_in_the_middle_of_training_no_momentum_goes_on(self, optimizer):
        model = network()
        step = OPTIMIZERS[optimizer](model.parameters())
        x, y = examples()
        nn.functional.cross_entropy(model(x), y).backward()
        step.step()
        freeze(model, "head")
        before = state(model)
        step.step()  # nobody has called zero_grad
        assert "body.0.weight" in moved(model, before)
        assert not {"head.weight", "head.bias"} & moved(model, before)

    def test_a_prefix_is_a_name_and_not_its_first_letters(self):
        model = network()
        freeze(model, "body")
        assert free(model) == ["body2.weight", "body2.bias", "head.weight", "head.bias"]
        freeze(model, ["head.bias", "body2"])
        assert free(model) == ["head.weight"]

    def test_it_evaluates_in_training_mode_too(self):
        model = network()
        freeze(model, "body")
        model.train()
        x, _ = examples()
        before = state(model)
        a, b = model.body(x), model.body(x)
        assert torch.equal(a, b)  # no dropout
        assert torch.equal(a[:1], model.body(x[:1]))  # no batch
        assert not moved(model, before)  # no running average
        plain = copy.deepcopy(network()).eval()
        assert torch.equal(a, plain.body(x))

    def test_without_it_the_averages_of_frozen_parameters_move(self):
        model = network()
        for p in model.body.parameters():
            p.requires_grad_(False)
        before = state(model)
        model.train()
        model(examples()[0])
        assert {"body.1.running_mean", "body.1.running_var"} <= moved(model, before)

    def test_nothing_is_kept_for_a_backward_pass_below_the_lowest_free_layer(self):
        model = network()
        freeze(model, "body")
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape), lambda t: t):
            model(torch.randn(7, 4))
        assert kept
        assert not any(shape == (7, 4) for shape in kept)

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_a_copy_is_frozen_and_of_its_own(self, copied):
        model = network()
        freeze(model, "body")
        twin = copied(model)
        unfreeze(model)
        twin.train()
        before = state(twin)
        twin(examples()[0])
        assert not moved(twin, before)
        assert free(twin) == free(network())[4:]
        model.train()
        before = state(model)
        model(examples()[0])
        assert moved(model, before)

    def test_an_empty_list_is_nothing(self):
        model = network()
        assert freeze(model, []) == []
        assert len(free(model)) == 8
        assert unfreeze(model, []) == []

    def test_twice_is_once(self):
        model = network()
        freeze(model, "body")
        freeze(model, "body.1")
        unfreeze(model)
        assert not any(module._forward_pre_hooks for module in model.modules())

    def test_tied_parameters_are_found_by_each_name(self):
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        assert freeze(model, "1") == ["1.weight", "1.bias"]
        assert free(model) == ["0.bias"]

    @pytest.mark.parametrize("change", [freeze, unfreeze])
    def test_a_name_that_is_not_there(self, change):
        model = network()
        with pytest.raises(ValueError, match="got 'haed'; the names begin with body, body2, head"):
            change(model, ["body", "haed"])
        assert len(free(model)) == 8


class TestUnfreeze:
    def test_a_part_of_what_was_frozen(self):
        model = network()
        freeze(model)
        assert free(model) == []
        assert unfreeze(model, "head") == ["head.weight", "head.bias"]
        assert free(model) == ["head.weight", "head.bias"]
        model.train()
        x, y = examples()
        before = state(model)
        nn.functional.cross_entropy(model(x), y).backward()
        assert not moved(model, before)  # the body's averages stay
        assert model.training
        assert model.head.training
        assert not model.body[1].training

    def test_everything_as_before(self):
        model, never = network(), network()
        freeze(model, "body")
        unfreeze(model, "body")
        model.train()
        x, _ = examples()
        torch.manual_seed(0)
        a = model(x)
        torch.manual_seed(0)
        assert torch.equal(a, never(x))
        assert not moved(model, state(never))

    def test_the_blocks_around_a_freed_parameter_follow_again(self):
        model = network()
        freeze(model)
        unfreeze(model, "body.1.weight")
        model.train()
        before = state(model)
        model(examples()[0])
        assert "body.1.running_mean" in moved(model, before)


class TestParameterGroups:
    def test_each_parameter_stands_once_below_its_longest_prefix(self):
        model = network()
        groups = parameter_groups(model, {"body": 0.1, "body.1": 0.2, "head.bias": 0.0})
        names = {id(p): name for name, p in model.named_parameters()}
        found = [[names[id(p)] for p in group["params"]] for group in groups]
        assert found == [
            ["body.0.weight", "body.0.bias"],
            ["body.1.weight", "body.1.bias"],
            ["head.bias"],
            ["body2.weight", "body2.bias", "head.weight"],
        ]
        assert [group.get("lr") for group in groups] == [0.1, 0.2, 0.0, None]

    def test_the_optimiser_takes_the_rates(self):
        model = network()
        before = state(model)
        optimizer = optim.SGD(parameter_groups(model, {"body": 0.0, "head": 0.5}), lr=0.1)
        model.eval()
        x, y = examples()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        for name, p in model.named_parameters():
            rate = {"body": 0.0, "body2": 0.1, "head": 0.5}[name.split(".")[0]]
            assert torch.allclose(p, before[name] - rate * p.grad)

    def test_frozen_ones_are_left_out(self):
        model = network()
        freeze(model, "body")
        groups = parameter_groups(model, {"head": 0.5})
        assert sum(len(group["params"]) for group in groups) == 4

    def test_no_last_group_without_members(self):
        model = nn.Sequential(nn.Linear(2, 2))
        assert len(parameter_groups(model, {"0": 0.1})) == 1

    def test_what_it_refuses(self):
        model = network()
        with pytest.raises(ValueError, match="got 'tail'"):
            parameter_groups(model, {"tail": 0.1})
        with pytest.raises(ValueError, match="numbers >= 0, got head: -1"):
            parameter_groups(model, {"head": -1})
        freeze(model, "body")
        with pytest.raises(ValueError, match="'body' expects parameters that are neither frozen"):
            parameter_groups(model, {"body": 0.1})
        with pytest.raises(ValueError, match="'head' expects parameters"):
            parameter_groups(model, {"head": 0.1, "head.weight": 0.1, "head.bias": 0.1})
        with pytest.raises(ValueError, match=r"'body\.2' expects parameters"):
            parameter_groups(model, {"body.2": 0.1})  # an activation


class TestLoadExcept:
    def test_a_new_head_stays_and_the_rest_arrives(self):
        old, new = network(3), network(7)
        with torch.no_grad():
            for value in old.state_dict().values():
                value.add_(1)
        before = state(new)
        assert load_except(new, old.state_dict(), "head") == ["head.weight", "head.bias"]
        for name, value in new.state_dict().items():
            source = before if name.startswith("head") else old.state_dict()
            assert torch.equal(value, source[name]), name

    def test_without_exceptions_it_is_strict(self):
        old, new = network(), network()
        assert load_except(new, old.state_dict(), []) == []
        with pytest.raises(ValueError, match=r"1 entry differs: body\.0\.bias is missing"):
            load_except(new, {n: v for n, v in old.state_dict().items() if n != "body.0.bias"}, [])

    def test_a_state_from_before_batches_were_counted(self):
        old, new = network(), network(7)
        given = {n: v for n, v in old.state_dict().items() if not n.endswith("tracked")}
        load_except(new, given, "head")
        assert torch.equal(new.body2.weight, old.body2.weight)

    def test_nothing_is_changed_when_something_is_wrong(self):
        old, new = network(), network(7)
        given = {name: value + 1 for name, value in old.state_dict().items()}
        before = state(new)
        with pytest.raises(
            ValueError, match=r"head\.weight has shape \(3, 5\) instead of \(7, 5\); head\.bias"
        ):
            load_except(new, given, ())
        given["haed.weight"] = torch.zeros(1)
        with pytest.raises(ValueError, match=r"haed\.weight is unknown"):
            load_except(new, given, "head")
        with pytest.raises(ValueError, match="got 'fc'; the names begin with body"):
            load_except(new, given, "fc")
        assert not moved(new, before)

    def test_torch_has_changed_something_by_then(self):
        # Why the shapes are looked at first.
        new, given = network(7), {n: v + 1 for n, v in network().state_dict().items()}
        before = state(new)
        with pytest.raises(RuntimeError, match="size mismatch"):
            new.load_state_dict(given, strict=False)
        assert moved(new, before)

    def test_a_residual_network_with_ten_classes(self):
        torch.manual_seed(0)
        published, mine = resnet18(), resnet18(num_classes=10)
        assert load_except(mine, published.state_dict(), "fc") == ["fc.weight", "fc.bias"]
        assert torch.equal(mine.layer4[1].bn2.weight, published.layer4[1].bn2.weight)
