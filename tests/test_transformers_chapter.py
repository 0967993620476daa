"""What the chapter on transformers says and doesn't run on its page, and what it must show."""

import gzip
import lzma
import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dlbook import models, ops, optim
from dlbook.data import source_code
from dlbook.data.tokenizers import BytePairTokenizer

F64 = torch.float64
WINDOW, BATCH = 64, 16


def small() -> models.GPT:
    return models.GPT(vocabulary=128, context=WINDOW, layers=2, heads=4, width=64)


def trained(steps: int, seed: int) -> models.GPT:
    """The page's network, after so many steps of the page's training."""
    torch.manual_seed(seed)
    model, corpus = small(), source_code.load()
    inside = [p for p in model.blocks.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if not any(p is q for q in inside)]
    optimizers: list[torch.optim.Optimizer] = [
        optim.Muon(inside, lr=0.02, weight_decay=0),
        optim.AdamW(rest, lr=0.015, betas=(0.9, 0.95), weight_decay=0),
    ]

    def share(t: int) -> float:
        return min((t + 1) / 50, 1, (steps - t) / (0.6 * steps))

    schedules = [optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in optimizers]
    generator = torch.Generator().manual_seed(seed)
    for x, y in source_code.batches(corpus.train, BATCH, WINDOW, steps=steps, generator=generator):
        for optimizer in optimizers:
            optimizer.zero_grad()
        ops.cross_entropy(model(x).flatten(0, 1), y.flatten()).backward()
        for optimizer, schedule in zip(optimizers, schedules):
            optimizer.step()
            schedule.step()
    return model


@torch.no_grad()
def bits_per_byte(model: nn.Module, begin: int = 0) -> Tensor:
    """The network's mean cross-entropy at each place of every fourth window for validation."""
    windows = source_code.windows(source_code.load().validation[begin:], WINDOW)
    some = windows.take(torch.arange(0, len(windows), 4))
    total = torch.zeros(WINDOW)
    for x, y in zip(some.x.split(64), some.y.split(64)):
        nats = ops.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none")
        total += nats.view(y.shape).sum(0) / math.log(2)
    return total / len(some)


def moving(model: nn.Module) -> float:
    """Only what has 32 bytes or more before it is counted."""
    half = WINDOW // 2
    return float(
        (bits_per_byte(model)[half:].mean() + bits_per_byte(model, half)[half:].mean()) / 2
    )


def bigram_bits() -> float:
    corpus = source_code.load()
    seen, asked = (
        torch.bincount(s[:-1].long() * 128 + s[1:].long(), minlength=128 * 128).view(128, 128)
        for s in (corpus.train, corpus.validation)
    )
    after = (seen + 1.0) / (seen + 1.0).sum(1, keepdim=True)
    return float(-(asked * after.log2()).sum() / asked.sum())


def programs() -> tuple[float, float]:
    """Bits per byte of gzip and of xz."""
    text = bytes(source_code.load().validation.tolist())
    return tuple(8 * len(b) / len(text) for b in (gzip.compress(text, 9), lzma.compress(text)))


@pytest.mark.slow
@pytest.mark.untyped  # annotations checked at every step take long
@pytest.mark.parametrize("seed", range(5))
def test_a_short_training_beats_the_bigram(seed: int) -> None:
    assert float(bits_per_byte(trained(300, seed)).mean()) < bigram_bits() - 0.3


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.timeout(900)
def test_twice_the_training_beats_gzip_and_not_xz() -> None:
    gzipped, xz = programs()
    assert xz < moving(trained(2500, 0)) < gzipped < bigram_bits() - 1


def test_a_block_taken_apart() -> None:
    """One block from plain products, with the shapes that the page prints."""
    torch.manual_seed(0)
    block = small().double().blocks[0]
    x = torch.randn(1, 8, 64, dtype=F64)

    def norm(u: Tensor, module: nn.LayerNorm) -> Tensor:
        centred = u - u.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + module.eps).sqrt()
        return scaled * module.weight + module.bias

    def affine(u: Tensor, module: nn.Linear) -> Tensor:
        return u @ module.weight.T + module.bias

    three = affine(norm(x, block.norm1), block.attention.in_proj)
    assert three.shape == (1, 8, 192)
    q, k, v = (u.view(1, 8, 4, 16).transpose(1, 2) for u in three.split(64, -1))
    scores = q @ k.mT / 4
    assert scores.shape == (1, 4, 8, 8)
    hidden_from = torch.ones(8, 8).triu(1).bool()
    weights = scores.masked_fill(hidden_from, -math.inf).softmax(-1)
    side = (weights @ v).transpose(1, 2).reshape(1, 8, 64)
    h = x + affine(side, block.attention.out_proj)
    inner = affine(norm(h, block.norm2), block.linear1)
    assert inner.shape == (1, 8, 256)
    gelu = 0.5 * inner * (1 + torch.tanh((2 / math.pi) ** 0.5 * (inner + 0.044715 * inner**3)))
    y = h + affine(gelu, block.linear2)
    torch.testing.assert_close(block(x), y, rtol=1e-10, atol=1e-10)


def test_the_cache_gives_the_same_tokens_for_a_small_part_of_the_work() -> None:
    torch.manual_seed(0)
    model = small().eval()
    first, products = torch.tensor([[100]]), []
    written = []
    for cache in (False, True):
        generator = torch.Generator().manual_seed(1)
        with FlopCounterMode(display=False) as counter:
            written.append(model.generate(first, 60, generator=generator, cache=cache))
        products.append(counter.get_total_flops())
    assert torch.equal(*written)
    assert products[0] > 20 * products[1]


def test_what_blockwise_attention_keeps_grows_with_the_length() -> None:
    def kept(length: int) -> int:
        held: dict[int, int] = {}

        def keep(x: Tensor) -> Tensor:
            held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes() // 4
            return x

        q, k, v = (torch.randn(1, length, 32, requires_grad=True) for _ in range(3))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            ops.blockwise_attention(q, k, v, is_causal=True)
        return sum(held.values())

    assert [kept(n) for n in (256, 512, 1024)] == [n * (4 * 32 + 1) for n in (256, 512, 1024)]


def test_pieces_are_longer_than_bytes_and_give_the_text_back() -> None:
    corpus = source_code.load()
    tokenizer = BytePairTokenizer.train(source_code.decode(corpus.train[:100_000]), 512)
    text = source_code.decode(corpus.validation[:50_000])
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert len(text.encode()) > 1.7 * len(tokens)


def test_a_vision_transformer_without_positions_reads_a_heap_of_patches() -> None:
    torch.manual_seed(0)
    model = models.VisionTransformer(8, 2, 2, 4, 32, 64, num_classes=10, in_channels=1).double()
    nn.init.normal_(model.heads.head.weight)
    x = torch.rand(3, 1, 8, 8, dtype=F64)
    swapped = torch.cat([x[..., 4:], x[..., :4]], -1)  # whole patches change places
    nn.init.normal_(model.encoder.pos_embedding)
    assert not torch.allclose(model(x), model(swapped), atol=1e-3)
    nn.init.zeros_(model.encoder.pos_embedding)
    torch.testing.assert_close(model(x), model(swapped), rtol=1e-9, atol=1e-9)
