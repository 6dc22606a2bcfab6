"""What no process may ever do is a breach, whatever the history says."""

from collections import Counter
from typing import Any

from tests.promises.history import History
from tests.promises.lines.disturbances import Disturbance
from tests.simulation.breaches import breaches_of
from tests.simulation.play import Played


def breaches(*, process: str = "bridge", **line: Any) -> list[str]:
    """Return those of a run in which nothing but the line was logged."""
    return breaches_of(Played(History(()), Counter(), {}, [{"time": 1.0, "process": process, **line}], "", 0, 1.0))


def test_a_process_that_ends_with_an_error_is_a_breach() -> None:
    error = "TransportError: 1.2.3.0:completed could not be settled"
    assert breaches(event="process.ended", error=error) == [f"ended: bridge with {error}"]


def test_one_that_ends_as_told_or_whose_server_is_away_when_it_starts_breaks_nothing() -> None:
    assert breaches(event="process.ended", error="") == []
    assert breaches(event="process.ended", error="TransportUnreachable: NATS server could not be reached") == []


def test_one_whose_stream_is_deleted_while_it_starts_may_end_with_an_error() -> None:
    def found(deleted_at: float) -> list[str]:
        lost = History((Disturbance("deleted_stream", "REPLIES", deleted_at, deleted_at),))
        line = {
            "time": 9.0,
            "process": "userbot",
            "event": "process.ended",
            "error": "TransportError: stream not found",
        }
        return breaches_of(Played(lost, Counter(), {}, [line], "", 0, 1.0))

    assert found(8.5) == []
    assert found(7.9) != []
    assert found(9.1) != []


def test_one_whose_store_is_emptied_while_it_starts_may_end_when_nats_is_back() -> None:
    def found(emptied_at: float, *noted: str) -> list[str]:
        lost = History((Disturbance("emptied", "nats", emptied_at, 18.0),))
        error = "TransportError: bucket chats could not be opened: bucket not found"
        lines = [{"time": 8.0 + at, "process": "bot", "event": event} for at, event in enumerate(noted)]
        ended = {"time": 16.0, "process": "bot", "event": "process.ended", "error": error}
        return breaches_of(Played(lost, Counter(), {}, [*lines, ended], "", 0, 1.0))

    assert found(8.5, "process.started") == []
    assert found(7.5, "process.started") != []
    assert found(8.5, "process.started", "userbot.ready") != []
    assert found(15.5, "process.started", "userbot.ready") == []


def test_only_the_version_before_may_end_because_nats_has_no_leader() -> None:
    def found(*, is_before: bool) -> list[str]:
        error = "TransportError: bucket chats could not be opened: JetStream system temporarily unavailable"
        return breaches(event="process.ended", error=error, is_before=is_before)

    assert found(is_before=True) == []
    assert found(is_before=False) != []


def test_only_the_version_before_may_end_because_it_was_frozen_while_it_started() -> None:
    def found(began: float, *, is_before: bool, ready: bool = False) -> list[str]:
        frozen = History((Disturbance("freeze", "generate", began, began + 9.0),))
        log = [{"time": 1.0, "process": "generate-2", "event": "process.started"}]
        log += [{"time": 2.0, "process": "generate-2", "event": "generate.ready"}] if ready else []
        error = "TransportError: stream REQUESTS could not be looked at: nats: timeout"
        log += [log[0] | {"time": 20.0, "event": "process.ended", "error": error, "is_before": is_before}]
        return breaches_of(Played(frozen, Counter(), {}, log, "", 0, 1.0))

    assert found(3.0, is_before=True) == []
    assert found(3.0, is_before=False) != []
    assert found(3.0, is_before=True, ready=True) != []
    assert found(21.0, is_before=True) != []


def test_a_command_may_end_with_an_error() -> None:
    assert breaches(process="setup", event="process.ended", error="RabbitMQ could not be reached") == []


def test_a_traceback_is_a_breach() -> None:
    assert breaches(event="driver.fault", error="", traceback="KeyError(1)") == ["error: driver.fault  KeyError(1)"]
    assert breaches(event="driver.again", error="TimeoutError") == []


def test_a_worker_that_starts_may_end_because_no_bridge_has_declared_its_queue_yet() -> None:
    error = "Missing: RabbitMQ refused 'timokha.requests' (NOT_FOUND); it is retried"
    started = {"time": 3.0, "process": "generate-rabbitmq", "event": "process.started"}
    ended = {"time": 4.0, "process": "generate-rabbitmq", "event": "process.ended", "error": error}

    def found(*noted: Disturbance) -> list[str]:
        return breaches_of(Played(History(noted), Counter(), {}, [started, ended], "", 0, 1.0))

    assert found(Disturbance("kill", "bridge", 2.0, 5.0)) == []
    assert found(Disturbance("queue_lost", "timokha.requests", 3.9, 3.9)) == []
    assert found(Disturbance("queue_lost", "timokha.requests", 2.0, 2.0)) != []
    assert found(Disturbance("kill", "bridge", 1.0, 2.0)) != []
    assert found(Disturbance("kill", "generate", 2.0, 5.0)) != []
    assert found() != []
