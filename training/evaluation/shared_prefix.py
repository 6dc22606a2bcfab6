"""Score texts in batches: a common prefix is read once, and logits are computed for answer tokens only."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

CountDone = Callable[[int], None]
"""Takes the number of items that were done since the last call; may raise to stop."""

_TOKENS = 2048
"""Tokens of a batch, padding included."""
_ANSWERS = 256
"""Answer tokens of a batch; each has logits for the whole vocabulary, of up to a quarter of a million tokens."""
_FLOATS = 8
"""Rows of logits converted to float32 at once; fitting into the processor's cache halves the time."""


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """A prefix of texts, and the model's keys and values for it; `cache` is None for no tokens."""

    ids: tuple[int, ...]
    cache: Any

    def copies(self, count: int) -> Any:
        """Return a copy of the keys and values for `count` texts; a model adds to those that it is given."""
        copy = deepcopy(self.cache)
        if copy is not None and count > 1:
            copy.reorder_cache(torch.zeros(count, dtype=torch.long))
        return copy


NO_PREFIX = CachedPrefix((), None)


def no_progress(_: int) -> None:
    """Do nothing: for callers that show no progress."""


@dataclass(frozen=True, slots=True)
class ScoredText:
    """The tokens of an answer, and at least one token before them."""

    before: Sequence[int]
    answer: Sequence[int]

    @property
    def shown(self) -> list[int]:
        """Return the tokens that the model reads: all but the last."""
        return [*self.before, *self.answer][:-1]


def shared_length(sequences: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all `sequences` begin with."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(*sequences, strict=False))
    return sum(1 for _ in same)


def read_prefix(model: Any, ids: Sequence[int], known: CachedPrefix = NO_PREFIX) -> CachedPrefix:
    """Read `ids`, which begin with the tokens of `known`."""
    if len(ids) == len(known.ids):
        return known
    with torch.inference_mode():
        # Without the head, which takes most of the time: no logits are needed.
        output = model.base_model(
            torch.tensor([ids[len(known.ids) :]]), past_key_values=known.copies(1), use_cache=True
        )
    return CachedPrefix(tuple(ids), output.past_key_values)


def answer_nats(
    model: Any, known: CachedPrefix, texts: Sequence[ScoredText], done: CountDone = no_progress
) -> list[float]:
    """Return the nats of each answer after the prefix `known` and its text.

    Texts of similar length are batched to keep padding small. Padding is at the end, where it does not affect a causal
    model, so no mask is needed.
    """
    found = [0.0] * len(texts)
    for places in _batches(texts):
        batch = [texts[place] for place in places]
        for place, value in zip(places, _batch_nats(model, known, batch), strict=True):
            found[place] = value
        done(len(places))
    return found


def _batches(texts: Sequence[ScoredText]) -> Iterator[list[int]]:
    """Yield batches of positions in `texts`, the longest first, so that memory runs out early if at all."""
    batch: list[int] = []
    answers = 0
    for place in sorted(range(len(texts)), key=lambda place: (-len(texts[place].shown), texts[place].shown)):
        answers += len(texts[place].answer)
        if batch and ((len(batch) + 1) * len(texts[batch[0]].shown) > _TOKENS or answers > _ANSWERS):
            yield batch
            batch, answers = [], len(texts[place].answer)
        batch.append(place)
    if batch:
        yield batch


def _batch_nats(model: Any, known: CachedPrefix, texts: Sequence[ScoredText]) -> list[float]:
    width = max(len(text.shown) for text in texts)
    ids = torch.tensor([[*text.shown, *[0] * (width - len(text.shown))] for text in texts])
    where, numbers = _predicting_positions(texts)
    targets = [token for text in texts for token in text.answer]
    with torch.inference_mode(), _restrict_logits(model, where):
        logits = model(ids, past_key_values=known.copies(len(texts)), use_cache=known.cache is not None).logits[0]
        whole = torch.cat([some.float().logsumexp(-1) for some in torch.split(logits, _FLOATS)])
        each = whole[numbers] - logits[numbers, targets].float()
    return [float(some.sum()) for some in torch.split(each, [len(text.answer) for text in texts])]


def _predicting_positions(texts: Sequence[ScoredText]) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the positions (row, place) that predict the answers' tokens, and the index of each token's position.

    An answer's first token is predicted at the last token before it. Equal beginnings predict the same, so they share a
    position.
    """
    where: dict[tuple[int, ...], tuple[int, int]] = {}
    begun = []
    for row, text in enumerate(texts):
        shown = tuple(text.shown)
        for place in range(len(text.before) - 1, len(shown)):
            begun.append(shown[: place + 1])
            where.setdefault(begun[-1], (row, place))
    number = {ids: number for number, ids in enumerate(where)}
    return list(where.values()), [number[ids] for ids in begun]


@contextmanager
def _restrict_logits(model: Any, where: Sequence[tuple[int, int]]) -> Iterator[None]:
    """Restrict the logits of `model` to the positions `where` (row, place) inside the context, as one row."""
    rows, places = (torch.tensor(one) for one in zip(*where, strict=True))
    hook = model.get_output_embeddings().register_forward_pre_hook(
        lambda _, given: (given[0][rows, places].unsqueeze(0), *given[1:])
    )
    try:
        yield
    finally:
        hook.remove()
