"""Commands of the documents that end by themselves and need little: each is typed as it stands there."""

import asyncio
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from cli.demo.nats_server import EmbeddedServer
from events.event import Event
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.recordings.lines import read
from events.schema import GenerationRequested
from tests.authorities import Authority
from tests.docs.shown import ROOT, every_block, every_command
from tests.docs.typing import Shell, shown

RECORDING = ROOT / "tests/recordings/demo_echo.jsonl"
pytestmark = pytest.mark.timeout(300)
READMES = ["README.md", "README.ru.md"]
OF_DOTENV = [block for block in every_block() if block.of_dotenv]
WORKER = """timokha generate 2>log &
trap 'kill $!; wait $!' EXIT
until grep -q generate.ready log; do sleep 0.1; done"""
EDITOR = "#!/bin/sh\nsed -i.old -e 's/^#* *API_ID=.*/API_ID=12345/' -e 's/^#* *API_HASH=.*/API_HASH=0123abcd/' \"$1\"\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "timokha")


@pytest.mark.parametrize("page", READMES)
def test_a_person_makes_env_and_its_passwords(page: str, shell: Shell) -> None:
    shutil.copy(ROOT / ".env.example", shell.directory)
    shutil.copytree(ROOT / "deploy", shell.directory / "deploy")
    editor = shell.directory / "editor"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    shell.settings["EDITOR"] = str(editor)
    shell.type(*shown(page, "cp .env.example .env"))
    shell.type("sh deploy/passwords.sh", "sh deploy/passwords.sh")
    dotenv = shell.directory / ".env"
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    lines = dotenv.read_text().splitlines()
    assert {"API_ID=12345", "API_HASH=0123abcd"} <= {*lines}
    assert sum(line.startswith("NATS_USERBOT_PASSWORD=") for line in lines) == 1
    shell.type("timokha config check")


@pytest.mark.parametrize("block", OF_DOTENV, ids=lambda block: f"{block.page}:{block.line}")
def test_what_is_to_be_put_into_env_is_known(block, shell: Shell) -> None:
    lines = [line.replace("/certificates/", f"{shell.directory}/certificates/") for line in block.commands]
    (shell.directory / ".env").write_text("\n".join(["API_ID=1", "API_HASH=a", *lines]) + "\n")
    Authority(shell.directory / "certificates")
    shell.type("timokha config check")


def test_sizes_are_computed_from_the_figures_of_the_page(shell: Shell) -> None:
    (shell.directory / "docs").symlink_to(ROOT / "docs")
    needs, options, costs = (command for command in every_command() if "benchmarks.sizes" in command)
    assert "10,000" in shell.type(needs)
    assert "--core-hour" in shell.type(options)
    assert "costs" in shell.type(f"{costs} --users 100")


def test_traces_are_shown_in_the_terminal(shell: Shell) -> None:
    commands = shown("docs/operations.md", "export TIMOKHA_TRACE_FILE=traces.jsonl")
    asked = commands[-1].split()[-1]
    spans = (ROOT / "tests/stored/spans.jsonl").read_text().replace("1.2.7.0", asked)
    (shell.directory / "traces.jsonl").write_text(spans)
    assert shell.type(*commands).count(asked) >= 3


def test_a_recording_is_replayed_without_brokers(shell: Shell) -> None:
    shutil.copy(RECORDING, shell.directory / "demo.jsonl")
    shell.settings["GENERATE_ENGINE"] = "echo"
    [_live, handler, _speed] = shown("docs/operations.md", "timokha replay demo.jsonl")
    assert "5" in shell.type(handler)


async def recorded_before(js: JetStreamContext) -> None:
    """What the demo's recording has is in the streams, as of now."""
    log, now = JetStreamLog(js), datetime.now(UTC)
    for line in read(RECORDING):
        data = line.event.data()
        if isinstance(data, GenerationRequested):
            data = data.model_copy(update={"deadline": now + timedelta(minutes=2)})
        await log.publish(line.channel, Event.of(data, source="/test", time=now))


def ids(recording: Path) -> list[str]:
    return [line.event.id for line in read(recording)]


async def test_questions_are_recorded_and_asked_again(shell: Shell) -> None:
    store = shell.directory / "DIRECTORY"
    store.mkdir()
    shell.settings["GENERATE_ENGINE"] = "echo"
    today, of_chat, of_demo = shown("docs/operations.md", "timokha record today.jsonl --since 86400")
    [pseudonymised] = shown("docs/models.md", ".venv/bin/timokha record questions.jsonl --pseudonymise keep")[:1]
    live, _handler, speed = shown("docs/operations.md", "timokha replay demo.jsonl")
    async with EmbeddedServer(store / "nats") as server:
        shell.settings["NATS_URL"] = server.url
        await asyncio.to_thread(shell.type, "timokha setup")
        async with connect(server.url, name="test") as js:
            await recorded_before(js)
        await asyncio.to_thread(shell.type, today, of_chat, pseudonymised)
    await asyncio.to_thread(shell.type, of_demo)
    for name in ("today.jsonl", "chat.jsonl", "demo.jsonl"):
        assert ids(shell.directory / name) == ids(RECORDING)
    questions = (shell.directory / "questions.jsonl").read_text()
    assert len(questions.splitlines()) == 10
    assert "310007919" not in questions
    async with EmbeddedServer(store / "nats") as server:
        shell.settings["NATS_URL"] = server.url
        await asyncio.to_thread(shell.type, WORKER, live, speed)
