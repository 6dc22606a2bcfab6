"""Where a training's files go: one process at a time writes them, and its result is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events.errors import SettingsError
from events.runtime.claims import Claim
from events.runtime.leftovers import unfinished

LOCK = ".lock"
_SCRATCH = ".workspace"


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Keep other processes out of the directory `out`, which is made if need be. Raises SettingsError, one line."""
    try:
        claim = Claim(out, LOCK)
    except OSError as error:
        raise SettingsError(f"TRAINING_OUT: {out} can't be used: {error.strerror or error}") from None
    try:
        yield
    finally:
        claim.release()


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """A directory in `out`, which has room for it. What killed processes have left of theirs is removed.

    It holds what a chat export holds, so it goes whatever happens. Call it inside `claimed`.
    """
    for left in tuple(out.glob(f"{_SCRATCH}*")):
        with unfinished(left):
            pass
    place = out / _SCRATCH
    with unfinished(place):
        place.mkdir()
        yield place


def publish(result: Path, out: Path, last: str) -> None:
    """Move the files of `result` to `out`; the one named `last` says that the others are there."""
    (out / last).unlink(missing_ok=True)
    for file in sorted(result.iterdir(), key=lambda file: (file.name == last, file.name)):
        file.replace(out / file.name)
