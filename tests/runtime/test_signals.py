"""A process ends when it is told to, whatever it is doing; each case is a small program in a process of its own."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
WITHIN = 60
"""Seconds; none of them would ever end by itself."""

PROGRAM = """
import asyncio, threading, sys
from datetime import timedelta
from events.runtime import running, signals as module
module.TO_END = {to_end}
signals = module.Signals(service={service})
signals.listen()
{body}
ended = running.run(main, signals, patience=timedelta(seconds={patience}))
print("ended" if ended else "cancelled", flush=True)
signals.exit(0)
"""
READY = 'print("ready", flush=True)'
HEEDS = f"""
async def main(stop):
    {READY}
    await stop.wait()
"""
IGNORES = f"""
async def main(stop):
    {READY}
    await asyncio.Event().wait()
"""
DEAF = f"""
async def main(stop):
    {READY}
    for lost in range(3):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass  # as asyncio.wait_for does until Python 3.12
    await asyncio.Event().wait()
"""
DEAF_FOR_EVER = f"""
async def main(stop):
    {READY}
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""
BLOCKED = f"""
async def main(stop):
    {READY}
    threading.Event().wait()
"""
BUSY = f"""
async def main(stop):
    {READY}
    while True:
        pass
"""
THREAD = f"""
async def main(stop):
    work = asyncio.create_task(asyncio.to_thread(threading.Event().wait))
    {READY}
    await stop.wait()
"""
LEFT_BEHIND = f"""
async def deaf():
    for lost in range(3):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
tasks = set()
async def main(stop):
    tasks.add(asyncio.create_task(deaf()))
    {READY}
    await stop.wait()
"""


def start(body: str, *, service: bool = True, patience: float = 0, to_end: float = 60) -> subprocess.Popen[bytes]:
    """The program, once it is ready."""
    program = PROGRAM.format(body=body, service=service, patience=patience, to_end=to_end)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # a buffer would keep what follows the first line from `communicate`
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def ending(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    try:
        out, err = process.communicate(timeout=WITHIN)
    finally:
        process.kill()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_program_that_looks_at_stop_ends_by_itself(number):
    process = start(HEEDS, patience=60)
    process.send_signal(number)
    assert ending(process) == (0, "ended\n", "")


@pytest.mark.parametrize("body", [IGNORES, DEAF])
def test_a_program_that_does_not_is_cancelled_until_it_ends(body):
    process = start(body)
    process.send_signal(signal.SIGTERM)
    assert ending(process) == (0, "cancelled\n", "")


def test_a_task_that_was_left_behind_and_loses_its_cancellation_holds_nobody_up():
    process = start(LEFT_BEHIND, patience=60)
    process.send_signal(signal.SIGTERM)
    assert ending(process) == (0, "ended\n", "")


@pytest.mark.parametrize(("service", "code"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("body", [DEAF_FOR_EVER, BLOCKED, BUSY])
def test_what_can_not_be_cancelled_is_ended_by_force_and_says_so(body, service, code):
    process = start(body, service=service, to_end=0.1)
    process.send_signal(signal.SIGTERM)
    ended, out, err = ending(process)
    assert (ended, err) == (code, "")
    (line,) = out.splitlines()
    assert "process.forced" in line


def test_a_blocked_thread_does_not_hold_up_the_end():
    process = start(THREAD, patience=60)
    process.send_signal(signal.SIGTERM)
    assert ending(process) == (0, "ended\n", "")


def test_what_has_ended_and_only_waits_for_its_threads_is_not_ended_by_force():
    process = start(THREAD, service=False, patience=1, to_end=0)
    process.send_signal(signal.SIGTERM)
    assert ending(process) == (0, "ended\n", "")


@pytest.mark.parametrize("body", [HEEDS.replace("stop.wait()", "asyncio.Event().wait()"), BLOCKED, BUSY, DEAF_FOR_EVER])
def test_a_second_signal_ends_it_at_once(body):
    process = start(body, patience=3600, to_end=3600)
    process.send_signal(signal.SIGTERM)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)  # two that come together count as one
    assert ending(process) == (1, "", "")


def test_signals_that_come_before_anything_has_started_end_it_at_once():
    code = "from events.runtime.signals import Signals; Signals(service={}).listen(); print('ready', flush=True); {}"
    for service, number, expected in [
        (True, signal.SIGTERM, (0, "", "")),
        (True, signal.SIGINT, (1, "", "")),
        (False, signal.SIGTERM, (1, "", "timokha: interrupted\n")),
        (False, signal.SIGINT, (1, "", "timokha: interrupted\n")),
    ]:
        process = subprocess.Popen(
            [sys.executable, "-c", code.format(service, "import threading; threading.Event().wait()")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert ending(process) == expected


def test_a_signal_during_pythons_own_end_changes_nothing():
    """Python puts back the default handlers before it deletes the last objects, which can take a while."""
    body = f"""
import os, signal
class Last:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
        kill(pid, number)
sys.last_of_all = Last()
async def main(stop):
    {READY}
"""
    assert ending(start(body)) == (0, "ended\n", "")


NO_THREADS = """
import atexit, threading
def none(*_):
    raise RuntimeError("can't create new thread at interpreter shutdown")
async def main(stop):
    atexit.register(setattr, threading, "_start_new_thread", none)
    print("ready", flush=True)
"""
"""As Python 3.12 has it during its own end."""


def test_the_end_needs_no_new_thread_and_loses_no_output():
    assert ending(start(f"{NO_THREADS}\n    atexit.register(print, 'last words')")) == (0, "ended\nlast words\n", "")


def test_a_signal_while_it_exits_leaves_no_traceback():
    body = f"""{NO_THREADS}
    import os, signal, time
    atexit.register(time.sleep, 0.5)  # in which the watchdog reads of it
    atexit.register(os.kill, os.getpid(), signal.SIGTERM)
    atexit.register(setattr, threading, "_start_new_thread", none)
"""
    assert ending(start(body)) == (0, "ended\n", "")


def test_an_output_that_blocks_holds_up_no_end():
    body = f"""{NO_THREADS}
    import sys
    class Blocked:
        def flush(self):
            threading.Event().wait()
    atexit.register(setattr, sys, "stderr", Blocked())
"""
    assert ending(start(body)) == (0, "ended\n", "")


def test_children_are_not_left_behind_by_a_process_that_has_to_leave_at_once():
    body = f"""
import subprocess
from events.runtime import children
async def main(stop):
    child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    children.register_group(child.pid)
    {READY}
    print(child.pid, flush=True)
    threading.Event().wait()
"""
    process = start(body, to_end=0.1)
    assert process.stdout
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    ending(process)
    wait_until_gone(child)


def test_nor_are_those_of_a_pool_that_a_thread_waits_for():
    """As a model is prepared."""
    body = f"""
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
def work():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=os.setsid) as pool:
        child = pool.submit(os.getpid).result()
        {READY}
        print(child, flush=True)
        pool.submit(time.sleep, 3600).result()
async def main(stop):
    await asyncio.to_thread(work)
"""
    process = start(body, service=False)
    assert process.stdout
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert ending(process) == (0, "cancelled\n", "")
    wait_until_gone(child)


def wait_until_gone(child: int) -> None:
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(child).status() != psutil.STATUS_ZOMBIE:  # nobody may be there to reap it
            pass
