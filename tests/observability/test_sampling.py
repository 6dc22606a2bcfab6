"""Which traces are recorded: all, but of a flood only a part, and each as a whole."""

from dataclasses import replace

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision

from events.event import Event
from events.ids import RequestId
from events.transport import Channel
from observability import setup
from observability.sampling import BURST, RateLimited
from observability.spans import Spans

UNRECORDED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def begun(sampler: RateLimited, times: int) -> int:
    decisions = [sampler.should_sample(None, 1, "x").decision for _ in range(times)]
    return decisions.count(Decision.RECORD_AND_SAMPLE)


def test_a_burst_is_recorded_and_after_it_as_many_a_second_as_are_allowed():
    clock = Clock()
    sampler = RateLimited(per_second=2, burst=5, clock=clock)
    assert begun(sampler, 9) == 5
    clock.now = 0.4
    assert begun(sampler, 9) == 0
    clock.now = 3.0
    assert begun(sampler, 9) == 5
    clock.now = 5.0
    assert begun(sampler, 3) == 3
    assert begun(sampler, 9) == 1


def ask(spans, number: int, event: Event) -> Event:
    question = RequestId("acc", "42", str(number))
    with spans.receive_telegram(question), spans.send(Channel.REQUESTS, event) as sent:
        return sent


def started(monkeypatch, sampler: str = "") -> tuple[Spans, InMemorySpanExporter]:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    exporter = InMemorySpanExporter()
    return setup.start("generate", span_exporter=exporter).spans, exporter


def test_of_a_flood_whole_traces_are_recorded_and_none_in_part(monkeypatch, event, in_hand):
    spans, exporter = started(monkeypatch)
    sent = [ask(spans, number, event) for number in range(BURST + 50)]
    for request in sent:
        with spans.process(Channel.REQUESTS, in_hand(request), group="generate"):
            pass
    traces: dict[str, set[int]] = {}
    for span in exporter.get_finished_spans():
        traces.setdefault(span.name, set()).add(span.context.trace_id)
    roots = traces["receive telegram"]
    # A few more may come in while the flood runs.
    assert BURST <= len(roots) < BURST + 50
    for name in ("send timokha.requests", "queue timokha.requests", "process timokha.requests"):
        assert traces[name] == roots
    # One that is not recorded costs its message nothing.
    assert sum("traceparent" in request.headers for request in sent) == len(roots)


def test_a_trace_begins_only_where_a_question_comes_in(monkeypatch, event, in_hand):
    spans, exporter = started(monkeypatch)
    with spans.process(Channel.REQUESTS, in_hand(event), group="g"), spans.send(Channel.REPLIES, event) as sent:
        pass
    assert exporter.get_finished_spans() == ()
    assert "traceparent" not in sent.headers
    with (
        spans.process(Channel.REQUESTS, in_hand(event), group="bridge", entry=True),
        spans.send(Channel.REQUESTS, event) as sent,
    ):
        pass
    assert "traceparent" in sent.headers
    assert {span.name for span in exporter.get_finished_spans()} == {
        "process timokha.requests",
        "send timokha.requests",
    }


def test_under_a_sampler_that_was_asked_for_any_process_begins_a_trace(monkeypatch, event, in_hand):
    spans, exporter = started(monkeypatch, "parentbased_always_on")
    with spans.process(Channel.REQUESTS, in_hand(event), group="g"):
        pass
    assert [span.name for span in exporter.get_finished_spans()] == ["process timokha.requests"]


def test_what_is_not_recorded_still_travels_on_as_it_came(observed, event, in_hand):
    spans = observed.telemetry.spans
    delivery = in_hand(replace(event, headers=UNRECORDED))
    with (
        spans.process(Channel.REQUESTS, delivery, group="generate") as span,
        spans.send(Channel.REPLIES, event) as sent,
    ):
        assert not span.is_recording()
    assert sent.headers == UNRECORDED
    assert observed.finished == {}


def test_what_is_not_recorded_is_measured_all_the_same(observed, event, in_hand):
    with observed.telemetry.spans.process(Channel.REQUESTS, in_hand(replace(event, headers=UNRECORDED)), group="g"):
        pass
    assert observed.points()["messaging.process.duration"][0][1] == 1


@pytest.mark.parametrize(
    ("sampler", "recorded"), [("always_on", 1), ("parentbased_always_on", 0), ("always_off", 0), ("", 0)]
)
def test_a_sampler_that_is_asked_for_is_obeyed(monkeypatch, event, in_hand, sampler, recorded):
    spans, exporter = started(monkeypatch, sampler)
    with spans.process(Channel.REQUESTS, in_hand(replace(event, headers=UNRECORDED)), group="generate"):
        pass
    names = [span.name for span in exporter.get_finished_spans()]
    assert names.count("process timokha.requests") == recorded


def test_without_a_limit_every_trace_is_recorded(monkeypatch, event):
    spans, exporter = started(monkeypatch, "parentbased_always_on")
    for number in range(BURST + 50):
        ask(spans, number, event)
    assert len(exporter.get_finished_spans()) == 2 * (BURST + 50)
