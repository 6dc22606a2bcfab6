"""Find the owner, whose style is learned, among the speakers of an export."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from events.errors import SettingsError
from training.data.telegram.messages import sender_id, user_id

_LISTED = 5
_LONGEST_ID = 20


@dataclass(slots=True)
class Speaker:
    """An author; `id` is e.g. `user123`; `messages`: those with text."""

    id: str
    name: str
    messages: int = 0
    buttons: int = 0
    """How many messages have buttons of their own."""
    chats: set[str] = field(default_factory=set)
    """The types of the chats that they write in."""

    def __str__(self) -> str:
        return f"{self.name or 'no name'} ({self.id}, {self.messages} messages)"


def find_owner(wanted: str | None, account: str | None, speakers: Mapping[str, Speaker]) -> frozenset[str]:
    """Return the owner's ids.

    Raises
    ------
    SettingsError
        One line: no owner was named, no speaker or several have that name (the nearest are listed), or there is no
        message with text.
    """
    if not speakers:
        raise SettingsError(
            "TRAINING_EXPORT: it has no message with text: export a chat, and dates, in which there are some"
        )
    if wanted is None:
        if account is not None and account in speakers:
            return frozenset({account})
        raise SettingsError(
            f"TRAINING_OWNER is missing (a name or an id); most messages are from {most_active(speakers.values())}"
        )
    ids = {_as_id(part, speakers) for part in wanted.split(",")}
    if ids <= speakers.keys():
        return frozenset(ids)
    named = [speaker for speaker in speakers.values() if _key(speaker.name) == _key(wanted)]
    if len(named) == 1:
        return frozenset({named[0].id})
    if named:
        raise SettingsError(f"TRAINING_OWNER: several are called {wanted!r}: {_listed(named)}; name the id")
    raise SettingsError(f"TRAINING_OWNER: nobody is called {wanted!r}; {_nearest(wanted, speakers)}")


def _nearest(wanted: str, speakers: Mapping[str, Speaker]) -> str:
    by_name = {_key(speaker.name): speaker for speaker in speakers.values()}
    close = get_close_matches(_key(wanted), by_name, n=_LISTED, cutoff=0.5)
    if close:
        return f"the nearest are {_listed(by_name[name] for name in close)}"
    return f"most messages are from {most_active(speakers.values())}"


def most_active(speakers: Iterable[Speaker]) -> str:
    """Return the speakers with the most messages, e.g. `Ann (user1, 5 messages), Bob (user2, 4 messages)`."""
    return _listed(sorted(speakers, key=lambda speaker: -speaker.messages)[:_LISTED]) or "nobody"


def _listed(speakers: Iterable[Speaker]) -> str:
    return ", ".join(map(str, speakers))


def _as_id(text: str, speakers: Mapping[str, Speaker]) -> str:
    """Return the id that `text` stands for; a number of an old export includes the kind of the id."""
    plain, number = user_id(text), text.strip()
    if plain in speakers or not (number.isascii() and number.isdigit() and len(number) < _LONGEST_ID):
        return plain
    return sender_id(int(number)) or plain


def _key(name: str) -> str:
    return " ".join(name.casefold().replace("ё", "е").split())
