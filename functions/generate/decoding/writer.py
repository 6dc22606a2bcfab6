"""From turns to a prompt, and from tokens to an answer: shared by the engines that run a model in this process."""

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
    """Seconds until the first token, and for the rest, which includes the prompts of later stages."""

    prompt: float | None = None
    generation: float = 0.0

    def add(self, prompt: float, generation: float) -> None:
        if self.prompt is None:
            self.prompt = prompt
        else:
            self.generation += prompt
        self.generation += generation


class AnswerWriter:
    """Prepares the prompts of one model, and turns its tokens into answers."""

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
        self._marks = MarkTokens.of_tokenizer(tokenizer, prompter.encode_frame)
        self._ends = ends
        self._end = form.end
        self._decode = decode
        self._controls = ControlTokens.of_model(tokenizer, form)
        self._max_thought_tokens = max_thought_tokens
        self._reserved = max_thought_tokens if self._marks or prompter.opened else 0

    def begin(self, turns: Sequence[Turn], sampling: Sampling, persona: str = "") -> tuple[list[int], AnswerStages]:
        """Return the prompt for the persona and the newest of `turns`, and the stages of the answer."""
        limit = self._prompter.limit(sampling)
        prompt = self._prompter.prompt(turns, limit, persona=persona, thought=self._reserved)
        thought = min(self._max_thought_tokens, self._prompter.thought_limit(prompt, limit))
        bounds = Bounds(answer=limit, thought=thought)
        return prompt, AnswerStages(
            bounds, self._marks, opened=self._prompter.opened, ends=self._ends, decode=self._decode
        )

    def partial_text(self, tokens: Sequence[int]) -> str:
        """Return what may be shown of an unfinished answer."""
        return self._text(tokens, whole=False)

    def answer(self, prompt: Sequence[int], stages: AnswerStages, times: Times) -> GeneratedAnswer:
        """Return the answer whose `stages` are written."""
        return GeneratedAnswer(
            text=tidy_answer(self._text(stages.tokens, whole=not stages.cut), cut=stages.cut),
            finish_reason=FinishReason.LENGTH if stages.cut else FinishReason.STOP,
            usage=Usage(input_tokens=len(prompt), output_tokens=stages.written),
            prompt_seconds=times.prompt or 0.0,
            generation_seconds=times.generation,
        )

    def _text(self, tokens: Sequence[int], *, whole: bool) -> str:
        # Thoughts first: a mark may be a special token, and what ends an answer, such as a newline, ends no thought.
        text = hide_thoughts(self._decode(tokens), thinking=self._prompter.opened is not None, whole=whole).text
        return self._controls.remove_from(text.partition(self._end)[0] if self._end else text)
