"""The chat in a terminal: lines are typed while answers come in."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from typing import Protocol

from prompt_toolkit import ANSI, PromptSession, print_formatted_text
from prompt_toolkit.application import get_app_session
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console, RenderableType

from cli.demo.chat import labelled
from cli.demo.traces import Traces
from events.runtime.clock import Clock
from events.runtime.tasks import beside

REFRESH = timedelta(milliseconds=100)
"""Between two looks for new messages."""


class Chat(Protocol):
    """A conversation; `growing` is what can be read so far of an answer that is being written."""

    clock: Clock
    growing: str

    async def say(self, text: str, /) -> object: ...

    async def refresh(self) -> object: ...


async def converse(chat: Chat, traces: Traces | None) -> None:
    """Chat until Ctrl-D or Ctrl-C. Raises what goes wrong in the background."""
    session: PromptSession[str] = PromptSession(lambda: _prompt(chat), erase_when_done=True)
    with patch_stdout():
        helpers = [_keep_refreshing(chat, session.app.invalidate), *([traces.follow()] if traces else [])]
        await beside(_talk(session, chat), *helpers)


async def _talk(session: PromptSession[str], chat: Chat) -> None:
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


def _prompt(chat: Chat) -> str:
    """An answer that is being written grows above the line that is being typed."""
    growing = labelled("bot~ ", chat.growing) + "\n" if chat.growing else ""
    return f"{growing}you> "


async def _keep_refreshing(chat: Chat, redraw: Callable[[], None]) -> None:
    while True:
        before = chat.growing
        await chat.refresh()
        if chat.growing != before:
            redraw()
        await chat.clock.sleep(REFRESH)


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
