"""What JetStream refuses, as its API says it.

Source: https://github.com/nats-io/nats-server/blob/main/server/errors.json
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` is HTTP's, `err_code` JetStream's own."""

    code: int
    err_code: int
    description: str

    def as_dict(self) -> dict[str, object]:
        return {"code": self.code, "err_code": self.err_code, "description": self.description}


class Refused(Exception):
    """An exception of its own each time: one that is raised again and again gathers tracebacks."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.description)
        self.refusal = refusal


BAD_REQUEST = Refusal(400, 10003, "bad request")
NO_LEADER = Refusal(503, 10008, "JetStream system temporarily unavailable")
STREAM_NOT_FOUND = Refusal(404, 10059, "stream not found")
CONSUMER_NOT_FOUND = Refusal(404, 10014, "consumer not found")
NO_MESSAGE = Refusal(404, 10037, "no message found")
NAME_IN_USE = Refusal(400, 10058, "stream name already in use with a different configuration")
SUBJECTS_OVERLAP = Refusal(400, 10065, "subjects overlap with an existing stream")
NO_CLUSTER = Refusal(500, 10074, "replicas > 1 not supported in non-clustered mode")
CONSUMER_EXISTS = Refusal(400, 10148, "consumer already exists")
SEALED = Refusal(400, 10109, "invalid operation on sealed stream")
PURGE_DENIED = Refusal(500, 10110, "stream purge not permitted")
HEADERS_TOO_LARGE = Refusal(400, 10097, "header size exceeds maximum allowed of 64k")
MESSAGE_TOO_LARGE = Refusal(400, 10054, "message size exceeds maximum allowed")
OTHER_STREAM = Refusal(400, 10060, "expected stream does not match")
NO_TTL = Refusal(400, 10166, "per-message TTL is disabled")


def wrong_last_sequence(last: int) -> Refusal:
    return Refusal(400, 10071, f"wrong last sequence: {last}")


def wrong_last_id(last: str) -> Refusal:
    return Refusal(400, 10070, f"wrong last msg ID: {last}")


def rollup(what: str) -> Refusal:
    return Refusal(500, 10111, f"rollup {what}")


def not_stored(why: str) -> Refusal:
    return Refusal(503, 10077, why)


def not_deleted(why: str) -> Refusal:
    return Refusal(500, 10057, why)


def not_there(sequence: int) -> Refusal:
    return Refusal(400, 10043, f"sequence {sequence} not found")


def not_updated(what: str) -> Refusal:
    return Refusal(500, 10012, f"{what} can not be updated")


def not_simulated(what: str) -> Refusal:
    """Say so, rather than do something else than the real server."""
    return Refusal(500, 10000, f"the simulated NATS has no {what}")
