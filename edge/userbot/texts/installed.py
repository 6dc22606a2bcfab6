"""The texts of this process: those that are shipped, unless a composition root has installed an owner's."""

from collections.abc import Iterator
from contextlib import contextmanager

from edge.userbot.texts.loading import shipped
from edge.userbot.texts.texts import Texts


class _Process:
    texts: Texts | None = None


@contextmanager
def installed(texts: Texts) -> Iterator[None]:
    """Have `texts` said within the block. Our messages are recognised by them, so they must not change meanwhile."""
    before, _Process.texts = _Process.texts, texts
    try:
        yield
    finally:
        _Process.texts = before


def current() -> Texts:
    """Return the texts in force."""
    return _Process.texts or shipped()


def say(locale: str, line_id: str, /, **variables: str | int) -> str:
    """Return what the line `line_id` says in the language of `locale`, with the values of its variables."""
    return current().say(locale, line_id, variables)


def every(name: str) -> frozenset[str]:
    """Return the lines called `name` in all languages, and those of before the owner replaced them: all are ours."""
    return current().every(name) | shipped().every(name)
