"""Values of a large JSON file, one at a time: each is mended if it can be, and damage harms only what it stands in."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from training.data.telegram.json_repair import end_of_value, repair_json
from training.data.telegram.window import LARGEST, FileWindow

_SPACE = re.compile(r"[ \t\r\n]*")
_SEPARATOR = re.compile(r"[ \t\r\n,]*")
_FOLLOWS = re.compile(r'[ \t\r\n]*(?:[\]}]|,[ \t\r\n]*(?:["{]|\Z)|\Z)')
"""What stands behind a value."""
_ANOTHER = re.compile(r"[ \t\r\n]*(?:,[ \t\r\n]*\{|\])")
"""What stands behind an object of a list."""
_COMMA = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_PARTIAL = re.compile(r"[ \t\r\n]*\\?[\w+.\-]*")
_CLOSED = re.compile(r"\][ \t\r\n]*\}[ \t\r\n]*\Z")
_BLANK = " \t\r\n"
_ID = '"id"'
"""Stands in every mark but the account's: looking for it first is fast."""
_LISTED = 20
_CONTEXT = 4096
"""Characters; longer than what a mark is found by."""
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


def _whole(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:  # thousands of digits
        return digits


_PATIENT = json.JSONDecoder(parse_constant=lambda _: None, parse_int=_whole)


class DamagedJson(Exception):
    """It is not known in which object or list the cursor is: `JsonReader.next_mark` goes on."""


class TruncatedFile(Exception):
    """The file ends in the middle."""

    def __init__(self, byte: int) -> None:
        self.byte = byte


class _Unreadable(Exception):
    """The value at the cursor, up to `end`. `known`: the list goes on there."""

    def __init__(self, end: int, *, known: bool) -> None:
        self.end, self.known = end, known


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes of the file: the first one, and the one after the last."""

    start: int
    end: int


@dataclass(slots=True)
class Damage:
    """What could not be read; `first`: the first few of the places."""

    places: int = 0
    first: list[ByteRange] = field(default_factory=list)

    def add(self, span: ByteRange) -> None:
        self.places += 1
        if len(self.first) < _LISTED:
            self.first.append(span)


class JsonReader:
    """A cursor in `window`. `marks` finds where the reading can go on after damage; its group `item` is an item."""

    def __init__(self, window: FileWindow, marks: re.Pattern[str], damage: Damage) -> None:
        self._window, self._marks, self._damage = window, marks, damage
        self._lost_at: int | None = None
        self._complete = False
        self.passed = ""
        """The last characters that damage took."""
        self.repaired = 0
        """Places."""

    def peek(self) -> str:
        """Return the first character of what comes next, or "" at the end of the file."""
        window = self._window
        while True:
            window.at = _SPACE.match(window.text, window.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if window.at < len(window.text):
                return window.text[window.at]
            if not window.more():
                return ""

    def members(self) -> Iterator[str]:
        """The keys of the object at the cursor; whoever gets one consumes its value. Raises Astray, CutOff."""
        self._window.at += 1
        first = True
        while self._another("}", first=first):
            first = False
            if self.peek() != '"':
                self._lose()
            key = self.value()
            if self.peek() != ":":
                self._lose()
            self._window.at += 1
            yield key

    def elements(self) -> Iterator[None]:
        """Stop at each element of the list at the cursor; the caller consumes it. Raises Astray at an item, CutOff."""
        window = self._window
        window.at += 1
        first = True
        while self._another("]", first=first):
            first = False
            while len(window.text) - window.at < _CONTEXT and window.more():
                pass
            if (mark := self._marks.match(window.text, window.at)) and mark["item"]:
                self._lose()
            yield

    def value(self) -> Any:
        """Return the value at the cursor and move behind it. Raises Astray, CutOff."""
        try:
            return self._decode()
        except _Unreadable as found:
            self._skip(found.end)
            raise DamagedJson from None

    def items(self, another: re.Pattern[str]) -> Iterator[Any]:
        """The elements of the list at the cursor, or from the item at the cursor on. A damaged one is its Span.

        Raises Astray if what was damaged is `another` list, too, and CutOff.
        """
        if self.peek() == "[":
            self._window.at += 1
        first: bool | None = True
        while self._another("]", first=first):
            first = False
            try:
                item = self._decode(own=1)
            except _Unreadable as found:
                if span := self._skip(found.end):
                    yield span
                if not found.known or another.search(self.passed):
                    raise DamagedJson from None
                first = None
            else:
                yield item

    def finish(self) -> None:
        """Raise Astray if something stands behind the last value."""
        self._complete = True
        while following := self.peek():
            if following != "\0":  # zeros that a file system has put there
                self._lose()
            self._window.at += 1

    def next_mark(self) -> re.Match[str] | None:
        """Go on to what can be recognised: to an item, or behind another mark. None at the end. Raises CutOff."""
        window = self._window
        while not (mark := self._marks.search(window.text, window.at)):
            if window.ended:
                self._found(len(window.text))
                if not self._complete and not window.text.rstrip().endswith("}"):
                    raise TruncatedFile(window.byte(len(window.text)))
                return None
            self._pass(max(window.at, len(window.text) - _CONTEXT))
            window.more()
        self._found(mark.start())
        self._pass(mark.start())
        window.at = mark.start() if mark["item"] else mark.end()
        return mark

    def _another(self, closer: str, *, first: bool | None) -> bool:
        """Whether there is another element, at which the cursor is then; else it is behind `closer`.

        `first`: whether there was none before it. None: who knows.
        """
        window, commas = self._window, 0
        while True:
            end = _SEPARATOR.match(window.text, window.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            commas += window.text.count(",", window.at, end)
            window.at = end
            if end < len(window.text):
                break
            if not window.more():
                raise TruncatedFile(window.byte(len(window.text)))
        closed = window.text[end] == closer
        if first is not None:
            self.repaired += commas != (not first and not closed)
        window.at += closed
        return not closed

    def _decode(self, *, own: int = 0) -> Any:
        """The value at the cursor. It may have `own` keys called id, but no mark in it. Raises _Unreadable, CutOff."""
        self.peek()
        window = self._window
        while True:
            try:
                value, end = _DECODER.raw_decode(window.text, window.at)
            except json.JSONDecodeError as error:
                if _is_cut(error, window.text, ended=window.ended):
                    if window.ended:
                        raise TruncatedFile(window.byte(len(window.text))) from None
                    if len(window.text) - window.at < LARGEST:
                        window.more()
                        continue
                return self._mended(*self._extent())
            except (RecursionError, ValueError):
                return self._mended(*self._extent())
            if end == len(window.text) and window.text[end - 1] not in '"]}' and window.more():
                continue  # a number may go on
            if window.text.count(_ID, window.at, end) > own and self._marks.search(window.text, window.at + 1, end):
                return self._mended(*self._extent())
            if window.is_odd(end):
                return self._mended(end, known=True)
            window.at = end
            return value

    def _mended(self, end: int, known: bool) -> Any:
        """The value at the cursor once it is JSON. Raises _Unreadable, CutOff."""
        window = self._window
        text, places = repair_json(window.text[window.at : end])
        try:
            value, stop = _PATIENT.raw_decode(text)
        except json.JSONDecodeError as error:
            if window.ended and end == len(window.text) and _is_cut(error, text, ended=True):
                raise TruncatedFile(window.byte(end)) from None
            raise _Unreadable(end, known=known) from None
        except RecursionError:
            raise _Unreadable(end, known=known) from None
        rest = text[stop:].strip(_BLANK)
        if rest in ("", ","):
            window.at += len(window.text[window.at : end].rstrip(_BLANK + ","))
        elif known or rest[0] not in "]}":
            raise _Unreadable(end, known=known)
        else:
            window.mend(end, text)
            window.at = stop
        self.repaired += places
        return value

    def _extent(self) -> tuple[int, bool]:
        """Where the value at the cursor ends as far as can be told, and whether its list goes on there."""
        window = self._window
        while True:
            mark = self._marks.search(window.text, window.at + 1)
            end = end_of_value(window.text, window.at, mark.start() if mark else len(window.text))
            if end and _is_end(window.text, end, mark):
                return end, True
            if mark:
                if end and _ANOTHER.match(window.text, end) and _is_json(window.text[window.at : end]):
                    return end, True  # it is whole, and the beginning of the next one is not
                return mark.start(), bool(mark["item"])
            if window.ended or len(window.text) - window.at >= LARGEST:
                return len(window.text), False
            window.more()

    def _skip(self, end: int) -> ByteRange | None:
        """Leave out what is between the cursor and `end`. None if it has no quote: nothing that matters is lost."""
        window = self._window
        span = None
        if '"' in window.text[window.at : end]:
            span = ByteRange(window.byte(window.at), window.byte(end))
            self._damage.add(span)
        else:
            self.repaired += 1
        self.passed = ""
        self._pass(end)
        return span

    def _pass(self, end: int) -> None:
        window = self._window
        self.passed = (self.passed + window.text[window.at : end])[-_CONTEXT:]
        window.at = end

    def _lose(self) -> NoReturn:
        self._lost_at = self._window.byte(self._window.at)
        raise DamagedJson

    def _found(self, at: int) -> None:
        if self._lost_at is not None and self._lost_at < (end := self._window.byte(at)):
            self._damage.add(ByteRange(self._lost_at, end))
        self._lost_at = None


def _is_end(text: str, at: int, mark: re.Match[str] | None) -> bool:
    """Whether what stands behind a value comes at `at`; `mark` is the next one."""
    if mark and mark["item"]:
        return bool(_COMMA.fullmatch(text, at, mark.start()))
    return bool(_FOLLOWS.match(text, at))


def _is_json(text: str) -> bool:
    try:
        _PATIENT.decode(repair_json(text)[0])
    except (json.JSONDecodeError, RecursionError):
        return False
    return True


def _is_cut(error: json.JSONDecodeError, text: str, *, ended: bool) -> bool:
    """Whether the end of `text` explains `error`."""
    if error.msg.startswith("Unterminated string"):
        return not (ended and _CLOSED.search(text))
    return bool(_PARTIAL.fullmatch(text, error.pos))
