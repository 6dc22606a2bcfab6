"""The demo's processes: none is left behind, and one that had to be killed is told of."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import psutil
import pytest
from structlog.testing import capture_logs

from cli.demo.processes import CommandProcess, ProcessEnded, running

READY = "print('ready', flush=True)\n"
WAITS = f"import threading\n{READY}threading.Event().wait()\n"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{WAITS}"
ENDS = "print('my last words')\nraise SystemExit(3)\n"
SOON = timedelta(seconds=0.1)


@pytest.fixture
def make_process(tmp_path):
    """`make_process(code)`: `python -m cli` finds that code in the working directory first."""

    def make(code: str, name: str = "one") -> CommandProcess:
        directory = tmp_path / name
        directory.mkdir()
        (directory / "cli.py").write_text(code)
        return CommandProcess(name, directory, {})

    return make


async def ready(process: CommandProcess) -> None:
    async with asyncio.timeout(30):
        while "ready" not in process.log.read_text():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)


async def test_a_process_that_ends_in_time_is_not_killed(make_process) -> None:
    process = make_process(WAITS)
    await process.start()
    await ready(process)
    with capture_logs() as lines:
        assert await process.stop()
    assert lines == []
    assert process.pid is None


async def test_one_that_does_not_end_is_killed_and_told_of(make_process) -> None:
    process = make_process(STUBBORN)
    await process.start()
    await ready(process)
    pid = process.pid
    with capture_logs() as lines:
        assert not await process.stop(within=SOON)
    assert [(line["event"], line["process"], line["pid"]) for line in lines] == [("process.killed", "one", pid)]
    assert not psutil.pid_exists(pid)


async def test_if_one_of_them_can_not_be_started_the_others_end(make_process, tmp_path) -> None:
    good = make_process(WAITS)
    bad = CommandProcess("bad", tmp_path / "nowhere", {})
    with pytest.raises(FileNotFoundError):
        async with running(good, bad):
            pytest.fail("it can't have started")
    assert good.log.exists()
    assert good.pid is None


async def test_a_block_that_loses_its_cancellation_ends_with_its_process(make_process) -> None:
    async def block() -> None:
        async with running(make_process(ENDS)):
            for _ in range(2):
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            await asyncio.Event().wait()

    with pytest.raises(ProcessEnded, match="exit code 3: my last words"):
        await block()


async def test_a_block_that_is_cancelled_leaves_no_process_behind(make_process) -> None:
    process = make_process(WAITS)

    async def block() -> None:
        async with running(process):
            await ready(process)
            entered.set()
            await asyncio.Event().wait()

    entered = asyncio.Event()
    task = asyncio.create_task(block())
    await entered.wait()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert process.pid is None
