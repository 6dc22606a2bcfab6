"""What GENERATE_MODEL names, judged before anything is read: a model directory, a `.gguf` file or a hub id."""

import re
from pathlib import Path

from events.errors import SettingsError

CONFIG = "config.json"
TAKES = "give a model directory, a .gguf file or a hub id such as tinkoff-ai/ruDialoGPT-medium"

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_SHOWN = 200
"""Characters of a name in an error."""


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
            is_hub_id = path.suffix != ".gguf" and len(source) <= _SHOWN and _HUB_ID.fullmatch(source)
            wrong = None if is_hub_id else "there is no such file or directory"
    except (OSError, ValueError, RuntimeError) as error:
        wrong = f"can't be looked at ({getattr(error, 'strerror', None) or error})"
    if wrong:
        raise SettingsError(f"GENERATE_MODEL={source[:_SHOWN]!r}: {wrong}; {TAKES}")
    return path


def _without_config(directory: Path) -> str:
    return f"is a directory without {CONFIG}" if any(directory.iterdir()) else "is an empty directory"
