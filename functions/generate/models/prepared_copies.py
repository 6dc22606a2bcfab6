"""Prepared models in the cache: by what each is named, which one a process uses, and those that earlier ones left."""

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

MADE_BY = 8
"""Raise it when what is made from the same model changes."""
_CONVERTING = ("torch", "transformers", "openvino")
"""What decides how a model comes out that is no GGUF file."""
_OF_A_NAME = 100
"""Characters of a model's name in that of its directory."""
_WITHOUT_PLACES = (1, 2, 3)
"""Versions whose directories were named by one digest, and which took no locks."""
_held: list[int] = []
"""Locks of this process, until it ends."""


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """What is made of a model: the file or directory `source`, a hub id, or the default model if None."""

    source: str | None
    bits: int
    writes: str
    """Which of its tokens it can write: a word, and the number of the rule by which they are chosen."""
    voice: Voice | None = None
    """Merged into the default model."""

    def directory(self, models: Path) -> Path:
        """Where it lies, or will lie, in `models`."""
        exact = models / f"{self._stem}-{self._content}-{self._kind}-{MADE_BY}{self.tools}"
        if exact.exists() or not needs_torch(self.source):
            return exact
        # Without torch here it was made elsewhere, whatever with; of the hub's model, of whatever revision.
        content = self._content if self.has_content else "*"
        tools = self.tools or "-*"
        others = models.glob(f"{_escaped(self._stem)}-{content}-{self._kind}-{MADE_BY}{tools}{os.sep}{FILE_NAME}")
        return max(others, key=_time, default=exact / FILE_NAME).parent

    @property
    def has_content(self) -> bool:
        """Whether it is known here what is made into it: not of the hub's model while nothing of it is here."""
        return self.source is None or bool(_files(self.source) or cached_revision(self.source))

    def earlier(self, models: Path) -> Iterator[Path]:
        """The directories in `models` that this one takes the place of."""
        current = self.directory(models)
        word = self.writes.rstrip("0123456789")
        kind = rf"openvino-int{self.bits}-{word}\d*-\d+(-[0-9a-f]{{8}})?"
        same = re.compile(rf"{re.escape(self._stem)}-[0-9a-f]{{12}}-{kind}")
        for directory in models.glob(f"{_escaped(self._stem)}-*"):
            if same.fullmatch(directory.name) and directory != current and (directory / FILE_NAME).is_file():
                yield directory
        for number in () if self.voice else _WITHOUT_PLACES:
            before = models / f"{self._name_before}-openvino-int{self.bits}-{number}"
            if (before / FILE_NAME).is_file() and not _is_mapped(before):
                yield before

    @property
    def _kind(self) -> str:
        return f"openvino-int{self.bits}-{self.writes}"

    @property
    def _stem(self) -> str:
        """Of all copies of the same place."""
        if self.source is None:
            return f"{CARD.name}-{self.voice.name}" if self.voice else CARD.name
        place = str(Path(self.source).expanduser().resolve()) if _files(self.source) else self.source
        return f"{model_name(self.source)[:_OF_A_NAME]}-{_digest(place, 8)}"

    @property
    def _content(self) -> str:
        """Other files are another model, by their names, sizes and times; of the hub another revision."""
        if self.source is None:
            return _digest((SHA256, self.voice.digest), 12) if self.voice else SHA256[:12]
        return _digest((_stats(self.source), cached_revision(self.source)), 12)

    @property
    def tools(self) -> str:
        """What it is converted with, for its name; empty if it need not be, or can't be here."""
        if not needs_torch(self.source):
            return ""
        with suppress(PackageNotFoundError):
            return f"-{_digest([version(name) for name in _CONVERTING], 8)}"
        return ""

    @property
    def _name_before(self) -> str:
        if self.source is None:
            return CARD.name
        stats = [(Path(name).name, *rest) for name, *rest in _stats(self.source)]
        identity = str(Path(self.source).expanduser().resolve()) if stats else self.source
        return f"{model_name(self.source)}-{_digest((identity, stats), 12)}"


def needs_torch(source: str | None) -> bool:
    """Whether preparing it takes torch: the default model is a GGUF file, too."""
    return source is not None and not Path(source).expanduser().is_file()


def cached_revision(source: str) -> str:
    """The commit of the hub's model `source` that is on this machine; empty if there is none, or it is no hub id."""
    if _files(source) or source.count("/") != 1 or source.endswith(header.SUFFIX):
        return ""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415 -- few models are of the hub

        reference = Path(HF_HUB_CACHE, f"models--{source.replace('/', '--')}", "refs", "main")
        return reference.read_text(encoding="utf-8").strip()
    except (ImportError, OSError, ValueError):
        return ""


def hold(directory: Path) -> bool:
    """Have others leave `directory` alone while this process lives; False if it is not, or no longer, there."""
    try:
        file = os.open(directory / FILE_NAME, os.O_RDONLY)
    except OSError:
        return False
    with suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_SH)
    if not _is_still(directory, file):
        os.close(file)
        return False
    _held.append(file)
    return True


def remove_unused(directories: Iterable[Path]) -> list[Path]:
    """Remove those that no process holds, and return them."""
    return [directory for directory in directories if _removed(directory)]


def _removed(directory: Path) -> bool:
    gone = directory.with_name(f"{directory.name}{PARTIAL}")  # whatever is left of it is swept away later
    try:
        file = os.open(directory / FILE_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        directory.rename(gone)
    except OSError:
        return False
    finally:
        os.close(file)
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _is_still(directory: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(directory / FILE_NAME))
    except OSError:
        return False


def _is_mapped(directory: Path) -> bool:
    """Whether a process of this machine has a file of `directory` in its memory; True where nobody can tell."""
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
    """When `file` was written; long ago if it is gone."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _digest(what: object, digits: int) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:digits]


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
