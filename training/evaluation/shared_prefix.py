"""Several texts through a model at once: what all begin with is read once, and logits are computed where they count."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

CountDone = Callable[[int], None]
"""Is told how many more are done; may raise to end the work."""

_TOKENS = 2048
"""Of the texts that are read at once, padding included."""
_ANSWERS = 256
"""Tokens of their answers: each has logits for a whole vocabulary, which may be a quarter of a million."""
_FLOATS = 8
"""Of those, how many are taken as float32 at once: what stays in the processor's cache takes half the time."""


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """Tokens that texts begin with, and the keys and values that a model has of them; `cache` is None for no tokens."""

    ids: tuple[int, ...]
    cache: Any

    def copies(self, count: int) -> Any:
        """The keys and values for `count` texts. The model that gets them adds to them."""
        copy = deepcopy(self.cache)
        if copy is not None and count > 1:
            copy.reorder_cache(torch.zeros(count, dtype=torch.long))
        return copy


NO_PREFIX = CachedPrefix((), None)


def no_progress(_: int) -> None:
    """For those who want no news of what is done."""


@dataclass(frozen=True, slots=True)
class ScoredText:
    """The tokens from which the ones of `answer` are foretold, and those; `before` has at least one."""

    before: Sequence[int]
    answer: Sequence[int]

    @property
    def shown(self) -> list[int]:
        """All but the last token, after which nothing is foretold."""
        return [*self.before, *self.answer][:-1]


def shared_length(sequences: Sequence[Sequence[int]]) -> int:
    """With how many tokens all of `sequences` begin."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(*sequences, strict=False))
    return sum(1 for _ in same)


def read_prefix(model: Any, ids: Sequence[int], known: CachedPrefix = NO_PREFIX) -> CachedPrefix:
    """Read `ids`, which begin with those that are `known` and may go on."""
    if len(ids) == len(known.ids):
        return known
    with torch.inference_mode():
        # Without the head, which takes the longest: nothing is foretold here.
        output = model.base_model(
            torch.tensor([ids[len(known.ids) :]]), past_key_values=known.copies(1), use_cache=True
        )
    return CachedPrefix(tuple(ids), output.past_key_values)


def nats(model: Any, known: CachedPrefix, texts: Sequence[ScoredText], done: CountDone = no_progress) -> list[float]:
    """How surprising each answer is after what is `known` and its text.

    Texts of like length go together, so that little is padding. It stands at the end, where a causal model does not
    look: nothing has to be masked.
    """
    found = [0.0] * len(texts)
    for places in _batches(texts):
        batch = [texts[place] for place in places]
        for place, value in zip(places, _nats(model, known, batch), strict=True):
            found[place] = value
        done(len(places))
    return found


def _batches(texts: Sequence[ScoredText]) -> Iterator[list[int]]:
    """Places in `texts`, the longest first: what takes too much memory does so at once. What begins alike is near."""
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


def _nats(model: Any, known: CachedPrefix, texts: Sequence[ScoredText]) -> list[float]:
    width = max(len(text.shown) for text in texts)
    ids = torch.tensor([[*text.shown, *[0] * (width - len(text.shown))] for text in texts])
    where, numbers = _foretelling(texts)
    targets = [token for text in texts for token in text.answer]
    with torch.inference_mode(), _only(model, where):
        logits = model(ids, past_key_values=known.copies(len(texts)), use_cache=known.cache is not None).logits[0]
        whole = torch.cat([some.float().logsumexp(-1) for some in torch.split(logits, _FLOATS)])
        each = whole[numbers] - logits[numbers, targets].float()
    return [float(some.sum()) for some in torch.split(each, [len(text.answer) for text in texts])]


def _foretelling(texts: Sequence[ScoredText]) -> tuple[list[tuple[int, int]], list[int]]:
    """At which places (row, place) the tokens of the answers are foretold, and for each token which of those it is.

    An answer's first token is foretold at the last one before it; what begins alike foretells alike: once is enough.
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
def _only(model: Any, where: Sequence[tuple[int, int]]) -> Iterator[None]:
    """For the time of the context, the logits of `model` are those at `where` (row, place), as of one row."""
    rows, places = (torch.tensor(one) for one in zip(*where, strict=True))
    hook = model.get_output_embeddings().register_forward_pre_hook(
        lambda _, given: (given[0][rows, places].unsqueeze(0), *given[1:])
    )
    try:
        yield
    finally:
        hook.remove()
