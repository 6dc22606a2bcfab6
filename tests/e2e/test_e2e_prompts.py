"""A person at a terminal signs in, or stops at a prompt: the process ends, and leaves the terminal as it was."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.terminals import CTRL_C, Terminal

from .conftest import Product, product

TIMOKHA = (sys.executable, "-m", "cli")
PHONE, PASSWORD = "+79990000077", "correct horse"


@asynccontextmanager
async def signing_in(made: Product, directory: Path) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """`timokha userbot` without a session."""
    made.telegram.add_user(first_name="Owner", phone=PHONE, password=PASSWORD)
    terminal = Terminal()
    process = await terminal.start(
        *TIMOKHA, "userbot", settings={**made.settings, "USERBOT_SESSION": str(directory / "new.session")}
    )
    try:
        yield terminal, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()


async def give_phone_and_code(made: Product, terminal: Terminal) -> None:
    await terminal.answers("phone number", PHONE)
    await terminal.answers("correct?", "y")
    await terminal.shows("confirmation code")
    terminal.type(made.telegram.login_code(PHONE).encode() + b"\n")


async def ends(process: asyncio.subprocess.Process, terminal: Terminal) -> int:
    """Its exit code."""
    async with asyncio.timeout(40):
        code = await process.wait()
    assert terminal.echoes()
    assert "Traceback" not in terminal.screen
    assert "process.forced" not in terminal.screen
    return code


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(lambda terminal, process: terminal.type(CTRL_C), id="Ctrl-C"),
        pytest.param(lambda terminal, process: process.send_signal(signal.SIGINT), id="SIGINT", marks=pytest.mark.slow),
        pytest.param(lambda terminal, process: process.send_signal(signal.SIGTERM), id="SIGTERM"),
    ],
)
async def test_at_the_prompt_for_the_phone_number(
    tmp_path, stop: Callable[[Terminal, asyncio.subprocess.Process], None]
) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await terminal.shows("phone number")
        stop(terminal, process)
        assert await ends(process, terminal) == 0
        assert terminal.is_as_it_was()


async def test_at_the_prompt_for_the_password_which_is_not_echoed(tmp_path) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await give_phone_and_code(made, terminal)
        await terminal.hides()
        terminal.type(CTRL_C)
        assert await ends(process, terminal) == 0
        assert terminal.is_as_it_was()


async def test_a_person_signs_in_with_phone_code_and_a_password_that_is_not_shown(tmp_path) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await give_phone_and_code(made, terminal)
        await terminal.answers("password (empty to recover)", "wrong")
        await terminal.answers("password (empty to recover)", PASSWORD, times=2)
        await terminal.shows("userbot.ready")
        assert PASSWORD not in terminal.screen
        process.terminate()
        assert await ends(process, terminal) == 0


@pytest.mark.parametrize("moment", ["NATS and the sandbox", "starting the userbot", "you>"])
async def test_in_the_demo(tmp_path, moment) -> None:
    terminal = Terminal()
    process = await terminal.start(
        *TIMOKHA, "demo", settings={"GENERATE_ENGINE": "echo", "DEMO_DIRECTORY": str(tmp_path), "TERM": "xterm"}
    )
    try:
        await terminal.shows(moment)
        terminal.type(CTRL_C)
        assert await ends(process, terminal) in {0, 1}
        assert "killed" not in terminal.screen
    finally:
        while process.returncode is None:
            process.terminate()  # the second one ends its children too
            await asyncio.sleep(0.1)
        terminal.close()
