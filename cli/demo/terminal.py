"""The terminal of a chat: type lines while answers come in, or read all lines from a pipe."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from typing import Any, Protocol

from prompt_toolkit import ANSI, PromptSession, print_formatted_text
from prompt_toolkit.application import get_app_session
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console, RenderableType

from cli.demo.traces import Traces
from events.runtime.clock import Clock
from events.runtime.tasks import beside

REFRESH = timedelta(milliseconds=100)
"""Between two looks for new messages."""


class TerminalChat(Protocol):
    """A conversation; `growing` is what can be read so far of an answer that is being written."""

    clock: Clock
    growing: str

    async def say(self, text: str, /) -> object: ...

    async def refresh(self) -> object: ...


async def converse(chat: TerminalChat, traces: Traces | None) -> None:
    """TerminalChat until Ctrl-D or Ctrl-C. Raises what goes wrong in the background."""
    session: PromptSession[str] = PromptSession(lambda: _prompt(chat), erase_when_done=True)
    with patch_stdout():
        helpers = [_keep_refreshing(chat, session.app.invalidate), *([traces.follow()] if traces else [])]
        await beside(_talk(session, chat), *helpers)


async def _talk(session: PromptSession[str], chat: TerminalChat) -> None:
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            # Signals are heeded in one place; Ctrl-C is a key here.
            line = await session.prompt_async(handle_sigint=False)
            text = typed(line)
            if text is None:
                show_text("That was not UTF-8; please try again.")
            elif text.strip():
                await chat.say(text)


def typed(line: str) -> str | None:
    """`line` as it was meant: prompt_toolkit leaves a surrogate for each byte that the locale's encoding can't read.

    Under LANG=C these are letters in UTF-8. None if they are not.
    """
    try:
        return line.encode(errors="surrogateescape").decode()
    except UnicodeError:
        return None


def _prompt(chat: TerminalChat) -> str:
    """An answer that is being written grows above the line that is being typed."""
    growing = labelled("bot~ ", chat.growing) + "\n" if chat.growing else ""
    return f"{growing}you> "


async def _keep_refreshing(chat: TerminalChat, redraw: Callable[[], None]) -> None:
    while True:
        before = chat.growing
        await chat.refresh()
        if chat.growing != before:
            redraw()
        await chat.clock.sleep(REFRESH)


def labelled(label: str, text: str) -> str:
    """The first line behind the label, further lines below it."""
    first, *further = text.split("\n")
    return "\n".join([label + first, *((" " * len(label) + line).rstrip() for line in further)])


def show_text(text: str) -> None:
    """Print `text`, which may have escape sequences, above the line that is being typed."""
    print_formatted_text(ANSI(text))


def show_rendered(rendered: RenderableType) -> None:
    """Print `rendered` above the line that is being typed. What is printed plainly there loses its escape codes."""
    width = get_app_session().output.get_size().columns
    console = Console(file=StringIO(), force_terminal=True, width=width)
    with console.capture() as captured:
        console.print(rendered)
    print_formatted_text(ANSI(captured.get()), end="")


CODES = {
    "BOLD": (1, 22),
    "ITALIC": (3, 23),
    "STRIKE": (9, 29),
    "STRIKETHROUGH": (9, 29),
    "CODE": (36, 39),
    "PRE": (36, 39),
}
"""How each begins and ends; code is cyan."""


def looking(text: str, entities: Iterable[Any] | None) -> str:
    """Return `text` with the escape sequences that show its formatting, in Telegram's own types or pyrogram's."""
    units = text.encode("utf-16-le")
    marks = [mark for entity in entities or () for mark in _marks(entity)]
    parts, shown = [], 0
    # What ends somewhere ends before anything else begins there.
    for position, _, code in sorted(marks):
        parts += [units[shown : 2 * position].decode("utf-16-le"), f"\x1b[{code}m"]
        shown = 2 * position
    return "".join([*parts, units[shown:].decode("utf-16-le")])


def _marks(entity: Any) -> list[tuple[int, bool, int]]:
    begin, end = CODES.get(_name(entity), (0, 0))
    return [(entity.offset, True, begin), (entity.offset + entity.length, False, end)] if begin else []


def _name(entity: Any) -> str:
    kind = getattr(entity, "type", None)
    return str(kind.name) if kind else type(entity).__name__.removeprefix("MessageEntity").upper()


STDIN = 0


async def read_all() -> tuple[str, bool]:
    """Read stdin to its end; return its text and whether all of it was UTF-8. What was not became U+FFFD.

    It may never end. After a cancellation the thread goes on until the process ends.
    """
    data = await _bytes()
    text = data.decode(errors="replace")
    return text, text.encode() == data


async def _bytes() -> bytes:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        # Not sys.stdin, whose lock the interpreter takes at its end.
        data = bytearray()
        while part := os.read(STDIN, 65536):
            data += part
        loop.call_soon_threadsafe(_settle, result, bytes(data))

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return await result


def _settle(result: asyncio.Future[bytes], data: bytes) -> None:
    if not result.done():
        result.set_result(data)
