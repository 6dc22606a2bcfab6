"""Read a Telegram Desktop export as a stream: one chat or a whole account, in memory that does not grow with it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from training.data.telegram.export_source import not_an_export
from training.data.telegram.file_window import FileWindow
from training.data.telegram.json_reader import Damage, DamagedJson, JsonReader, TruncatedFile

_KINDS = (
    r"personal_chat|bot_chat|saved_messages|replies|verification_codes|(?:private|public)_(?:group|supergroup|channel)"
)
_KIND = re.compile(rf'"type"\s*:\s*"({_KINDS})"')
_OTHER_CHAT = re.compile(rf'"messages"\s*:|{_KIND.pattern}')
_MARK = re.compile(
    r'(?P<item>\{\s*"id"\s*:\s*-?\d+\s*,\s*"type"\s*:\s*"(?:message|service|unsupported)")'
    r'|(?P<chat>"type"\s*:\s*(?:null|"(?P<kind>\w*)")\s*,\s*"id"\s*:\s*-?\d+\s*,\s*"messages"\s*:\s*(?=\[))'
    r'|(?P<account>"personal_information"\s*:\s*(?=\{))'
)
"""Text at which reading can resume after damage. It can't be in a JSON string, where its quotes would be escaped."""

_SHOWN = 3


@dataclass(slots=True)
class ExportedChat:
    """What an export contains about a chat before its messages; `type`: e.g. `personal_chat`, `private_supergroup`."""

    number: int
    type: str = ""


@dataclass(slots=True)
class ExportFile:
    """One pass over an export; the fields are complete once `items` has ended."""

    file: BinaryIO
    on_read: Callable[[int], None] = lambda _: None
    """Called with the number of bytes read so far; may raise to stop reading."""
    account: str | None = None
    """Id of the account's owner (`user123`), where a whole account was exported."""
    truncated_at: int | None = None
    """The byte at which a truncated file ends."""
    repaired: int = 0
    """Number of places that were invalid JSON and were repaired."""
    damage: Damage = field(default_factory=Damage)
    chats: int = 0
    _recognised: bool = False
    _chat: ExportedChat = field(default_factory=lambda: ExportedChat(0))
    """The latest chat."""

    @property
    def truncated(self) -> bool:
        return self.truncated_at is not None

    def items(self) -> Iterator[tuple[ExportedChat, Any]]:
        """Yield each element of each `messages` list with its chat, or its ByteRange if it is damaged.

        A truncated file yields the elements before its end and sets `truncated_at`.

        Raises
        ------
        SettingsError
            One line: the file is not an export.
        """
        values = JsonReader(FileWindow(self.file, self.on_read), _MARK, self.damage)
        number = 0
        try:
            for number, (chat, item) in enumerate(self._read_all(values), start=1):  # noqa: B007 -- used after the loop
                self._recognised |= isinstance(item, dict) and item.get("type") in ("message", "service", "unsupported")
                yield chat, item
        except TruncatedFile as cut:
            self.truncated_at = cut.byte
        self.repaired = values.repaired
        if not self.chats:
            raise not_an_export(Path(self.file.name), self._problem("it has no messages"))
        if number and not self._recognised:
            raise not_an_export(
                Path(self.file.name), self._problem(f"none of its {number} messages is one of Telegram's")
            )

    def findings(self) -> Iterator[str]:
        """Yield a line for each kind of fault in the file."""
        if self.repaired:
            yield f"Repaired invalid JSON in {_places(self.repaired)} of the export."
        if self.damage.places:
            where = ", ".join(f"{span.start}-{span.end}" for span in self.damage.first[:_SHOWN])
            more = ", …" if self.damage.places > _SHOWN else ""
            yield f"The export is damaged in {_places(self.damage.places)} (bytes {where}{more}): the rest is used."
        if self.truncated:
            yield f"The export ends in the middle, at byte {self.truncated_at}: what came before is used."

    def _problem(self, otherwise: str) -> str:
        """Return what is wrong with the file, or `otherwise`."""
        if self.damage.places:
            return f"it is not JSON, from byte {self.damage.first[0].start} on"
        return f"it ends in the middle, at byte {self.truncated_at}" if self.truncated else otherwise

    def _read_all(self, values: JsonReader) -> Iterator[tuple[ExportedChat, Any]]:
        try:
            yield from self._read_top_level(values)
            values.expect_end()
        except DamagedJson:
            yield from self._read_after_damage(values)

    def _read_top_level(self, values: JsonReader) -> Iterator[tuple[ExportedChat, Any]]:
        """Read an account, or one chat."""
        if values.peek() != "{":
            values.value()
            return
        chat = self._chat = ExportedChat(self.chats)
        for key in values.members():
            if key in ("chats", "left_chats") and values.peek() == "{":
                yield from self._read_chats(values)
            elif key == "personal_information":
                self._set_account(values.value())
            else:
                yield from self._read_chat_member(values, chat, key)

    def _read_chats(self, values: JsonReader) -> Iterator[tuple[ExportedChat, Any]]:
        for key in values.members():
            if key != "list" or values.peek() != "[":
                values.value()
                continue
            for _ in values.elements():
                if values.peek() == "{":
                    chat = self._chat = ExportedChat(self.chats)
                    for field_of_chat in values.members():
                        yield from self._read_chat_member(values, chat, field_of_chat)
                else:
                    values.value()

    def _read_chat_member(self, values: JsonReader, chat: ExportedChat, key: str) -> Iterator[tuple[ExportedChat, Any]]:
        if key == "messages" and values.peek() in ("[", "{"):
            yield from self._read_messages(values, chat)
        elif key == "type":
            chat.type = str(values.value() or "")
        else:
            values.value()

    def _chat_at(self, mark: re.Match[str], skipped: str) -> ExportedChat:
        """Return the chat that continues or begins at `mark`, after the unreadable text `skipped`."""
        if mark["item"] and not _OTHER_CHAT.search(skipped):
            return self._chat
        return ExportedChat(self.chats, mark["kind"] or (_KIND.findall(skipped) or [""])[-1])

    def _read_messages(self, values: JsonReader, chat: ExportedChat) -> Iterator[tuple[ExportedChat, Any]]:
        self.chats = chat.number + 1
        self._chat = chat
        for item in values.items(other_list=_OTHER_CHAT):
            yield chat, item

    def _set_account(self, found: Any) -> None:
        if isinstance(found, dict) and isinstance(number := found.get("user_id"), int | str):
            self.account = f"user{number}"

    def _read_after_damage(self, values: JsonReader) -> Iterator[tuple[ExportedChat, Any]]:
        """Yield the messages that are recognised after damage."""
        while mark := values.find_mark():
            try:
                if mark["account"]:
                    self._set_account(values.value())
                else:
                    yield from self._read_messages(values, self._chat_at(mark, values.skipped))
            except DamagedJson:
                continue


def _places(number: int) -> str:
    return "1 place" if number == 1 else f"{number} places"
