"""Models made ready for the OpenVINO engine: once, in a process of their own, and kept in the user's cache."""

import hashlib
import multiprocessing
import os
import shutil
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from events.errors import SettingsError, TimokhaError
from events.extras import install
from events.runtime.clock import SystemClock
from functions.generate import room
from functions.generate.default_model import CARD, prepare_default_model
from functions.generate.engines.described import FILE_NAME
from functions.generate.made_once import made_once, sweep
from functions.generate.settings import Vocabulary
from functions.generate.sources import name_of, path_of
from functions.generate.vocabulary import RULE

_MADE_BY = 4
"""Raise it when what is made from the same model changes."""


def prepared_model(
    source: str | None, cache: Path, *, bits: int, vocabulary: Vocabulary = Vocabulary.TALK, console: Console
) -> Path:
    """The directory of `source` (a directory, a `.gguf` file, a hub id; None is the default model) in `bits` bits.

    `vocabulary`: what it can write.

    Made first if need be, which takes minutes, memory (`room.TAKES`) and torch. Raises TimokhaError, one line.
    """
    if source and not _is_prepared(source):
        path_of(source)
    directory = prepared_directory(source, cache, bits=bits, vocabulary=vocabulary)
    sweep(_models(cache))
    if (directory / FILE_NAME).is_file():
        return directory
    original = source or str(prepare_default_model(cache, console=console))
    try:
        made_once(
            directory,
            is_ready=(directory / FILE_NAME).is_file,
            make=lambda empty: _make(original, empty, bits, vocabulary, console),
        )
    except OSError as error:
        raise TimokhaError(
            f"{original} can't be prepared in {directory} ({error}): TIMOKHA_CACHE must be writable and have 1 GB free "
            "for each billion of its parameters"
        ) from None
    return directory


def prepared_directory(source: str | None, cache: Path, *, bits: int, vocabulary: Vocabulary = Vocabulary.TALK) -> Path:
    """Where the prepared model lies or will lie; a directory that was prepared somewhere else is its own."""
    if source and _is_prepared(source):
        return Path(source)
    writes = f"{vocabulary}{RULE}" if vocabulary is Vocabulary.TALK else str(vocabulary)
    return _models(cache) / f"{_name(source)}-openvino-int{bits}-{writes}-{_MADE_BY}"


def _models(cache: Path) -> Path:
    return cache / "models"


def _is_prepared(source: str) -> bool:
    try:
        return (Path(source) / FILE_NAME).is_file()
    except (OSError, ValueError):
        return False  # `path_of` says why


def _name(source: str | None) -> str:
    """Other files are another model, by their names, sizes and times."""
    if source is None:
        return CARD.name
    path = Path(source).expanduser()
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    identity = str(path.resolve()) if stats else source
    digest = hashlib.sha256(repr((identity, stats)).encode()).hexdigest()[:12]
    return f"{name_of(source)}-{digest}"


def _make(source: str, directory: Path, bits: int, vocabulary: Vocabulary, console: Console) -> None:
    """Fill the empty `directory`."""
    room.check(source, directory.parent, bits=bits)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        progress.add_task(f"Preparing {Path(source).name} for the fast engine, once", total=None)
        remark = _in_its_own_process(source, directory, bits, vocabulary)
    if remark:
        console.print(remark, markup=False, soft_wrap=True)
    notice = Path(source) / "NOTICE.txt"
    if notice.is_file():
        shutil.copy(notice, directory)


def _in_its_own_process(source: str, directory: Path, bits: int, vocabulary: Vocabulary) -> str | None:
    """The gigabytes that it takes, and torch, go when it is done."""
    try:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin) as process:
            return process.submit(_export, source, directory, bits, vocabulary).result()
    except BrokenProcessPool:
        raise TimokhaError(f"{source} could not be prepared, the process was killed: {room.TAKES}") from None


def _begin() -> None:
    """A session of its own: Ctrl-C is for our parent, and we end with it, also when it is killed."""
    os.setsid()
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    # At once: somebody else may prepare the same model now, in the same place.
    os._exit(1)


def _export(source: str, directory: Path, bits: int, vocabulary: Vocabulary) -> str | None:
    warnings.simplefilter("ignore")  # tracing gives a dozen, all about what is meant
    try:
        from functions.generate.engines.openvino_export import export  # noqa: PLC0415 -- it needs torch
    except ImportError as error:
        raise SettingsError(
            f"{source} is not prepared for the openvino engine, and that takes torch and transformers ({error}): "
            f"{install('transformers')}; or prepare it elsewhere and give its directory as GENERATE_MODEL"
        ) from None
    return export(source, directory, bits=bits, vocabulary=vocabulary, clock=SystemClock())
