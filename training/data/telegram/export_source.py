"""Find the file of an export, or say what is wrong with the path."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from events.errors import SettingsError

HOW_TO_EXPORT = "in Telegram Desktop choose Export chat history, format: Machine-readable JSON"
_NAME = "result.json"
_LISTED = 5
_HEAD = 1 << 16
"""Bytes that are inspected."""
_PACKED = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "packed with gzip",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ\0": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
}
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|[\s{\[]\x00|\x00[\s{\[]")
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!DOCTYPE|html|\?xml|head|body)", re.IGNORECASE)
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x00]*[{\[]")


@contextmanager
def open_export(export: Path) -> Iterator[BinaryIO]:
    """Open the export: `export` itself, or the result.json in that directory.

    Raises
    ------
    SettingsError
        One line: why it is not an export, and what to do.
    OSError
    """
    path = _find_file(export)
    if not path.is_file() and path.exists():
        raise not_an_export(path, "it is not a regular file")
    with path.open("rb") as file:
        if why := _problem(file.read(_HEAD)):
            raise not_an_export(path, why)
        file.seek(0)
        yield file


def not_an_export(path: Path, why: str) -> SettingsError:
    """Return the error for a file that is not an export, with the reason `why`."""
    return SettingsError(f"TRAINING_EXPORT: {path.name} is not a Telegram export ({why}): {HOW_TO_EXPORT}")


def _find_file(export: Path) -> Path:
    if not export.is_dir():
        return export
    found = [export / _NAME] if (export / _NAME).is_file() else sorted(export.glob(f"*/{_NAME}"))
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(str(path.relative_to(export)) for path in found[:_LISTED])
        raise SettingsError(
            f"TRAINING_EXPORT: {export} has {len(found)} exports ({named}{', …' if len(found) > _LISTED else ''}): "
            "name the one to use"
        )
    if any(export.glob("messages*.html")) or (export / "export_results.html").exists():
        raise not_an_export(export, "it is an export as HTML, which can't be used")
    raise not_an_export(export, f"there is no {_NAME} in it")


def _problem(head: bytes) -> str | None:
    """Return why a file that begins with `head` can't be read, or None if it can."""
    if not head:
        return "it is empty"
    for magic, what in _PACKED.items():
        if head.startswith(magic):
            return f"it is {what}: unpack it and name the {_NAME} in it"
    if _WIDE.match(head):
        return "its text is UTF-16: save it as UTF-8"
    if _HTML.match(head):
        return "it is an export as HTML, which can't be used"
    if not _JSON.match(head):
        return "it is not JSON"
    return "its text is not UTF-8: save it as UTF-8" if _is_other_encoding(head) else None


def _is_other_encoding(head: bytes) -> bool:
    """Return whether there are letters beyond ASCII and none of them is UTF-8, as in Windows-1251."""
    text = head.decode("utf-8", "surrogateescape")
    beyond = [letter for letter in text if letter > "\x7f"]
    return len(beyond) > 20 and all("\udc80" <= letter <= "\udcff" for letter in beyond)  # noqa: PLR2004 -- not one slip
