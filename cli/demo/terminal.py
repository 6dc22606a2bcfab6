"""The terminal side of a chat: type lines while answers arrive, or read all lines from a pipe."""

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
from events.runtime.tasks import run_with_helpers

REFRESH = timedelta(milliseconds=100)
"""Between two checks for new messages."""


class TerminalChat(Protocol):
    """A conversation; `growing` is the text so far of an answer that is being written."""

    clock: Clock
    growing: str

    async def say(self, text: str, /) -> object: ...

    async def refresh(self) -> object: ...


async def converse(chat: TerminalChat, traces: Traces | None) -> None:
    """Chat until Ctrl-D or Ctrl-C. Raises errors of the background tasks."""
    session: PromptSession[str] = PromptSession(lambda: _prompt(chat), erase_when_done=True)
    with patch_stdout():
        helpers = [_keep_refreshing(chat, session.app.invalidate), *([traces.follow()] if traces else [])]
        await run_with_helpers(_talk(session, chat), *helpers)


async def _talk(session: PromptSession[str], chat: TerminalChat) -> None:
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            # Signals are handled elsewhere; here Ctrl-C is a key.
            line = await session.prompt_async(handle_sigint=False)
            text = decode_typed(line)
            if text is None:
                show_text("That was not UTF-8; please try again.")
            elif text.strip():
                await chat.say(text)


def decode_typed(line: str) -> str | None:
    """Decode as UTF-8 what prompt_toolkit could not decode in the locale's encoding; None if it is not UTF-8.

    prompt_toolkit leaves a surrogate for each such byte, under LANG=C e.g. for all Cyrillic letters.
    """
    try:
        return line.encode(errors="surrogateescape").decode()
    except UnicodeError:
        return None


def _prompt(chat: TerminalChat) -> str:
    """Return the prompt, below the answer that is being written."""
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
    """Return `text` with `label` before the first line and the other lines indented."""
    first, *further = text.split("\n")
    return "\n".join([label + first, *((" " * len(label) + line).rstrip() for line in further)])


def show_text(text: str) -> None:
    """Print `text`, which may contain escape sequences, above the line that is being typed."""
    print_formatted_text(ANSI(text))


def show_rendered(rendered: RenderableType) -> None:
    """Print `rendered` above the line that is being typed; a plain print there would lose its escape codes."""
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
"""The escape codes that start and end each kind of formatting; code is cyan."""


def with_formatting(text: str, entities: Iterable[Any] | None) -> str:
    """Return `text` with escape sequences that show its formatting. Entities are of Telegram's or pyrogram's types."""
    units = text.encode("utf-16-le")
    marks = [mark for entity in entities or () for mark in _escapes(entity)]
    parts, shown = [], 0
    # At the same position, formatting ends before other formatting starts.
    for position, _, code in sorted(marks):
        parts += [units[shown : 2 * position].decode("utf-16-le"), f"\x1b[{code}m"]
        shown = 2 * position
    return "".join([*parts, units[shown:].decode("utf-16-le")])


def _escapes(entity: Any) -> list[tuple[int, bool, int]]:
    begin, end = CODES.get(_name(entity), (0, 0))
    return [(entity.offset, True, begin), (entity.offset + entity.length, False, end)] if begin else []


def _name(entity: Any) -> str:
    kind = getattr(entity, "type", None)
    return str(kind.name) if kind else type(entity).__name__.removeprefix("MessageEntity").upper()


STDIN = 0


async def read_all() -> tuple[str, bool]:
    """Read stdin to its end; return its text and whether all of it was UTF-8. What was not became U+FFFD.

    Stdin may never end. After a cancellation the thread goes on until the process ends.
    """
    data = await _read_bytes()
    text = data.decode(errors="replace")
    return text, text.encode() == data


async def _read_bytes() -> bytes:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        # Not sys.stdin, whose lock the interpreter needs at exit.
        data = bytearray()
        while part := os.read(STDIN, 65536):
            data += part
        loop.call_soon_threadsafe(_set_result, result, bytes(data))

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return await result


def _set_result(result: asyncio.Future[bytes], data: bytes) -> None:
    if not result.done():
        result.set_result(data)
