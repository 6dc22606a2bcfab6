"""The chat in a terminal: what it shows of traces is coloured text, not the codes for it."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from cli.demo.terminal import converse, decode_typed, show_rendered, show_text
from cli.demo.traces import Traces
from events.runtime.clock import SystemClock
from observability import names

SPAN = {
    "name": names.DELIVER_ANSWER,
    "context": {"trace_id": "0x" + "1" * 32, "span_id": "0x" + "2" * 16},
    "parent_id": None,
    "start_time": "2026-11-26T00:00:00Z",
    "end_time": "2026-11-26T00:00:01Z",
    "resource": {"attributes": {"service.name": "timokha-userbot"}},
    "attributes": {names.REQUEST_ID: "1.2.3.0"},
}


class Screen(io.StringIO):
    """What a terminal of 100 columns gets."""

    encoding = "utf-8"

    def __init__(self, until: str, then: Callable[[], None]) -> None:
        super().__init__()
        self._until, self._then = until, then

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._until in self.getvalue():
            self._then()
        return written

    def isatty(self) -> bool:
        return True


class SilentChat:
    """A chat in which nothing happens."""

    growing = ""
    clock = SystemClock()

    async def say(self, text: str) -> None: ...

    async def refresh(self) -> None: ...


class HeardChat(SilentChat):
    """What is said, and then nothing more is typed."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.heard: list[str] = []
        self._then = then

    async def say(self, text: str) -> None:
        text.encode()
        self.heard.append(text)
        self._then()


async def test_a_trace_is_shown_in_a_terminal_without_the_codes_of_its_colours(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    path = tmp_path / "traces.jsonl"
    with create_pipe_input() as keys:
        loop = asyncio.get_running_loop()
        screen = Screen("█", lambda: loop.call_later(0.1, keys.send_text, "\x04"))
        output = Vt100_Output(screen, lambda: Size(40, 100), term="xterm-256color")
        with create_app_session(input=keys, output=output):
            traces = Traces(path, SystemClock(), show_rendered)
            path.write_text(json.dumps(SPAN) + "\n")
            await converse(SilentChat(), traces)  # type: ignore[arg-type]
    shown = screen.getvalue()
    assert "?[" not in shown
    assert "\x1b[0;1m1.2.3.0" in shown


class SpeakingChat(SilentChat):
    """A chat with one formatted message."""

    def __init__(self) -> None:
        self.messages = ["bot> **это \x1b[1mважно\x1b[22m и \x1b[36mкод\x1b[39m"]

    async def refresh(self) -> None:
        while self.messages:
            show_text(self.messages.pop())


async def test_formatting_is_shown_in_a_terminal_as_formatting(monkeypatch: Any) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    with create_pipe_input() as keys:
        loop = asyncio.get_running_loop()
        screen = Screen("код", lambda: loop.call_later(0.1, keys.send_text, "\x04"))
        output = Vt100_Output(screen, lambda: Size(40, 100), term="xterm-256color")
        with create_app_session(input=keys, output=output):
            await converse(SpeakingChat(), None)
    shown = screen.getvalue()
    assert "?[" not in shown
    assert "bot> **это " in shown
    assert "\x1b[0;1mважно\x1b[0m и \x1b[0;36mкод" in shown


async def test_bytes_that_are_no_text_are_said_so_and_the_chat_goes_on() -> None:
    with create_pipe_input() as keys:
        chat = HeardChat(lambda: keys.send_text("\x04"))
        screen = Screen("please try again", lambda: keys.send_text("да\r") if not chat.heard else None)
        keys.send_bytes(b"hi \xff\xfe\r")
        with create_app_session(input=keys, output=Vt100_Output(screen, lambda: Size(40, 100))):
            await converse(chat, None)
    assert set(chat.heard) == {"да"}
    assert "That was not UTF-8; please try again." in screen.getvalue()


def test_utf_8_is_understood_whatever_the_locale_says() -> None:
    line = "Тимоха, 😀".encode().decode("ascii", errors="surrogateescape")
    assert decode_typed(line) == decode_typed("Тимоха, 😀") == "Тимоха, 😀"
    assert decode_typed("hi \udcff") is None
