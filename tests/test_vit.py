"""The vision transformer: names, shapes and counts as torchvision's, patches, and positions."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from dlbook import nn, optim
from dlbook.models import VisionTransformer, ViTBlock, vit_b_16, vit_b_32, vit_l_16


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64)


def small(**more: Any) -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(8, 4, 2, 2, 12, 16, num_classes=3, **more).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model


# --- names and shapes, as torchvision.models.vision_transformer gives them -----------------------


def published(patch: int, layers: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "class_token", (1, 1, width)
    yield "conv_proj.weight", (width, 3, patch, patch)
    yield "conv_proj.bias", (width,)
    yield "encoder.pos_embedding", (1, (224 // patch) ** 2 + 1, width)
    for layer in range(layers):
        block = f"encoder.layers.encoder_layer_{layer}"
        for norm in ("ln_1", "ln_2"):
            yield f"{block}.{norm}.weight", (width,)
            yield f"{block}.{norm}.bias", (width,)
        yield f"{block}.self_attention.in_proj_weight", (3 * width, width)
        yield f"{block}.self_attention.in_proj_bias", (3 * width,)
        yield f"{block}.self_attention.out_proj.weight", (width, width)
        yield f"{block}.self_attention.out_proj.bias", (width,)
        for place, out, inside in ((0, 4 * width, width), (3, width, 4 * width)):
            yield f"{block}.mlp.{place}.weight", (out, inside)
            yield f"{block}.mlp.{place}.bias", (out,)
    yield "encoder.ln.weight", (width,)
    yield "encoder.ln.bias", (width,)
    yield "heads.head.weight", (1000, width)
    yield "heads.head.bias", (1000,)


@pytest.mark.parametrize(
    ("make", "sizes", "count"),
    [
        (vit_b_16, (16, 12, 768), 86_567_656),
        (vit_b_32, (32, 12, 768), 88_224_232),
        (vit_l_16, (16, 24, 1024), 304_326_632),
    ],
)
def test_names_shapes_and_counts(
    make: Callable[..., VisionTransformer], sizes: tuple[int, int, int], count: int
) -> None:
    with torch.device("meta"):
        model = make()
        images = torch.empty(2, 3, 224, 224)
    found = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    assert found == dict(published(*sizes))
    assert sum(p.numel() for p in model.parameters()) == count
    assert model.patches(images).shape == (2, (224 // sizes[0]) ** 2, sizes[2])


def test_other_sizes() -> None:
    with torch.device("meta"):
        model = vit_b_16(image_size=32, num_classes=10, in_channels=1)
    assert model.encoder.pos_embedding.shape == (1, 5, 768)
    assert model.heads.head.weight.shape == (10, 768)
    assert model.conv_proj.weight.shape == (768, 1, 16, 16)


# --- what it computes ---------------------------------------------------------------------------


def test_patches_are_products_with_pieces_of_the_image() -> None:
    model, x = small(), numbers(2, 3, 8, 8)
    found = model.patches(x)
    weight = model.conv_proj.weight.flatten(1)
    for n, (i, j) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        piece = x[:, :, i : i + 4, j : j + 4].flatten(1)
        torch.testing.assert_close(found[:, n], piece @ weight.T + model.conv_proj.bias)


def test_only_positions_know_where_a_patch_is() -> None:
    """Without them the scores stay when patches change places; with them they don't."""
    model, x = small(), numbers(2, 3, 8, 8)
    moved = torch.roll(x, 4, -1)
    assert not torch.isclose(model(moved), model(x)).any()
    with torch.no_grad():
        model.encoder.pos_embedding[:, 1:] = model.encoder.pos_embedding[:, 1:2].clone()
    torch.testing.assert_close(model(moved), model(x))


def test_a_block_is_an_encoder_layer_under_other_names() -> None:
    torch.manual_seed(0)
    block = ViTBlock(2, 8, 16).double()
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
    ).double()
    names = {
        "ln_1": "norm1",
        "ln_2": "norm2",
        "self_attention": "self_attn",
        "mlp.0": "linear1",
        "mlp.3": "linear2",
    }
    state = {}
    for name, p in block.state_dict().items():
        place = next(old for old in names if name.startswith(old))
        state[names[place] + name.removeprefix(place)] = p
    layer.load_state_dict(state, strict=True)
    x = numbers(2, 5, 8)
    torch.testing.assert_close(block(x), layer(x))


def test_initial_values() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 1, 4, 64, 128)
    assert not model.class_token.any()
    assert not model.heads.head.weight.any()
    assert not model(torch.randn(2, 3, 32, 32)).any()
    assert model.conv_proj.weight.std().item() == pytest.approx((3 * 64) ** -0.5, rel=0.03)
    assert model.encoder.pos_embedding.std().item() == pytest.approx(0.02, rel=0.1)
    linear = model.encoder.layers.encoder_layer_0.mlp[0]
    assert linear.weight.abs().max().item() <= (6 / (64 + 128)) ** 0.5
    assert linear.bias.abs().max().item() < 1e-5


def test_dropout_is_off_in_evaluation_only() -> None:
    model, still, x = small(dropout=0.3, attention_dropout=0.3), small(), numbers(2, 3, 8, 8)
    assert torch.equal(model.eval()(x), still(x))
    model.train()
    assert not torch.isclose(model(x), model(x)).any()


def test_it_learns_where_a_square_is() -> None:
    """The square has no other mark than its place: a quarter of the image."""
    torch.manual_seed(0)
    model = VisionTransformer(8, 4, 1, 2, 16, 32, num_classes=4, in_channels=1)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
    loss_of, g = nn.CrossEntropyLoss(), torch.Generator().manual_seed(0)

    def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.randint(4, (n,), generator=g)
        images = 0.3 * torch.randn(n, 1, 8, 8, generator=g)
        for i, label in enumerate(labels.tolist()):
            row, column = 4 * (label // 2), 4 * (label % 2)
            row, column = (c + int(torch.randint(3, (), generator=g)) for c in (row, column))
            images[i, 0, row : row + 2, column : column + 2] += 2
        return images, labels

    for _ in range(100):
        images, labels = batch(32)
        loss = loss_of(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, labels = batch(200)
    assert (model(images).argmax(1) == labels).float().mean() >= 0.97
