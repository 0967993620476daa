r"""Byte-pair encoding: a text as a few hundred or thousand kinds of pieces, learned by counting.

Start from the bytes of the text in UTF-8, 256 kinds. Find the pair of neighbours that occurs most
often, make it a token of its own, and do that again. Frequent words end up as one token, rare ones
as a few, and whatever was never seen is still bytes: so **every string can be encoded, and comes
back unchanged** (Sennrich, Haddow and Birch, 2016; on bytes, Radford and others, 2019).

**Words first.** The text is cut into chunks, and no token reaches over a cut: a word with the space
before it, a number, a row of other signs, white space. :func:`chunks` says exactly where. Otherwise
``dog.``, ``dog!`` and ``dog?`` would each become a token.

**What is counted.** Each kind of chunk is held once, with how often it occurs, as a linked list of
tokens. A merge visits the places of its pair alone and changes only the counts of the neighbours.
Since every merge at a place makes the text one token shorter, training merges at no more places
than there are bytes, whatever the size of the vocabulary.

**Encoding is linear in the text's length.** The merges are applied in the order in which they
were learned, each from left to right, on the same linked lists; short chunks are remembered.
"""

import heapq
import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["BytePairTokenizer", "chunks"]

_FORMAT = "dlbook byte-pair tokenizer 1"
_BYTES = 256
_END = -1  # no neighbour
_CHUNK = re.compile(
    r" ?[^\W\d_]+"  # letters, with the space before them
    r"| ?\d+"  # digits
    r"| ?(?:[^\w\s]|_)+"  # other signs
    r"|\s+(?!\S)"  # white space, but for the last character where something follows
    r"|\s+"
)
_REMEMBERED = 1 << 16  # chunks, of at most _SHORT characters
_SHORT = 64

Pair = tuple[int, int]


def chunks(text: str) -> list[str]:
    r"""Cut a text into the pieces that no token reaches beyond.

    A chunk is one of: letters, digits, or other signs (with ``_``), each with one space before it
    if there is one; or white space. Of several white characters the last one is cut off where
    something else follows, so that the space before an indented word still belongs to the word.

    Args:
        text: any string.

    Returns:
        The chunks in order; joined they are the text.

    Departures: Radford and others (2019) also cut English endings (``'s``, ``'ll``), and know
    letters and digits by Unicode's classes; here a letter is what Python's ``\w`` takes for one.

    Example:
        >>> chunks("def f(x):\n    return x_1")
        ['def', ' f', '(', 'x', '):', '\n   ', ' return', ' x', '_', '1']
    """
    return _CHUNK.findall(text)


class BytePairTokenizer:
    """Tokens learned from text by merging frequent neighbours.

    The first 256 tokens are the bytes; token 256 + r stands for the pair ``merges[r]``.

    Args:
        merges: pairs of tokens in the order in which they are merged; of bytes and earlier merges.

    Raises:
        ValueError: for a pair that comes twice, or of tokens that aren't there yet.

    Example:
        >>> tokenizer = BytePairTokenizer.train("low lower lowest slow", 259)
        >>> [tokenizer.token(256 + rank) for rank in range(3)]
        [b'lo', b'low', b' low']
        >>> tokenizer.encode("slowest, low"), tokenizer.decode([115, 257])
        ([115, 257, 101, 115, 116, 44, 258], 'slow')

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(self, merges: Iterable[Pair] = ()) -> None:
        self._merges: tuple[Pair, ...] = tuple((int(a), int(b)) for a, b in merges)
        self._ranks: dict[Pair, int] = {}
        self._tokens = [bytes([value]) for value in range(_BYTES)]
        for rank, (a, b) in enumerate(self._merges):
            if not (0 <= a < _BYTES + rank and 0 <= b < _BYTES + rank):
                raise ValueError(
                    f"BytePairTokenizer: merge {rank} expects tokens from 0 to "
                    f"{_BYTES + rank - 1}, got {(a, b)}"
                )
            if (a, b) in self._ranks:
                raise ValueError(
                    f"BytePairTokenizer: expects every merge once, got {(a, b)} as merges "
                    f"{self._ranks[a, b]} and {rank}"
                )
            self._ranks[a, b] = rank
            self._tokens.append(self._tokens[a] + self._tokens[b])
        self._remembered: dict[str, tuple[int, ...]] = {}

    @classmethod
    def train(
        cls, texts: str | Iterable[str], vocabulary_size: int, *, min_count: int = 2
    ) -> "BytePairTokenizer":
        """Learn the merges from text.

        Of pairs that are equally frequent the one with the smaller tokens is merged, so that the
        same text always gives the same tokenizer.

        Args:
            texts: a text, or several; no token reaches from one to the next.
            vocabulary_size: how many tokens there shall be with the 256 bytes. There are fewer if
                the text has no more pairs to merge.
            min_count: a pair that occurs less often is not merged, at least 1.

        Raises:
            ValueError: for arguments out of range.

        Example:
            >>> BytePairTokenizer.train(["aaabdaaabac"], 259).encode("aaabdaaabac")
            [258, 100, 258, 97, 99]
        """
        if vocabulary_size < _BYTES:
            raise ValueError(
                f"BytePairTokenizer.train: vocabulary_size expects at least {_BYTES}, "
                f"got {vocabulary_size}"
            )
        if min_count < 1:
            raise ValueError(
                f"BytePairTokenizer.train: min_count expects at least 1, got {min_count}"
            )
        kinds: Counter[str] = Counter()
        for text in [texts] if isinstance(texts, str) else texts:
            kinds.update(chunks(text))
        return cls(_learn(kinds, vocabulary_size - _BYTES, min_count))

    @property
    def merges(self) -> tuple[Pair, ...]:
        """The pairs in the order in which they are merged."""
        return self._merges

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are: 256 and the merges."""
        return len(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BytePairTokenizer) and self._merges == other._merges

    def __hash__(self) -> int:
        return hash(self._merges)

    def __repr__(self) -> str:
        return f"BytePairTokenizer({len(self._merges)} merges)"

    def token(self, index: int) -> bytes:
        """Return the bytes that a token stands for.

        Args:
            index: the token, from 0 to ``vocabulary_size - 1``.

        Raises:
            ValueError: if there is no such token.
        """
        if not 0 <= index < len(self._tokens):
            raise ValueError(
                f"BytePairTokenizer: expects tokens from 0 to {len(self._tokens) - 1}, got {index}"
            )
        return self._tokens[index]

    def encode(self, text: str) -> list[int]:
        """Return a text as tokens.

        Args:
            text: any string, also with surrogates that stand alone.

        Returns:
            Tokens whose bytes, joined, are the text in UTF-8.
        """
        result: list[int] = []
        remembered = self._remembered
        for chunk in chunks(text):
            tokens = remembered.get(chunk)
            if tokens is None:
                tokens = self._encode_chunk(chunk)
                if len(chunk) <= _SHORT:
                    if len(remembered) >= _REMEMBERED:
                        remembered.clear()
                    remembered[chunk] = tokens
            result.extend(tokens)
        return result

    def decode(self, tokens: Sequence[int] | Tensor) -> str:
        """Return the text that tokens stand for.

        Args:
            tokens: a list of tokens, or a tensor ``(T,)`` of integers.

        Returns:
            The text; for what :meth:`encode` gave, exactly the one it came from. Tokens in another
            order may be no UTF-8; what can't be read becomes ``"\ufffd"``.

        Raises:
            ValueError: for a token that there is not, or a tensor of another shape.
        """
        if isinstance(tokens, Tensor):
            if tokens.dim() != 1 or tokens.is_floating_point() or tokens.dtype == torch.bool:
                raise ValueError(
                    "BytePairTokenizer.decode: expects integers (T,), "
                    f"got {tokens.dtype} of shape {tuple(tokens.shape)}"
                )
            tokens = tokens.tolist()
        if len(tokens) and not 0 <= min(tokens) <= max(tokens) < len(self._tokens):
            self.token(min(tokens)), self.token(max(tokens))  # one of them raises
        data = b"".join([self._tokens[token] for token in tokens])
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer as JSON, whole or not at all.

        Args:
            path: where to; an existing file is replaced, its folder must exist.

        Raises:
            OSError: if the file can't be written. The old one, if there was one, is then untouched.

        Example:
            >>> import tempfile
            >>> tokenizer = BytePairTokenizer([(97, 98)])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     tokenizer.save(f"{folder}/ab.json")
            ...     BytePairTokenizer.load(f"{folder}/ab.json") == tokenizer
            True
        """
        target = Path(path).resolve()  # a link stays one; what it points at is replaced
        text = json.dumps({"format": _FORMAT, "merges": self._merges})
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            with open(temporary, "x", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "BytePairTokenizer":
        """Read a tokenizer that :meth:`save` wrote.

        Args:
            path: the file.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no tokenizer of this format.
        """
        try:
            contents = json.loads(Path(path).read_bytes())
            right = contents["format"] == _FORMAT
            merges = contents["merges"]
            right = right and all(
                len(pair) == 2 and all(type(token) is int for token in pair) for pair in merges
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: expected a tokenizer as JSON, got {error!r}") from error
        if not right:
            raise ValueError(f"{path}: expected the format {_FORMAT!r} and a list of pairs")
        return cls((a, b) for a, b in merges)

    def _encode_chunk(self, chunk: str) -> tuple[int, ...]:
        """Apply the merges in their order, each at all its places from left to right.

        A merge that makes token t can only lead to merges of t, which were learned later. So the
        ranks come in rising order, and no rank comes again once it has been done.
        """
        tokens = list(chunk.encode("utf-8", "surrogatepass"))
        if len(tokens) < 2:
            return tuple(tokens)
        n = len(tokens)
        left = list(range(-1, n - 1))
        right = [*range(1, n), _END]
        ranks = self._ranks
        places: dict[int, list[int]] = {}  # by rank; the place of a pair is that of its first token
        waiting: list[int] = []  # the ranks in it, the lowest first
        changed: Iterable[int] = range(n - 1)  # where a pair begins that is to be looked up
        while True:
            for place in changed:
                rank = ranks.get((tokens[place], tokens[right[place]]))
                if rank is not None:
                    if rank not in places:
                        places[rank] = []
                        heapq.heappush(waiting, rank)
                    places[rank].append(place)
            if not waiting:
                break
            rank = heapq.heappop(waiting)
            a, b = self._merges[rank]
            changed = []
            for place in sorted(places.pop(rank)):
                after = right[place]
                if tokens[place] != a or after == _END or tokens[after] != b:
                    continue  # an earlier merge has taken one of the two
                tokens[place], tokens[after] = _BYTES + rank, _END
                right[place] = right[after]
                if left[place] != _END and changed[-1:] != [left[place]]:
                    changed.append(left[place])
                if right[place] != _END:
                    left[right[place]] = place
                    changed.append(place)
        return tuple([token for token in tokens if token != _END])


def _learn(
    kinds: Counter[str],
    merges: int,
    min_count: int,
    places: dict[Pair, list[int]] | None = None,
) -> list[Pair]:
    """The most frequent pair, again and again; counts are kept up to date, never taken anew."""
    tokens: list[int] = []
    left: list[int] = []
    right: list[int] = []
    weight: list[int] = []  # how often the chunk occurs that a place lies in
    counts: Counter[Pair] = Counter()
    places = {} if places is None else places  # where a pair stands, or once stood
    for chunk, times in kinds.items():
        data = chunk.encode("utf-8", "surrogatepass")
        first = len(tokens)
        tokens.extend(data)
        left.extend([_END, *range(first, len(tokens) - 1)])
        right.extend([*range(first + 1, len(tokens)), _END])
        weight.extend([times] * len(data))
        for place in range(first, len(tokens) - 1):
            pair = tokens[place], tokens[place + 1]
            counts[pair] += times
            places.setdefault(pair, []).append(place)

    # An entry may be out of date. It is then too high, for each rise makes a new entry; and on its
    # way out it is put back with the right count.
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    learned: list[Pair] = []
    while heap and len(learned) < merges:
        negative, pair = heapq.heappop(heap)
        if counts[pair] != -negative:
            if 0 < counts[pair] < -negative:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        if -negative < min_count:
            break
        a, b = pair
        token = _BYTES + len(learned)
        learned.append(pair)
        risen: set[Pair] = set()
        for place in sorted(places.pop(pair)):
            after = right[place]
            if tokens[place] != a or after == _END or tokens[after] != b:
                continue
            times = weight[place]
            before, behind = left[place], right[after]
            counts[pair] -= times
            if before != _END:
                counts[tokens[before], a] -= times
                new = tokens[before], token
                counts[new] += times
                places.setdefault(new, []).append(before)
                risen.add(new)
            if behind != _END:
                counts[b, tokens[behind]] -= times
                new = token, tokens[behind]
                counts[new] += times
                places.setdefault(new, []).append(place)
                risen.add(new)
                left[behind] = place
            tokens[place], tokens[after] = token, _END
            right[place] = behind
        del counts[pair]  # every place has been merged
        for new in risen:
            if counts[new] > 0:
                heapq.heappush(heap, (-counts[new], new))
    return learned
