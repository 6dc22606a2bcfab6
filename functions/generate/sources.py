"""What GENERATE_MODEL names, judged before anything is read: a model directory, a `.gguf` file or a hub id."""

import re
from pathlib import Path

from events.errors import SettingsError
from events.paths import resolved

CONFIG = "config.json"
TAKES = "give a model directory, a .gguf file or a hub id such as tinkoff-ai/ruDialoGPT-medium"

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_SHOWN = 200
"""Characters of a name in an error."""


def located(source: str) -> str:
    """Return `source` as every directory understands it: a path is made whole, a hub id stays. Raises ValueError."""
    try:
        path = Path(source).expanduser()
        is_hub_id = not path.exists() and _may_be_hub_id(source)
    except (OSError, ValueError, RuntimeError):
        return source  # `path_of` says why
    return source if is_hub_id else str(resolved(path))


def path_of(source: str) -> Path:
    """The path `source`; nothing is there if it is a hub id. Raises SettingsError if it can be no model."""
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            wrong = None if (path / CONFIG).is_file() else _without_config(path)
        elif path.is_file():
            wrong = None if path.suffix == ".gguf" else "is a file of another kind"
        elif path.exists():
            wrong = "is neither a file nor a directory"
        else:
            wrong = None if _may_be_hub_id(source) else "there is no such file or directory"
    except (OSError, ValueError, RuntimeError) as error:
        wrong = f"can't be looked at ({getattr(error, 'strerror', None) or error})"
    if wrong:
        raise SettingsError(f"GENERATE_MODEL={source[:_SHOWN]!r}: {wrong}; {TAKES}")
    return path


def _may_be_hub_id(source: str) -> bool:
    return not source.endswith(".gguf") and len(source) <= _SHOWN and bool(_HUB_ID.fullmatch(source))


def _without_config(directory: Path) -> str:
    return f"is a directory without {CONFIG}" if any(directory.iterdir()) else "is an empty directory"
