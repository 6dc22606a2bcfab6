"""`used_tokens.json`: the tokens of the data that a model was trained on, so that its prepared copy can write them."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from events.errors import SettingsError

FILE_NAME = "used_tokens.json"
_TOKENS = TypeAdapter(list[int])


def used(model: Path) -> list[int]:
    """Those that the directory `model` names; none if it says nothing. Raises SettingsError if it can't be read."""
    file = model / FILE_NAME
    try:
        return _TOKENS.validate_json(file.read_bytes()) if file.is_file() else []
    except (OSError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise SettingsError(f"{file} is no list of tokens ({why}): delete it, or export the model anew") from None


def write(model: Path, tokens: Iterable[int]) -> None:
    (model / FILE_NAME).write_text(json.dumps(sorted(set(tokens))) + "\n", encoding="utf-8")
