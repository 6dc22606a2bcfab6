"""Read a large JSON file value by value: repair values where possible, and lose only those that are damaged."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from training.data.telegram.file_window import LARGEST_VALUE, FileWindow
from training.data.telegram.json_repair import find_value_end, repair_json

_SPACE = re.compile(r"[ \t\r\n]*")
_SEPARATOR = re.compile(r"[ \t\r\n,]*")
_AFTER_VALUE = re.compile(r'[ \t\r\n]*(?:[\]}]|,[ \t\r\n]*(?:["{]|\Z)|\Z)')
"""What follows a value."""
_AFTER_OBJECT = re.compile(r"[ \t\r\n]*(?:,[ \t\r\n]*\{|\])")
"""What follows an object in a list."""
_COMMA = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_PARTIAL = re.compile(r"[ \t\r\n]*\\?[\w+.\-]*")
_CLOSED = re.compile(r"\][ \t\r\n]*\}[ \t\r\n]*\Z")
_BLANK = " \t\r\n"
_ID = '"id"'
"""In every mark but the account's; searching for it first is fast."""
_LISTED = 20
_CONTEXT = 4096
"""Characters; longer than any mark."""
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


def _parse_int(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:  # it has thousands of digits
        return digits


_TOLERANT_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_int=_parse_int)


class DamagedJson(Exception):
    """It is unknown which object or list the cursor is in; continue with `JsonReader.find_mark`."""


class TruncatedFile(Exception):
    """The file ends in the middle."""

    def __init__(self, byte: int) -> None:
        self.byte = byte


class _UnreadableValue(Exception):
    """The value between the cursor and `end` can't be read. `certain`: whether the list surely continues at `end`."""

    def __init__(self, end: int, *, certain: bool) -> None:
        self.end, self.certain = end, certain


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes in the file; `end` is exclusive."""

    start: int
    end: int


@dataclass(slots=True)
class Damage:
    """The places that could not be read; `first`: the first few of them."""

    places: int = 0
    first: list[ByteRange] = field(default_factory=list)

    def add(self, span: ByteRange) -> None:
        self.places += 1
        if len(self.first) < _LISTED:
            self.first.append(span)


class JsonReader:
    """Reads values at a cursor in `window`.

    `marks`: matches text at which reading can resume after damage; its group `item` matches an item.
    """

    def __init__(self, window: FileWindow, marks: re.Pattern[str], damage: Damage) -> None:
        self._window, self._marks, self._damage = window, marks, damage
        self._damage_began: int | None = None
        self._complete = False
        self.skipped = ""
        """The last characters that were skipped as damaged."""
        self.repaired = 0
        """Number of places that were repaired."""

    def peek(self) -> str:
        """Return the first character of the next value or sign, or "" at the end of the file."""
        window = self._window
        while True:
            window.at = _SPACE.match(window.text, window.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if window.at < len(window.text):
                return window.text[window.at]
            if not window.read_more():
                return ""

    def members(self) -> Iterator[str]:
        """Yield the keys of the object at the cursor; the caller consumes the values.

        Raises DamagedJson, TruncatedFile.
        """
        self._window.at += 1
        first = True
        while self._has_next("}", first=first):
            first = False
            if self.peek() != '"':
                self._raise_damaged()
            key = self.value()
            if self.peek() != ":":
                self._raise_damaged()
            self._window.at += 1
            yield key

    def elements(self) -> Iterator[None]:
        """Yield at each element of the list at the cursor; the caller consumes it.

        Raises DamagedJson at an item, which is in no such list, and TruncatedFile.
        """
        window = self._window
        window.at += 1
        first = True
        while self._has_next("]", first=first):
            first = False
            while len(window.text) - window.at < _CONTEXT and window.read_more():
                pass
            if (mark := self._marks.match(window.text, window.at)) and mark["item"]:
                self._raise_damaged()
            yield

    def value(self) -> Any:
        """Return the value at the cursor and move past it. Raises DamagedJson, TruncatedFile."""
        try:
            return self._decode()
        except _UnreadableValue as found:
            self._skip_value(found.end)
            raise DamagedJson from None

    def items(self, other_list: re.Pattern[str]) -> Iterator[Any]:
        """Yield the elements of the list at the cursor, or those from the item at the cursor on.

        A damaged one is yielded as its ByteRange. Raises DamagedJson if damaged text matches `other_list`, because the
        cursor may then be in another list, and TruncatedFile.
        """
        if self.peek() == "[":
            self._window.at += 1
        first: bool | None = True
        while self._has_next("]", first=first):
            first = False
            try:
                item = self._decode(own=1)
            except _UnreadableValue as found:
                if span := self._skip_value(found.end):
                    yield span
                if not found.certain or other_list.search(self.skipped):
                    raise DamagedJson from None
                first = None
            else:
                yield item

    def expect_end(self) -> None:
        """Raise DamagedJson if anything follows the last value."""
        self._complete = True
        while following := self.peek():
            if following != "\0":  # a file system may append zeros
                self._raise_damaged()
            self._window.at += 1

    def find_mark(self) -> re.Match[str] | None:
        """Move to the next item, or past the next mark of another kind; return the match, or None at the end.

        Raises TruncatedFile.
        """
        window = self._window
        while not (mark := self._marks.search(window.text, window.at)):
            if window.ended:
                self._record_damage(len(window.text))
                if not self._complete and not window.text.rstrip().endswith("}"):
                    raise TruncatedFile(window.byte_offset(len(window.text)))
                return None
            self._move(max(window.at, len(window.text) - _CONTEXT))
            window.read_more()
        self._record_damage(mark.start())
        self._move(mark.start())
        window.at = mark.start() if mark["item"] else mark.end()
        return mark

    def _has_next(self, closer: str, *, first: bool | None) -> bool:
        """Move to the next element and return True, or move past `closer` and return False.

        `first`: whether no element came before; None if unknown.
        """
        window, commas = self._window, 0
        while True:
            end = _SEPARATOR.match(window.text, window.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            commas += window.text.count(",", window.at, end)
            window.at = end
            if end < len(window.text):
                break
            if not window.read_more():
                raise TruncatedFile(window.byte_offset(len(window.text)))
        closed = window.text[end] == closer
        if first is not None:
            self.repaired += commas != (not first and not closed)
        window.at += closed
        return not closed

    def _decode(self, *, own: int = 0) -> Any:
        """Return the value at the cursor. It may contain `own` keys called id, but no mark.

        Raises _UnreadableValue, TruncatedFile.
        """
        self.peek()
        window = self._window
        while True:
            try:
                value, end = _DECODER.raw_decode(window.text, window.at)
            except json.JSONDecodeError as error:
                if _is_due_to_end(error, window.text, ended=window.ended):
                    if window.ended:
                        raise TruncatedFile(window.byte_offset(len(window.text))) from None
                    if len(window.text) - window.at < LARGEST_VALUE:
                        window.read_more()
                        continue
                return self._repaired_value(*self._find_end())
            except (RecursionError, ValueError):
                return self._repaired_value(*self._find_end())
            if end == len(window.text) and window.text[end - 1] not in '"]}' and window.read_more():
                continue  # a number may continue
            if window.text.count(_ID, window.at, end) > own and self._marks.search(window.text, window.at + 1, end):
                return self._repaired_value(*self._find_end())
            if window.has_surrogates(end):
                return self._repaired_value(end, certain=True)
            window.at = end
            return value

    def _repaired_value(self, end: int, certain: bool) -> Any:
        """Repair and return the value between the cursor and `end`. Raises _UnreadableValue, TruncatedFile."""
        window = self._window
        text, places = repair_json(window.text[window.at : end])
        try:
            value, stop = _TOLERANT_DECODER.raw_decode(text)
        except json.JSONDecodeError as error:
            if window.ended and end == len(window.text) and _is_due_to_end(error, text, ended=True):
                raise TruncatedFile(window.byte_offset(end)) from None
            raise _UnreadableValue(end, certain=certain) from None
        except RecursionError:
            raise _UnreadableValue(end, certain=certain) from None
        rest = text[stop:].strip(_BLANK)
        if rest in ("", ","):
            window.at += len(window.text[window.at : end].rstrip(_BLANK + ","))
        elif certain or rest[0] not in "]}":
            raise _UnreadableValue(end, certain=certain)
        else:
            window.replace_text(end, text)
            window.at = stop
        self.repaired += places
        return value

    def _find_end(self) -> tuple[int, bool]:
        """Return where the value at the cursor most likely ends, and whether its list surely continues there."""
        window = self._window
        while True:
            mark = self._marks.search(window.text, window.at + 1)
            end = find_value_end(window.text, window.at, mark.start() if mark else len(window.text))
            if end and _is_end(window.text, end, mark):
                return end, True
            if mark:
                if end and _AFTER_OBJECT.match(window.text, end) and _is_json(window.text[window.at : end]):
                    return end, True  # it is complete; the beginning of the next one is damaged
                return mark.start(), bool(mark["item"])
            if window.ended or len(window.text) - window.at >= LARGEST_VALUE:
                return len(window.text), False
            window.read_more()

    def _skip_value(self, end: int) -> ByteRange | None:
        """Skip the text up to `end` and return its range, or None if it has no quote and so no content."""
        window = self._window
        span = None
        if '"' in window.text[window.at : end]:
            span = ByteRange(window.byte_offset(window.at), window.byte_offset(end))
            self._damage.add(span)
        else:
            self.repaired += 1
        self.skipped = ""
        self._move(end)
        return span

    def _move(self, end: int) -> None:
        window = self._window
        self.skipped = (self.skipped + window.text[window.at : end])[-_CONTEXT:]
        window.at = end

    def _raise_damaged(self) -> NoReturn:
        self._damage_began = self._window.byte_offset(self._window.at)
        raise DamagedJson

    def _record_damage(self, at: int) -> None:
        if self._damage_began is not None and self._damage_began < (end := self._window.byte_offset(at)):
            self._damage.add(ByteRange(self._damage_began, end))
        self._damage_began = None


def _is_end(text: str, at: int, mark: re.Match[str] | None) -> bool:
    """Return whether the text at `at` is what follows a value; `mark`: the next one."""
    if mark and mark["item"]:
        return bool(_COMMA.fullmatch(text, at, mark.start()))
    return bool(_AFTER_VALUE.match(text, at))


def _is_json(text: str) -> bool:
    try:
        _TOLERANT_DECODER.decode(repair_json(text)[0])
    except (json.JSONDecodeError, RecursionError):
        return False
    return True


def _is_due_to_end(error: json.JSONDecodeError, text: str, *, ended: bool) -> bool:
    """Return whether `error` is due to the end of `text`."""
    if error.msg.startswith("Unterminated string"):
        return not (ended and _CLOSED.search(text))
    return bool(_PARTIAL.fullmatch(text, error.pos))
