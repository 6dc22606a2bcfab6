"""Check what GENERATE_MODEL names before loading it: a model directory, a `.gguf` file or a hub id."""

import os
import re
from pathlib import Path

from events.errors import SettingsError
from events.extras import in_image
from events.files import absolute
from functions.generate.engines.gguf import header
from functions.generate.engines.gguf.kinds import refusal_reason

CONFIG = "config.json"
"""Written last of a model's files: without it the model is incomplete."""
UNFINISHED = ".export"
"""Exists in a directory while `timokha train export` writes a model to it."""
TAKES = "give a model directory, a .gguf file or a hub id such as tinkoff-ai/ruDialoGPT-medium"

CONTAINER_MODELS = Path("/models")
"""Where containers mount ./models: see compose.yaml."""

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_PART_SUFFIXES = {".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".json"}
_SHOWN = 200
"""Characters of a source that errors show."""


def resolve_source(source: str) -> str:
    """Return `source` independent of the working directory: an absolute path, or a hub id. Raises ValueError."""
    try:
        path = Path(source).expanduser()
        is_hub_id = not path.exists() and _may_be_hub_id(source)
    except (OSError, ValueError, RuntimeError):
        return source  # `model_path` raises for it
    return source if is_hub_id else str(absolute(path))


def model_path(source: str) -> Path:
    """Return `source` as a path, at which nothing exists if `source` is a hub id.

    Raises SettingsError if it can't be a model, or may not be read.
    """
    check_readable(source)
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            problem = None if (path / CONFIG).is_file() else _directory_problem(path)
        elif path.is_file():
            problem = _file_problem(path)
        elif path.exists():
            problem = "is neither a file nor a directory"
        else:
            problem = _missing_path_problem(source)
    except (OSError, ValueError, RuntimeError) as error:
        problem = f"can't be examined ({getattr(error, 'strerror', None) or error})"
    if problem:
        raise source_error(source, problem)
    return path


def check_readable(source: str) -> None:
    """Raise SettingsError, one line, if this process may not read a file at the path `source`."""
    try:
        path = Path(source).expanduser()
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file():
                file.open("rb").close()
    except PermissionError as error:
        raise SettingsError(
            f"GENERATE_MODEL={source[:_SHOWN]!r}: {_unreadable_problem(Path(error.filename))}"
        ) from None
    except (OSError, ValueError, RuntimeError):
        return  # `model_path` raises for it


def model_name(source: str) -> str:
    """Return the model's name: the last part of a path or a hub id, which may contain dots."""
    return Path(source).name.removesuffix(header.SUFFIX)


def source_error(source: str, why: str) -> SettingsError:
    """Return the error that names the setting, its value and `why` it can't be served."""
    return SettingsError(f"GENERATE_MODEL={source[:_SHOWN]!r}: {why}; {TAKES}")


def _unreadable_problem(place: Path) -> str:
    user = f"{place} may not be read by user {os.geteuid()}, who runs this process"
    if in_image() and place.is_relative_to(CONTAINER_MODELS):
        return f"{user}: `chmod -R a+rX {CONTAINER_MODELS.name}` where compose.yaml is, then `make up`"
    return f"{user}: let that user read it (`chmod`), or run this as its owner"


def _missing_path_problem(source: str) -> str | None:
    """Return what is wrong with a path at which nothing exists; None if it can be a hub id."""
    path, is_hub_id = Path(source), _may_be_hub_id(source)
    if not in_image():
        return None if is_hub_id else "there is no such file or directory"
    mounted = CONTAINER_MODELS / path.name
    if mounted.exists() and (not is_hub_id or path.parts[0] == CONTAINER_MODELS.name):
        return f"a container has it as {mounted}: write GENERATE_MODEL={mounted}"
    if is_hub_id:
        return None
    return f"there is no such file or directory in the container, which has ./models as {CONTAINER_MODELS}"


def _file_problem(path: Path) -> str | None:
    if path.suffix in _PART_SUFFIXES:
        return "is a part of a model: give the directory that it lies in"
    if path.suffix != header.SUFFIX and not _first_bytes(path).startswith(header.MAGIC):
        return "is a file of another kind"
    try:
        return refusal_reason(header.read_header(path)) or None
    except header.UnreadableGGUF as error:
        return str(error)


def _may_be_hub_id(source: str) -> bool:
    return not source.endswith(header.SUFFIX) and len(source) <= _SHOWN and bool(_HUB_ID.fullmatch(source))


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(header.MAGIC))


def _directory_problem(directory: Path) -> str:
    if (directory / "adapter_config.json").is_file():
        return (
            "is an adapter (LoRA), not a model: if `timokha train fit` wrote it, give what `timokha train export` makes"
            " of it, else merge it into its model"
        )
    if (directory / UNFINISHED).is_dir():
        return "contains an interrupted export: run `timokha train export` again"
    if files := sorted(directory.glob(f"*{header.SUFFIX}")):
        return f"is a directory without {CONFIG}, but with {files[0].name}: give that file"
    return f"is a directory without {CONFIG}" if any(directory.iterdir()) else "is an empty directory"
