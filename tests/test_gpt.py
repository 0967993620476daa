"""GPT: what a position sees, what is kept, how tokens are drawn, and the published weights."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dlbook import nn, optim
from dlbook.models import GPT, KeyValueCache, convert_gpt2, gpt2, keep_top_k, keep_top_p, sample

F64 = torch.float64


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(seed: int = 0, **more: Any) -> GPT:
    """A network whose numbers are large enough for its positions to matter."""
    torch.manual_seed(seed)
    model = GPT(vocabulary=11, context=8, layers=3, heads=2, width=12, **more).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model


def text(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(11, shape, generator=source(seed))


# --- what a position sees -----------------------------------------------------------------------


def test_a_later_token_changes_no_earlier_score() -> None:
    model, tokens = small(), text(2, 8)
    before = model(tokens)
    for place in range(1, 8):
        other = tokens.clone()
        other[:, place] = (other[:, place] + 1) % 11
        after = model(other)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.isclose(after[:, place:], before[:, place:]).all(-1).any()


def test_no_gradient_comes_from_later_tokens() -> None:
    model, tokens = small(), text(1, 6)
    x = model.tokens(tokens).detach().requires_grad_()

    def scores(x: Tensor) -> Tensor:
        x = model.positions(x)
        for block in model.blocks:
            x = block(x)
        return model.scores(model.norm(x))

    bar = torch.randn(11, generator=source(), dtype=F64)
    for place, at in enumerate(scores(x)[0]):
        (grad,) = torch.autograd.grad(at, x, bar, retain_graph=True)
        assert grad[0].any(-1).tolist() == [s <= place for s in range(6)]


def test_positions_matter() -> None:
    model = small()
    same = torch.full((1, 8), 3)
    scores = model(same)[0]
    assert torch.pdist(scores).min() > 1e-3
    with torch.no_grad():
        model.positions.weight.zero_()
    torch.testing.assert_close(model(same)[0], model(same)[0, :1].expand(8, -1))


def test_one_table_has_two_uses() -> None:
    """Its gradient is the sum of both."""
    tied, loose, tokens = small(), small(tied=False), text(2, 5)
    assert sum(p.numel() for p in loose.parameters()) == 11 * 12 + sum(
        p.numel() for p in tied.parameters()
    )
    state = tied.state_dict()
    loose.load_state_dict({**state, "head.weight": state["tokens.weight"]})
    assert loose.head is not None
    bar = torch.randn(2, 5, 11, generator=source(), dtype=F64)
    outputs = []
    for model in (tied, loose):
        outputs.append(model(tokens))
        outputs[-1].backward(bar)
    assert torch.equal(*outputs)
    assert loose.head.weight.grad is not None
    expected = loose.tokens.weight.grad + loose.head.weight.grad
    torch.testing.assert_close(tied.tokens.weight.grad, expected)


def test_initial_values() -> None:
    torch.manual_seed(0)
    model = GPT(200, 100, 8, 4, 64)
    expected = {"out_proj.weight": 0.02 / 4, "linear2.weight": 0.02 / 4}  # √(2 · 8) = 4
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert not p.any(), name
        elif "norm" in name:
            assert torch.equal(p, torch.ones_like(p)), name
        else:
            std = next((s for end, s in expected.items() if name.endswith(end)), 0.02)
            assert p.std().item() == pytest.approx(std, rel=0.05), name
            assert abs(p.mean().item()) < std / 10, name


def test_dropout_is_off_in_evaluation_only() -> None:
    model, still, tokens = small(dropout=0.5), small(), text(2, 8)
    assert torch.equal(model.eval()(tokens), still(tokens))
    model.train()
    torch.manual_seed(1)
    drawn = [model(tokens) for _ in range(2)]
    assert not torch.isclose(*drawn).any(-1).all()
    mean = torch.stack([model.blocks[0].dropout(torch.ones(1000)) for _ in range(20)]).mean()
    assert mean.item() == pytest.approx(1, abs=0.05)


def test_it_learns_to_copy_what_stood_three_places_before() -> None:
    """Only attention by position can do this; a table of pairs of tokens can't."""
    torch.manual_seed(0)
    model = GPT(vocabulary=5, context=12, layers=1, heads=1, width=32)
    optimizer = optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    loss_of = nn.CrossEntropyLoss()
    g = source()
    for _ in range(120):
        tokens = torch.randint(5, (16, 3), generator=g).repeat(1, 5)[:, :13]
        loss = loss_of(model(tokens[:, :-1])[:, 3:].flatten(0, 1), tokens[:, 4:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
    start = torch.randint(5, (20, 3), generator=g)
    found = model.generate(torch.cat([start, start[:, :1]], 1), 8, temperature=0)
    assert torch.equal(found, start.repeat(1, 4))


# --- what is kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [[1] * 8, [3, 1, 1, 3], [8], [2, 6], [7, 1]])
@torch.no_grad()
def test_a_cache_changes_no_score(cuts: list[int]) -> None:
    model, tokens = small(), text(3, 8)
    cache = KeyValueCache(3, 8)
    found = torch.cat([model(part, cache) for part in tokens.split(cuts, 1)], 1)
    torch.testing.assert_close(found, model(tokens), rtol=1e-12, atol=1e-12)
    assert cache.length == 8


@pytest.mark.parametrize("keep", [None, 1, 5, 8])
@pytest.mark.parametrize("length", [1, 3, 8, 13])
def test_a_cache_changes_no_token(length: int, keep: int | None) -> None:
    """Also far beyond the context, and from a text that is longer than it."""
    model, start = small(), text(4, length)
    drawn = [
        model.generate(start, 30, generator=source(7), cache=cache, keep=keep)
        for cache in (True, False)
    ]
    assert drawn[0].shape == (4, length + 30)
    assert torch.equal(drawn[0][:, :length], start)
    assert torch.equal(*drawn)


def test_a_cache_spares_work() -> None:
    """Rows that go through the network: the text once, and one for each token after the first."""
    model, rows = small(), []
    model.blocks[0].linear1.register_forward_pre_hook(lambda _m, a: rows.append(a[0].shape[1]))
    model.generate(text(2, 3), 5)
    assert rows == [3, 1, 1, 1, 1]
    rows.clear()
    model.generate(text(2, 3), 5, cache=False)
    assert rows == [3, 4, 5, 6, 7]
    rows.clear()
    model.generate(text(2, 3), 14)  # at nine tokens, half of the context goes on
    assert rows == [3, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4, 1, 1]


def test_caches_refuse() -> None:
    model, tokens = small(), text(2, 5)
    with pytest.raises(RuntimeError, match=r"under torch\.no_grad"):
        model(tokens, KeyValueCache(3, 8))
    with torch.no_grad():
        cache = KeyValueCache(3, 8)
        model(tokens, cache)
        with pytest.raises(ValueError, match="with T at most 3, got \\(2, 4\\)"):
            model(tokens[:, :4], cache)
        with pytest.raises(ValueError, match="expected the 2 sequences that it holds, got 1"):
            model(tokens[:1, :1], cache)
        with pytest.raises(ValueError, match="expected at most 4 positions, got 5"):
            model(tokens, KeyValueCache(3, 4))


# --- drawing ------------------------------------------------------------------------------------


def test_greedy_takes_the_best_of_each_step() -> None:
    model, start = small(), text(3, 2)
    tokens = start
    for _ in range(6):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], 1)
    assert torch.equal(model.generate(start, 6, temperature=0), tokens)
    assert torch.equal(model.generate(start, 6, top_k=1), tokens)
    assert torch.equal(model.generate(start, 6, top_p=1e-9), tokens)


def test_the_context_goes_on_with_what_is_kept() -> None:
    model, start = small(), text(2, 8)
    sliding = start
    for _ in range(5):
        sliding = torch.cat([sliding, model(sliding[:, -8:])[:, -1:].argmax(-1)], 1)
    assert torch.equal(model.generate(start, 5, temperature=0, keep=8), sliding)
    jumping = sliding[:, :9]
    for _ in range(4):  # the last five are in view, then six, seven and eight
        jumping = torch.cat([jumping, model(jumping[:, 4:])[:, -1:].argmax(-1)], 1)
    assert torch.equal(model.generate(start, 5, temperature=0, keep=5), jumping)
    assert not torch.equal(jumping, sliding)


def test_a_stop_ends_each_text_for_itself() -> None:
    model, start = small(), text(6, 2)
    free = model.generate(start, 20, generator=source(3))
    found = model.generate(start, 20, generator=source(3), stop=4)
    ends = [(row[2:] == 4).nonzero() for row in free]
    lengths = [int(end[0]) + 3 if len(end) else 22 for end in ends]
    assert len(set(lengths)) > 1
    for row, whole, length in zip(found, free, lengths):
        shown = min(length, found.shape[1])
        assert torch.equal(row[:shown], whole[:shown])
        assert (row[length:] == 4).all()
    assert found.shape[1] == max(lengths)


def test_generate_leaves_the_network_as_it_was() -> None:
    model, start = small(dropout=0.5), text(1, 2)
    assert model.training
    drawn = [model.generate(start, 5, generator=source(1)) for _ in range(2)]
    assert model.training
    assert torch.equal(*drawn)
    assert not drawn[0].requires_grad
    model.eval()
    model.generate(start, 1)
    assert not model.training


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(text(2, 0), 1), "expected at least one token to begin with"),
        (lambda m: m.generate(text(2), 1), "expected at least one token to begin with"),
        (lambda m: m.generate(text(2, 2), 1, keep=9), "expected to keep from 1 to 8 tokens, got 9"),
        (lambda m: m.generate(text(2, 2), 1, keep=0), "expected to keep from 1 to 8 tokens, got 0"),
        (lambda _: sample(torch.zeros(3), -1.0), "expected a temperature of at least 0, got -1.0"),
        (lambda _: keep_top_k(torch.zeros(3), 0), "expected to keep at least one token, got k=0"),
        (lambda _: keep_top_p(torch.zeros(3), 0.0), "expected a probability above 0 and at most 1"),
        (lambda _: keep_top_p(torch.zeros(3), 1.5), "expected a probability above 0 and at most 1"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(small())


def test_top_k_by_sorting() -> None:
    scores = torch.randn(4, 5, 9, generator=source(), dtype=F64)
    for k in (1, 3, 9, 20):
        kept = keep_top_k(scores, k)
        for row, found in zip(scores.flatten(0, 1).tolist(), kept.flatten(0, 1).tolist()):
            best = sorted(row, reverse=True)[:k]
            assert found == [z if z in best else -torch.inf for z in row]
    assert keep_top_k(torch.tensor([1.0, 2.0, 2.0]), 1).tolist() == [-torch.inf, 2.0, 2.0]


def test_top_p_by_adding_up() -> None:
    scores = 2 * torch.randn(6, 9, generator=source(), dtype=F64)
    for p in (1e-6, 0.3, 0.8, 0.999, 1.0):
        for row, found in zip(scores, keep_top_p(scores, p), strict=True):
            probabilities = functional.softmax(row, -1).tolist()
            together, kept = 0.0, []
            for i in sorted(range(9), key=lambda i: -probabilities[i]):
                if together >= p:
                    break
                kept.append(i)
                together += probabilities[i]
            assert [i for i in range(9) if found[i] > -torch.inf] == sorted(kept)
            assert torch.equal(found[kept], row[kept])
    given = torch.tensor([0.0, -torch.inf, 1.0])  # what has been left out before stays out
    assert keep_top_p(given, 1.0).tolist() == given.tolist()
    assert keep_top_p(given, 0.99).tolist() == given.tolist()


def test_shares_of_drawn_tokens() -> None:
    """20,000 draws lie within four standard deviations of what each setting says."""
    scores = torch.tensor([2.0, 0.5, 1.0, -1.0, 0.0])
    n = 20_000
    settings: list[dict[str, Any]] = [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 2},
        {"top_p": 0.8},
        {"temperature": 2.0, "top_k": 4, "top_p": 0.7},
    ]
    for setting in settings:
        z = scores / setting.get("temperature", 1.0)
        p = functional.softmax(z, -1)
        order = p.argsort(descending=True)
        order = order[: setting.get("top_k", 5)]
        q = p[order] / p[order].sum()
        count = next(i for i in range(1, 6) if q[:i].sum() >= setting.get("top_p", 1.0) - 1e-6)
        expected = torch.zeros(5)
        expected[order[:count]] = q[:count] / q[:count].sum()
        drawn = sample(scores.expand(n, 5), generator=source(5), **setting)
        shares = torch.bincount(drawn, minlength=5) / n
        spread = (expected * (1 - expected) / n).sqrt()
        assert ((shares - expected).abs() <= 4 * spread).all(), setting


def test_drawing_keeps_shapes_and_repeats_itself() -> None:
    scores = torch.randn(2, 3, 7, generator=source())
    first, second = (sample(scores, 0.7, 5, 0.9, source(2)) for _ in range(2))
    assert first.shape == (2, 3)
    assert torch.equal(first, second)
    assert sample(scores[0, 0], generator=source()).shape == ()
    assert torch.equal(sample(scores, 0), scores.argmax(-1))


# --- the published weights ----------------------------------------------------------------------
#
# Names and shapes as the checkpoint of the smallest GPT-2 has them in Hugging Face's library, where
# linear layers ("Conv1D") hold (inputs, outputs).


def published(prefix: str = "", masks: bool = True) -> Iterator[tuple[str, tuple[int, ...]]]:
    width = 768
    yield f"{prefix}wte.weight", (50257, width)
    yield f"{prefix}wpe.weight", (1024, width)
    for layer in range(12):
        h = f"{prefix}h.{layer}"
        yield f"{h}.ln_1.weight", (width,)
        yield f"{h}.ln_1.bias", (width,)
        if masks:
            yield f"{h}.attn.bias", (1, 1, 1024, 1024)
            yield f"{h}.attn.masked_bias", ()
        yield f"{h}.attn.c_attn.weight", (width, 2304)
        yield f"{h}.attn.c_attn.bias", (2304,)
        yield f"{h}.attn.c_proj.weight", (width, width)
        yield f"{h}.attn.c_proj.bias", (width,)
        yield f"{h}.ln_2.weight", (width,)
        yield f"{h}.ln_2.bias", (width,)
        yield f"{h}.mlp.c_fc.weight", (width, 3072)
        yield f"{h}.mlp.c_fc.bias", (3072,)
        yield f"{h}.mlp.c_proj.weight", (3072, width)
        yield f"{h}.mlp.c_proj.bias", (width,)
    yield f"{prefix}ln_f.weight", (width,)
    yield f"{prefix}ln_f.bias", (width,)
    if prefix:
        yield "lm_head.weight", (50257, width)


@pytest.mark.parametrize("prefix", ["", "transformer."])
@pytest.mark.parametrize("masks", [True, False])
def test_published_names_and_shapes(prefix: str, masks: bool) -> None:
    with torch.device("meta"):
        weights = {name: torch.empty(shape) for name, shape in published(prefix, masks)}
        model = gpt2()
    found = convert_gpt2(weights)
    expected = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    assert {name: tuple(p.shape) for name, p in found.items()} == expected
    model.load_state_dict(found, strict=True, assign=True)
    assert sum(p.numel() for p in model.parameters()) == 124_439_808
    counted = [n for n, _ in published(masks=False)]
    assert len(found) == len(counted) == 148


def by_hand(weights: dict[str, Tensor], tokens: Tensor, layers: int, heads: int) -> Tensor:
    """GPT-2 as it was published: products from the right, a mask of large negative numbers."""

    def affine(x: Tensor, name: str) -> Tensor:
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        x = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    length = tokens.shape[1]
    x = weights["wte.weight"][tokens] + weights["wpe.weight"][:length]
    seen = torch.ones(length, length).tril().bool()
    for layer in range(layers):
        h = f"h.{layer}"
        q, k, v = affine(norm(x, f"{h}.ln_1"), f"{h}.attn.c_attn").chunk(3, -1)
        found = []
        for a, b, c in zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1)):
            scores = (a @ b.mT / a.shape[-1] ** 0.5).where(seen, -1e9)
            found.append(scores.softmax(-1) @ c)
        x = x + affine(torch.cat(found, -1), f"{h}.attn.c_proj")
        u = affine(norm(x, f"{h}.ln_2"), f"{h}.mlp.c_fc")
        u = 0.5 * u * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (u + 0.044715 * u**3)))
        x = x + affine(u, f"{h}.mlp.c_proj")
    return norm(x, "ln_f") @ weights["wte.weight"].T


def test_converted_weights_give_the_same_scores() -> None:
    """Numbers in the published layout, through the published formula and through our network."""
    model, g = small(), source(1)
    weights: dict[str, Tensor] = {}
    for name, shape in published(masks=True):
        if name.startswith("h.") and int(name.split(".")[1]) >= 3:
            continue
        scaled = {768: 12, 2304: 36, 3072: 48, 50257: 11, 1024: 8}
        size = [scaled.get(n, n) for n in shape]
        weights[name] = torch.randn(size, generator=g, dtype=F64) / 3
    model.load_state_dict(convert_gpt2(weights), strict=True)
    tokens = text(2, 8)
    expected = by_hand(weights, tokens, layers=3, heads=2)
    torch.testing.assert_close(model(tokens), expected, rtol=1e-11, atol=1e-11)
    with_prefix = {f"transformer.{name}": w for name, w in weights.items()}
    with_prefix["lm_head.weight"] = weights["wte.weight"].clone()
    model.load_state_dict(convert_gpt2(with_prefix), strict=True)
    torch.testing.assert_close(model(tokens), expected, rtol=1e-11, atol=1e-11)


def test_conversion_refuses() -> None:
    with pytest.raises(ValueError, match=r"name of GPT-2's weights, got 'h\.0\.attn\.q\.weight'"):
        convert_gpt2({"h.0.attn.q.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"expected a matrix for h\.0\.mlp\.c_fc"):
        convert_gpt2({"h.0.mlp.c_fc.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="to be the table of tokens, got another"):
        convert_gpt2({"wte.weight": torch.zeros(2, 3), "lm_head.weight": torch.ones(2, 3)})
