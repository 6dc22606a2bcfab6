"""Read a Telegram Desktop export as a stream: one chat or a whole account, in memory that does not grow with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from events.errors import SettingsError

_SINGLE = ""
_IN_ACCOUNT = ("chats.list.item", "left_chats.list.item")
HOW_TO_EXPORT = "in Telegram Desktop choose Export chat history, format: Machine-readable JSON"


@dataclass(slots=True)
class Chat:
    """What the export says about a chat before its messages. `type` is e.g. `personal_chat` or `private_supergroup`."""

    number: int
    type: str = ""


@dataclass(slots=True)
class ExportFile:
    """One pass over an export; the fields are complete once `items` has ended."""

    file: BinaryIO
    account: str | None = None
    """Id of the account's owner (`user123`), where a whole account was exported."""
    truncated: bool = False
    chats: int = 0
    _scalars: dict[str, Any] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[Chat, Any]]:
        """Each element of each `messages` list, whatever it is, with its chat.

        A file that ends in the middle gives what is whole and sets `truncated`.

        Raises
        ------
        SettingsError
            One line: the file holds no export.
        """
        try:
            yield from self._walk(ijson.parse(self.file, use_float=True))
        except ijson.IncompleteJSONError as error:
            self.truncated = True
            if not self.chats:
                raise _no_export(self.file, f"it is no whole JSON: {_line(error)}") from None
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise _no_export(self.file, f"it is no JSON: {_line(error)}") from None
        if not self.chats:
            raise _no_export(self.file, "it has no messages")

    def _walk(self, events: Iterable[tuple[str, str, Any]]) -> Iterator[tuple[Chat, Any]]:
        chat = Chat(0)
        stream = iter(events)
        for prefix, event, value in stream:
            if event in ("start_map", "end_map", "map_key", "start_array", "end_array"):
                if event == "start_map" and prefix in (_SINGLE, *_IN_ACCOUNT):
                    chat = Chat(self.chats)
                elif event == "start_array" and _is_messages(prefix):
                    self.chats += 1
                    yield from ((chat, item) for item in _elements(stream, prefix))
            elif prefix == "personal_information.user_id":
                self.account = f"user{value}"
            elif prefix.rpartition(".")[0] in (_SINGLE, *_IN_ACCOUNT) and prefix.endswith("type"):
                chat.type = str(value)


def _elements(stream: Iterator[tuple[str, str, Any]], array: str) -> Iterator[Any]:
    """The elements of the list whose start was just read; the same iterator goes on behind its end."""
    for prefix, event, value in stream:
        if event == "end_array" and prefix == array:
            return
        if event not in ("start_map", "start_array"):
            yield value
            continue
        builder = ijson.ObjectBuilder()
        builder.event(event, value)
        depth = 1
        while depth:
            _, event, value = next(stream)  # noqa: PLW2901 -- the element's own events
            depth += event in ("start_map", "start_array")
            depth -= event in ("end_map", "end_array")
            builder.event(event, value)
        yield builder.value


def _is_messages(prefix: str) -> bool:
    return prefix == "messages" or any(prefix == f"{chat}.messages" for chat in _IN_ACCOUNT)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:80]


def _no_export(file: BinaryIO, why: str) -> SettingsError:
    return SettingsError(f"TRAINING_EXPORT: {Path(file.name).name} is no Telegram export ({why}): {HOW_TO_EXPORT}")
