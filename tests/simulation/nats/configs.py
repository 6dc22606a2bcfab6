"""Configurations of streams and consumers with the server's defaults, and what of them it refuses."""

from collections.abc import Iterable
from typing import Any

from tests.simulation.nats import errors
from tests.simulation.nats.errors import Refused
from tests.simulation.nats.subjects import overlap

TWO_MINUTES = 120_000_000_000
"""Nanoseconds."""

STREAM: dict[str, Any] = {
    "subjects": [],
    "retention": "limits",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "discard": "old",
    "storage": "file",
    "num_replicas": 1,
    "duplicate_window": 0,
    "compression": "none",
    "allow_direct": False,
    "mirror_direct": False,
    "no_ack": False,
    "sealed": False,
    "deny_delete": False,
    "deny_purge": False,
    "allow_rollup_hdrs": False,
    "allow_msg_ttl": False,
}

CONSUMER: dict[str, Any] = {
    "deliver_policy": "all",
    "ack_policy": "explicit",
    "ack_wait": 30_000_000_000,
    "max_deliver": -1,
    "replay_policy": "instant",
    "max_waiting": 512,
    "max_ack_pending": 1000,
    "num_replicas": 0,
}

FIXED = ("deliver_policy", "ack_policy", "opt_start_seq", "opt_start_time")
"""What of a consumer can't be updated."""

UNKNOWN_STREAM = ("mirror", "sources", "republish", "subject_transform", "subject_delete_marker_ttl")
UNKNOWN_CONSUMER = ("deliver_subject", "backoff", "headers_only", "idle_heartbeat", "flow_control")


def stream_config(asked: dict[str, Any], others: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a stream's configuration; `others` are those of the other streams. Raises Refused."""
    config = {**STREAM, **_given(asked)}
    config["duplicate_window"] = config["duplicate_window"] or min(TWO_MINUTES, config["max_age"] or TWO_MINUTES)
    _refuse(config, UNKNOWN_STREAM)
    if config["retention"] != "limits":
        raise Refused(errors.not_simulated(f"retention {config['retention']}"))
    if config["num_replicas"] > 1:
        raise Refused(errors.NO_CLUSTER)
    taken = [subject for other in others for subject in other["subjects"]]
    if any(overlap(subject, other) for subject in config["subjects"] for other in taken):
        raise Refused(errors.SUBJECTS_OVERLAP)
    return config


def consumer_config(asked: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a pull consumer's configuration. Raises Refused."""
    config = {**CONSUMER, **_given(asked), "name": name}
    _refuse(config, UNKNOWN_CONSUMER)
    if config["ack_policy"] != "explicit" or config["deliver_policy"] == "last_per_subject":
        raise Refused(errors.not_simulated(f"{config['ack_policy']} and {config['deliver_policy']}"))
    return config


def check_update(was: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise Refused if a consumer would have to begin anew."""
    for name in FIXED:
        if was.get(name) != wanted.get(name):
            raise Refused(errors.not_updated(name.replace("_", " ")))


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not set; a server has -1 for most limits that a client gives as 0."""
    return {name: value for name, value in asked.items() if value not in (None, "", 0, [], {})}


def _refuse(config: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if config.get(name):
            raise Refused(errors.not_simulated(name))
