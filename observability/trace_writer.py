"""Write spans to a file for `timokha trace`, one JSON object per line.

A line is what the SDK's `ReadableSpan.to_json` returns: `name`, `context` {`trace_id`, `span_id`: hexadecimal with 0x},
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
"""Below the logger whose errors `setup.py` throttles."""


class TraceFile(SpanExporter):
    """Appends to `path`, which only its owner may read and several processes may share.

    Raises SettingsError if it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False
        """Whether the file ends with an incomplete line of ours."""
        try:
            # Without O_NONBLOCK, opening a pipe without a reader would block forever.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            self._file = os.open(path, flags, 0o600)
            os.set_blocking(self._file, True)
        except OSError as error:
            raise SettingsError(
                f"can't write spans to {path}: {error.strerror}; name a file in a folder you may write to"
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
        """Return whether all of it was written."""
        # One write per batch, so that lines of two processes don't mix.
        data = b"\n" + lines if self._torn else lines
        written = os.write(self._file, data)
        self._torn = not data[:written].endswith(b"\n")
        return written == len(data)

    def shutdown(self) -> None:
        os.close(self._file)
