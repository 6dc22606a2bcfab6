from datetime import UTC, datetime, timedelta

import pytest

from events.schema import FailureReason, FinishReason, Timings, Usage
from events.transport import Channel

SEND = {
    "messaging.system": "nats",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    "messaging.destination.name": "timokha.requests",
}
PROCESS = {
    "messaging.system": "nats",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": "timokha.requests",
    "messaging.consumer.group.name": "generate",
}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openvino", "gen_ai.request.model": "gemma"}


def test_a_sent_event_is_counted_and_timed(observed, event):
    with observed.telemetry.spans.send(Channel.REQUESTS, event):
        pass
    points = observed.points()
    assert points["messaging.client.sent.messages"] == [(SEND, 1)]
    assert points["messaging.client.operation.duration"] == [(SEND, 1)]


def test_a_failed_delivery_is_timed_under_its_error(observed, event, in_hand):
    spans = observed.telemetry.spans
    with pytest.raises(TimeoutError), spans.process(Channel.REQUESTS, in_hand(event), group="generate"):
        raise TimeoutError
    assert observed.points()["messaging.process.duration"] == [({**PROCESS, "error.type": "TimeoutError"}, 1)]


def test_a_delivery_is_in_flight_while_it_is_in_hand(observed, event, in_hand):
    with observed.telemetry.spans.process(Channel.REQUESTS, in_hand(event), group="generate"):
        assert observed.points()["timokha.in_flight"] == [(PROCESS, 1)]
    assert observed.points()["timokha.in_flight"] == [(PROCESS, 0)]


def test_a_first_delivery_has_waited_and_a_later_one_is_a_retry(observed, event, in_hand):
    # Published by a clock that is ahead: still a wait, of zero.
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with observed.telemetry.spans.process(Channel.REQUESTS, in_hand(event, 1, ahead), group="generate"):
        pass
    assert "timokha.retries" not in observed.points()
    with observed.telemetry.spans.process(Channel.REQUESTS, in_hand(event, 2), group="generate"):
        pass
    points = observed.points()
    assert points["timokha.queue.duration"] == [(PROCESS, 1)]
    assert points["timokha.retries"] == [(PROCESS, 1)]
    assert points["messaging.client.consumed.messages"] == [(PROCESS, 2)]


def test_a_generation_is_timed_and_its_tokens_are_counted(observed, request_data):
    with observed.telemetry.spans.chat("gemma", "openvino", request_data) as chat:
        usage, timings = Usage(input_tokens=5, output_tokens=3), Timings(prompt=0.5, generation=1.0)
        chat.record_answer("x", finish_reason=FinishReason.STOP, usage=usage, timings=timings)
    points = observed.points()
    assert points["gen_ai.client.operation.duration"] == [(CHAT, 1)]
    assert points["gen_ai.server.time_to_first_token"] == [(CHAT, 1)]
    assert points["gen_ai.server.time_per_output_token"] == [(CHAT, 1)]
    assert points["gen_ai.client.token.usage"] == [
        ({**CHAT, "gen_ai.token.type": "input"}, 1),
        ({**CHAT, "gen_ai.token.type": "output"}, 1),
    ]


def test_a_draw_that_is_made_again_is_counted_by_its_reason(observed, request_data):
    with observed.telemetry.spans.chat("gemma", "openvino", request_data) as chat:
        chat.record_redraw("repeated", number=2)
        chat.record_redraw("repeated", number=3)
    assert observed.points()["timokha.redraws"] == [({**CHAT, "timokha.reason": "repeated"}, 2)]
    assert observed.finished["chat gemma"].attributes["timokha.draws"] == 3


def test_an_engine_that_does_not_tell_its_times_leaves_them_out(observed, request_data):
    with observed.telemetry.spans.chat("gemma", "openvino", request_data) as chat:
        chat.record_answer("x", finish_reason=FinishReason.STOP, usage=Usage(input_tokens=5, output_tokens=3))
    assert not {"gen_ai.server.time_to_first_token", "gen_ai.server.time_per_output_token"} & set(observed.points())


def test_what_befalls_a_question_is_counted(observed):
    metrics = observed.telemetry.metrics
    metrics.record_finished(timedelta(seconds=2), "answered")
    metrics.record_flood_wait(timedelta(seconds=15))
    metrics.count_dead_letter(FailureReason.REJECTED)
    metrics.count_busy_ignored()
    metrics.count_silenced("paused")
    metrics.record_catch_up(7)
    metrics.count_connected(3)
    metrics.count_connected(-1)
    points = observed.points()
    [(_, uptime)] = points.pop("process.uptime")
    assert uptime > 0
    assert points == {
        "timokha.answer.duration": [({"timokha.outcome": "answered"}, 1)],
        "timokha.flood_wait.duration": [({}, 1)],
        "timokha.deadletters": [({"timokha.reason": "rejected"}, 1)],
        "timokha.busy_ignored": [({}, 1)],
        "timokha.silenced": [({"timokha.reason": "paused"}, 1)],
        "timokha.catch_up.size": [({}, 1)],
        "timokha.connected": [({}, 2)],
    }


def test_durations_are_told_apart_up_to_the_longest_deadline(observed):
    observed.telemetry.metrics.record_finished(timedelta(seconds=100), "answered")
    assert observed.bounds("timokha.answer.duration")[-3:] == (30, 60, 120)
