"""Write a command's output directory: one process at a time, and complete results only."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from events.errors import SettingsError
from events.runtime.claims import Claim
from events.runtime.leftovers import discard, removing, removing_empty, removing_unfinished

LOCK = ".lock"
_SCRATCH = ".workspace"


@contextmanager
def claim_directory(out: Path, setting: str = "TRAINING_OUT") -> Iterator[None]:
    """Lock the directory `out`; create it if it is missing, and remove it if it stays empty.

    Raises SettingsError, one line that names `setting`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(removing_empty((out, *out.parents)))
            stack.callback(Claim(out, LOCK).release)
        except OSError as error:
            raise SettingsError(f"{setting}: {out} can't be used: {error.strerror or error}") from None
        stack.enter_context(removing(out / LOCK))
        yield


@contextmanager
def scratch_directory(out: Path, name: str = _SCRATCH) -> Iterator[Path]:
    """Yield a temporary directory in `out`, after removing those that killed processes left behind.

    It is always removed: it may hold text of a chat export. Call it inside `claim_directory`.
    """
    for left in tuple(out.glob(f"{name}*")):
        discard(left)
    place = out / name
    with removing_unfinished(place):
        place.mkdir()
        yield place


def publish_files(result: Path, out: Path, last: str) -> None:
    """Move the files of `result` to `out`; the one named `last` comes last and marks the result as complete."""
    (out / last).unlink(missing_ok=True)
    for file in sorted(result.iterdir(), key=lambda file: (file.name == last, file.name)):
        file.replace(out / file.name)
