"""Conversations to token ids that fit, and token ids to a message: what the engines that run a model here share."""

from collections.abc import Sequence

from events.errors import SettingsError
from events.schema import Role, Sampling, Turn
from functions.generate.decoding.stages import MARK_TOKENS
from functions.generate.decoding.thoughts import open_mark
from functions.generate.prompts.conversation import fit_turns
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, Format, Segment

_LEAST_QUESTION, _LEAST_ANSWER = 16, 32
"""Tokens: a context that leaves them less than this can't be served."""


class Prompter:
    """Fits conversations into one model's context of `context` tokens.

    `max_input_tokens` bounds the prompt, and so the wait for the first word, below the model's own context.
    Raises SettingsError if that leaves no room for a question, with what helps.
    """

    def __init__(self, model: str, form: Format, encoder: Encoder, *, context: int, max_input_tokens: int) -> None:
        self._format = form
        self._encoder = encoder
        self._context = context
        self._max_input_tokens = max_input_tokens
        self.opened = open_mark(form.opening)
        """The mark of the thought that every prompt opens, if they do."""
        least = self._least(form)
        # Half of it, unless the frame and a question take more.
        self._longest = min(context // 2, context - least)
        if self._longest < _LEAST_ANSWER:
            raise SettingsError(
                f"{model}: its context of {context} tokens leaves no room for a question and an answer, which take"
                f" {least + _LEAST_ANSWER}: {self._ways_out(form)}"
            )
        if max_input_tokens < least:
            raise SettingsError(
                f"{model}: GENERATE_MAX_INPUT_TOKENS={max_input_tokens} leaves no room for a question: raise it to"
                f" {least} or more, up to {context - _LEAST_ANSWER}"
            )

    def _least(self, form: Format) -> int:
        """Tokens of the frame and a short question."""
        question = form.render([Turn(role=Role.USER, text=".")])
        return len(self._encoder.encode(question, begin=form.bare).ids) + _LEAST_QUESTION

    def _ways_out(self, form: Format) -> str:
        other = "serve a model with a longer context"
        if form.end == DialogueFormat.end and self._least(DialogueFormat()) + _LEAST_ANSWER <= self._context:
            card = '{"name": "NAME", "format": "dialogue"}'
            return (
                f"write {card} to timokha.json in its directory, to do without the examples in the prompt, or {other}"
            )
        return other

    def limit(self, sampling: Sampling) -> int:
        """How many tokens the answer may have."""
        return min(sampling.max_new_tokens, self._longest)

    def prompt(self, turns: Sequence[Turn], limit: int, *, thought: int = 0) -> list[int]:
        """The newest of `turns` that fit beside an answer of `limit` tokens.

        A thought of `thought` tokens has room too, where that leaves half of the context for the prompt.
        """
        room = limit + min(thought, max(0, self._longest - limit))
        budget = min(self._max_input_tokens, self._context - room)
        kept = fit_turns(turns, budget, lambda some: len(self._encode(some)))
        return self._encode(kept)[-budget:]

    def room_for_thought(self, prompt: Sequence[int], limit: int) -> int:
        """How many tokens are left beside `prompt` and an answer of `limit` tokens."""
        return max(0, self._context - len(prompt) - limit - MARK_TOKENS)

    def frame(self, text: str) -> list[int]:
        """The tokens of `text`, which is ours."""
        return self._encoder.encode([Segment(text, framing=True)], begin=False).ids

    def _encode(self, turns: Sequence[Turn]) -> list[int]:
        return self._encoder.encode(self._format.render(turns), begin=self._format.bare).ids
