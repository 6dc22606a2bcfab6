"""Pseudonymise a recording so that it can be shared: replace ids, replace or mask words, drop what identifies.

Under one key an id or word always gets the same pseudonym; without the key pseudonyms can't be looked up by trial.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Any

from events.errors import MalformedEvent
from events.ids import RequestId
from events.recordings.lines import RecordedEvent, dump

KEPT_HEADERS = {"timokha-reason", "timokha-attempts"}
"""The outcome of a dead letter. Trace context and bridges' headers would identify other systems."""

ID_LENGTH = 12
SYLLABLES = ("ба", "ве", "ди", "жо", "зу", "ка", "ле", "ми", "но", "пу", "ра", "се", "ти", "фо", "ху", "ча")


class TextPolicy(StrEnum):
    """What to do with text that people and the model wrote."""

    KEEP = "keep"
    MASK = "mask"
    REPLACE = "replace"


class Pseudonyms:
    """Replaces ids and texts. Texts that are kept may still identify people."""

    def __init__(self, key: bytes, texts: TextPolicy) -> None:
        self._key = key
        self._texts = texts

    def replace_in(self, events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
        """Return `events` pseudonymised, without those that can't be read, whose content is unknown."""
        renamed = []
        for recorded in events:
            try:
                renamed.append(self._rename(recorded))
            except MalformedEvent:
                continue
        return renamed

    def _rename(self, recorded: RecordedEvent) -> RecordedEvent:
        event = recorded.event
        data = event.data()
        request_id = self._request_id(event.request_id)
        kind = event.type.split(".")[-2]
        renamed = replace(
            event,
            id=f"{request_id}:{kind}",
            subject=str(request_id),
            body=dump(self._data(data.model_dump(mode="json"), request_id)),
            headers={name: value for name, value in event.headers.items() if name in KEPT_HEADERS},
        )
        return replace(recorded, event=renamed)

    def _request_id(self, original: RequestId) -> RequestId:
        # Each is hashed with those before it, so that one message number gets different pseudonyms in two chats.
        account, chat = original.account, f"{original.account}.{original.chat}"
        message = f"{chat}.{original.message}"
        return RequestId(self._id(account), self._id(chat), self._id(message), original.revision)

    def _data(self, data: dict[str, Any], request_id: RequestId) -> dict[str, Any]:
        data = {**data, "request_id": str(request_id)}
        if "turns" in data:
            data |= {"account_id": request_id.account, "chat_id": request_id.chat, "message_id": request_id.message}
            # The seed is derived from the real id and would help to find it.
            data["sampling"] |= {"seed": int(self._digest(str(data["sampling"]["seed"]))[:8], 16)}
            if "persona" in data:
                data["persona"] = self._text(data["persona"])
            if "memory" in data:
                data["memory"] = [{key: self._text(text) for key, text in one.items()} for one in data["memory"]]
            data["turns"] = [self._turn(turn) for turn in data["turns"]]
        if "text" in data:
            data["text"] = self._text(data["text"])
        if "detail" in data:
            data["detail"] = ""
        if "reader" in data:
            data["reader"] = self._id(data["reader"])
        return data

    def _turn(self, turn: dict[str, Any]) -> dict[str, Any]:
        written = {name: self._text(turn[name]) for name in ("text", "speaker") if name in turn}
        return turn | written

    def _text(self, text: str) -> str:
        match self._texts:
            case TextPolicy.KEEP:
                return text
            case TextPolicy.MASK:
                return "".join(map(_masked, text))
            case TextPolicy.REPLACE:
                return re.sub(r"\w+", lambda word: self._word(word[0]), text)

    def _word(self, word: str) -> str:
        digest = bytes.fromhex(self._digest(word.lower()))
        syllables = "".join(SYLLABLES[byte % len(SYLLABLES)] for byte in digest[: (len(word) + 1) // 2])
        other = syllables[: len(word)]
        return other.capitalize() if word[0].isupper() else other

    def _id(self, original: str) -> str:
        return pseudonym(self._key, original)

    def _digest(self, text: str) -> str:
        return _digest(self._key, text)


def pseudonym(key: bytes, original: str) -> str:
    """Return what stands for an id: `ID_LENGTH` hexadecimal digits, the same ones under the same key."""
    return _digest(key, original)[:ID_LENGTH]


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def _masked(character: str) -> str:
    """Return the mask of a character; white space and punctuation stay."""
    if character.isspace() or unicodedata.category(character).startswith("P"):
        return character
    if character.isdigit():
        return "0"
    return "X" if character.isupper() else "x"
