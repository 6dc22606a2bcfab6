"""A process says whether it lives and answers, in a file that `timokha health` reads without the rest of timokha."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cli import health
from events.errors import TimokhaError
from events.health.keeping import BEAT, health_file
from events.health.reading import MAX_SILENCE, health_line, problem_in
from events.settings import HealthSettings
from tests.clocks import ManualClock

ROOT = Path(__file__).parents[2]
HUNG = "its event loop has not turned for over 30 s"


@pytest.mark.parametrize(
    ("line", "ready", "live"),
    [
        (health_line(100.0, ""), "", ""),
        (health_line(100.0, "NATS is away"), "NATS is away", ""),
        (health_line(100.0 - MAX_SILENCE - 1, ""), HUNG, HUNG),
        (health_line(100.0 - MAX_SILENCE - 1, "NATS is away"), HUNG, HUNG),
        (health_line(5000.0, ""), HUNG, HUNG),  # of before the machine started
        ("", "its health file has other content", "its health file has other content"),
        ("ready\n", "its health file has other content", "its health file has other content"),
        ("nan ready\n", HUNG, HUNG),
    ],
)
def test_readiness_takes_what_the_process_says_and_liveness_only_that_it_says_something(line, ready, live):
    assert problem_in(line, 101.0, live=False) == ready
    assert problem_in(line, 101.0, live=True) == live


def test_a_line_stays_one_line():
    assert health_line(1.0, "one\ntwo \r\n three") == "1.0 one two three\n"


class Slow(ManualClock):
    """Its sleep lasts until `wake`."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = asyncio.Queue[None]()
        self.asleep = asyncio.Event()

    async def sleep(self, duration):
        self.slept.append(duration.total_seconds())
        self.asleep.set()
        await self.turns.get()

    async def beat(self):
        self.asleep.clear()
        self.turns.put_nowait(None)
        await self.asleep.wait()


async def test_the_file_follows_what_the_composition_root_says_and_goes_with_the_process(tmp_path):
    file, clock, stop = tmp_path / "health", Slow(), asyncio.Event()
    lacking = ""
    async with health_file(file, stop, clock=clock) as health:
        await clock.asleep.wait()
        assert file.read_text() == "0 it is starting\n"
        health.not_ready("it loads its model")
        await clock.beat()
        assert file.read_text() == "2.0 it loads its model\n"
        health.ready_unless(lambda: "", lambda: lacking)
        await clock.beat()
        assert file.read_text() == "4.0 \n"
        lacking = "NATS is away"
        await clock.beat()
        assert file.read_text() == "6.0 NATS is away\n"
        lacking = ""
        await clock.beat()
        assert file.read_text() == "8.0 \n"
        stop.set()
        await clock.beat()
        assert file.read_text() == "10.0 it is stopping\n"
    assert list(tmp_path.iterdir()) == []
    assert BEAT.total_seconds() * 5 < MAX_SILENCE


async def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with health_file(None, asyncio.Event(), clock=ManualClock()) as health:
        assert health.problem == "it is starting"
        health.ready_unless()
        assert health.problem == ""
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_cannot_be_written_is_told_once_and_ends_nothing(tmp_path):
    clock = Slow()
    with capture_logs() as logged:
        async with health_file(tmp_path / "gone/health", asyncio.Event(), clock=clock):
            await clock.asleep.wait()
            for _ in range(3):
                await clock.beat()
    assert [line["event"] for line in logged].count("health.not_written") == 1


async def test_a_directory_that_is_named_by_mistake_keeps_what_is_in_it(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/timokha.session").touch()
    clock = Slow()
    async with health_file(tmp_path / "lib", asyncio.Event(), clock=clock):
        await clock.asleep.wait()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["lib", "timokha.session"]


@pytest.mark.parametrize("file", [Path("/"), Path(".")])
async def test_a_name_that_no_file_can_have_is_told_once_and_ends_nothing(file):
    clock = Slow()
    with capture_logs() as logged:
        async with health_file(file, asyncio.Event(), clock=clock):
            await clock.asleep.wait()
            await clock.beat()
    assert [line["event"] for line in logged] == ["health.not_written"]


async def test_a_reason_with_the_name_of_a_file_that_is_no_text_is_written(tmp_path):
    """As Python shows a name of other bytes than UTF-8."""
    file, clock = tmp_path / "health", Slow()
    async with health_file(file, asyncio.Event(), clock=clock) as health:
        health.not_ready("there is no session at \udcff")
        await clock.asleep.wait()
        assert file.read_text() == "0 there is no session at \\udcff\n"


async def test_a_check_that_fails_is_a_reason_and_does_not_end_the_beat(tmp_path):
    file, clock = tmp_path / "health", Slow()
    async with health_file(file, asyncio.Event(), clock=clock) as health:
        await clock.asleep.wait()
        health.ready_unless(lambda: None.connected)
        for beat in ("2.0", "4.0"):
            await clock.beat()
            assert file.read_text() == f"{beat} one of its health checks failed (AttributeError)\n"


def quickly(file, *options, capsys):
    code = health.answer_quickly(list(options), {"TIMOKHA_HEALTH_FILE": str(file)})
    return code, capsys.readouterr()


def fully(file, *options, capsys):
    """As `timokha health` ends where the quick answer does not do."""
    settings = HealthSettings.read(health_file=str(file), live="--live" in options)
    try:
        asyncio.run(health.main(settings, None, asyncio.Event()))
    except TimokhaError as error:
        print(f"timokha: {error}", file=sys.stderr)
        return error.exit_code, capsys.readouterr()
    return 0, capsys.readouterr()


@pytest.mark.parametrize("options", [(), ("--live",)])
@pytest.mark.parametrize("why", ["", "NATS is away", None])
def test_the_quick_answer_is_the_full_one(tmp_path, capsys, options, why):
    file = tmp_path / "health"
    if why is not None:
        file.write_text(health_line(time.monotonic(), why))
    assert quickly(file, *options, capsys=capsys) == fully(file, *options, capsys=capsys)
    assert quickly(file, *options, capsys=capsys)[0] == int(why is None or (why != "" and options == ()))


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--help"], {"TIMOKHA_HEALTH_FILE": "/f"}),
        (["--health-file", "/f"], {"TIMOKHA_HEALTH_FILE": "/g"}),
        ([], {}),
        ([], {"TIMOKHA_HEALTH_FILE": ""}),
        ([], {"TIMOKHA_HEALTH_FILE": "~/f"}),
        ([], {"TIMOKHA_HEALTH_FILE": "/f", "TIMOKHA_HEALTH_LIVE": "true"}),
    ],
)
def test_what_needs_settings_is_left_to_the_whole_command_line(options, environment):
    assert health.answer_quickly(options, environment) is None


def test_what_dotenv_sets_is_left_to_the_whole_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("timokha_health_live=true\n")
    assert health.answer_quickly([], {"TIMOKHA_HEALTH_FILE": "/f"}) is None
    (tmp_path / ".env").write_text("LOG_LEVEL=debug\n# TIMOKHA_HEALTH_LIVE=false\n")
    assert health.answer_quickly([], {"TIMOKHA_HEALTH_FILE": "/f"}) == 1


def test_what_the_toml_file_sets_is_left_to_the_whole_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {"TIMOKHA_HEALTH_FILE": "/f"}
    (tmp_path / "timokha.toml").write_text("health_live = true\n")
    assert health.answer_quickly([], environment) is None
    assert health.answer_quickly([], {**environment, "TIMOKHA_CONFIG": "/elsewhere"}) == 1
    (tmp_path / "timokha.toml").write_text("# health_live = true\n")
    assert health.answer_quickly([], environment) == 1
    (tmp_path / ".env").write_text("TIMOKHA_CONFIG=/elsewhere\n")
    assert health.answer_quickly([], environment) is None


def test_a_health_check_imports_nothing_that_takes_time(tmp_path):
    file = tmp_path / "health"
    file.write_text(health_line(time.monotonic(), ""))
    code = """if True:
        import atexit, sys
        known = set(sys.modules)
        atexit.register(lambda: print(*sorted(set(sys.modules) - known)))
        sys.argv = ["timokha", "health"]
        from cli import main
        main()
    """
    environment = {**os.environ, "TIMOKHA_HEALTH_FILE": str(file)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    said, imported = done.stdout.splitlines()
    assert said == "ready: it answers questions"
    assert set(imported.split()) <= {
        *("cli", "cli.health", "events", "events.health", "events.health.reading"),
        *("encodings.utf_8", "gc", "time"),
    }


def test_without_a_file_the_command_says_which_setting_is_missing(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "TIMOKHA_HEALTH_FILE"}
    command = [sys.executable, "-m", "cli", "health"]
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("timokha: TIMOKHA_HEALTH_FILE is missing")
