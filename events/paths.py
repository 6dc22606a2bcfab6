"""Paths of settings, resolved where they were given: a process that works in another directory is told them whole."""

from pathlib import Path

from pydantic.fields import FieldInfo


class Place:
    """Marks, in the annotation of a field that is no `Path`, a text that may be one; its class resolves it."""


def resolved(path: Path) -> Path:
    """Return `path` as every directory understands it: `~` is the home, what is relative begins here.

    Symbolic links stay what they are. Raises ValueError.
    """
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError) as error:  # nobody of that name, or the working directory is gone
        raise ValueError(str(error)) from None


def shown(path: Path) -> str:
    """Return `path` as a person would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def is_place(field: FieldInfo) -> bool:
    """Return whether a field's value is, or may be, a path."""
    return "Path" in str(field.annotation) or any(isinstance(mark, Place) for mark in field.metadata)
