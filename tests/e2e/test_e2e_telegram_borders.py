"""What Telegram and a session can do to the userbot's process: it answers on, or ends with one line."""

import asyncio
import contextlib
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID
from events.jetstream.server import EmbeddedServer
from tests.e2e.conftest import WAIT


async def ended(product) -> tuple[int, list[str]]:
    """The userbot's exit code, and the lines it said that are no log of a lesser kind."""
    async with asyncio.timeout(WAIT):
        await product.processes["userbot"].ended()
    code = product.processes["userbot"]._process.returncode
    return code, product.log("userbot").strip().splitlines()


async def asks(product, visitor, text: str = "Тимоха, привет") -> None:
    product.says(visitor, text)
    await product.until(lambda: product.answers(visitor))
    await product.free(visitor)


async def test_a_key_that_telegram_has_forgotten_ends_the_userbot(make_product) -> None:
    product = await make_product()
    product.telegram.faults.transport_error(product.owner.id, 404)
    product.telegram.drop_connections(product.owner.id)
    code, said = await ended(product)
    assert code == 1
    assert "sign in again" in said[-1]
    assert "Traceback" not in "\n".join(said)


@pytest.mark.parametrize(("fault", "code"), [(404, 1), (444, 2)])
async def test_a_session_that_no_data_centre_takes_is_told_at_the_start(make_product, fault, code) -> None:
    product = await make_product()
    await product.kill("userbot")
    product.telegram.faults.transport_error(product.owner.id, fault)
    await product.start("userbot")
    ended_with, said = await ended(product)
    assert ended_with == code
    assert "sign in again" in said[-1]
    assert "Traceback" not in "\n".join(said)


async def test_notifications_at_the_start_and_while_running_cost_no_answer(make_product) -> None:
    product = await make_product()
    await product.kill("userbot")
    faults, owner = product.telegram.faults, product.owner.id
    for method in ("Ping", "help.GetConfig", "updates.GetState", "updates.GetDifference"):
        for code in (16, 33):
            faults.notify_bad_message(owner, code, method=method)
    await product.start("userbot")
    await product.logged("userbot.ready", times=2)
    faults.notify_bad_message(owner, 17)
    faults.notify_bad_message(owner, 32)
    visitor = product.visitor()
    await asks(product, visitor)
    assert len(product.answers(visitor)) == 1
    assert "Traceback" not in product.log("userbot")


async def test_a_refusal_that_pyrogram_does_not_know_frees_the_chat(make_product) -> None:
    product = await make_product()
    visitor = product.visitor()
    product.telegram.faults.refuse(product.owner.id, 406, "TOPIC_DELETED", times=2)
    product.says(visitor, "Тимоха, привет")
    await product.free(visitor)
    assert product.written(visitor) == []
    await asks(product, visitor)
    assert not (product.directory / "unknown_errors.txt").exists()


@pytest.mark.parametrize("name", ["REPLY_TO_INVALID", "REPLY_MESSAGE_ID_INVALID"])
async def test_an_answer_whose_question_is_gone_still_comes_once(make_product, name) -> None:
    product = await make_product(GENERATE_ECHO_DELAY="1")
    product.telegram.faults.unknown_reply = name
    visitor = product.visitor()
    product.says(visitor, "Тимоха, привет")
    await product.until(lambda: product.written(visitor))
    product.delete(visitor)
    await product.free(visitor)
    assert len(product.answers(visitor)) == 1


async def test_a_bot_token_that_telegram_does_not_know_is_a_wrong_setting(make_product, tmp_path) -> None:
    product = await make_product()
    await product.kill("userbot")
    product.settings |= {"BOT_TOKEN": "1:unknown", "USERBOT_SESSION": str(tmp_path / "bot.session")}
    await product.start("userbot")
    code, said = await ended(product)
    assert code == 2
    assert "BOT_TOKEN" in said[-1]
    assert "Traceback" not in "\n".join(said)


@dataclass
class Terminal:
    """A userbot that was started in a terminal, and what the person at it sees and types."""

    telegram: Sandbox
    process: asyncio.subprocess.Process
    person: int
    program: int
    before: list[Any]
    said: bytes = b""
    all_said: bytes = b""

    async def sees(self, what: bytes) -> None:
        async with asyncio.timeout(WAIT):
            while what not in self.said:
                more = await asyncio.to_thread(os.read, self.person, 65536)
                self.said, self.all_said = self.said + more, self.all_said + more
        self.said = self.said.partition(what)[2]

    def types(self, line: str) -> None:
        os.write(self.person, f"{line}\n".encode())

    async def ends(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        async with asyncio.timeout(WAIT):
            return await self.process.wait()


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    async with EmbeddedServer(tmp_path / "nats") as nats, Sandbox() as telegram:
        (tmp_path / "telegram.pem").write_text(telegram.public_key_pem)
        person, program = pty.openpty()
        before = termios.tcgetattr(program)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli",
            "userbot",
            cwd=tmp_path,
            env={
                **os.environ,
                "API_ID": str(API_ID),
                "API_HASH": API_HASH,
                "BOT_TOKEN": "",
                "NATS_URL": nats.url,
                "USERBOT_TELEGRAM_SERVER": telegram.address,
                "USERBOT_TELEGRAM_KEY": str(tmp_path / "telegram.pem"),
            },
            stdin=program,
            stdout=program,
            stderr=program,
            start_new_session=True,
        )
        try:
            yield Terminal(telegram, process, person, program, before)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(person)
            os.close(program)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_at_the_phone_prompt_ends_at_once(terminal, how) -> None:
    await terminal.sees(b"phone number")
    assert await terminal.ends(how) == 0
    os.set_blocking(terminal.person, False)
    with contextlib.suppress(BlockingIOError):
        assert b"Traceback" not in os.read(terminal.person, 65536)
    assert termios.tcgetattr(terminal.program) == terminal.before


async def test_a_person_signs_in_with_phone_code_and_a_password_that_is_not_shown(terminal) -> None:
    terminal.telegram.add_user(first_name="Owner", phone="+79990000000", password="s3cret")
    await terminal.sees(b"phone number")
    terminal.types("+79990000000")
    await terminal.sees(b"correct?")
    terminal.types("y")
    await terminal.sees(b"confirmation code: ")
    terminal.types(terminal.telegram.login_code("+79990000000"))
    await terminal.sees(b"Enter password")
    terminal.types("wrong")
    await terminal.sees(b"Enter password")
    terminal.types("s3cret")
    await terminal.sees(b"userbot.ready")
    assert b"s3cret" not in terminal.all_said
    assert await terminal.ends(signal.SIGTERM) == 0


async def test_a_stop_at_the_password_prompt_brings_the_echo_back(terminal) -> None:
    terminal.telegram.add_user(first_name="Owner", phone="+79990000000", password="s3cret")
    await terminal.sees(b"phone number")
    terminal.types("+79990000000\ny")
    await terminal.sees(b"confirmation code: ")
    terminal.types(terminal.telegram.login_code("+79990000000"))
    await terminal.sees(b"Enter password")
    await terminal.ends(signal.SIGINT)
    assert termios.tcgetattr(terminal.program) == terminal.before
