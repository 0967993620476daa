"""What is public is in the registry, bears PyTorch's signature, or says why not."""

import inspect
from fnmatch import fnmatch
from typing import Any

import pytest
import torch

from dlbook.testing import Row, exemptions, public_objects, registry, rows

PUBLIC = dict(public_objects())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_objects_have_a_row_or_a_reason(name: str) -> None:
    reasons = [reason for pattern, reason in exemptions.items() if fnmatch(name, pattern)]
    if name in registry:
        assert not reasons, f"{name} has a row, and an exemption: {reasons}"
    else:
        assert reasons, f"{name}: add a row to dlbook/testing, or an exemption with its reason"


def test_rows_and_exemptions_are_of_public_objects() -> None:
    assert [name for name in registry if name not in PUBLIC] == []
    unused = [p for p in exemptions if not any(fnmatch(name, p) for name in PUBLIC)]
    assert unused == [], "exempt, but no longer there"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_rows_are_complete(row: Row) -> None:
    samples = row.draw()
    labels = [sample.label for sample in samples]
    assert len(set(labels)) == len(labels), f"two samples of one name: {sorted(labels)}"
    assert row.formula
    assert [str(s) for s in row.draw()] == [str(s) for s in samples], "the same seed, the same draw"
    assert row.ours.__doc__, "no docstring"


# --- signatures ---------------------------------------------------------------------------------

#: Parameters of PyTorch's that we leave out everywhere, and why.
LEFT_OUT = {
    "inplace": "rules read what it would overwrite",
    "size_average": "deprecated",
    "reduce": "deprecated",
    "_stacklevel": "private",
    "out": "results are new tensors",
    "dtype": "convert first",
    "sparse_grad": "gradients are dense",
    "min_value": "deprecated",
    "max_value": "deprecated",
    "args": "a module without settings",
    "kwargs": "a module without settings",
    "foreach": "speed",
    "fused": "speed",
    "differentiable": "no counterpart",
    "capturable": "no counterpart",
    "_freeze": "private",
    "_weight": "private",
    "device": "where the tensors are",
}
#: Objects whose signature departs, and why.
DEPARTS = {
    "ops.permute": "axes as numbers too, as the method",
    "ops.where": "torch.where's documented names; its testing signature has others",
    "ops.mse_loss": "no weight for each element",
    "ops.l1_loss": "no weight for each element",
    "ops.huber_loss": "no weight for each element",
    "ops.squeeze": "the axis is asked for; without it a shape would hang on other sizes",
    "ops.dropout": "a generator may be given",
    "ops.dropout1d": "a generator may be given",
    "ops.dropout2d": "a generator may be given",
    "ops.scaled_dot_product_attention": "its testing signature has fewer",
    "ops.alpha_dropout": "a generator may be given",
    "ops.feature_alpha_dropout": "a generator may be given",
    "ops.lstm": "one layer in one direction, where PyTorch's function runs through several",
    "ops.gru": "as ops.lstm",
    "ops.rnn_tanh": "as ops.lstm",
    "ops.rnn_relu": "as ops.lstm",
    "nn.RNN": "PyTorch's signature stands behind *args; tests/test_recurrent.py",
    "nn.LSTM": "as nn.RNN",
    "nn.GRU": "as nn.RNN",
    "nn.TransformerDecoderLayer": "the activation's default is given by its name",
    "nn.TransformerEncoderLayer": "the activation's default is given by its name",
    "nn.Embedding": "no max_norm and sparse: the table would change in place",
}


def theirs(row: Row) -> Any:
    """The signature of PyTorch's counterpart by name, or None if it has none that can be read."""
    package, _, name = row.name.partition(".")
    homes = {
        "ops": (torch.nn.functional, torch),
        "nn": (torch.nn,),
        "optim": (torch.optim,),
        "init": (torch.nn.init,),
        "models": (),
    }[package]
    for home in homes:
        # Of a function that dispatches, the form with all results has the signature.
        found = getattr(home, f"{name}_with_indices", getattr(home, name, None))
        if found is None:
            continue
        try:
            return inspect.signature(found)
        except ValueError:
            spec = torch.overrides.get_testing_overrides().get(found)
            if spec is not None:
                return inspect.signature(spec)
    return None


def parameters(signature: inspect.Signature, *, positional: bool = False) -> list[str]:
    kinds = (inspect.Parameter.KEYWORD_ONLY,) if positional else ()
    return [
        name
        for name, p in signature.parameters.items()
        if p.kind not in kinds and name not in (*LEFT_OUT, "self")
    ]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_parameters_are_torchs_in_name_and_order(row: Row) -> None:
    """What is given by position has PyTorch's place; what is given by keyword PyTorch's name."""
    expected = theirs(row)
    if expected is None:
        pytest.skip("PyTorch has none of this name")
    signature = inspect.signature(getattr(row.ours, "forward", row.ours))
    if row.kind != "op":
        signature = inspect.signature(row.ours)
    found, wanted = parameters(signature), parameters(expected)
    by_place = parameters(signature, positional=True)
    if row.kind == "op" and not hasattr(torch.nn.functional, row.name[4:]):
        by_place = by_place[: len(wanted)]  # of several overloads only the shortest can be read
        same = by_place == wanted[: len(by_place)]
    else:
        same = by_place == wanted[: len(by_place)] and set(found) == set(wanted)
    if row.name not in DEPARTS:
        assert same, f"{row.name}: ours {found}, PyTorch's {wanted}"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_defaults_are_torchs(row: Row) -> None:
    expected = theirs(row)
    if expected is None:
        pytest.skip("PyTorch has none of this name")
    if row.name in DEPARTS:
        pytest.skip(DEPARTS[row.name])
    ours = getattr(row.ours, "forward", row.ours) if row.kind == "op" else row.ours
    for name, parameter in inspect.signature(ours).parameters.items():
        other = expected.parameters.get(name)
        if other is None or other.default is inspect.Parameter.empty:
            continue
        assert parameter.default == other.default, f"{row.name}: {name}"
