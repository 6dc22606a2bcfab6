"""Prepare models in the user's cache, once each: any for the openvino engine, the default one for transformers."""

import logging
import multiprocessing
import os
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from events.errors import SettingsError, TimokhaError
from events.extras import install_command
from events.files import PARTIAL, fill_whole
from events.runtime.clock import Clock, SystemClock
from functions.generate.engines.gguf import header
from functions.generate.engines.gguf.kinds import ELSEWHERE
from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models import prepared_copies
from functions.generate.models.card import ModelCard
from functions.generate.models.default_model import CARD, default_gguf, notice
from functions.generate.models.prepared_copies import PreparedCopy
from functions.generate.models.sources import CONFIG, check_readable, model_path
from functions.generate.models.vocabulary import RULE_VERSION
from functions.generate.models.voices import NOTICE, Voice
from functions.generate.settings import Vocabulary

if TYPE_CHECKING:
    from rich.console import Console

MEMORY, MEMORY_PER_PARAMETER = 1e9, 5.5
"""Bytes needed to prepare a GGUF file, in all and for each parameter: measured, see docs/models.md."""
CONVERSION_MEMORY_PER_PARAMETER = 7.5
"""Bytes needed to prepare any other model."""
MEMORY_NEEDED = (
    f"it takes {MEMORY / 1e9:g} GB of memory, for each billion of parameters {MEMORY_PER_PARAMETER:g} GB more if it is"
    f" a GGUF file, else {CONVERSION_MEMORY_PER_PARAMETER:g}"
)
DISK_PER_PARAMETER = {8: 1.06, 4: 0.7}
"""Bytes, by the bits of a weight."""
SUFFICIENT_SHARE = 0.8
"""Refuse only below this share of an estimate: estimates err."""


def prepare_model(
    source: str | None,
    cache: Path,
    *,
    bits: int,
    vocabulary: Vocabulary = Vocabulary.TALK,
    voice: Voice | None = None,
    console: "Console",
) -> Path:
    """Return the directory of `source` (a directory, a `.gguf` file, a hub id; None: the default model) in `bits` bits.

    Prepare the model first if need be. That takes memory (`MEMORY_NEEDED`) and, unless `source` is a GGUF file or
    None, minutes and torch; then remove the copies that the new one supersedes. `vocabulary`: the tokens that the
    model can write. `voice` is merged into the default model only. No other process removes the directory while this
    one lives.

    Raises TimokhaError, one line.
    """
    if source:
        check_readable(source)
    remove_partial_directories(_models(cache))
    if source and _is_prepared(source):
        prepared_copies.hold(Path(source))  # it may lie in the cache, too
        return Path(source)
    if source:
        model_path(source)  # raises for what can't be a model
    copy = _copy(source, bits, vocabulary, voice)
    directory = copy.directory(_models(cache))
    if not prepared_copies.hold(directory):
        if source and copy.tools and not copy.is_content_known:
            _fetch_revision(source)
            directory = copy.directory(_models(cache))
        _prepare_once(copy, directory, vocabulary, console)
        prepared_copies.hold(directory)
    return directory


def prepared_directory(
    source: str | None,
    cache: Path,
    *,
    bits: int,
    vocabulary: Vocabulary = Vocabulary.TALK,
    voice: Voice | None = None,
) -> Path:
    """Return where the prepared model lies or will lie: `source` itself if it is prepared already."""
    if source and _is_prepared(source):
        return Path(source)
    return _copy(source, bits, vocabulary, voice).directory(_models(cache))


def prepare_default_checkpoint(cache: Path, *, voice: Voice | None = None, console: "Console") -> Path:
    """Return the default model with `voice` as transformers reads it; convert it first if need be (about a minute).

    Safe in several processes at once. `console` shows the progress and the licence.

    Raises TimokhaError, one line.
    """
    directory = default_checkpoint_directory(cache, voice)
    try:
        make_once(
            directory,
            is_ready=lambda: ModelCard.read(directory) is not None,
            make=lambda empty: _make_default_checkpoint(empty, voice, console),
        )
    except ImportError as error:
        raise TimokhaError(
            f"converting the default model for transformers takes torch and transformers ({error}): "
            f"{install_command('transformers')}"
        ) from None
    except (OSError, ValueError) as error:
        raise TimokhaError(
            f"the default model can't be prepared in {directory} ({error}): TIMOKHA_CACHE must be writable and have"
            " 1 GB free"
        ) from None
    return directory


def default_checkpoint_directory(cache: Path, voice: Voice | None = None) -> Path:
    """Return where the default model with `voice` lies under `cache`, prepared or not. Raises SettingsError."""
    merged = f"-{voice.name}-{voice.digest}" if voice else ""
    return _models(cache) / f"{CARD.name}{merged}-float16"


def make_once(directory: Path, *, is_ready: Callable[[], bool], make: Callable[[Path], None]) -> None:
    """Let `make` fill an empty directory that then becomes `directory`, unless it `is_ready`. Raises OSError.

    The directory appears whole or not at all, even if several processes make it at once. Partial directories that
    killed processes left beside it are removed.
    """
    remove_partial_directories(directory.parent)
    if is_ready():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _lock(directory):
        if not is_ready():
            fill_whole(directory, make)


def remove_partial_directories(parent: Path) -> None:
    """Remove the partial directories in `parent` that no process is filling. Call it only for directories of ours."""
    for partial in parent.glob(f"*{PARTIAL}"):
        # Ignore errors: a read-only cache may still contain the model.
        with suppress(OSError, Timeout), _lock(partial.with_suffix(""), timeout=0):
            shutil.rmtree(partial, ignore_errors=True)


def check_resources(source: str, directory: Path, *, bits: int) -> None:
    """Raise TimokhaError if this machine clearly can't prepare the GGUF file `source` in `directory`."""
    if not Path(source).is_file():
        return
    parameters = header.read_header(Path(source)).parameters
    memory, disk = MEMORY + MEMORY_PER_PARAMETER * parameters, DISK_PER_PARAMETER[bits] * parameters
    installed, free = _memory(), disk_usage(directory).free
    if installed < SUFFICIENT_SHARE * memory:
        raise TimokhaError(
            f"{source}: preparing {parameters / 1e9:.1f} billion parameters takes {memory / 1e9:.0f} GB of memory, and"
            f" this machine has {installed / 1e9:.0f}: prepare it elsewhere, or {ELSEWHERE}"
        )
    if free < SUFFICIENT_SHARE * disk:
        raise TimokhaError(
            f"{source}: prepared it takes {disk / 1e9:.1f} GB in {directory}, where {free / 1e9:.1f} are free:"
            " make room, or set TIMOKHA_CACHE"
        )


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _lock(directory: Path, timeout: float = -1) -> FileLock:
    return FileLock(f"{directory}.lock", timeout=timeout)


def _models(cache: Path) -> Path:
    return cache / "models"


def _is_prepared(source: str) -> bool:
    try:
        return (Path(source) / FILE_NAME).is_file()
    except (OSError, ValueError):
        return False  # `model_path` raises for it


def _copy(source: str | None, bits: int, vocabulary: Vocabulary, voice: Voice | None) -> PreparedCopy:
    tokens = f"{vocabulary}{RULE_VERSION}" if vocabulary is Vocabulary.TALK else str(vocabulary)
    return PreparedCopy(source, bits, tokens, voice if source is None else None)


def _fetch_revision(source: str) -> None:
    """Ask the hub for the newest revision of a model: it is part of the name of the prepared copy."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 -- few models are of the hub

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of each attempt
    with suppress(Exception):  # loading the model reports it
        hf_hub_download(source, CONFIG)


def _prepare_once(copy: PreparedCopy, directory: Path, vocabulary: Vocabulary, console: "Console") -> None:
    """Prepare the copy unless it exists, then remove those it supersedes. Raises TimokhaError, one line."""
    try:
        make_once(
            directory,
            is_ready=(directory / FILE_NAME).is_file,
            make=lambda empty: _prepare(copy, empty, vocabulary, console),
        )
    except OSError as error:
        raise TimokhaError(
            f"{copy.source or CARD.name} can't be prepared in {directory} ({error}): TIMOKHA_CACHE must be writable and"
            " have 1 GB free for each billion of its parameters"
        ) from None
    if removed := prepared_copies.remove_unused(copy.superseded(directory.parent)):
        names = ", ".join(old.name for old in removed)
        console.print(f"Removed superseded copies of this model: {names}", markup=False, soft_wrap=True)


def _prepare(copy: PreparedCopy, directory: Path, vocabulary: Vocabulary, console: "Console") -> None:
    """Fill the empty `directory`."""
    original = copy.source or str(default_gguf(directory, console=console))
    check_resources(original, directory.parent, bits=copy.bits)
    name = Path(copy.source).name if copy.source else CARD.name
    with _spinner(f"Preparing {name} for the fast engine, once", console):
        remark = _export_in_child_process(original, directory, copy, vocabulary)
    if remark:
        console.print(remark, markup=False, soft_wrap=True)
    if copy.source is None:
        Path(original).unlink()
        rounded = notice(f"converted for OpenVINO, in {copy.bits} bits,", copy.voice)
        (directory / NOTICE).write_text(rounded, encoding="utf-8")
    elif (Path(original) / NOTICE).is_file():
        shutil.copy(Path(original) / NOTICE, directory)


def _export_in_child_process(source: str, directory: Path, copy: PreparedCopy, vocabulary: Vocabulary) -> str | None:
    """Export the model in a child process, whose end frees torch and gigabytes; return a remark for the user."""
    try:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn, initializer=_follow_parent) as process:
            return process.submit(_export, source, directory, copy, vocabulary).result()
    except BrokenProcessPool:
        raise TimokhaError(f"{source} could not be prepared, the process was killed: {MEMORY_NEEDED}") from None


def _follow_parent() -> None:
    """Start a session, so that Ctrl-C reaches the parent only, and end with the parent even if it is killed."""
    os.setsid()
    threading.Thread(target=_exit_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _exit_with(parent: Any) -> None:
    parent.join()
    # Exit at once: another process may start preparing the same model in the same place.
    os._exit(1)


def _export(source: str, directory: Path, copy: PreparedCopy, vocabulary: Vocabulary) -> str | None:
    path, clock = Path(source).expanduser(), SystemClock()
    if path.is_file():
        return _export_gguf(path, directory, copy, vocabulary, clock)
    warnings.simplefilter("ignore")  # tracing gives a dozen warnings about intended behaviour
    try:
        from functions.generate.engines.openvino.export.transformers_export import export  # noqa: PLC0415 -- it needs torch
    except ImportError as error:
        raise SettingsError(
            f"{source} is not prepared for the openvino engine, and that takes torch and transformers ({error}): "
            f"{install_command('transformers')}; or prepare it elsewhere and give its directory as GENERATE_MODEL"
        ) from None
    revision = prepared_copies.cached_revision(source) or None
    return export(source, directory, bits=copy.bits, vocabulary=vocabulary, revision=revision, clock=clock)


def _export_gguf(path: Path, directory: Path, copy: PreparedCopy, vocabulary: Vocabulary, clock: Clock) -> str | None:
    from functions.generate.engines.openvino.export.gguf_export import export  # noqa: PLC0415 -- OpenVINO takes a while

    voice = copy.voice
    card, adapter = (voice.card, voice.directory) if voice else (None if copy.source else CARD, None)
    with _adapter_errors_of(voice):
        return export(path, directory, card=card, bits=copy.bits, vocabulary=vocabulary, adapter=adapter, clock=clock)


def _make_default_checkpoint(directory: Path, voice: Voice | None, console: "Console") -> None:
    """Fill the empty `directory`."""
    gguf = default_gguf(directory, console=console)
    with _spinner("Converting the default model, once", console):
        _convert(gguf, directory, voice)
    gguf.unlink()
    (directory / NOTICE).write_text(notice("converted to float16", voice), encoding="utf-8")
    (voice.card if voice else CARD).write(directory)


def _convert(gguf: Path, folder: Path, voice: Voice | None) -> None:
    from functions.generate.engines.transformers.checkpoints import convert  # noqa: PLC0415 -- importing torch takes seconds

    with _adapter_errors_of(voice):
        convert(gguf, folder, voice.directory if voice else None)


@contextmanager
def _adapter_errors_of(voice: Voice | None) -> Iterator[None]:
    """Raise an adapter that can't be merged as the error of its voice."""
    from functions.generate.engines.gguf.adapters import BadAdapter  # noqa: PLC0415 -- it needs numpy

    try:
        yield
    except BadAdapter as error:
        if voice is None:
            raise
        raise voice.unreadable(str(error)) from None


@contextmanager
def _spinner(task: str, console: "Console") -> Iterator[None]:
    """Show `task` and the time that it takes within the block."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 -- rarely needed

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        progress.add_task(task, total=None)
        yield
