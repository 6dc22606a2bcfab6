"""What GENERATE_MODEL names, judged before anything is read: a model directory, a `.gguf` file or a hub id."""

import os
import re
from pathlib import Path

from events.errors import SettingsError
from events.extras import in_image
from events.files import absolute
from functions.generate.engines.gguf import header
from functions.generate.engines.gguf.kinds import refusal

CONFIG = "config.json"
"""The last file of a model that is written: without it the others are no model yet."""
UNFINISHED = ".export"
"""What is in a directory while `timokha train export` writes a model to it."""
TAKES = "give a model directory, a .gguf file or a hub id such as tinkoff-ai/ruDialoGPT-medium"

CONTAINER_MODELS = Path("/models")
"""Where a container has what lies in ./models: see compose.yaml."""

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_PARTS = {".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".json"}
_SHOWN = 200
"""Characters of a name in an error."""


def resolve_source(source: str) -> str:
    """Return `source` as every directory understands it: a path is made whole, a hub id stays. Raises ValueError."""
    try:
        path = Path(source).expanduser()
        is_hub_id = not path.exists() and _may_be_hub_id(source)
    except (OSError, ValueError, RuntimeError):
        return source  # `model_path` says why
    return source if is_hub_id else str(absolute(path))


def model_path(source: str) -> Path:
    """The path `source`; nothing is there if it is a hub id.

    Raises SettingsError if it can be no model, or may not be read.
    """
    check_rights(source)
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            wrong = None if (path / CONFIG).is_file() else _without_config(path)
        elif path.is_file():
            wrong = _wrong_file(path)
        elif path.exists():
            wrong = "is neither a file nor a directory"
        else:
            wrong = _nothing(source)
    except (OSError, ValueError, RuntimeError) as error:
        wrong = f"can't be looked at ({getattr(error, 'strerror', None) or error})"
    if wrong:
        raise source_error(source, wrong)
    return path


def check_rights(source: str) -> None:
    """Raise SettingsError, one line, if something is at the path `source` that this process may not read."""
    try:
        path = Path(source).expanduser()
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file():
                file.open("rb").close()
    except PermissionError as error:
        raise SettingsError(f"GENERATE_MODEL={source[:_SHOWN]!r}: {_closed(Path(error.filename))}") from None
    except (OSError, ValueError, RuntimeError):
        return  # `model_path` says why


def model_name(source: str) -> str:
    """Return what the model is called: the last part of a path or a hub id, which may have dots in it."""
    return Path(source).name.removesuffix(header.SUFFIX)


def source_error(source: str, why: str) -> SettingsError:
    """The error that names the setting, what it got and `why` that can't be served."""
    return SettingsError(f"GENERATE_MODEL={source[:_SHOWN]!r}: {why}; {TAKES}")


def _closed(place: Path) -> str:
    user = f"{place} may not be read by user {os.geteuid()}, as which this runs"
    if _is_own(place):
        return f"{user}: `chmod -R a+rX {CONTAINER_MODELS.name}` where compose.yaml is, then `make up`"
    return f"{user}: let that user read it (`chmod`), or run this as its owner"


def _nothing(source: str) -> str | None:
    """What is wrong with a path that leads nowhere; None if it can be a hub id."""
    path, is_hub_id = Path(source), _may_be_hub_id(source)
    if not in_image():
        return None if is_hub_id else "there is no such file or directory"
    if (CONTAINER_MODELS / path.name).exists() and (not is_hub_id or path.parts[0] == CONTAINER_MODELS.name):
        return (
            f"a container has it as {CONTAINER_MODELS / path.name}: write GENERATE_MODEL={CONTAINER_MODELS / path.name}"
        )
    return (
        None
        if is_hub_id
        else f"there is no such file or directory in the container, which has ./models as {CONTAINER_MODELS}"
    )


def _is_own(place: Path) -> bool:
    return in_image() and place.is_relative_to(CONTAINER_MODELS)


def _wrong_file(path: Path) -> str | None:
    if path.suffix in _PARTS:
        return "is a part of a model: give the directory that it lies in"
    if path.suffix != header.SUFFIX and not _begins(path).startswith(header.MAGIC):
        return "is a file of another kind"
    try:
        return refusal(header.read_header(path)) or None
    except header.UnreadableGGUF as error:
        return str(error)


def _may_be_hub_id(source: str) -> bool:
    return not source.endswith(header.SUFFIX) and len(source) <= _SHOWN and bool(_HUB_ID.fullmatch(source))


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(header.MAGIC))


def _without_config(directory: Path) -> str:
    if (directory / "adapter_config.json").is_file():
        return (
            "is an adapter (LoRA), not a model: if `timokha train fit` wrote it, give what `timokha train export` makes"
            " of it, else merge it into its model"
        )
    if (directory / UNFINISHED).is_dir():
        return "is what an export that was cut off has left: run `timokha train export` again"
    if files := sorted(directory.glob(f"*{header.SUFFIX}")):
        return f"is a directory without {CONFIG}, but with {files[0].name}: give that file"
    return f"is a directory without {CONFIG}" if any(directory.iterdir()) else "is an empty directory"
