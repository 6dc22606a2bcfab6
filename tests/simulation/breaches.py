"""What broke a promise in a seed that was played: by its history, or as no process may ever do that."""

from events.errors import TransportUnreachable
from events.rabbitmq.faults import Missing
from tests.promises.judgement import judge
from tests.promises.lines.disturbances import Disturbance
from tests.simulation.blows import kind_of
from tests.simulation.log import STARTED
from tests.simulation.plan import COMMAND
from tests.simulation.play import Played

JUST = 1.0
"""Seconds in which a process that starts has made sure of all it needs."""
RABBITMQ = "RabbitMQ"
"""What an error that it was the cause of has in its text, and whom a disturbance concerned, in small letters."""
READY = ".ready"
AWAY = TransportUnreachable.__name__
"""What a process ends with by itself if a server is away when it starts."""
MISSING = Missing.__name__
"""What a worker ends with whose queue no bridge has declared yet."""
LEADERLESS = "could not be opened: JetStream system temporarily unavailable"
UNANSWERED, FROZEN = "nats: timeout", "freeze"


def breaches_of(played: Played) -> list[str]:
    """Return what broke a promise, and what no process may ever do."""
    found = [played.broken] if played.broken else []
    found += [
        f"error: {line['event']} {line.get('error', '')} {line['traceback']}" for line in played.log if _is_bug(line)
    ]
    found += [f"ended: {line['process']} with {line['error']}" for line in played.log if _is_end_by_fault(line, played)]
    return found + judge(played.history).faults


def _is_bug(line: dict[str, object]) -> bool:
    return "traceback" in line or line["event"] == "library.asyncio"


def _is_end_by_fault(line: dict[str, object], played: Played) -> bool:
    """Return whether a process that runs on has ended with an error.

    It may if a server was away when it started, or lost a stream before it was ready, or if RabbitMQ was out of order
    before that. The version before did not wait for a leader when it opened its buckets, and lost its patience with
    NATS while it was frozen itself.
    """
    if line["event"] != "process.ended" or line["process"] == COMMAND or not line["error"]:
        return False
    if RABBITMQ in str(line["error"]) and _is_lost_at_start(line, played):
        return False
    mended = bool(line.get("is_before")) and (str(line["error"]).endswith(LEADERLESS) or _stood_still(line, played))
    return not (str(line["error"]).startswith(AWAY) or _has_just_lost(line, played) or mended)


def _is_lost_at_start(line: dict[str, object], played: Played) -> bool:
    end, is_missing = float(str(line["time"])), str(line["error"]).startswith(MISSING)
    whom = (RABBITMQ.lower(), *(("bridge",) if is_missing else ()))
    every = played.history.of(Disturbance)
    noted = [one for one in every if one.whom in whom or (is_missing and one.what == "queue_lost")]
    return _starting_since(line, played) is not None and any(one.touches(end - JUST, end) for one in noted)


def _has_just_lost(line: dict[str, object], played: Played) -> bool:
    """Return whether a stream was lost before it was ready, which may take long if NATS was away, or just now."""
    end, started = float(str(line["time"])), _starting_since(line, played)
    since = end - JUST if started is None else min(started, end - JUST)
    lost = [one.began for one in played.history.of(Disturbance) if one.what in ("deleted_stream", "emptied")]
    return any(since < at <= end for at in lost)


def _stood_still(line: dict[str, object], played: Played) -> bool:
    """Return whether it was frozen before it was ready, and NATS did not answer then."""
    started, kind = _starting_since(line, played), kind_of(str(line["process"]))
    frozen = [one for one in played.history.of(Disturbance) if (one.what, one.whom) == (FROZEN, kind)]
    was_frozen = started is not None and any(one.touches(started, float(str(line["time"]))) for one in frozen)
    return was_frozen and str(line["error"]).endswith(UNANSWERED)


def _starting_since(line: dict[str, object], played: Played) -> float | None:
    """Return when the process that ended was started, None if it was ready after that."""
    own = [one for one in played.log if one["process"] == line["process"] and one["time"] <= line["time"]]
    last = [one for one in own if one["event"] == STARTED or one["event"].endswith(READY)][-1:]
    return last[0]["time"] if last and last[0]["event"] == STARTED else None
