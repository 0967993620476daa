r"""The transformer of 2017: an encoder of one sequence, and a decoder of another that looks at it.

It is the network of Vaswani and others, "Attention is all you need" (2017). Tokens of both
sequences become features by tables, times :math:`\sqrt E`, to which waves are added that tell the
positions. The encoder's positions look at all of each other; the decoder's at those before them,
and at the encoder's output, the *memory*. What the decoder is given is the target, shifted by one:
a token of beginning first, and so its scores at each position are for the next token.

Chapter: :doc:`/sequences/transformers`.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlbook import init
from dlbook.nn.attention import SinusoidalEncoding
from dlbook.nn.layers import Embedding, Linear
from dlbook.nn.normalization import LayerNorm
from dlbook.nn.transformers import (
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from dlbook.ops import layers

__all__ = ["Transformer"]


class Transformer(nn.Module):
    r"""Scores for the next token of a target, from a source and the target up to there.

    .. math:: m = \operatorname{encoder}\bigl( \sqrt E\,S_{i} + \text{waves} \bigr), \qquad
        z = W \operatorname{decoder}\bigl( \sqrt E\,T_{j} + \text{waves},\; m \bigr) + b

    for a table :math:`S` of the source's tokens and a table :math:`T` of the target's. Rows begin
    as normal numbers of variance 1 / E, so that the features begin with variance 1, as the waves
    have one half; all other matrices as :func:`dlbook.init.xavier_uniform_` draws them.

    Args:
        source_vocabulary: tokens that a source is written in.
        target_vocabulary: tokens that a target is written in, V.
        d_model: features of a position, E; even.
        nhead: heads of each attention, which divide E.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dim_feedforward: hidden units of each layer's network.
        dropout: the probability for sums with waves, weights, hidden units and what layers add.
        norm_first: normalise before attention and network rather than after, and once at the end.
        padding: the token that fills up shorter sequences of a batch; nobody looks at it.
        tied: one table for source, target and scores, as in the paper; the vocabularies are one.

    Attributes:
        source: the table of the source's tokens.
        target: the table of the target's.
        positions: adds the waves.
        encoder: the encoder's layers.
        decoder: the decoder's.
        head: the layer for the scores; its weight is the table if ``tied``.

    Raises:
        ValueError: if E is odd or not divided by the heads, ``padding`` is no token, ``tied``
            vocabularies differ, or (when called) the sequences do not fit.

    Example:
        >>> model = Transformer(10, 12, d_model=8, nhead=2, dim_feedforward=16)
        >>> model(torch.tensor([[3, 1, 4, 1]]), torch.tensor([[0, 5, 9]])).shape
        torch.Size([1, 3, 12])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        norm_first: bool = False,
        padding: int | None = None,
        tied: bool = False,
    ) -> None:
        super().__init__()
        if d_model < 2 or d_model % 2 or nhead < 1 or d_model % nhead:
            raise ValueError(
                f"Transformer: expected an even number of features that the heads divide, got "
                f"d_model={d_model} and nhead={nhead}"
            )
        fewest = min(source_vocabulary, target_vocabulary)
        if fewest < 1 or (padding is not None and not 0 <= padding < fewest):
            raise ValueError(
                f"Transformer: expected vocabularies of at least 1 token, padding among them, got "
                f"{source_vocabulary} and {target_vocabulary} tokens, padding={padding}"
            )
        if tied and source_vocabulary != target_vocabulary:
            raise ValueError(
                f"Transformer: expected one vocabulary if tied, got {source_vocabulary} and "
                f"{target_vocabulary} tokens"
            )
        self.d_model, self.padding = d_model, padding
        self.source = Embedding(source_vocabulary, d_model)
        self.target = self.source if tied else Embedding(target_vocabulary, d_model)
        self.positions = SinusoidalEncoding(d_model, dropout)
        settings = d_model, nhead, dim_feedforward, dropout
        self.encoder = TransformerEncoder(
            TransformerEncoderLayer(*settings, batch_first=True, norm_first=norm_first),
            num_encoder_layers,
            LayerNorm(d_model) if norm_first else None,
        )
        self.decoder = TransformerDecoder(
            TransformerDecoderLayer(*settings, batch_first=True, norm_first=norm_first),
            num_decoder_layers,
            LayerNorm(d_model) if norm_first else None,
        )
        self.head = Linear(d_model, target_vocabulary)
        if tied:
            self.head.weight = self.source.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values, for each layer its own."""
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        if self.head.bias is not None:
            init.zeros_(self.head.bias)
        for table in (self.source, self.target):
            init.normal_(table.weight, std=self.d_model**-0.5)

    def encode(self, source: Int[Tensor, "B S"]) -> tuple[Float[Tensor, "B S E"], Tensor | None]:
        """Return the memory, and which of its positions are hidden, or None.

        Args:
            source: tokens.
        """
        hidden = self._hidden(source)
        memory: Tensor = self.encoder(self._features(source, self.source), None, hidden)
        return memory, hidden

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S E"],
        hidden: Tensor | None = None,
    ) -> Float[Tensor, "B T E"]:
        """Return the decoder's output.

        Args:
            target: tokens, that of the beginning first.
            memory: what :meth:`encode` returned.
            hidden: the same.
        """
        features: Tensor = self.decoder(
            self._features(target, self.target),
            memory,
            tgt_key_padding_mask=self._hidden(target),
            memory_key_padding_mask=hidden,
            tgt_is_causal=True,
        )
        return features

    def forward(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        """Give scores for what follows each position of the target.

        Args:
            source: tokens.
            target: tokens, that of the beginning first.
        """
        if source.ndim != 2 or target.ndim != 2 or len(source) != len(target):
            raise ValueError(
                f"Transformer: expected tokens of shapes (B, S) and (B, T), got "
                f"{tuple(source.shape)} and {tuple(target.shape)}"
            )
        return self.scores(self.decode(target, *self.encode(source)))

    def scores(self, features: Float[Tensor, "*B E"]) -> Float[Tensor, "*B V"]:
        """The scores of all tokens, from the decoder's output."""
        return layers.linear(features, self.head.weight, self.head.bias)

    def _features(self, tokens: Tensor, table: nn.Module) -> Tensor:
        x: Tensor = self.positions(table(tokens) * math.sqrt(self.d_model))
        return x

    def _hidden(self, tokens: Tensor) -> Tensor | None:
        return None if self.padding is None else tokens == self.padding

    @torch.no_grad()
    def generate(self, source: Tensor, begin: int, end: int, limit: int) -> Tensor:
        """Write a target token by token, each time the one with the best score.

        Dropout is off meanwhile, and the source is read once. The token of padding is never
        written, except after the end.

        Args:
            source: tokens, of shape (B, S).
            begin: the token that a target begins with.
            end: the token that ends it; after it stands padding, or this token again.
            limit: how many tokens to write at most.

        Returns:
            The targets without their beginning, of shape (B, T): as long as the longest.
        """
        was_training = self.training
        self.eval()
        try:
            memory, hidden = self.encode(source)
            filler = end if self.padding is None else self.padding
            target = source.new_full((len(source), 1), begin)
            ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
            for _ in range(limit):
                scores = self.scores(self.decode(target, memory, hidden)[:, -1])
                if self.padding is not None:
                    scores[:, self.padding] = -torch.inf
                chosen = scores.argmax(-1).masked_fill(ended, filler)
                target = torch.cat([target, chosen.unsqueeze(1)], 1)
                ended = ended | (chosen == end)
                if bool(ended.all()):
                    break
            return target[:, 1:]
        finally:
            self.train(was_training)
