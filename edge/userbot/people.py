"""People who write to the account, and lists that name them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edge.userbot.chat_tokens import GENERAL, ChatToken, names_of

CONTACTS = "contacts"
"""In a list: everyone whom the owner has among the contacts."""
WROTE_FIRST = "wrote_first"
"""In a list: everyone who wrote the first message of the chat with the owner."""
_GROUP = re.compile(r"-[1-9][0-9]{0,18}(t[1-9][0-9]{0,9})?")
_ENTRY = re.compile(rf"[1-9][0-9]{{0,18}}|{_GROUP.pattern}|@[a-z0-9_]{{1,32}}|{CONTACTS}|{WROTE_FIRST}")


def entry(text: str) -> str:
    """Return an entry of a list as it is compared: `-100…t45` is a topic of a group. Raises ValueError."""
    written = text.strip().lower()
    if not _ENTRY.fullmatch(written):
        raise ValueError(f"{text.strip()[:40]!r} is not an id, a @username, contacts or wrote_first")
    return written


def group(text: str) -> str:
    """Return the entry of a group, or of a topic of one. Raises ValueError."""
    written = text.strip().lower()
    if not _GROUP.fullmatch(written):
        raise ValueError(
            f"{text.strip()[:40]!r} is not the id of a group, e.g. -1001234567890, or of a topic, -1001234567890t45"
        )
    token = ChatToken.parse(written)
    if token.topic and not token.is_supergroup:
        raise ValueError(f"{written!r}: only supergroups have topics, and their ids begin with -100")
    if token.topic == GENERAL:
        raise ValueError(f"{written!r} is the General topic, which has no id of its own; list {token.peer}, the group")
    return written


@dataclass(frozen=True, slots=True)
class Person:
    """The sender of a message. `id`: Telegram's, in decimal. `usernames`: in lower case, without the `@`.

    `contact`: whether the owner has them among the contacts, `wrote_first`: whether the first message of the chat is
    theirs; None if that is not known.
    """

    id: str = ""
    usernames: frozenset[str] = frozenset()
    name: str = ""
    contact: bool | None = False
    wrote_first: bool | None = None

    @property
    def title(self) -> str:
        """Return what the owner knows the person by."""
        username = min(self.usernames, default="")
        return self.name + (f" (@{username})" if username else "") if self.name else username and f"@{username}"


@dataclass(frozen=True, slots=True)
class People:
    """A list of people: ids, `@username`, `contacts`, `wrote_first`; every entry in lower case."""

    entries: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "People":
        return cls(frozenset(entry.strip().lower() for entry in entries))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def includes(self, person: Person, chat: str) -> bool:
        """Return whether the list names the person, or the chat in which they write.

        It does not where that depends on who is a contact, or wrote first, and this is not known.
        """
        names = {person.id, *names_of(chat), *(f"@{name}" for name in person.usernames)}
        if person.contact:
            names.add(CONTACTS)
        if person.wrote_first:
            names.add(WROTE_FIRST)
        return not self.entries.isdisjoint(names)

    def names_chat(self, chat: str) -> bool:
        """Return whether the list has a chat, or the group of which it is a topic."""
        return not self.entries.isdisjoint(names_of(chat))

    def may_include(self, person: Person, chat: str) -> bool:
        """Return what `includes` does, but true where that depends on what is not known."""
        unknown = {
            name for name, known in ((CONTACTS, person.contact), (WROTE_FIRST, person.wrote_first)) if known is None
        }
        return not self.entries.isdisjoint(unknown) or self.includes(person, chat)


SOMEONE = Person()
NO_LIST = People()
