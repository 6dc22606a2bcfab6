"""A wall clock that a test sets while a process runs, by libfaketime; the monotonic clock stays the machine's."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

LIBRARIES = ("/usr/lib/*/faketime", "/usr/local/lib/faketime", "/opt/homebrew/lib/faketime")
NAME = "libfaketime.so.1"
HOUR = timedelta(hours=1)


class WallClock:
    """The wall clock of the processes that are started with `environment`; it is right until `step`.

    Of Python only: a program in Go, such as nats-server, asks the kernel and not the C library.
    """

    def __init__(self, library: Path, directory: Path, name: str, *, ahead: timedelta = timedelta(0)) -> None:
        self._file = directory / f"{name}.clock"
        self._library = library
        self._ahead = ahead
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, by: timedelta) -> None:
        """Set the clock forward, or back."""
        self._ahead += by
        self._write()

    def _write(self) -> None:
        # In one piece: the process reads it each time that it asks for the time.
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead.total_seconds():+.0f}")
        new.replace(self._file)


def library() -> Path:
    """Return where libfaketime is. Without it skip the test, and in CI fail: a run without it would prove nothing."""
    found = [path / NAME for pattern in LIBRARIES for path in Path("/").glob(pattern[1:]) if (path / NAME).exists()]
    if not found:
        why = "no libfaketime here: `apt-get install libfaketime`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    return found[0]
