"""Render dialogues for training, with exactly the tokens before an answer that engines put there."""

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
    """A prompt, in which earlier answers may be learned too, and its answer with the end of turn."""

    context: tuple[Turn, ...]
    """The turns of the prompt; consecutive turns of one role are one if the format joins them."""
    prompt: Encoded
    answer: Encoded
    learned: frozenset[int]
    """Positions in `context` of the turns that are learned."""
    whole: int = 0
    """Number of tokens of the answer before it was cut to the limit."""

    @property
    def encoded(self) -> Encoded:
        return Encoded(self.prompt.ids + self.answer.ids, self.prompt.learned + self.answer.learned)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders dialogues as lessons, in the format in which the model is served."""

    format: Format
    encoder: Encoder
    limit: int
    """Tokens."""

    def encode(self, turns: Sequence[Turn]) -> Encoded:
        """Encode `turns`, which end with an answer. If too long, drop the oldest, then the question's beginning."""
        return self.lesson(turns).encoded

    def count_fitting(self, turns: Sequence[Turn]) -> int:
        """Return how many of the last `turns` fit; the question and its answer always do."""
        return sum(self._sizes(turns)[-len(self.lesson(turns).context) - 1 :])

    def learned_turns(self, turns: Sequence[Turn]) -> set[int]:
        """Return the positions in `turns` of the answers that fit and are learned."""
        lesson, sizes = self.lesson(turns), self._sizes(turns)
        if not lesson.answer.ids:
            return set()
        ends = list(accumulate(sizes))
        shown = len(lesson.context) + 1
        places = [len(sizes) - shown + place for place in (*lesson.learned, shown - 1)]
        return {turn for place in places for turn in range(ends[place] - sizes[place], ends[place])}

    def _sizes(self, turns: Sequence[Turn]) -> list[int]:
        """Return how many turns each turn of the format joins."""
        if not self.format.joins_turns:
            return [1] * len(turns)
        return [len(list(group)) for _, group in groupby(turns, key=lambda turn: turn.role)]

    def lesson(self, turns: Sequence[Turn]) -> Lesson:
        """Return the lesson of `turns`, which end with an answer, in `limit` tokens.

        An answer is cut only if it does not fit beside one character of the question.
        """
        *context, answer = alternating_turns(turns) if self.format.joins_turns else turns
        if not context:
            return Lesson((), _NOTHING, _NOTHING, frozenset())  # engines need a question
        size = len(self._answer([context[-1].model_copy(update={"text": "."})], answer))
        kept = fit_turns(context, max(self.limit - size, 1), lambda some: len(self._prompt(some).ids))
        prompt = self._prompt(kept)
        whole = self._answer(kept, answer)
        written = whole[: max(self.limit - len(prompt.ids), 0)]
        marked, learned = self._mark_earlier_answers(kept, prompt)
        return Lesson(tuple(kept), marked, Encoded(written, [True] * len(written)), learned, len(whole))

    def _prompt(self, turns: Sequence[Turn]) -> Encoded:
        """Return the tokens that an engine puts before an answer."""
        return self.encoder.encode(self.format.render(turns), add_bos=self.format.needs_bos)

    def _answer(self, context: Sequence[Turn], answer: Turn) -> list[int]:
        prompt = self._prompt(context).ids
        return self._rendered_answer(context, answer, prompt) or self._appended_answer(context, answer, prompt)

    def _rendered_answer(self, context: Sequence[Turn], answer: Turn, prompt: list[int]) -> list[int]:
        """Return the answer as the format renders earlier ones, or [] if the prompt differs or it has no end."""
        if open_mark(self.format.opening):
            return []
        try:
            segments = self.format.render([*context, answer], answer=False)
        except TemplateRefused:
            return []  # the template accepts no conversation that ends with an answer
        encoded = self.encoder.encode(segments, add_bos=self.format.needs_bos)
        last = max(place for place, segment in enumerate(segments) if segment.learned)
        if not segments[last].framing or encoded.ids[: len(prompt)] != prompt:
            return []
        return encoded.ids[len(prompt) : _end_of_segment(encoded, last)]

    def _appended_answer(self, context: Sequence[Turn], answer: Turn, prompt: list[int]) -> list[int]:
        segments = self.format.answer(answer.text)
        both = self.encoder.encode([*self.format.render(context), *segments], add_bos=self.format.needs_bos).ids
        if both[: len(prompt)] == prompt:
            return both[len(prompt) :]
        return self.encoder.encode(segments, add_bos=False).ids

    def _mark_earlier_answers(self, context: Sequence[Turn], prompt: Encoded) -> tuple[Encoded, frozenset[int]]:
        """Mark the answers in `prompt` that an engine would have written like that; return their positions too."""
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
            start, end = self._answer_span(shown[:place], segments, group, prompt)
            if start < end:
                learned[start:end] = [True] * (end - start)
                places.add(place + len(context) - len(shown))
        return Encoded(prompt.ids, learned), frozenset(places)

    def _answer_span(
        self, before: Sequence[Turn], segments: Sequence[Segment], group: Sequence[int], prompt: Encoded
    ) -> tuple[int, int]:
        """Return the range of an answer and its end in `prompt`, or (0, 0) if an engine would differ."""
        asked = self._prompt(before).ids if before else None
        if not asked or not segments[group[-1]].framing or prompt.ids[: len(asked)] != asked:
            return 0, 0
        return len(asked), _end_of_segment(prompt, group[-1])


_NOTHING = Encoded([], [])


def _end_of_segment(encoded: Encoded, segment: int) -> int:
    """Return the position after the last token of `segment`."""
    return 1 + max((token for token, place in enumerate(encoded.places) if place <= segment), default=-1)
