"""Where catalogues lie, and which languages there are by the names of the files."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from events import toml_file
from events.errors import SettingsError
from events.files import display_path

SHIPPED = Path(__file__).parent
OWN = "texts"
"""The folder beside `timokha.toml` that holds the owner's own."""
SUFFIX = ".ftl"
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


def own_folder() -> Path:
    """Return the folder of the owner's catalogues, which need not exist. Raises SettingsError."""
    return toml_file.path().parent / OWN


def catalogues_in(folder: Path) -> Mapping[str, Path]:
    """Return the files of a folder by language, a tag in lower case such as `en` or `pt-br`. Raises SettingsError."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"{display_path(folder)} can't be read ({error.strerror}); fix or remove it") from None
    return {name.removesuffix(SUFFIX): _named(folder / name) for name in names if name.endswith(SUFFIX)}


def languages() -> list[str]:
    """Return the languages that there are texts in. Raises SettingsError."""
    return sorted({*catalogues_in(SHIPPED), *catalogues_in(own_folder())})


def _named(file: Path) -> Path:
    if not _LANGUAGE.fullmatch(file.name.removesuffix(SUFFIX)):
        raise SettingsError(
            f"{display_path(file)}: name it after its language, in lower case, e.g. uk.ftl or pt-br.ftl"
        )
    return file
