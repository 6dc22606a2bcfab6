"""`timokha sandbox`: a Telegram for whoever has no account."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("mtproto")

from pyrogram import Client

from cli.sandbox.chat import UNCHANGED_FOR, SandboxChat
from cli.sandbox.command import _sandbox
from cli.sandbox.files import Files, claim_directory
from cli.settings import SandboxSettings
from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID
from edge.userbot.telegram.server import use_server
from events.errors import SettingsError

ROOT = Path(__file__).parents[2]
WITHIN = 60
LAST_LINE = "what you type here"


@contextmanager
def sandbox(directory, *options, stdin=subprocess.DEVNULL):
    """`timokha sandbox` that has said how to reach it, or has ended; and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "sandbox", *options],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SANDBOX_PORT": "0"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    for line in process.stderr:
        said += line
        if LAST_LINE in line:
            break
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_reach_it_and_ends_with_0_when_it_is_told_to(tmp_path, how):
    with sandbox(tmp_path) as (process, said):
        written = dict(line.split("=") for line in (tmp_path / ".timokha/sandbox/userbot.env").read_text().splitlines())
        for part in (
            written["USERBOT_TELEGRAM_SERVER"],
            "  .timokha/sandbox/telegram.pem\n",
            written["API_ID"],
            written["API_HASH"],
            "+79990000001",
            "12345",
            ".timokha/sandbox/userbot.env",
        ):
            assert part in said
        key = tmp_path / ".timokha/sandbox/telegram.pem"
        assert written["USERBOT_TELEGRAM_KEY"] == str(key)  # the userbot may run in another directory
        assert key.read_text().startswith("-----BEGIN PUBLIC KEY")
        process.send_signal(how)
        assert process.wait(WITHIN) == 0
        assert process.stderr.read() == ""


def test_its_settings_survive_a_shell_whatever_the_directory_is_called(tmp_path):
    odd = tmp_path / "it's $HOME # и"
    odd.mkdir()
    Files(odd).write(Sandbox())
    script = 'set -a; . "$0"; exec "$1" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    command = ["sh", "-c", script, str(odd / "userbot.env"), sys.executable]
    shell = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(shell.stdout)["USERBOT_TELEGRAM_KEY"] == f"{odd}/telegram.pem"


def test_a_session_of_an_earlier_sandbox_is_gone(tmp_path):
    session = tmp_path / "userbot.session"
    session.touch()
    Files(tmp_path).write(Sandbox())
    assert not session.exists()


def test_a_journal_that_a_killed_userbot_has_left_is_gone_too(tmp_path):
    """SQLite would play it back into the next session."""
    journal = tmp_path / "userbot.session-journal"
    journal.touch()
    Files(tmp_path).write(Sandbox())
    assert not journal.exists()


async def test_a_session_that_is_signed_in_already_is_written_for_its_owner_only(tmp_path) -> None:
    with sandbox(tmp_path, "--host", "0.0.0.0", "--signed-in") as (process, said):
        session = tmp_path / ".timokha/sandbox/userbot.session"
        assert session.stat().st_mode & 0o777 == 0o600
        settings = (tmp_path / ".timokha/sandbox/userbot.env").read_text()
        address = re.search("^USERBOT_TELEGRAM_SERVER=(.+):([0-9]+)$", settings, re.MULTILINE)
        assert address
        assert address[1] == socket.gethostname()
        use_server(f"127.0.0.1:{address[2]}", (tmp_path / ".timokha/sandbox/telegram.pem").read_text())
        async with Client("userbot", API_ID, API_HASH, workdir=str(session.parent)) as client:
            assert process.stderr.readline() == "timokha: the userbot is connected\n"
            assert client.me.phone_number == "79990000001"
    assert "login code for" not in said


async def test_each_sandbox_has_accounts_of_its_own_whatever_its_directory(tmp_path) -> None:
    """NATS remembers the messages of others: those of an account that it knows would be taken for repeats."""
    ids = set()
    for directory in (tmp_path / "one", tmp_path / "two"):
        async with _sandbox(SandboxSettings(port=0, directory=directory)) as telegram:
            ids |= {telegram.add_user(first_name=name).id for name in "AB"}
    assert len(ids) == 4


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with sandbox(tmp_path, "--port", port) as (process, said):
            assert process.wait(WITHIN) == 2
    (line,) = said.splitlines()
    assert line.startswith(f"timokha: SANDBOX_HOST, SANDBOX_PORT: 127.0.0.1:{port} can't be listened on")


def test_a_directory_is_one_sandboxs(tmp_path):
    first = claim_directory(tmp_path)
    with pytest.raises(SettingsError, match="in use by another process"):
        claim_directory(tmp_path)
    first.release()
    claim_directory(tmp_path).release()


def test_a_directory_that_is_none_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"SANDBOX_DIRECTORY: .*file can't be used \(File exists\); name another"):
        claim_directory(tmp_path / "file")


@asynccontextmanager
async def client_of(directory: Path) -> AsyncIterator[Client]:
    """A client that knows what the sandbox has written, and is not signed in."""
    written = (directory / ".timokha/sandbox/userbot.env").read_text()
    settings = dict(line.split("=") for line in written.splitlines())
    use_server(settings["USERBOT_TELEGRAM_SERVER"], (directory / settings["USERBOT_TELEGRAM_KEY"]).read_text())
    client = Client("new", settings["API_ID"], settings["API_HASH"], in_memory=True)
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def test_a_code_for_another_number_says_which_one_the_chat_goes_to(tmp_path) -> None:
    with sandbox(tmp_path) as (process, _):
        async with client_of(tmp_path) as client:
            await client.send_code("+79990000077")
            said = process.stderr.readline()
    assert "the login code for +79990000077 is 12345; what you type here goes to +79990000001" in said


async def test_what_is_piped_in_is_written_once_somebody_has_signed_in(tmp_path) -> None:
    with sandbox(tmp_path, stdin=subprocess.PIPE) as (process, _):
        process.stdin.write("раз\n\nдва\n")
        process.stdin.close()
        async with client_of(tmp_path) as client:
            sent = await client.send_code("+79990000001")
            assert process.stderr.readline() == "timokha: the login code for +79990000001 is 12345\n"
            await client.sign_in("+79990000001", sent.phone_code_hash, "12345")
            assert process.stderr.readline() == "timokha: the userbot is connected\n"
            assert [process.stdout.readline() for _ in range(2)] == ["you> раз\n", "you> два\n"]
            (chat,) = [dialog.chat.id async for dialog in client.get_dialogs()]
            assert [message.text async for message in client.get_chat_history(chat)] == ["два", "раз"]
        assert process.stderr.readline() == "timokha: the userbot is not connected any more\n"
        assert process.poll() is None


class Stopped:
    """A clock that the test moves."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


async def test_what_comes_back_is_shown_and_a_growing_message_once_more_when_it_is_whole() -> None:
    shown: list[str] = []
    async with Sandbox() as telegram:
        owner, visitor = (telegram.add_user(first_name=name) for name in ("Owner", "Visitor"))
        clock = Stopped()
        chat = SandboxChat(telegram, owner.id, visitor.id, shown.append, clock)
        await chat.say("раз\nдва")
        telegram.send(owner.id, visitor.id, "Секундочку…")
        await chat.refresh()
        assert shown == ["you> раз\n     два", "bot> Секундочку…"]
        message = telegram.messages(visitor.id, owner.id)[-1]
        for text in ("Па", "Париж"):
            message.text = text
            await chat.refresh()
            assert chat.growing == text
            clock.seconds += UNCHANGED_FOR.total_seconds() - 1
        assert len(shown) == 2
        clock.seconds += 1
        await chat.refresh()
        await chat.refresh()
        assert shown[2:] == ["bot> Париж"]
        assert chat.growing == ""
