"""Prepared models in the cache: how they are named, held while in use, and removed when superseded."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from events.files import PARTIAL
from functions.generate.engines.gguf import header
from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models.default_model import CARD, SHA256
from functions.generate.models.sources import model_name
from functions.generate.models.voices import Voice

MADE_BY = 9
"""Version of the preparation. Raise it when the same model is prepared differently."""
_CONVERTING = ("torch", "transformers", "openvino")
"""Packages whose versions affect the result, unless the model is a GGUF file."""
_NAME_LENGTH = 100
"""Characters of a model's name in the name of its directory."""
_LOCKLESS_VERSIONS = (1, 2, 3)
"""Versions that named a directory by a single digest and took no locks."""
_held: list[int] = []
"""File descriptors whose locks this process holds until it ends."""


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """A prepared copy of the model `source`: a file, a directory, a hub id, or None for the default model."""

    source: str | None
    bits: int
    tokens: str
    """Which tokens it can write: a word, and the version of the rule that chooses them."""
    voice: Voice | None = None
    """The voice that is merged into the default model."""

    def directory(self, models: Path) -> Path:
        """Return where the copy lies, or will lie, in `models`."""
        exact = models / f"{self._stem}-{self._content}-{self._kind}-{MADE_BY}{self.tools}"
        if exact.exists() or not needs_torch(self.source):
            return exact
        # Without torch it was prepared elsewhere: accept any version of the tools, and of a hub model any revision.
        content = self._content if self.is_content_known else "*"
        tools = self.tools or "-*"
        others = models.glob(f"{_escaped(self._stem)}-{content}-{self._kind}-{MADE_BY}{tools}{os.sep}{FILE_NAME}")
        return max(others, key=_time, default=exact / FILE_NAME).parent

    @property
    def is_content_known(self) -> bool:
        """Whether this machine has the model's files or, for a hub id, knows its revision."""
        return self.source is None or bool(_files(self.source) or cached_revision(self.source))

    def superseded(self, models: Path) -> Iterator[Path]:
        """Yield the directories in `models` that this copy replaces."""
        current = self.directory(models)
        word = self.tokens.rstrip("0123456789")
        kind = rf"openvino-int{self.bits}-{word}\d*-\d+(-[0-9a-f]{{8}})?"
        same = re.compile(rf"{re.escape(self._stem)}-[0-9a-f]{{12}}-{kind}")
        for directory in models.glob(f"{_escaped(self._stem)}-*"):
            if same.fullmatch(directory.name) and directory != current and (directory / FILE_NAME).is_file():
                yield directory
        for number in () if self.voice else _LOCKLESS_VERSIONS:
            before = models / f"{self._lockless_name}-openvino-int{self.bits}-{number}"
            if (before / FILE_NAME).is_file() and not _is_mapped(before):
                yield before

    @property
    def _kind(self) -> str:
        return f"openvino-int{self.bits}-{self.tokens}"

    @property
    def _stem(self) -> str:
        """The part of the name that all copies of the same source share."""
        if self.source is None:
            return f"{CARD.name}-{self.voice.name}" if self.voice else CARD.name
        place = str(Path(self.source).expanduser().resolve()) if _files(self.source) else self.source
        return f"{model_name(self.source)[:_NAME_LENGTH]}-{_digest(place, 8)}"

    @property
    def _content(self) -> str:
        """A digest of the files' names, sizes and times, and of a hub model's revision."""
        if self.source is None:
            return _digest((SHA256, self.voice.digest), 12) if self.voice else SHA256[:12]
        return _digest((_stats(self.source), cached_revision(self.source)), 12)

    @property
    def tools(self) -> str:
        """A digest of the conversion tools' versions, empty if none are needed or one is not installed."""
        if not needs_torch(self.source):
            return ""
        with suppress(PackageNotFoundError):
            return f"-{_digest([version(name) for name in _CONVERTING], 8)}"
        return ""

    @property
    def _lockless_name(self) -> str:
        if self.source is None:
            return CARD.name
        stats = [(Path(name).name, *rest) for name, *rest in _stats(self.source)]
        identity = str(Path(self.source).expanduser().resolve()) if stats else self.source
        return f"{model_name(self.source)}-{_digest((identity, stats), 12)}"


def needs_torch(source: str | None) -> bool:
    """Return whether preparing `source` needs torch; a GGUF file, such as the default model, does not."""
    return source is not None and not Path(source).expanduser().is_file()


def cached_revision(source: str) -> str:
    """Return the commit of the hub model `source` on this machine; empty if it has none or `source` is no hub id."""
    if _files(source) or source.count("/") != 1 or source.endswith(header.SUFFIX):
        return ""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415 -- few models are of the hub

        reference = Path(HF_HUB_CACHE, f"models--{source.replace('/', '--')}", "refs", "main")
        return reference.read_text(encoding="utf-8").strip()
    except (ImportError, OSError, ValueError):
        return ""


def hold(directory: Path) -> bool:
    """Keep other processes from removing `directory` while this one lives. Return False if it does not exist."""
    try:
        file = os.open(directory / FILE_NAME, os.O_RDONLY)
    except OSError:
        return False
    with suppress(OSError):  # the file system has no locks
        fcntl.flock(file, fcntl.LOCK_SH)
    if not _is_current(directory, file):
        os.close(file)
        return False
    _held.append(file)
    return True


def remove_unused(directories: Iterable[Path]) -> list[Path]:
    """Remove the directories that no process holds, and return them."""
    return [directory for directory in directories if _remove(directory)]


def _remove(directory: Path) -> bool:
    partial = directory.with_name(f"{directory.name}{PARTIAL}")  # leftovers are removed later
    try:
        file = os.open(directory / FILE_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        directory.rename(partial)
    except OSError:
        return False
    finally:
        os.close(file)
    shutil.rmtree(partial, ignore_errors=True)
    return True


def _is_current(directory: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(directory / FILE_NAME))
    except OSError:
        return False


def _is_mapped(directory: Path) -> bool:
    """Return whether a process on this machine has mapped a file of `directory`; True if that is unknown."""
    maps = list(Path("/proc").glob("[0-9]*/maps"))
    place = os.fsencode(f"{directory.resolve()}{os.sep}")
    for file in maps:
        with suppress(OSError):
            if place in file.read_bytes():
                return True
    return not maps


def _stats(source: str) -> list[tuple[str, int, int]]:
    path = Path(source).expanduser()
    parent = path if path.is_dir() else path.parent
    stats = ((file, file.stat()) for file in _files(source))
    return [(str(file.relative_to(parent)), stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def _files(source: str) -> list[Path]:
    path = Path(source).expanduser()
    return sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _time(file: Path) -> float:
    """Return when `file` was modified; 0 if it is gone."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _digest(what: object, digits: int) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:digits]


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
