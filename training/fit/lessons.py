"""Dialogues as they are learned: what is shown before an answer is, token for token, what serving writes before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from events.schema import Role, Turn
from functions.generate.decoding.thoughts import open_mark
from functions.generate.prompts.chat import TemplateRefused
from functions.generate.prompts.encoding import Encoded, Encoder
from functions.generate.prompts.formats import Format, Segment, alternating, fit


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt, in which earlier answers may be learned as well, and the answer to it with its end."""

    context: tuple[Turn, ...]
    """What the prompt shows; neighbours of one role are one turn where the format joins them."""
    prompt: Encoded
    answer: Encoded
    learned: frozenset[int]
    """Which turns of the context are learned."""
    whole: int = 0
    """Tokens of the answer before it was cut to the room that there is."""

    @property
    def encoded(self) -> Encoded:
        return Encoded(self.prompt.ids + self.answer.ids, self.prompt.learned + self.answer.learned)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Dialogues into lessons, by the format that serving uses."""

    format: Format
    encoder: Encoder
    limit: int
    """Tokens."""

    def encode(self, turns: Sequence[Turn]) -> Encoded:
        """`turns` end with an answer. The oldest go first; a question that is still too long loses its beginning."""
        return self.lesson(turns).encoded

    def fitting(self, turns: Sequence[Turn]) -> int:
        """How many of `turns`, counted from the last, there is room for; a question and its answer always stay."""
        return sum(self._sizes(turns)[-len(self.lesson(turns).context) - 1 :])

    def learned(self, turns: Sequence[Turn]) -> set[int]:
        """The places of the answers in `turns`, for which there is room, that are learned."""
        lesson, sizes = self.lesson(turns), self._sizes(turns)
        if not lesson.answer.ids:
            return set()
        ends = list(accumulate(sizes))
        shown = len(lesson.context) + 1
        places = [len(sizes) - shown + place for place in (*lesson.learned, shown - 1)]
        return {turn for place in places for turn in range(ends[place] - sizes[place], ends[place])}

    def _sizes(self, turns: Sequence[Turn]) -> list[int]:
        """Of how many turns each turn is made that the format shows."""
        if not self.format.joins:
            return [1] * len(turns)
        return [len(list(group)) for _, group in groupby(turns, key=lambda turn: turn.role)]

    def lesson(self, turns: Sequence[Turn]) -> Lesson:
        """What is learned of `turns`, which end with an answer, in `limit` tokens.

        An answer loses its end, and learns none, only where one character of the question leaves no room for it.
        """
        *context, answer = alternating(turns) if self.format.joins else turns
        if not context:
            return Lesson((), _NOTHING, _NOTHING, frozenset())  # serving asks no model without a question
        size = len(self._answer([context[-1].model_copy(update={"text": "."})], answer))
        kept = fit(context, max(self.limit - size, 1), lambda some: len(self._prompt(some).ids))
        prompt = self._prompt(kept)
        whole = self._answer(kept, answer)
        written = whole[: max(self.limit - len(prompt.ids), 0)]
        marked, learned = self._earlier(kept, prompt)
        return Lesson(tuple(kept), marked, Encoded(written, [True] * len(written)), learned, len(whole))

    def _prompt(self, turns: Sequence[Turn]) -> Encoded:
        """What serving writes before it answers."""
        return self.encoder.encode(self.format.render(turns), begin=self.format.bare)

    def _answer(self, context: Sequence[Turn], answer: Turn) -> list[int]:
        prompt = self._prompt(context).ids
        return self._given(context, answer, prompt) or self._appended(context, answer, prompt)

    def _given(self, context: Sequence[Turn], answer: Turn, prompt: list[int]) -> list[int]:
        """As the format writes an answer that was given, if it has the same prompt before it and an end after it."""
        if open_mark(self.format.opening):
            return []
        try:
            segments = self.format.render([*context, answer], answer=False)
        except TemplateRefused:
            return []  # it takes no conversation that ends with an answer
        encoded = self.encoder.encode(segments, begin=self.format.bare)
        last = max(place for place, segment in enumerate(segments) if segment.learned)
        if not segments[last].framing or encoded.ids[: len(prompt)] != prompt:
            return []
        return encoded.ids[len(prompt) : _after(encoded, last)]

    def _appended(self, context: Sequence[Turn], answer: Turn, prompt: list[int]) -> list[int]:
        segments = self.format.answer(answer.text)
        both = self.encoder.encode([*self.format.render(context), *segments], begin=self.format.bare).ids
        if both[: len(prompt)] == prompt:
            return both[len(prompt) :]
        return self.encoder.encode(segments, begin=False).ids

    def _earlier(self, context: Sequence[Turn], prompt: Encoded) -> tuple[Encoded, frozenset[int]]:
        """`prompt` with those of its answers learned that stand in it as they would be written; and their places."""
        shown = alternating(context) if self.format.joins else context
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
        """Where in `prompt` an answer and its end are; nowhere if it is not what serving would have had written."""
        asked = self._prompt(before).ids if before else None
        if not asked or not segments[group[-1]].framing or prompt.ids[: len(asked)] != asked:
            return 0, 0
        return len(asked), _after(prompt, group[-1])


_NOTHING = Encoded([], [])


def _after(encoded: Encoded, segment: int) -> int:
    """The place after the last token of `segment`."""
    return 1 + max((token for token, place in enumerate(encoded.places) if place <= segment), default=-1)
