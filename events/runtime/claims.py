"""Let only one process at a time work in a directory."""

import fcntl
import os
from pathlib import Path

from events.errors import SettingsError


class InUse(SettingsError):
    """Another process has claimed the directory; the message has its process id."""


class Claim:
    """Create `directory` if missing and lock the file `name` in it, until `release` or the end of the process.

    A child that inherits the descriptor `number` holds the claim until it ends, too. Raises InUse or OSError.
    """

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / name
        self.number = -1
        while not self._is_there():
            self.release()
            self.number = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._lock(directory)
            except BaseException:
                self.release()
                raise

    def release(self) -> None:
        """Release the claim; safe to call again."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def _is_there(self) -> bool:
        """Return whether the locked file is still at its path: its last holder may have removed it."""
        try:
            return self.number >= 0 and os.path.samestat(os.fstat(self.number), self._path.stat())
        except FileNotFoundError:
            return False

    def _lock(self, directory: Path) -> None:
        try:
            fcntl.flock(self.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self.number, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise InUse(
                f"{directory} is in use by another process ({holder}): stop that one, or name another directory"
            ) from None
        try:
            os.ftruncate(self.number, 0)
            os.pwrite(self.number, str(os.getpid()).encode(), 0)
        except OSError:
            self._path.unlink(missing_ok=True)  # e.g. on a full disk
            raise
