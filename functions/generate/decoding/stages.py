"""An answer is written in stages, so that a thought has a bound of its own and the rest has what was asked for."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from functions.generate.decoding.thoughts import THOUGHT_MARKS, ThoughtMark, VisibleText, hide_thoughts, open_mark
from functions.generate.prompts.tokenizer import Tokenizer

CHUNK = 64
"""Tokens of a thought that are written at a time where its closing mark is no token, and so ends no stage."""

MARK_TOKENS = 64
"""Room beside the bounds: half for what opens one thought too many, half for the mark that is put in to close it."""

_SEEDS = 1_000_003
"""Between the seeds of two stages, so that none has that of another try."""


@dataclass(frozen=True, slots=True)
class MarkTokens:
    """The marks of thoughts as tokens: those that are one token, and how each thought is closed."""

    openings: frozenset[int]
    closings: dict[ThoughtMark, int]
    closed: dict[ThoughtMark, list[int]]

    @classmethod
    def of(cls, tokenizer: Tokenizer, frame: Callable[[str], list[int]]) -> "MarkTokens":
        """`frame` gives the tokens of what belongs to a prompt's frame, which may name any token."""

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
    """How many tokens the answer may have, and how many the thought before it."""

    answer: int
    thought: int


@dataclass(frozen=True, slots=True)
class WritingStage:
    """What the model is to write next: at most `limit` tokens, up to one of `stops`."""

    number: int
    limit: int
    stops: frozenset[int]
    thinking: bool

    def seed(self, seed: int) -> int:
        return (seed + self.number * _SEEDS) % 2**32


class AnswerStages:
    """One answer while it is written: take the `next` stage, write it, `add` what was written, until there is none.

    A thought that reaches its bound, or that the model ends without a closing mark, is closed, and the answer follows.
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
        """`opened`: the mark of the thought that the prompt has opened. `decode` keeps special tokens."""
        self._bounds = bounds
        self._marks = marks
        self._opened = opened
        self._ends = ends
        self._decode = decode
        self.tokens: list[int] = []
        """What follows the prompt, a closing mark that the model did not write included; the end token is left out."""
        self.written = 0
        """Tokens, all that the model wrote."""
        self.cut = False
        """Whether a limit ended the answer."""
        self._said = VisibleText("", thinking=opened is not None)
        self._stage = WritingStage(-1, 0, frozenset(), thinking=False)
        self._answered = 0
        self._thought = 0
        self._is_closed = False
        self._is_over = False

    def next(self) -> WritingStage | None:
        """What to write after the prompt and `tokens`; None when the answer is there."""
        if self._said.thinking and self._thought >= self._bounds.thought:
            self._close()
        if not self._is_over and self._left <= 0:
            self._finish(cut=True)
        if self._is_over:
            return None
        limit, stops = self._thinking() if self._said.thinking else self._answering()
        self._stage = WritingStage(self._stage.number + 1, limit, stops, self._said.thinking)
        return self._stage

    def add(self, tokens: Sequence[int], *, cut: bool) -> None:
        """`tokens` were written in the last stage; `cut`: up to its limit, else up to a stop or an end."""
        self.written += len(tokens)
        last = tokens[-1] if tokens else None
        ended = not cut and last not in self._stage.stops
        before, start = self._said, len(self.tokens)
        self.tokens += tokens[:-1] if last in self._ends else tokens
        self._said = self._read(len(self.tokens))
        spent = self._spent(before, start)
        self._thought += spent
        self._answered += len(self.tokens) - start - spent
        self._judge(ended=ended)

    def _judge(self, *, ended: bool) -> None:
        excess = self._answered - self._bounds.answer
        if self._said.thinking:
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
        self._is_over = True
        self.cut = cut

    @property
    def _left(self) -> int:
        return self._bounds.answer + self._bounds.thought + MARK_TOKENS // 2 - self.written

    def _answering(self) -> tuple[int, frozenset[int]]:
        limit = min(self._bounds.answer - self._answered, self._left)
        return limit, frozenset() if self._said.thoughts else self._marks.openings

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
        self._said = self._read(len(self.tokens))
        self._is_closed = True
        if self._said.thinking:
            self._finish(cut=True)

    def _open_mark(self) -> ThoughtMark | None:
        return open_mark(self._decode(self.tokens)) or self._opened

    def _read(self, count: int) -> VisibleText:
        return hide_thoughts(self._decode(self.tokens[:count]), thinking=self._opened is not None)

    def _spent(self, before: VisibleText, start: int) -> int:
        """How many of the tokens from `start` on are a thought's, or may be the beginning of one."""
        after, count = self._said, len(self.tokens) - start
        if after.thinking and before.thinking and after.thoughts == before.thoughts:
            return count
        if after.thinking:
            return count - self._first(start, lambda read: len(read.text) >= len(after.text))
        if after.thoughts > before.thoughts:
            return self._first(start, lambda read: read.thoughts >= after.thoughts)
        held_back = not after.text and (after.thoughts or self._decode(self.tokens).strip())
        return count if held_back else 0

    def _first(self, start: int, is_there: Callable[[VisibleText], bool]) -> int:
        """How many tokens after `start` it takes."""
        return bisect_left(range(start, len(self.tokens)), True, key=lambda count: is_there(self._read(count)))
