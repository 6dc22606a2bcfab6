"""The chat in a terminal: lines are typed while answers come in."""

import asyncio
import contextlib
from collections.abc import Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout

from edge.demo.chat import Chat, labelled
from edge.demo.traces import Traces

REFRESH = 0.1
"""Seconds between two looks for new messages."""


async def converse(chat: Chat, traces: Traces | None) -> None:
    """Until Ctrl-D or Ctrl-C."""
    session: PromptSession[str] = PromptSession(lambda: _prompt(chat), erase_when_done=True)
    with patch_stdout():
        background = [asyncio.create_task(_keep_refreshing(chat, session.app.invalidate))]
        if traces:
            background.append(asyncio.create_task(traces.follow()))
        try:
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                while True:
                    line = await session.prompt_async()
                    if line.strip():
                        await chat.say(line)
        finally:
            for task in background:
                task.cancel()


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
        await asyncio.sleep(REFRESH)
