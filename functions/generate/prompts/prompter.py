"""Fit conversations into a model's context, as token ids; for the engines that run a model in this process."""

from collections.abc import Sequence

from events.errors import SettingsError
from events.schema import Role, Sampling, Turn
from functions.generate.decoding.stages import MARK_TOKENS
from functions.generate.decoding.thoughts import open_mark
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, Format, Segment
from functions.generate.prompts.persona import fit_conversation

_LEAST_QUESTION, _LEAST_ANSWER = 16, 32
"""Tokens of a question and an answer that a served model's context must leave."""


class Prompter:
    """Fits conversations into one model's context of `context` tokens.

    `max_input_tokens` limits the prompt further, and so the time until the first word.
    Raises SettingsError, with a way out, if that leaves no space for a question.
    """

    def __init__(self, model: str, form: Format, encoder: Encoder, *, context: int, max_input_tokens: int) -> None:
        self._format = form
        self._encoder = encoder
        self._context = context
        self._max_input_tokens = max_input_tokens
        self.opened = open_mark(form.opening)
        """The mark of the thought that every prompt opens, or None."""
        least = self._least(form)
        # Half of the context, unless the frame and a question take more.
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
        """Return the tokens of the frame and a short question."""
        question = form.render([Turn(role=Role.USER, text=".")])
        return len(self._encoder.encode(question, add_bos=form.needs_bos).ids) + _LEAST_QUESTION

    def _ways_out(self, form: Format) -> str:
        longer = "serve a model with a longer context"
        if form.end == DialogueFormat.end and self._least(DialogueFormat()) + _LEAST_ANSWER <= self._context:
            card = '{"name": "NAME", "format": "dialogue"}'
            return (
                f"write {card} to timokha.json in its directory, to do without the examples in the prompt, or {longer}"
            )
        return longer

    def limit(self, sampling: Sampling) -> int:
        """Return how many tokens the answer may have."""
        return min(sampling.max_new_tokens, self._longest)

    def prompt(self, turns: Sequence[Turn], limit: int, *, persona: str = "", thought: int = 0) -> list[int]:
        """Return the prompt of the persona and the newest of `turns` that leave space for an answer of `limit` tokens.

        Also leave space for `thought` tokens, as far as the prompt keeps half of the context.
        """
        reserved = limit + min(thought, max(0, self._longest - limit))
        budget = min(self._max_input_tokens, self._context - reserved)
        fitting = fit_conversation(turns, persona, budget, lambda *some: len(self._encode(*some)))
        return self._encode(*fitting)[-budget:]

    def thought_limit(self, prompt: Sequence[int], limit: int) -> int:
        """Return how many tokens `prompt` and an answer of `limit` tokens leave for a thought."""
        return max(0, self._context - len(prompt) - limit - MARK_TOKENS)

    def encode_frame(self, text: str) -> list[int]:
        """Return the tokens of `text`, which may name control tokens."""
        return self._encoder.encode([Segment(text, framing=True)], add_bos=False).ids

    def _encode(self, turns: Sequence[Turn], persona: str) -> list[int]:
        return self._encoder.encode(self._format.render(turns, persona=persona), add_bos=self._format.needs_bos).ids
