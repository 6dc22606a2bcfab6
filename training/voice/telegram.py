"""Write the talks as Telegram Desktop would export them, so that `timokha train prepare` reads them as any export."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from training.voice.talks import Talk

OWNER = "Timokha"
FILE = "result.json"
_OWNER_ID = 1
_GUESTS = {"ru": (2, "Гость"), "en": (3, "Guest")}
_BEGIN = datetime(2020, 1, 1, 12, tzinfo=UTC)
_BETWEEN_TALKS, _BETWEEN_LINES = timedelta(days=1), timedelta(minutes=5)


def write_export(talks: Sequence[Talk], directory: Path) -> Path:
    """Write `result.json` to `directory`, the same bytes for the same talks, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / FILE
    file.write_text(json.dumps(make_export(talks), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return file


def make_export(talks: Sequence[Talk]) -> dict[str, Any]:
    """Return an export with a chat for each language and a day for each talk.

    The order follows from a hash of the words: it mixes files and languages and hardly changes when talks are added,
    so that the held-out talks are of every kind and stay held out.
    """
    ordered = sorted(talks, key=_digest)
    days = {id(talk): _BEGIN + number * _BETWEEN_TALKS for number, talk in enumerate(ordered)}
    chats = []
    for language, (guest, name) in _GUESTS.items():
        own = [(days[id(talk)], talk) for talk in ordered if talk.language == language]
        chats.append(
            {"name": name, "type": "personal_chat", "id": guest, "messages": list(_messages(own, guest, name))}
        )
    return {
        "personal_information": {"user_id": _OWNER_ID, "first_name": OWNER, "last_name": ""},
        "chats": {"list": [chat for chat in chats if chat["messages"]]},
    }


def _digest(talk: Talk) -> str:
    said = "\n".join(f"{exchange.question}\n{exchange.answer}" for exchange in talk.exchanges)
    return sha256(said.encode()).hexdigest()


def _messages(talks: Iterable[tuple[datetime, Talk]], guest: int, name: str) -> Iterator[dict[str, Any]]:
    number = 0
    for day, talk in talks:
        time = day
        for exchange in talk.exchanges:
            for who, called, text in ((guest, name, exchange.question), (_OWNER_ID, OWNER, exchange.answer)):
                number += 1
                yield {
                    "id": number,
                    "type": "message",
                    "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
                    "date_unixtime": str(round(time.timestamp())),
                    "from": called,
                    "from_id": f"user{who}",
                    "text": text,
                }
                time += _BETWEEN_LINES
