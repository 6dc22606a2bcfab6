"""Render dialogues for training: before an answer come exactly the tokens that serving writes before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from events.schema import Role, Turn
from functions.generate.decoding.thoughts import open_mark
from functions.generate.prompts.chat_format import TemplateRefused
from functions.generate.prompts.conversation import alternating_turns, fit_turns
from functions.generate.prompts.encoding import Encoded, Encoder
from functions.generate.prompts.formats import Format, Segment


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt, in which earlier answers may be learned too, and its answer with its end of turn."""

    context: tuple[Turn, ...]
    """The turns of the prompt; neighbours of one role are one turn if the format joins them."""
    prompt: Encoded
    answer: Encoded
    learned: frozenset[int]
    """Which turns of the context are learned."""
    whole: int = 0
    """Tokens of the answer before it was cut to the limit."""

    @property
    def encoded(self) -> Encoded:
        return Encoded(self.prompt.ids + self.answer.ids, self.prompt.learned + self.answer.learned)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders dialogues as lessons in the format that serving uses."""

    format: Format
    encoder: Encoder
    limit: int
    """Tokens."""

    def encode(self, turns: Sequence[Turn]) -> Encoded:
        """Encode `turns`, which end with an answer. Drop the oldest, then the question's beginning, if too long."""
        return self.lesson(turns).encoded

    def fitting(self, turns: Sequence[Turn]) -> int:
        """Return how many of the last `turns` fit; a question and its answer always stay."""
        return sum(self._sizes(turns)[-len(self.lesson(turns).context) - 1 :])

    def learned(self, turns: Sequence[Turn]) -> set[int]:
        """Return the positions in `turns` of the answers that fit and are learned."""
        lesson, sizes = self.lesson(turns), self._sizes(turns)
        if not lesson.answer.ids:
            return set()
        ends = list(accumulate(sizes))
        shown = len(lesson.context) + 1
        places = [len(sizes) - shown + place for place in (*lesson.learned, shown - 1)]
        return {turn for place in places for turn in range(ends[place] - sizes[place], ends[place])}

    def _sizes(self, turns: Sequence[Turn]) -> list[int]:
        """Return, for each turn that the format shows, of how many turns it is made."""
        if not self.format.joins_turns:
            return [1] * len(turns)
        return [len(list(group)) for _, group in groupby(turns, key=lambda turn: turn.role)]

    def lesson(self, turns: Sequence[Turn]) -> Lesson:
        """Return the lesson of `turns`, which end with an answer, in `limit` tokens.

        An answer is cut only if it does not fit beside one character of the question.
        """
        *context, answer = alternating_turns(turns) if self.format.joins_turns else turns
        if not context:
            return Lesson((), _NOTHING, _NOTHING, frozenset())  # serving asks no model without a question
        size = len(self._answer([context[-1].model_copy(update={"text": "."})], answer))
        kept = fit_turns(context, max(self.limit - size, 1), lambda some: len(self._prompt(some).ids))
        prompt = self._prompt(kept)
        whole = self._answer(kept, answer)
        written = whole[: max(self.limit - len(prompt.ids), 0)]
        marked, learned = self._earlier(kept, prompt)
        return Lesson(tuple(kept), marked, Encoded(written, [True] * len(written)), learned, len(whole))

    def _prompt(self, turns: Sequence[Turn]) -> Encoded:
        """Return the tokens that serving writes before an answer."""
        return self.encoder.encode(self.format.render(turns), add_bos=self.format.needs_bos)

    def _answer(self, context: Sequence[Turn], answer: Turn) -> list[int]:
        prompt = self._prompt(context).ids
        return self._given(context, answer, prompt) or self._appended(context, answer, prompt)

    def _given(self, context: Sequence[Turn], answer: Turn, prompt: list[int]) -> list[int]:
        """Return the answer as the format renders earlier ones, if it has the same prompt before it and an end."""
        if open_mark(self.format.opening):
            return []
        try:
            segments = self.format.render([*context, answer], answer=False)
        except TemplateRefused:
            return []  # it takes no conversation that ends with an answer
        encoded = self.encoder.encode(segments, add_bos=self.format.needs_bos)
        last = max(place for place, segment in enumerate(segments) if segment.learned)
        if not segments[last].framing or encoded.ids[: len(prompt)] != prompt:
            return []
        return encoded.ids[len(prompt) : _after(encoded, last)]

    def _appended(self, context: Sequence[Turn], answer: Turn, prompt: list[int]) -> list[int]:
        segments = self.format.answer(answer.text)
        both = self.encoder.encode([*self.format.render(context), *segments], add_bos=self.format.needs_bos).ids
        if both[: len(prompt)] == prompt:
            return both[len(prompt) :]
        return self.encoder.encode(segments, add_bos=False).ids

    def _earlier(self, context: Sequence[Turn], prompt: Encoded) -> tuple[Encoded, frozenset[int]]:
        """Mark the answers in `prompt` that stand there as serving would write them; return their positions too."""
        shown = alternating_turns(context) if self.format.joins_turns else context
        segments = self.format.render(context)
        groups = [
            list(group)
            for learned, group in groupby(range(len(segments)), key=lambda n: segments[n].learned)
            if learned
        ]
        answers = [place for place, turn in enumerate(shown) if turn.role is Role.ASSISTANT]
        learned, places = [False] * len(prompt.ids), set()
        for group, place in zip(groups, answers, strict=False):
            start, end = self._span(shown[:place], segments, group, prompt)
            if start < end:
                learned[start:end] = [True] * (end - start)
                places.add(place + len(context) - len(shown))
        return Encoded(prompt.ids, learned), frozenset(places)

    def _span(
        self, before: Sequence[Turn], segments: Sequence[Segment], group: Sequence[int], prompt: Encoded
    ) -> tuple[int, int]:
        """Return where in `prompt` an answer and its end are; (0, 0) if serving would not have written them so."""
        asked = self._prompt(before).ids if before else None
        if not asked or not segments[group[-1]].framing or prompt.ids[: len(asked)] != asked:
            return 0, 0
        return len(asked), _after(prompt, group[-1])


_NOTHING = Encoded([], [])


def _after(encoded: Encoded, segment: int) -> int:
    """Return the position after the last token of `segment`."""
    return 1 + max((token for token, place in enumerate(encoded.places) if place <= segment), default=-1)
