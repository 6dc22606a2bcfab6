"""Spans in a file, one JSON object a line, to be read by `timokha trace`.

A line is what the SDK's `ReadableSpan.to_json` gives: `name`, `context` {`trace_id`, `span_id`: hexadecimal with 0x},
`parent_id`, `kind`, `start_time` and `end_time` (ISO 8601, UTC), `status`, `attributes`, `links`, `resource`.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from events.errors import SettingsError

_log = logging.getLogger("opentelemetry.timokha")
"""Where the exporters' complaints are limited, see `setup.py`."""


class TraceFile(SpanExporter):
    """Appends to `path`, which several processes may share and only its owner may read.

    Raises SettingsError if it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False
        """Whether the file's last line is the first part of one of ours."""
        try:
            # Without O_NONBLOCK a pipe that nobody reads would keep the process here for ever.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            self._file = os.open(path, flags, 0o600)
            os.set_blocking(self._file, True)
        except OSError as error:
            raise SettingsError(
                f"can't write spans to {path}: {error.strerror}; name a file in a folder of yours"
            ) from None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        lines = "".join(f"{span.to_json(indent=None)}\n" for span in spans).encode()
        try:
            whole = self._append(lines)
        except OSError as error:
            _log.error("can't write spans to %s: %s", self._path, error.strerror)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if whole else SpanExportResult.FAILURE

    def _append(self, lines: bytes) -> bool:
        """Return whether there was room for all of it."""
        # One write a batch keeps the lines of two processes apart.
        data = b"\n" + lines if self._torn else lines
        written = os.write(self._file, data)
        self._torn = not data[:written].endswith(b"\n")
        return written == len(data)

    def shutdown(self) -> None:
        os.close(self._file)
