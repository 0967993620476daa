"""Attention: what rows cannot say, such as its memory, PyTorch's kernels, and layers on top."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

import dlbook.nn
import dlbook.optim
from dlbook import ops
from dlbook.autodiff import Tape, check_gradients

F64 = torch.float64


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=F64).to(dtype)


def three(*shape: int, dtype: torch.dtype = F64) -> list[Tensor]:
    return [numbers(*shape, seed=seed, dtype=dtype).requires_grad_() for seed in range(3)]


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


# --- the formulas -------------------------------------------------------------------------------


def test_one_query_by_hand() -> None:
    """Two keys: the weights are a logistic function of the difference of the scores."""
    q = torch.tensor([[2.0, 0.0]], dtype=F64)
    k = torch.tensor([[1.0, 5.0], [0.5, -3.0]], dtype=F64)
    v = torch.tensor([[10.0], [20.0]], dtype=F64)
    p = 1 / (1 + math.exp(-(2.0 - 1.0) / math.sqrt(2)))
    close(ops.attention_weights(q, k), torch.tensor([[p, 1 - p]], dtype=F64))
    close(ops.scaled_dot_product_attention(q, k, v)[0, 0].item(), 10 * p + 20 * (1 - p))


def test_the_backward_pass_by_hand() -> None:
    """The derivation, line by line, against the tape."""
    q, k, v, g = (numbers(3, 2, seed=s) for s in range(4))
    c = 1 / math.sqrt(2)
    p = ops.attention_weights(q, k)
    y = p @ v
    delta = (g * y).sum(-1, keepdim=True)
    z_bar = p * (g @ v.T - delta)
    tape = Tape()
    q_, k_, v_ = tape.variable((q, k, v))
    for attend in (ops.scaled_dot_product_attention, ops.blockwise_attention):
        found = tape.gradient(attend(q_, k_, v_), (q_, k_, v_), g)
        for x, expected in zip(found, (c * z_bar @ k, c * z_bar.T @ q, p.T @ g), strict=True):
            close(x, expected)
    assert check_gradients(ops.scaled_dot_product_attention, q, k, v)


@pytest.mark.parametrize("attend", [ops.scaled_dot_product_attention, ops.blockwise_attention])
@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_as_torchs_kernel(attend: Any, length: int, dtype: torch.dtype) -> None:
    """With lengths at and around those of a block; forward and backward, in the common types."""
    q, k, v = three(2, 3, length, 8, dtype=dtype)
    g = numbers(2, 3, length, 8, seed=3, dtype=dtype)
    for settings in ({}, {"is_causal": True}, {"scale": 0.5}):
        found = attend(q, k, v, **settings)
        expected = functional.scaled_dot_product_attention(q, k, v, **settings)
        tolerance = 1e-5 if dtype == torch.float32 else 3e-2
        close(found, expected, tolerance)
        ours, theirs = (torch.autograd.grad(y, (q, k, v), g) for y in (found, expected))
        close(ours, theirs, tolerance)


def test_masks_are_torchs() -> None:
    q, k, v = three(2, 3, 5, 4)
    nothing = torch.rand(5, 5) < 0.5
    nothing[2] = False
    for mask in (nothing, torch.rand(2, 1, 1, 5) < 0.7, numbers(3, 5, 5), numbers(1, 5)):
        found = ops.scaled_dot_product_attention(q, k, v, mask)
        close(found, functional.scaled_dot_product_attention(q, k, v, mask))
        close(ops.blockwise_attention(q, k, v, mask, block_size=2), found)
    lowest = torch.full((5, 5), torch.finfo(F64).min, dtype=F64)  # the same for all: no mask
    close(
        ops.scaled_dot_product_attention(q, k, v, lowest),
        functional.scaled_dot_product_attention(q, k, v, lowest),
    )


@pytest.mark.parametrize("attend", [ops.scaled_dot_product_attention, ops.blockwise_attention])
@pytest.mark.parametrize("numeric", [False, True])
def test_who_sees_nothing_gets_nothing(attend: Any, numeric: bool) -> None:
    q, k, v = three(2, 4, 3)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[1] = False
    if numeric:
        mask = torch.zeros(4, 4, dtype=F64).masked_fill(~mask, -torch.inf)
    y = attend(q, k, v, mask)
    assert not y[:, 1].any()
    bars = torch.autograd.grad(y, (q, k, v), numbers(2, 4, 3, seed=5), create_graph=True)
    assert not bars[0][:, 1].any()
    assert all(bar.isfinite().all() for bar in bars)
    again = torch.autograd.grad(sum((b * b).sum() for b in bars), (q, k, v))
    assert all(bar.isfinite().all() for bar in again)


def test_causality() -> None:
    """What comes later changes nothing, and gets no gradient from before."""
    q, k, v = three(1, 130, 4)
    for attend in (ops.scaled_dot_product_attention, ops.blockwise_attention):
        y = attend(q, k, v, is_causal=True)
        with torch.no_grad():
            changed = [torch.cat([x[:, :70], 100 * x[:, 70:]], 1) for x in (q, k, v)]
            assert torch.equal(attend(*changed, is_causal=True)[:, :70], y[:, :70])
        bars = torch.autograd.grad(y[:, :70].sum(), (q, k, v))
        assert not any(bar[:, 70:].any() for bar in bars)


def test_a_mask_together_with_causality() -> None:
    q, k, v = three(2, 5, 4)
    padding = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])[:, None]
    both = padding & torch.ones(5, 5, dtype=torch.bool).tril()
    expected = functional.scaled_dot_product_attention(q, k, v, both)
    close(ops.scaled_dot_product_attention(q, k, v, padding, is_causal=True), expected)
    close(ops.blockwise_attention(q, k, v, padding, True, block_size=2), expected)


def test_dropout_draws_torchs_mask() -> None:
    q, k, v = three(2, 2, 70, 4)
    results = []
    for attend in (ops.scaled_dot_product_attention, functional.scaled_dot_product_attention):
        torch.manual_seed(1)
        y = attend(q, k, v, dropout_p=0.3)
        results.append([y, *torch.autograd.grad(y, (q, k, v), numbers(2, 2, 70, 4, seed=3))])
    close(results[0], results[1])
    assert not ops.scaled_dot_product_attention(q, k, v, dropout_p=1.0).any()


def test_the_order_of_what_is_seen_does_not_matter() -> None:
    q, k, v = three(1, 9, 4)
    order = torch.randperm(9)
    found = ops.scaled_dot_product_attention(q, k[:, order], v[:, order])
    close(found, ops.scaled_dot_product_attention(q, k, v))


def test_a_mask_of_numbers_is_learned() -> None:
    q, k, v = three(2, 3, 5, 4)
    mask = numbers(3, 1, 5, seed=7).requires_grad_()
    g = numbers(2, 3, 5, 4, seed=8)
    (expected,) = torch.autograd.grad(
        functional.scaled_dot_product_attention(q, k, v, mask), mask, g
    )
    for attend in (ops.scaled_dot_product_attention, ops.blockwise_attention):
        close(torch.autograd.grad(attend(q, k, v, mask), mask, g)[0], expected)


def test_inputs_that_are_not_differentiated() -> None:
    q, k, v = three(2, 5, 4)
    for attend in (ops.scaled_dot_product_attention, ops.blockwise_attention):
        close(attend(q.detach(), k.detach(), v.detach()), attend(q, k, v).detach())
        y = attend(q.detach(), k, v.detach())
        (only,) = torch.autograd.grad(y.sum(), k)
        close(only, torch.autograd.grad(attend(q, k, v).sum(), k)[0])


def test_no_keys() -> None:
    q, none = numbers(2, 3, 4).requires_grad_(), torch.zeros(2, 0, 4, dtype=F64)
    for attend in (ops.scaled_dot_product_attention, ops.blockwise_attention):
        y = attend(q, none, none)
        assert y.shape == (2, 3, 4)
        assert not y.any()
        assert not torch.autograd.grad(y.sum(), q)[0].any()


# --- memory -------------------------------------------------------------------------------------


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for x in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(x, Tensor):
                self.numbers = max(self.numbers, x.untyped_storage().nbytes() // x.element_size())
        return made


def memory(attend: Any, length: int) -> tuple[int, int]:
    """The numbers kept for the way back, and those in the largest tensor on both ways."""
    q, k, v = three(1, length, 4, dtype=torch.float32)
    kept: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes() // x.element_size()
        return x

    with Largest() as largest:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            y = attend(q, k, v, is_causal=True)
        torch.autograd.grad(y.sum(), (q, k, v))
    return sum(kept.values()), largest.numbers


def test_blockwise_memory_is_linear_in_the_length() -> None:
    """Twice the length, twice the numbers: kept, and in the largest tensor that is ever made."""
    small, large = (memory(ops.blockwise_attention, n) for n in (1024, 2048))
    assert large[0] <= 2 * small[0]
    assert large[1] <= 2 * small[1]
    assert large[0] == 2048 * (4 * 4 + 1)  # queries, keys, values, results, a logarithm each
    plain = [memory(ops.scaled_dot_product_attention, n) for n in (1024, 2048)]
    assert plain[1][0] > 3.5 * plain[0][0]
    assert large[1] < plain[1][1] / 20


@pytest.mark.parametrize("causal", [False, True])
def test_the_size_of_blocks_changes_nothing(causal: bool) -> None:
    q, k, v = three(2, 50, 4)
    g = numbers(2, 50, 4, seed=4)
    expected = ops.scaled_dot_product_attention(q, k, v, is_causal=causal)
    bars = torch.autograd.grad(expected, (q, k, v), g)
    for size in (1, 7, 16, 50, 1000):
        y = ops.blockwise_attention(q, k, v, is_causal=causal, block_size=size)
        close(y, expected)
        close(torch.autograd.grad(y, (q, k, v), g), bars)


# --- positions ----------------------------------------------------------------------------------


def test_rotated_products_depend_on_the_distance_alone() -> None:
    q, k = numbers(1, 8), numbers(1, 8, seed=1)

    def product(t: int, s: int) -> float:
        turned = [ops.rotary_embedding(x, torch.tensor([n])) for x, n in ((q, t), (k, s))]
        return float((turned[0] * turned[1]).sum())

    close(product(5, 2), product(105, 102), 1e-10)
    close(product(0, 0), float((q * k).sum()))
    assert abs(product(5, 2) - product(5, 3)) > 1e-3


def test_rotations_keep_lengths_and_are_undone() -> None:
    x = numbers(2, 7, 6)
    y = ops.rotary_embedding(x)
    close(y.norm(dim=-1), x.norm(dim=-1))
    close(ops.rotary_embedding(y, -torch.arange(7)), x)


def test_a_shift_turns_the_waves() -> None:
    """Encoding t + k is the encoding of t, turned pair by pair by angles that k gives."""
    waves = ops.sinusoidal_encoding(50, 8, dtype=F64)
    pairs = waves.reshape(50, 4, 2)
    angles = 7 * 10_000.0 ** (-torch.arange(4, dtype=F64) / 4)
    sine, cosine = pairs[..., 0], pairs[..., 1]
    shifted = sine * angles.cos() + cosine * angles.sin()
    close(shifted[:43], sine[7:])


def test_encodings_grow_with_the_input() -> None:
    layer = dlbook.nn.SinusoidalEncoding(4).eval()
    x = torch.zeros(1, 300, 4)
    close(layer(x)[0], ops.sinusoidal_encoding(300, 4))
    close(layer(x[:, :2], 298), layer(x)[:, 298:])
    assert not layer.state_dict()


# --- modules ------------------------------------------------------------------------------------


def pair(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    ours = getattr(dlbook.nn, name)(*args, **kwargs).double()
    theirs = getattr(torch.nn, name)(*args, **kwargs).double()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def both(ours: Any, theirs: Any, call: Any) -> None:
    """The same outputs, and the same gradients of all parameters."""
    y, z = call(ours), call(theirs)
    close(y, z, 1e-11)
    g = numbers(*y.shape, seed=9)
    bars = torch.autograd.grad(y, list(ours.parameters()), g)
    close(bars, torch.autograd.grad(z, list(theirs.parameters()), g), 1e-11)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_multihead_attention_as_torchs(first: bool, weights: bool) -> None:
    """The ways that rows can't take: one input for all three, and no weights asked for."""
    ours, theirs = pair("MultiheadAttention", 8, 2, batch_first=first)
    x, m = numbers(3, 5, 8), numbers(*(3, 4, 8) if first else (4, 5, 8), seed=1)
    time, batch = (5, 3) if first else (3, 5)
    later = torch.ones(time, time, dtype=torch.bool).triu(1)
    padding = torch.zeros(batch, time, dtype=torch.bool)
    padding[0, -1] = True
    for settings in (
        {},
        {"attn_mask": later},
        {"attn_mask": later, "is_causal": True},
        {"key_padding_mask": padding},
        {"key_padding_mask": padding, "attn_mask": later},
        {"attn_mask": torch.zeros(time, time, dtype=F64).masked_fill(later, -torch.inf)},
    ):
        both(ours, theirs, lambda f, s=settings: f(x, x, x, need_weights=weights, **s)[0])
    both(ours, theirs, lambda f: f(x, m, m, need_weights=weights)[0])
    both(ours, theirs, lambda f: f(x, m, 2 * m, need_weights=weights)[0])
    for f in (ours, theirs):
        assert (f(x, x, x, need_weights=weights)[1] is None) is not weights


def test_causal_without_a_mask() -> None:
    layer = dlbook.nn.MultiheadAttention(8, 2, batch_first=True, add_zero_attn=True).double()
    x = numbers(2, 5, 8)
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    for weights in (False, True):
        expected = layer(x, x, x, need_weights=weights, attn_mask=later)[0]
        close(layer(x, x, x, need_weights=weights, is_causal=True)[0], expected)


def test_a_sequence_of_padding_alone() -> None:
    """Zeros before the last projection, with weights and without, and finite gradients."""
    layer = dlbook.nn.MultiheadAttention(8, 2, batch_first=True).double()
    x = numbers(2, 3, 8)
    padding = torch.tensor([[True] * 3, [False] * 3])
    for weights in (False, True):
        y, p = layer(x, x, x, padding, need_weights=weights)
        close(y[0], layer.out_proj.bias.expand(3, 8))
        assert p is None or not p[0].any()
        bars = torch.autograd.grad(y.sum(), list(layer.parameters()))
        assert all(bar.isfinite().all() for bar in bars)


@pytest.mark.parametrize("first", [False, True])
def test_stacks_as_torchs(first: bool) -> None:
    settings = {"batch_first": first, "dropout": 0.0}
    x, m = numbers(3, 4, 8), numbers(*(3, 6, 8) if first else (6, 4, 8), seed=1)
    padding = torch.zeros(*(3, 4) if first else (4, 3), dtype=torch.bool)
    padding[1, 2:] = True
    later = torch.ones(*[4 if first else 3] * 2, dtype=torch.bool).triu(1)
    encoders, decoders = [], []
    for library, more in ((dlbook.nn, {}), (torch.nn, {"enable_nested_tensor": False})):
        torch.manual_seed(2)
        layer = library.TransformerEncoderLayer(8, 2, 16, **settings)
        encoders.append(library.TransformerEncoder(layer, 2, library.LayerNorm(8), **more).double())
        layer = library.TransformerDecoderLayer(8, 2, 16, **settings)
        decoders.append(library.TransformerDecoder(layer, 2, library.LayerNorm(8)).double())
    for ours, theirs in (encoders, decoders):
        assert list(ours.state_dict()) == list(theirs.state_dict())
        theirs.load_state_dict(ours.state_dict(), strict=True)
        for mode in (True, False):
            ours.train(mode)
            theirs.train(mode)
            memory = () if ours is encoders[0] else (m,)
            both(ours, theirs, lambda f, memory=memory: f(x, *memory))
            both(ours, theirs, lambda f, memory=memory: f(x, *memory, later))
    both(*encoders, lambda f: f(x, later, padding))
    both(*decoders, lambda f: f(x, m, later, tgt_key_padding_mask=padding))
    causal = encoders[0](x, is_causal=True), decoders[0](x, m, tgt_is_causal=True)
    close(causal, (encoders[0](x, later), decoders[0](x, m, later)))
    for stack, made in (("TransformerEncoder", encoders), ("TransformerDecoder", decoders)):
        with pytest.raises(ValueError, match=f"{stack}: expected at least one layer"):
            getattr(dlbook.nn, stack)(made[0].layers[0], 0)


def test_layers_of_a_stack_are_copies() -> None:
    layer = dlbook.nn.TransformerEncoderLayer(4, 2, 8)
    stack = dlbook.nn.TransformerEncoder(layer, 2)
    first, second = (each.linear1.weight for each in stack.layers)
    assert torch.equal(first, second)
    assert first is not second
    assert copy.deepcopy(stack).layers[0].linear1.weight is not first


def test_keys_are_projected_once() -> None:
    """A decoder that looks back step by step sees what one that looks back at once does."""
    look = dlbook.nn.AdditiveAttention(6, 4, 8).double()
    states, memory = numbers(2, 3, 6), numbers(2, 5, 4, seed=1)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    y, p = look(states, memory, key_padding_mask=padding)
    projected = look.project(memory)
    for t in range(3):
        step = look(states[:, t : t + 1], memory, None, padding, projected)
        close(step[0][:, 0], y[:, t])
        close(step[1][:, 0], p[:, t])
    assert not p[1, :, 3:].any()
    close(p.sum(-1), torch.ones(2, 3, dtype=F64))


def test_a_transformer_layer_learns_to_copy_what_came_first() -> None:
    """Attention moves what it needs across a distance that nothing else bridges."""
    torch.manual_seed(0)
    layer = dlbook.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    head, table = dlbook.nn.Linear(16, 4), dlbook.nn.Embedding(4, 16)
    place = dlbook.nn.LearnedEncoding(8, 16)
    parameters = [p for m in (layer, head, table, place) for p in m.parameters()]
    optimizer = dlbook.optim.Adam(parameters, lr=0.01)
    g = torch.Generator().manual_seed(1)
    for _ in range(150):
        x = torch.randint(4, (32, 8), generator=g)
        loss = ops.cross_entropy(head(layer(place(table(x))))[:, -1], x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x = torch.randint(4, (200, 8), generator=g)
    found = head(layer(place(table(x))))[:, -1].argmax(-1)
    assert (found == x[:, 0]).float().mean() > 0.95
