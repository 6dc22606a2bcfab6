"""The attributes of a `chat` span; message text only with `capture_content`.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and the JSON schemas it links to.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

from events.schema import FinishReason, GenerationRequested, Timings, Usage
from observability import names
from observability.metrics import Metrics


@dataclass(frozen=True, slots=True)
class ChatSpan:
    """A generation that is being traced."""

    span: Span
    metrics: Metrics
    attributes: Mapping[str, str]
    capture_content: bool

    def record_redraw(self, reason: str, *, number: int) -> None:
        """Record that draw `number` of the answer begins; `reason` from a small fixed set, e.g. `repeated`."""
        self.span.set_attribute(names.DRAWS, number)
        self.metrics.count_redraw(reason, self.attributes)

    def record_answer(
        self,
        text: str,
        *,
        finish_reason: FinishReason,
        usage: Usage,
        timings: Timings = Timings(),  # noqa: B008 - frozen
        model: str | None = None,
    ) -> None:
        """Record the answer. `model` if the engine reports another than the requested one."""
        self.span.set_attributes(
            {
                names.GEN_AI_RESPONSE_MODEL: model or self.attributes[names.GEN_AI_REQUEST_MODEL],
                names.GEN_AI_RESPONSE_FINISH_REASONS: [finish_reason.value],
                names.GEN_AI_USAGE_INPUT_TOKENS: usage.input_tokens,
                names.GEN_AI_USAGE_OUTPUT_TOKENS: usage.output_tokens,
            }
        )
        if self.capture_content:
            answer = {**_message("assistant", text), "finish_reason": finish_reason.value}
            self.span.set_attribute(names.GEN_AI_OUTPUT_MESSAGES, _dump([answer]))
        self.metrics.record_tokens(usage, self.attributes)
        self.metrics.record_generation(timings, usage.output_tokens, self.attributes)


def request_attributes(request: GenerationRequested, *, capture_content: bool) -> dict[str, AttributeValue]:
    """Return the attributes that are known before the model answers."""
    sampling = request.sampling
    attributes: dict[str, AttributeValue] = {
        names.REQUEST_ID: request.request_id,
        names.GEN_AI_CONVERSATION_ID: f"{request.account_id}.{request.chat_id}",
        names.GEN_AI_REQUEST_MAX_TOKENS: sampling.max_new_tokens,
        names.GEN_AI_REQUEST_TEMPERATURE: sampling.temperature,
        # The convention's type is a floating point number.
        names.GEN_AI_REQUEST_TOP_K: float(sampling.top_k),
        names.GEN_AI_REQUEST_TOP_P: sampling.top_p,
        names.GEN_AI_REQUEST_SEED: sampling.seed,
    }
    if capture_content:
        turns = [_message(turn.role.value, turn.text, turn.speaker) for turn in request.turns]
        attributes[names.GEN_AI_INPUT_MESSAGES] = _dump(turns)
        if request.persona:
            attributes[names.GEN_AI_SYSTEM_INSTRUCTIONS] = _dump([_part(request.persona)])
    return attributes


def _message(role: str, text: str, name: str = "") -> dict[str, object]:
    message: dict[str, object] = {"role": role, "parts": [_part(text)]}
    return {**message, "name": name} if name else message


def _part(text: str) -> dict[str, object]:
    return {"type": "text", "content": text}


def _dump(messages: list[dict[str, object]]) -> str:
    return json.dumps(messages, ensure_ascii=False)
