"""The spans of one question, literally."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from opentelemetry.trace import Span, SpanKind, StatusCode

from events.event import Event
from events.runtime.clock import SystemClock
from events.schema import FinishReason, GenerationCompleted, Usage
from events.transport import Channel
from functions.generate.engine import GeneratedAnswer
from functions.generate.handler import generate
from observability import propagation
from observability.spans import mark_failed
from tests.clocks import SteppedClock

REQUESTS = {
    "messaging.system": "nats",
    "messaging.destination.name": "timokha.requests",
    "messaging.destination.template": "timokha.requests.{account}.{chat}.{message}.{revision}",
    "messaging.message.id": "acc.42.7.0:requested",
    "messaging.message.conversation_id": "acc.42",
    "timokha.request_id": "acc.42.7.0",
}
TELEGRAM = {
    "messaging.system": "telegram",
    "messaging.destination.name": "telegram",
    "messaging.message.id": "7",
    "messaging.message.conversation_id": "acc.42",
    "timokha.request_id": "acc.42.7.0",
}


def ask(observed, question, event):
    """The edge's first half; what travels is returned."""
    spans = observed.telemetry.spans
    with spans.receive_telegram(question), spans.send(Channel.REQUESTS, event) as traced:
        return traced


def answer(observed, delivery, request_data):
    """A generate function; what travels is returned."""
    spans = observed.telemetry.spans
    with spans.process(Channel.REQUESTS, delivery, group="generate"):
        with spans.chat("gemma", "openvino", request_data) as chat:
            chat.record_answer("ответ", finish_reason=FinishReason.STOP, usage=Usage(input_tokens=5, output_tokens=3))
        completed = GenerationCompleted(
            request_id=request_data.request_id, text="ответ", finish_reason=FinishReason.STOP, model="gemma"
        )
        with spans.send(Channel.REPLIES, Event.of(completed, source="test", time=datetime.now(UTC))) as traced:
            return traced


@pytest.fixture
def journey(observed, question, event, request_data, in_hand):
    asked = ask(observed, question, event)
    answered = answer(observed, in_hand(asked, published_at=datetime.now(UTC)), request_data)
    spans = observed.telemetry.spans
    delivery = in_hand(answered, published_at=datetime.now(UTC))
    with spans.process(Channel.REPLIES, delivery, group="edge"), spans.send_telegram(question):
        pass
    return observed.finished


def test_a_question_is_one_trace_from_arrival_to_reply(journey):
    named = {span.context.span_id: span.name for span in journey.values()}
    shape = [
        (
            span.name,
            span.kind,
            named[span.parent.span_id] if span.parent else None,
            [named[link.context.span_id] for link in span.links],
        )
        for span in sorted(journey.values(), key=lambda span: span.start_time)
    ]
    assert shape == [
        ("receive telegram", SpanKind.CLIENT, None, []),
        ("send timokha.requests", SpanKind.PRODUCER, "receive telegram", []),
        ("queue timokha.requests", SpanKind.INTERNAL, "send timokha.requests", []),
        ("process timokha.requests", SpanKind.CONSUMER, "send timokha.requests", ["send timokha.requests"]),
        ("chat gemma", SpanKind.CLIENT, "process timokha.requests", []),
        ("send timokha.replies", SpanKind.PRODUCER, "process timokha.requests", []),
        ("queue timokha.replies", SpanKind.INTERNAL, "send timokha.replies", []),
        ("process timokha.replies", SpanKind.CONSUMER, "send timokha.replies", ["send timokha.replies"]),
        ("send telegram", SpanKind.PRODUCER, "process timokha.replies", []),
    ]
    assert len({span.context.trace_id for span in journey.values()}) == 1


def test_messaging_spans_say_what_the_convention_asks_for(journey):
    operation = {name: {"messaging.operation.name": name, "messaging.operation.type": name} for name in
                 ("receive", "send", "process")}  # fmt: skip
    assert dict(journey["receive telegram"].attributes) == TELEGRAM | operation["receive"]
    assert dict(journey["send telegram"].attributes) == TELEGRAM | operation["send"] | {"timokha.part": 0}
    assert dict(journey["send timokha.requests"].attributes) == REQUESTS | operation["send"]
    assert dict(journey["process timokha.requests"].attributes) == {
        **REQUESTS,
        **operation["process"],
        "messaging.consumer.group.name": "generate",
        "timokha.attempt": 1,
    }


def test_a_chat_span_says_what_was_asked_for_and_what_came_but_no_text(journey):
    assert dict(journey["chat gemma"].attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openvino",
        "gen_ai.conversation.id": "acc.42",
        "gen_ai.request.model": "gemma",
        "gen_ai.request.max_tokens": 60,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_k": 40.0,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 0,
        "gen_ai.response.model": "gemma",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 3,
        "timokha.request_id": "acc.42.7.0",
    }
    everything = str([(dict(span.attributes), span.events, span.status.description) for span in journey.values()])
    assert "секрет" not in everything
    assert "ответ" not in everything


def test_a_chat_span_has_the_conversation_where_that_was_asked_for(capturing, request_data, event, in_hand):
    answer(capturing, in_hand(event), request_data)
    attributes = capturing.finished["chat gemma"].attributes
    assert attributes["gen_ai.input.messages"] == (
        '[{"role": "user", "parts": [{"type": "text", "content": "секрет"}]}]'
    )
    assert attributes["gen_ai.output.messages"] == (
        '[{"role": "assistant", "parts": [{"type": "text", "content": "ответ"}], "finish_reason": "stop"}]'
    )


def test_a_persona_is_a_text_like_the_conversations(capturing, observed, request_data, event, in_hand):
    told = request_data.model_copy(update={"persona": "Ты секретарь"})
    answer(capturing, in_hand(event), told)
    answer(observed, in_hand(event), told)
    name = "gen_ai.system_instructions"
    assert capturing.finished["chat gemma"].attributes[name] == '[{"type": "text", "content": "Ты секретарь"}]'
    assert name not in observed.finished["chat gemma"].attributes


def test_a_speakers_name_is_a_text_like_the_conversations(capturing, observed, request_data, event, in_hand):
    named = [turn.model_copy(update={"speaker": "Анна"}) for turn in request_data.turns]
    said = request_data.model_copy(update={"turns": named})
    answer(capturing, in_hand(event), said)
    answer(observed, in_hand(event), said)
    assert capturing.finished["chat gemma"].attributes["gen_ai.input.messages"] == (
        '[{"role": "user", "parts": [{"type": "text", "content": "секрет"}], "name": "Анна"}]'
    )
    assert "Анна" not in str(dict(observed.finished["chat gemma"].attributes))


def leak(observed, delivery):
    with (
        pytest.raises(ValueError, match="секрет"),
        observed.telemetry.spans.process(Channel.REQUESTS, delivery, group="generate"),
    ):
        raise ValueError("секрет")
    return observed.finished["process timokha.requests"]


def test_an_error_is_recorded_by_its_type_and_without_its_message(observed, event, in_hand):
    span = leak(observed, in_hand(event))
    assert span.attributes["error.type"] == "ValueError"
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())


def test_an_error_keeps_its_message_where_content_was_asked_for(capturing, event, in_hand):
    [recorded] = leak(capturing, in_hand(event)).events
    assert recorded.attributes["exception.message"] == "секрет"


def test_a_span_can_fail_without_an_exception(observed, question):
    with observed.telemetry.spans.send_telegram(question) as span:
        assert isinstance(span, Span)
        mark_failed(span, "attempts_exhausted")
    failed = observed.finished["send telegram"]
    assert (failed.attributes["error.type"], failed.status.status_code) == ("attempts_exhausted", StatusCode.ERROR)


@pytest.mark.parametrize("garbage", ["", "00-0-0-00", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01", "x" * 10_000])
def test_a_garbage_traceparent_starts_a_new_trace_even_inside_another(observed, question, event, in_hand, garbage):
    delivery = in_hand(replace(event, headers={"traceparent": garbage, "tracestate": "=,;;="}))
    spans = observed.telemetry.spans
    with spans.receive_telegram(question), spans.process(Channel.REQUESTS, delivery, group="generate"):
        pass
    span = observed.finished["process timokha.requests"]
    assert (span.parent, list(span.links)) == (None, [])
    assert span.context.trace_id != observed.finished["receive telegram"].context.trace_id


def test_an_event_with_an_unreadable_subject_is_traced_without_its_ids(observed, event, in_hand):
    delivery = in_hand(replace(event, subject="no id", id="x" * 100_000))
    with observed.telemetry.spans.process(Channel.REQUESTS, delivery, group="generate"):
        pass
    attributes = observed.finished["process timokha.requests"].attributes
    assert "timokha.request_id" not in attributes
    assert attributes["messaging.message.id"] == "x" * 256


def test_rabbitmq_spans_name_the_routing_key_instead_of_a_template(observed, event):
    with observed.telemetry.spans.send(Channel.REQUESTS, event, system="rabbitmq"):
        pass
    attributes = observed.finished["send timokha.requests"].attributes
    assert attributes["messaging.system"] == "rabbitmq"
    assert attributes["messaging.rabbitmq.destination.routing_key"] == "timokha.requests"
    assert "messaging.destination.template" not in attributes


def test_a_sent_event_differs_only_in_its_trace(observed, event):
    stale = replace(event, headers={"Traceparent": "stale", "tracestate": "stale=1", "timokha-loop": "1"})
    with observed.telemetry.spans.send(Channel.REQUESTS, stale) as traced:
        pass
    context = observed.finished["send timokha.requests"].context
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    assert traced == replace(event, headers={"timokha-loop": "1", "traceparent": parent})


def test_the_wait_at_the_broker_is_a_span_of_its_own_from_publication_to_delivery(observed, question, event, in_hand):
    asked = ask(observed, question, event)
    published = datetime.now(UTC) - timedelta(seconds=30)
    for attempt in (1, 2):
        with observed.telemetry.spans.process(Channel.REQUESTS, in_hand(asked, attempt, published), group="generate"):
            pass
    first, second = observed.named("queue timokha.requests")
    processed = observed.named("process timokha.requests")
    for queued, process, attempt in zip((first, second), processed, (1, 2), strict=True):
        assert 30e9 <= queued.end_time - queued.start_time <= 60e9
        assert queued.end_time <= process.start_time
        assert queued.parent.span_id == process.parent.span_id
        assert dict(queued.attributes) == {
            **{name: value for name, value in process.attributes.items() if name != "messaging.operation.type"},
            "messaging.operation.name": "queue",
            "timokha.attempt": attempt,
        }


def test_an_event_from_a_clock_that_is_ahead_has_waited_no_time(observed, question, event, in_hand):
    asked = ask(observed, question, event)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with observed.telemetry.spans.process(Channel.REQUESTS, in_hand(asked, 1, ahead), group="generate"):
        pass
    [queued] = observed.named("queue timokha.requests")
    assert queued.end_time - queued.start_time < 1e9


def test_a_step_reaches_back_to_when_it_became_due(observed, question):
    since = datetime.now(UTC) - timedelta(seconds=5)
    with observed.telemetry.spans.receive_telegram(question):
        trace = propagation.inject()
    with observed.telemetry.spans.step("deliver answer", question, trace=trace, since=since):
        pass
    [step] = observed.named("deliver answer")
    assert step.end_time - step.start_time >= 5e9
    assert step.parent.span_id == observed.finished["receive telegram"].context.span_id


async def test_a_chat_span_says_how_often_an_answer_was_drawn_and_no_text(observed, request_data):
    class Repeating:
        model, provider, samples = "gemma", "openvino", True
        own_sampling = MappingProxyType({})

        async def generate(self, turns, sampling, *, persona="", on_progress=None):
            return GeneratedAnswer("секрет в четырёх словах", FinishReason.STOP, Usage(input_tokens=5, output_tokens=3))

        async def close(self): ...

    question = request_data.turns[0].model_copy(update={"text": "секрет в четырёх словах"})
    request = request_data.model_copy(
        update={"turns": (question,), "deadline": datetime.now(UTC) + timedelta(seconds=60)}
    )
    await generate(request, engine=Repeating(), spans=observed.telemetry.spans, clock=SystemClock())
    [span] = observed.named("chat gemma")
    assert span.attributes["timokha.draws"] == 3
    assert span.attributes["gen_ai.usage.output_tokens"] == 9
    assert "секрет" not in str((dict(span.attributes), span.events))
    assert [count for _, count in observed.points()["timokha.redraws"]] == [2]


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)], ids=str)
def test_a_span_is_as_long_as_it_took_if_the_clock_is_set_meanwhile(observed, question, step):
    clock = SteppedClock()
    spans = replace(observed.telemetry.spans, clock=clock)
    with spans.receive_telegram(question):
        clock.ahead += step
    since = clock.now()
    clock.ahead += step
    with spans.step("await answer", question, trace={}, since=since):
        pass
    for span in observed.finished.values():
        assert 0 <= (span.end_time - span.start_time) / 1e9 < (3700 if step > timedelta(0) else 10)
    arrival = next(span for span in observed.finished.values() if span.parent is None)
    assert (arrival.end_time - arrival.start_time) / 1e9 < 10
