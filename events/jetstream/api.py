"""What nats-py's JetStreamContext lacks: its client, lookups without a consumer, full listings, fast deletions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from events.jetstream.client import Client
from events.jetstream.faults import is_lost_stream

OVERLAP = 1000
"""Subjects that a page repeats from the page before, so that up to as many may disappear without one being skipped."""

NO_SUBJECT, NO_SEQUENCE = "timokha.none", 2**53
"""What no stream of ours stores."""
WITHOUT_DELETION = ("KV_chats", "KV_telegram", "KV_bridge")
"""Streams of which messages can't be deleted one by one."""

PURGE_FAILED = 10051
DELETE_FAILED = 10057
NOT_FOUND = 10043
"""The server's code for a deleted message with others before and after it."""
GONE = {"no message found", "deleted message", "stream store EOF"}
"""The server's descriptions of other messages that do not exist."""


def client_of(js: JetStreamContext) -> Client:
    """Return the client behind `js`, which has no public way to it."""
    return cast(Client, js._nc)


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """When a stream was `created`, and what time it is `now`: both by the server's clock; None if it does not say.

    Source: https://github.com/nats-io/nats-server/blob/main/server/stream.go (`StreamInfo`; `ts` since 2.10)
    """

    created: datetime | None
    now: datetime | None


async def stream_times(js: JetStreamContext, stream: str) -> StreamTimes:
    """Return a stream's times, which nats-py does not read. Raises NatsError."""
    answer = await _request(js, f"STREAM.INFO.{stream}", {})
    return StreamTimes(_time(answer.get("created")), _time(answer.get("ts")))


def _time(text: str | None) -> datetime | None:
    # It has nanoseconds, and Python takes six digits at most.
    return datetime.fromisoformat(f"{text[:19]}{text[19:].rstrip('Z')[:7]}+00:00") if text else None


async def find_message(
    js: JetStreamContext, stream: str, subject: str, *, first: int | None = None
) -> RawStreamMsg | None:
    """Return the newest message under `subject`, or the next one from sequence number `first` on; None without one.

    With `first`, `subject` may have wildcards. Raises NatsError, also if the stream itself does not exist.
    """
    try:
        return await js.get_msg(stream, seq=first, subject=subject, next=first is not None)
    except NotFoundError as error:
        if is_lost_stream(error):
            raise
        return None


async def delete_message(js: JetStreamContext, stream: str, sequence: int, *, overwrite: bool = True) -> bool:
    """Delete one message and return whether it existed. Raises NatsError.

    `overwrite` replaces its bytes in the stream's files, which a purge does not; without it the server takes a tenth
    of the time.
    """
    try:
        # nats-py's `delete_msg` always overwrites.
        await _request(js, f"STREAM.MSG.DELETE.{stream}", {"seq": sequence, "no_erase": not overwrite})
    except APIError as error:
        if error.err_code == NOT_FOUND or (error.err_code == DELETE_FAILED and error.description in GONE):
            return False
        raise
    return True


async def purge_subject(js: JetStreamContext, stream: str, subject: str, *, up_to: int) -> None:
    """Remove what is stored under `subject` up to this sequence number. Raises NatsError."""
    await _request(js, f"STREAM.PURGE.{stream}", {"filter": subject, "seq": up_to + 1})


async def write_problem(js: JetStreamContext, stream: str) -> str:
    """Return why the server can't write to a stream's files, empty if it can. Raises NatsError.

    It is asked to remove what does not exist, which changes nothing. It refuses that after a failed write until it is
    restarted, even if there is room again.
    """
    try:
        if stream in WITHOUT_DELETION:
            await _request(js, f"STREAM.PURGE.{stream}", {"filter": NO_SUBJECT})
        else:
            await delete_message(js, stream, NO_SEQUENCE, overwrite=False)
    except APIError as error:
        if error.err_code not in (PURGE_FAILED, DELETE_FAILED):
            raise
        return error.description or "it can't be written to"
    return ""


async def lost_bytes(js: JetStreamContext, stream: str) -> int:
    """Return how much of a stream's files the server could not read at its last start. Raises NatsError.

    The answer lists every deleted message.
    """
    # nats-py's `stream_info` can't ask for it.
    answer = await _request(js, f"STREAM.INFO.{stream}", {"deleted_details": True})
    return int((answer["state"].get("lost") or {}).get("bytes") or 0)


@dataclass(frozen=True, slots=True)
class _Page:
    """Sorted subjects after the first `offset` ones; `total` counts those of all pages."""

    subjects: Sequence[str]
    offset: int
    total: int

    @property
    def end(self) -> int:
        return self.offset + len(self.subjects)


async def subjects_of(js: JetStreamContext, stream: str, filter_subject: str, *, overlap: int = OVERLAP) -> list[str]:
    """Return the matching subjects that have a message, sorted. Raises NatsError.

    The server lists at most 100,000 at a time. A subject that appears or disappears meanwhile may be missing.
    """
    page = await _page(js, stream, filter_subject, 0)
    found = list(page.subjects)
    while page.end < page.total:
        page = await _page(js, stream, filter_subject, max(page.end - overlap, 0))
        while page.offset and (not page.subjects or page.subjects[0] > found[-1]):
            # So many have disappeared that there may be others before this page.
            page = await _page(js, stream, filter_subject, max(page.offset - overlap, 0))
        last = found[-1]
        found += [subject for subject in page.subjects if subject > last]
    return found


async def _page(js: JetStreamContext, stream: str, filter_subject: str, offset: int) -> _Page:
    # nats-py can ask for the first page only.
    answer = await _request(js, f"STREAM.INFO.{stream}", {"subjects_filter": filter_subject, "offset": offset})
    return _Page(sorted(answer["state"].get("subjects") or ()), offset, answer.get("total") or 0)


async def _request(js: JetStreamContext, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    return await js._api_request(f"{js._prefix}.{operation}", json.dumps(request).encode(), timeout=js._timeout)
