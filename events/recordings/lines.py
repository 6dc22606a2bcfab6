"""Write and read recordings: one event a line, with its channel, time and headers.

    {"channel": "requests", "published": "2026-11-24T12:00:00.123456+00:00", "headers": {…}, "event": {…}}

`event` is CloudEvents' JSON format (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md):
`data` if that restores the exact bytes of the body, else `data_base64`.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from events.errors import TimokhaError
from events.event import CONTENT_TYPE, Event, attributes
from events.files import write_whole
from events.transport import Channel


class BadRecording(TimokhaError):
    """A file can't be read or written as a recording."""


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it was published in a channel."""

    channel: Channel
    published_at: datetime
    event: Event

    def to_line(self) -> str:
        event = self.event
        line = {
            "channel": self.channel.value,
            "published": self.published_at.isoformat(),
            "headers": dict(event.headers),
            "event": {**attributes(event), "datacontenttype": CONTENT_TYPE, **_data(event.body)},
        }
        text = json.dumps(line, ensure_ascii=False)
        # Surrogates stand for header bytes that are not UTF-8, and UTF-8 can't encode them.
        return json.dumps(line) if any("\ud800" <= character <= "\udfff" for character in text) else text

    @classmethod
    def from_line(cls, line: str) -> "RecordedEvent":
        """Raises ValueError, KeyError, TypeError or RecursionError if the line is no recorded event."""
        fields = json.loads(line)
        event = fields["event"]
        return cls(
            channel=Channel(fields["channel"]),
            published_at=_time(fields["published"]),
            event=Event(
                id=_text(event["id"]),
                type=_text(event["type"]),
                source=_text(event["source"]),
                subject=_text(event["subject"]),
                time=_time(event["time"]),
                body=_body(event),
                headers={_text(name): _text(value) for name, value in dict(fields["headers"]).items()},
            ),
        )


def read(path: Path) -> list[RecordedEvent]:
    """Return the events of a file that `write` wrote, in order. Raises BadRecording."""
    try:
        # Not splitlines, which also splits at separators that a text may contain.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecording(f"{path} can't be read ({error}); name a file that `timokha record` wrote") from None
    recorded = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            recorded.append(RecordedEvent.from_line(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BadRecording(f"{path}, line {number} is no recorded event ({reason}); record it again") from None
    return recorded


class Line(Protocol):
    """What a line of a file says."""

    def to_line(self) -> str: ...


def write(recorded: Iterable[Line], path: Path) -> None:
    """Write a file that only its owner may read, since it holds private text. Raises BadRecording."""
    text = "".join(f"{one.to_line()}\n" for one in recorded)
    try:
        write_whole(path, text, mode=0o600)
    except OSError as error:
        raise BadRecording(f"{path} can't be written ({error.strerror}); name a file in a folder of yours") from None


def dump(data: Any) -> bytes:
    """Encode JSON as pydantic does."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.100} is no text")
    return value


def _time(value: object) -> datetime:
    time = datetime.fromisoformat(_text(value))
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return time


def _data(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
        if dump(data) == body:
            return {"data": data}
    except (ValueError, RecursionError):
        pass
    return {"data_base64": base64.b64encode(body).decode()}


def _body(event: dict[str, Any]) -> bytes:
    if "data" in event:
        return dump(event["data"])
    try:
        return base64.b64decode(event["data_base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
