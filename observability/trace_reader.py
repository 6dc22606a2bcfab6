"""Read spans from a trace file, as trees."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from events.errors import SettingsError
from observability import names

SERVICE_PREFIX = "timokha-"


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """One line of a trace file (`observability/trace_writer.py`)."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    service: str
    start: datetime
    end: datetime
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, at least one, ordered by start."""

    spans: Sequence[RecordedSpan]

    @property
    def trace_id(self) -> str:
        return self.spans[0].trace_id

    @property
    def start(self) -> datetime:
        return self.spans[0].start

    @property
    def end(self) -> datetime:
        return max(span.end for span in self.spans)

    @property
    def request_id(self) -> str:
        """The id of the traced request, empty if no span names it."""
        return next((str(id_) for span in self.spans if (id_ := span.attributes.get(names.REQUEST_ID))), "")

    @property
    def attempts(self) -> int:
        """How often the request was delivered."""
        return max((int(span.attributes.get(names.ATTEMPT, 0)) for span in self.spans), default=0)

    @property
    def errors(self) -> list[str]:
        found = (span.attributes.get(names.ERROR_TYPE) for span in self.spans)
        return list(dict.fromkeys(str(error) for error in found if error))

    def matches(self, wanted: str) -> bool:
        """Return whether `wanted` is the request id, or a prefix of the trace id."""
        return wanted == self.request_id or self.trace_id.startswith(wanted.lower())

    def tree(self) -> Iterator[tuple[int, RecordedSpan]]:
        """Yield depth and span, parents first. A span whose parent is missing, e.g. after a kill, is a root too."""
        present = {span.span_id for span in self.spans}
        children: dict[str | None, list[RecordedSpan]] = {}
        for span in self.spans:
            children.setdefault(span.parent_id if span.parent_id in present else None, []).append(span)
        open_spans = [(0, span) for span in reversed(children.get(None, []))]
        while open_spans:
            depth, span = open_spans.pop()
            yield depth, span
            open_spans += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]


@dataclass(frozen=True, slots=True)
class TraceFileContent:
    """The traces of a file, oldest first, and the number of lines that are no spans."""

    traces: list[Trace]
    garbage: int


def read(path: Path) -> TraceFileContent:
    """Read a trace file; skip a last line that is still being written.

    Raises SettingsError if the file can't be read.
    """
    traces: dict[str, list[RecordedSpan]] = {}
    garbage = 0
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe or a device may never end
        raise SettingsError(f"TIMOKHA_TRACE_FILE: {path} is not a file; it takes the file that processes write to")
    try:
        with path.open("rb") as lines:
            for line in lines:
                if span := _span(line):
                    traces.setdefault(span.trace_id, []).append(span)
                else:
                    garbage += line.endswith(b"\n") and not line.isspace()
    except OSError as error:
        raise SettingsError(
            f"TIMOKHA_TRACE_FILE: {path} can't be read ({error.strerror}); it takes the file that processes write to"
        ) from None
    ordered = [Trace(sorted(spans, key=lambda span: span.start)) for spans in traces.values()]
    return TraceFileContent(sorted(ordered, key=lambda trace: trace.start), garbage)


def _span(line: bytes) -> RecordedSpan | None:
    """Parse a line; return None if it is no span of ours."""
    try:
        fields = json.loads(line.decode())
        span = RecordedSpan(
            trace_id=fields["context"]["trace_id"].removeprefix("0x"),
            span_id=fields["context"]["span_id"].removeprefix("0x"),
            parent_id=fields["parent_id"] and fields["parent_id"].removeprefix("0x"),
            name=fields["name"],
            service=fields["resource"]["attributes"]["service.name"].removeprefix(SERVICE_PREFIX),
            start=datetime.fromisoformat(fields["start_time"]),
            end=datetime.fromisoformat(fields["end_time"]),
            attributes=fields["attributes"],
        )
        _check(span)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return span


def _check(span: RecordedSpan) -> None:
    """Raises ValueError, or another error that `_span` catches, if an attribute has an unexpected value."""
    texts = (span.attributes.get(name, "") for name in (names.REQUEST_ID, names.ERROR_TYPE))
    for text in (span.trace_id, span.span_id, span.parent_id or "", span.name, span.service, *map(str, texts)):
        text.encode()
    if not isinstance(span.attributes.get(names.ATTEMPT, 0), int) or span.end - span.start < timedelta(0):
        raise ValueError
    if span.start.utcoffset() is None:
        raise ValueError
