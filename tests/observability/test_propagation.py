from dataclasses import replace

from opentelemetry.trace import get_current_span

from events.event import Event
from events.transport import Channel
from observability import propagation, telemetry

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_hop_over_headers_keeps_the_trace_and_its_state():
    headers = {"traceparent": PARENT, "tracestate": "vendor=1", "ce-id": "x"}
    with propagation.resume(headers):
        assert propagation.inject() == {"traceparent": PARENT, "tracestate": "vendor=1"}
    assert propagation.inject() == {}


def test_header_names_are_read_in_any_case():
    with propagation.resume({"Traceparent": PARENT}):
        assert propagation.inject() == {"traceparent": PARENT}


def test_values_that_are_not_text_are_no_trace():
    context = propagation.extract({"traceparent": 7, "tracestate": b"x"})  # type: ignore[dict-item]
    assert not get_current_span(context).get_span_context().is_valid


def test_a_process_without_telemetry_passes_the_trace_on(event: Event, in_hand):
    spans = telemetry.noop_telemetry().spans
    arrived = replace(event, headers={"traceparent": PARENT})
    with (
        spans.process(Channel.REQUESTS, in_hand(arrived), group="generate"),
        spans.send(Channel.REPLIES, event) as sent,
    ):
        assert sent.headers == {"traceparent": PARENT}


def test_a_trace_that_was_stored_goes_on_after_a_restart(observed, question):
    with observed.telemetry.spans.receive_telegram(question):
        stored = propagation.inject()
    with propagation.resume(stored), observed.telemetry.spans.send_telegram(question):
        pass
    spans = observed.finished
    assert spans["send telegram"].parent.span_id == spans["receive telegram"].context.span_id
    assert spans["send telegram"].context.trace_id == spans["receive telegram"].context.trace_id
