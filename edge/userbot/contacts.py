"""What the owner has set for one person: `[contacts."@anna"]` in `timokha.toml`."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge.userbot.rule_values import Language, Persona, TriggerEntries
from edge.userbot.rules import Override
from edge.userbot.text import strip_invisible, trim
from edge.userbot.triggers import Triggers
from events.schema import MAX_NEW_TOKENS
from events.settings import Json

_NAME = re.compile(r"@\w{1,32}|[1-9]\d{0,18}", re.ASCII)
MAX_PREFIX = 64


def _writable(prefix: str) -> str:
    """Return `prefix` as it can be sent: the help shows it, and Telegram accepts no control characters."""
    prefix = unicodedata.normalize("NFC", trim(prefix))
    if not strip_invisible(prefix) or any(unicodedata.category(char) == "Cc" for char in prefix):
        raise ValueError("it can't be seen")
    return prefix


Prefix = Annotated[str, AfterValidator(_writable), Field(min_length=1, max_length=MAX_PREFIX)]


def _name(name: str) -> str:
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise ValueError("it takes an id, or a username with its @")
    return name


class Contact(BaseModel):
    """Settings for one person; None where those for everyone count."""

    model_config = ConfigDict(frozen=True)

    persona: Persona | None = None
    language: Language | None = None
    prefix: Prefix | None = None
    max_new_tokens: Annotated[int | None, Field(strict=True, ge=1, le=MAX_NEW_TOKENS)] = None
    live: Annotated[bool | None, Field(strict=True)] = None
    approve: Annotated[bool | None, Field(strict=True)] = None
    triggers: TriggerEntries | None = None

    @property
    def override(self) -> Override:
        return Override(
            persona=self.persona,
            only_locale=self.language,
            prefix=self.prefix,
            max_new_tokens=self.max_new_tokens,
            live=self.live,
            triggers=None if self.triggers is None else Triggers.of(self.triggers),
            approve=None if self.approve is None else "all" if self.approve else "off",
        )


Contacts = Annotated[dict[Annotated[str, AfterValidator(_name)], Annotated[Contact, Json()]], Json()]
"""By id or `@username`, in lower case."""
