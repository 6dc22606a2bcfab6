"""The texts of the owner's settings."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from edge.userbot.settings import UserbotSettings
from edge.userbot.texts.files import own_folder
from edge.userbot.texts.installed import installed
from edge.userbot.texts.loading import Own, load
from edge.userbot.texts.texts import Texts
from events.names import short_list
from events.settings import SettingSource
from events.toml_file import Place, title

log = structlog.get_logger(__name__)


@contextmanager
def own_texts_installed(settings: UserbotSettings) -> Iterator[None]:
    """Have the owner's texts said within the block, and log what they lack. Raises SettingsError."""
    texts = own_texts(settings)
    for tag, lacking in texts.incomplete().items():
        log.warning("texts.incomplete", language=tag, count=len(lacking), lines=short_list(lacking))
    with installed(texts):
        yield


def own_texts(settings: UserbotSettings) -> Texts:
    """Return the texts with what the owner has added and replaced. Raises SettingsError."""
    prefixes = {settings.prefix, *(contact.prefix for contact in settings.contacts.values() if contact.prefix)}
    return load(Own(own_folder(), settings.texts, _place(settings), prefixes), language=settings.language)


def _place(settings: UserbotSettings) -> str:
    """Return what errors call the setting: its place in `timokha.toml` if it stands there, else its variable."""
    variable = settings.variable("texts")
    origin, _ = settings.sources().get("texts", (None, ""))
    return f"{title()}, {Place.of(variable)}" if origin is SettingSource.TOML else variable
