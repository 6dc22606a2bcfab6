"""Conversations to token ids that fit, and token ids to a message: what the engines that run a model here share."""

from collections.abc import Sequence

from events.errors import SettingsError
from events.schema import Role, Sampling, Turn
from functions.generate.encoding import Encoder
from functions.generate.prompts import Format, Segment, fit
from functions.generate.stages import MARK_TOKENS
from functions.generate.thoughts import open_mark

_LEAST_QUESTION = 16
"""Tokens: a window that leaves a question less than this can't be served."""


class Prompter:
    """Fits conversations into one model's context of `context` tokens.

    `max_input_tokens` bounds the prompt, and so the wait for the first word, below the model's own context.
    Raises SettingsError if that leaves no room for a question.
    """

    def __init__(self, model: str, form: Format, encoder: Encoder, *, context: int, max_input_tokens: int) -> None:
        self._format = form
        self._encoder = encoder
        self._context = context
        self._max_input_tokens = max_input_tokens
        self.opened = open_mark(form.opening)
        """The mark of the thought that every prompt opens, if they do."""
        window = min(max_input_tokens, context - context // 2)
        least = len(self._encode([Turn(role=Role.USER, text=".")])) + _LEAST_QUESTION
        if window < least:
            raise SettingsError(
                f"{model}: {window} tokens leave no room for a question, it takes {least}: "
                "raise GENERATE_MAX_INPUT_TOKENS or serve a model with a longer context"
            )

    def limit(self, sampling: Sampling) -> int:
        """How many tokens the answer may have."""
        return min(sampling.max_new_tokens, self._context // 2)

    def prompt(self, turns: Sequence[Turn], limit: int, *, thought: int = 0) -> list[int]:
        """The newest of `turns` that fit beside an answer of `limit` tokens.

        A thought of `thought` tokens has room too, where that leaves half of the context for the prompt.
        """
        room = limit + min(thought, max(0, self._context // 2 - limit))
        budget = min(self._max_input_tokens, self._context - room)
        kept = fit(turns, budget, lambda some: len(self._encode(some)))
        return self._encode(kept)[-budget:]

    def room_for_thought(self, prompt: Sequence[int], limit: int) -> int:
        """How many tokens are left beside `prompt` and an answer of `limit` tokens."""
        return max(0, self._context - len(prompt) - limit - MARK_TOKENS)

    def frame(self, text: str) -> list[int]:
        """The tokens of `text`, which is ours."""
        return self._encoder.encode([Segment(text, framing=True)], begin=False).ids

    def _encode(self, turns: Sequence[Turn]) -> list[int]:
        return self._encoder.encode(self._format.render(turns), begin=self._format.bare).ids
