"""The chat in a terminal: lines are typed while answers come in."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout

from edge.demo.chat import Chat, labelled
from edge.demo.traces import Traces
from events.runtime.tasks import cancel

REFRESH = timedelta(milliseconds=100)
"""Between two looks for new messages."""


async def converse(chat: Chat, traces: Traces | None) -> None:
    """Until Ctrl-D or Ctrl-C, or an error of what goes on in the background."""
    session: PromptSession[str] = PromptSession(lambda: _prompt(chat), erase_when_done=True)
    with patch_stdout():
        work = [_talk(session, chat), _keep_refreshing(chat, session.app.invalidate)]
        await _until_one_ends(*work, *([traces.follow()] if traces else []))


async def _talk(session: PromptSession[str], chat: Chat) -> None:
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            # Signals are heeded in one place; Ctrl-C is a key here.
            line = await session.prompt_async(handle_sigint=False)
            if line.strip():
                await chat.say(line)


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel(*tasks)


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
