"""Stages of writing an answer: they bound a thought and the answer after it separately."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from functions.generate.decoding.thoughts import THOUGHT_MARKS, ThoughtMark, VisibleText, hide_thoughts, open_mark
from functions.generate.prompts.tokenizer import Tokenizer

CHUNK = 64
"""Tokens of a thought to write at a time if its closing mark is not one token and so can't stop a stage."""

MARK_TOKENS = 64
"""Tokens beyond the bounds: half for a second opening mark, half for the closing mark that is inserted."""

_SEEDS = 1_000_003
"""Between the seeds of two stages, so that no stage has the seed of another draw."""


@dataclass(frozen=True, slots=True)
class MarkTokens:
    """Marks of thoughts as tokens: the marks that are a single token, and the tokens that close each thought."""

    openings: frozenset[int]
    closings: dict[ThoughtMark, int]
    closed: dict[ThoughtMark, list[int]]

    @classmethod
    def of_tokenizer(cls, tokenizer: Tokenizer, frame: Callable[[str], list[int]]) -> "MarkTokens":
        """`frame` encodes text of a prompt's frame, which may name any token."""

        def token(name: str) -> int | None:
            found = tokenizer.convert_tokens_to_ids(name)
            return None if found == tokenizer.unk_token_id else found

        openings = {token(mark.opening) for mark in THOUGHT_MARKS}
        closings = {mark: found for mark in THOUGHT_MARKS if (found := token(mark.closing)) is not None}
        closed = {mark: frame(f"\n{mark.closing}\n\n") for mark in THOUGHT_MARKS}
        return cls(frozenset(found for found in openings if found is not None), closings, closed)

    def __bool__(self) -> bool:
        return bool(self.openings or self.closings)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most tokens of the answer, and of the thought before it."""

    answer: int
    thought: int


@dataclass(frozen=True, slots=True)
class WritingStage:
    """What the model writes next: at most `limit` tokens, up to and including one of `stops`."""

    number: int
    limit: int
    stops: frozenset[int]
    thinking: bool

    def seed(self, seed: int) -> int:
        return (seed + self.number * _SEEDS) % 2**32


class AnswerStages:
    """The stages of one answer: write the `next` stage and `add` its tokens, until `next` returns None.

    A thought that reaches its bound or ends without a closing mark is closed, and the answer follows.
    """

    def __init__(
        self,
        bounds: Bounds,
        marks: MarkTokens,
        *,
        opened: ThoughtMark | None,
        ends: Collection[int],
        decode: Callable[[Sequence[int]], str],
    ) -> None:
        """`opened`: the mark of a thought that the prompt has opened. `decode` keeps special tokens."""
        self._bounds = bounds
        self._marks = marks
        self._opened = opened
        self._ends = ends
        self._decode = decode
        self.tokens: list[int] = []
        """The tokens after the prompt, including inserted closing marks, without the end token."""
        self.written = 0
        """Number of tokens that the model wrote."""
        self.cut = False
        """Whether a limit ended the answer."""
        self._visible = VisibleText("", thinking=opened is not None)
        self._stage = WritingStage(-1, 0, frozenset(), thinking=False)
        self._answered = 0
        self._thought = 0
        self._is_closed = False
        self._is_finished = False

    def next(self) -> WritingStage | None:
        """Return what to write after the prompt and `tokens`; None when the answer is finished."""
        if self._visible.thinking and self._thought >= self._bounds.thought:
            self._close()
        if not self._is_finished and self._left <= 0:
            self._finish(cut=True)
        if self._is_finished:
            return None
        limit, stops = self._thinking() if self._visible.thinking else self._answering()
        self._stage = WritingStage(self._stage.number + 1, limit, stops, self._visible.thinking)
        return self._stage

    def add(self, tokens: Sequence[int], *, cut: bool) -> None:
        """Add the `tokens` of the last stage; `cut`: its limit ended it, else a stop or an end."""
        self.written += len(tokens)
        last = tokens[-1] if tokens else None
        ended = not cut and last not in self._stage.stops
        before, start = self._visible, len(self.tokens)
        self.tokens += tokens[:-1] if last in self._ends else tokens
        self._visible = self._read(len(self.tokens))
        spent = self._thought_tokens(before, start)
        self._thought += spent
        self._answered += len(self.tokens) - start - spent
        self._finish_at_bounds(ended=ended)

    def _finish_at_bounds(self, *, ended: bool) -> None:
        excess = self._answered - self._bounds.answer
        if self._visible.thinking:
            if ended:
                self._thought = self._bounds.thought
        elif excess > 0:
            del self.tokens[-excess:]
            self._finish(cut=True)
        elif ended:
            self._finish(cut=False)
        elif excess == 0 or self._left <= 0:
            self._finish(cut=True)

    def _finish(self, *, cut: bool) -> None:
        self._is_finished = True
        self.cut = cut

    @property
    def _left(self) -> int:
        return self._bounds.answer + self._bounds.thought + MARK_TOKENS // 2 - self.written

    def _answering(self) -> tuple[int, frozenset[int]]:
        limit = min(self._bounds.answer - self._answered, self._left)
        return limit, frozenset() if self._visible.thoughts else self._marks.openings

    def _thinking(self) -> tuple[int, frozenset[int]]:
        left = self._bounds.thought - self._thought
        mark = self._open_mark()
        closing = self._marks.closings.get(mark) if mark else None
        return (min(left, CHUNK), frozenset()) if closing is None else (left, frozenset({closing}))

    def _close(self) -> None:
        mark = self._open_mark()
        if mark is None or self._is_closed:
            self._finish(cut=True)
            return
        self.tokens += self._marks.closed[mark]
        self._visible = self._read(len(self.tokens))
        self._is_closed = True
        if self._visible.thinking:
            self._finish(cut=True)

    def _open_mark(self) -> ThoughtMark | None:
        return open_mark(self._decode(self.tokens)) or self._opened

    def _read(self, count: int) -> VisibleText:
        return hide_thoughts(self._decode(self.tokens[:count]), thinking=self._opened is not None)

    def _thought_tokens(self, before: VisibleText, start: int) -> int:
        """Return how many of the tokens from `start` on belong to a thought, or may begin one."""
        after, count = self._visible, len(self.tokens) - start
        if after.thinking and before.thinking and after.thoughts == before.thoughts:
            return count
        if after.thinking:
            return count - self._first(start, lambda read: len(read.text) >= len(after.text))
        if after.thoughts > before.thoughts:
            return self._first(start, lambda read: read.thoughts >= after.thoughts)
        held_back = not after.text and (after.thoughts or self._decode(self.tokens).strip())
        return count if held_back else 0

    def _first(self, start: int, is_there: Callable[[VisibleText], bool]) -> int:
        """Return how many tokens after `start` it takes until `is_there`."""
        return bisect_left(range(start, len(self.tokens)), True, key=lambda count: is_there(self._read(count)))
