"""An answer from its prompt to its text: what the engines that run a model here share around the model itself."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from events.schema import FinishReason, Sampling, Turn, Usage
from functions.generate.decoding.answers import tidy_answer
from functions.generate.decoding.control_tokens import ControlTokens
from functions.generate.decoding.stages import AnswerStages, Bounds, MarkTokens
from functions.generate.decoding.thoughts import hide_thoughts
from functions.generate.engine import GeneratedAnswer
from functions.generate.prompts.formats import Format
from functions.generate.prompts.prompter import Prompter
from functions.generate.prompts.tokenizer import Tokenizer


@dataclass(slots=True)
class Times:
    """Seconds: to read the prompt, until the first token, and for the rest, later stages' prompts included."""

    prompt: float | None = None
    generation: float = 0.0

    def add(self, prompt: float, generation: float) -> None:
        if self.prompt is None:
            self.prompt = prompt
        else:
            self.generation += prompt
        self.generation += generation


class AnswerWriter:
    """Begins the answers of one model, and makes messages of what it wrote."""

    def __init__(
        self,
        prompter: Prompter,
        tokenizer: Tokenizer,
        *,
        ends: Collection[int],
        form: Format,
        decode: Callable[[Sequence[int]], str],
        max_thought_tokens: int,
    ) -> None:
        """`ends`: the tokens that end an answer. `decode` keeps special tokens."""
        self._prompter = prompter
        self._marks = MarkTokens.of(tokenizer, prompter.frame)
        self._ends = ends
        self._end = form.end
        self._decode = decode
        self._frames = ControlTokens.of(tokenizer, form)
        self._max_thought_tokens = max_thought_tokens
        self._reserved = max_thought_tokens if self._marks or prompter.opened else 0

    def begin(self, turns: Sequence[Turn], sampling: Sampling) -> tuple[list[int], AnswerStages]:
        """The prompt for the newest of `turns`, and the stages of the answer."""
        limit = self._prompter.limit(sampling)
        prompt = self._prompter.prompt(turns, limit, thought=self._reserved)
        thought = min(self._max_thought_tokens, self._prompter.room_for_thought(prompt, limit))
        bounds = Bounds(answer=limit, thought=thought)
        return prompt, AnswerStages(
            bounds, self._marks, opened=self._prompter.opened, ends=self._ends, decode=self._decode
        )

    def so_far(self, tokens: Sequence[int]) -> str:
        """What may be shown of an answer of which there is more to come."""
        return self._text(tokens, whole=False)

    def generated(self, prompt: Sequence[int], stages: AnswerStages, times: Times) -> GeneratedAnswer:
        """The answer that has gone through its `stages`."""
        return GeneratedAnswer(
            text=tidy_answer(self._text(stages.tokens, whole=not stages.cut), cut=stages.cut),
            finish_reason=FinishReason.LENGTH if stages.cut else FinishReason.STOP,
            usage=Usage(input_tokens=len(prompt), output_tokens=stages.written),
            prompt_seconds=times.prompt or 0.0,
            generation_seconds=times.generation,
        )

    def _text(self, tokens: Sequence[int], *, whole: bool) -> str:
        # A mark may be a special token, and the end of a line end an answer, but no thought.
        text = hide_thoughts(self._decode(tokens), thinking=self._prompter.opened is not None, whole=whole).text
        return self._frames.without(text.partition(self._end)[0] if self._end else text)
