"""Where a training's files go: one process at a time writes them, and its result is whole."""

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
    """Keep other processes out of the directory `out`, which is made if need be and goes if nothing is put into it.

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
    """A directory in `out`, which has room for it. What killed processes have left of theirs is removed.

    It goes whatever happens: it may hold what a chat export holds. Call it inside `claimed`.
    """
    for left in tuple(out.glob(f"{name}*")):
        discard(left)
    place = out / name
    with removing_unfinished(place):
        place.mkdir()
        yield place


def publish_files(result: Path, out: Path, last: str) -> None:
    """Move the files of `result` to `out`; the one named `last` says that the others are there."""
    (out / last).unlink(missing_ok=True)
    for file in sorted(result.iterdir(), key=lambda file: (file.name == last, file.name)):
        file.replace(out / file.name)
