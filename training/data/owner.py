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
    """An author of messages. `id`: e.g. `user123`. `messages`: number of those with text."""

    id: str
    name: str
    messages: int = 0
    buttons: int = 0
    """Number of messages with buttons of their own."""
    chats: set[str] = field(default_factory=set)
    """Types of the chats that the speaker writes in."""

    def __str__(self) -> str:
        return f"{self.name or 'no name'} ({self.id}, {self.messages} messages)"


def find_owner(wanted: str | None, account: str | None, speakers: Mapping[str, Speaker]) -> frozenset[str]:
    """Return the owner's ids.

    Raises
    ------
    SettingsError
        One line: no owner was named, none or several of the speakers have that name (similar names are listed), or no
        message has text.
    """
    if not speakers:
        raise SettingsError(
            "TRAINING_EXPORT: it has no message with text: export a chat and a time span that have some"
        )
    if wanted is None:
        if account is not None and account in speakers:
            return frozenset({account})
        raise SettingsError(
            f"TRAINING_OWNER is missing (a name or an id); most messages are from {most_active(speakers.values())}"
        )
    ids = {_parse_id(part, speakers) for part in wanted.split(",")}
    if ids <= speakers.keys():
        return frozenset(ids)
    named = [speaker for speaker in speakers.values() if _normalize_name(speaker.name) == _normalize_name(wanted)]
    if len(named) == 1:
        return frozenset({named[0].id})
    if named:
        raise SettingsError(
            f"TRAINING_OWNER: several speakers are called {wanted!r}: {_join_speakers(named)}; give the id instead"
        )
    raise SettingsError(f"TRAINING_OWNER: no speaker is called {wanted!r}; {_suggest_names(wanted, speakers)}")


def _suggest_names(wanted: str, speakers: Mapping[str, Speaker]) -> str:
    by_name = {_normalize_name(speaker.name): speaker for speaker in speakers.values()}
    close = get_close_matches(_normalize_name(wanted), by_name, n=_LISTED, cutoff=0.5)
    if close:
        return f"the nearest are {_join_speakers(by_name[name] for name in close)}"
    return f"most messages are from {most_active(speakers.values())}"


def most_active(speakers: Iterable[Speaker]) -> str:
    """Return the speakers with the most messages, e.g. `Ann (user1, 5 messages), Bob (user2, 4 messages)`."""
    return _join_speakers(sorted(speakers, key=lambda speaker: -speaker.messages)[:_LISTED]) or "nobody"


def _join_speakers(speakers: Iterable[Speaker]) -> str:
    return ", ".join(map(str, speakers))


def _parse_id(text: str, speakers: Mapping[str, Speaker]) -> str:
    """Return the id that `text` stands for; in old exports a number also encodes the kind of the id."""
    plain, number = user_id(text), text.strip()
    if plain in speakers or not (number.isascii() and number.isdigit() and len(number) < _LONGEST_ID):
        return plain
    return sender_id(int(number)) or plain


def _normalize_name(name: str) -> str:
    return " ".join(name.casefold().replace("ё", "е").split())
