"""End the process on SIGTERM, SIGINT and SIGHUP, even if it is blocked.

Imports only cheap modules, because a command installs its handlers before it imports anything else.
"""

import atexit
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from events.runtime import children, leftovers, terminal

TO_END = 4.0
"""Seconds from the end of a process's patience until it is ended by force."""
AT_EXIT = 2.0
"""Seconds for threads to end after `main`."""
SPEAK = 1.0
"""Seconds for a last log line and for flushing, each of which may block."""


class Signals:
    """Handles the signals of this process. Create and use one, in the main thread.

    Before `stop_with` the first signal ends the process at once. Afterwards the first one calls `request_stop`, and the
    process is ended by force if it still runs `TO_END` after its patience. The second one ends it at once, with exit
    code 1.

    A `service` runs until it is stopped, so its exit code is then 0; that of other commands is 1.
    """

    def __init__(self, *, service: bool) -> None:
        self.service = service
        self.received = 0
        self._code = 1
        self._request_stop: Callable[[], None] | None = None
        self._forced: Callable[[], None] = lambda: None
        self._limit = 0.0
        self._read, self._write = os.pipe()
        self._terminal = terminal.Terminal()
        self._ending = threading.Lock()
        self._left: int | None = None

    def listen(self) -> None:
        """Install the signal handlers and start the watchdog thread."""
        atexit.register(self._end_before_python)  # runs last: what is registered first does
        os.set_blocking(self._write, False)
        # The watchdog thread gets signals even while the main thread is blocked in a library.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, self._handle)

    def stop_with(self, request_stop: Callable[[], None], *, patience: float, forced: Callable[[], None]) -> None:
        """Call `request_stop` on the first signal, and `forced` before an end by force. `patience`: seconds."""
        self._limit = patience + TO_END
        self._forced = forced
        self._code = 0 if self.service else 1
        self._request_stop = request_stop

    def exit(self, code: int) -> None:
        """Exit with `code` within `AT_EXIT`, even if threads still run. Call this after `main`."""
        self._left = code
        children.kill_all()  # a thread may be waiting for one
        _after(AT_EXIT, partial(self._end, code))

    def _end_before_python(self) -> None:
        """Exit before Python removes the handlers: a signal after that would end the process with -15."""
        if self._left is not None:
            _flush()  # in this thread: Python 3.12 starts no thread now. If it blocks, the timer ends the process
            self._end_now(self._left)

    def _handle(self, number: int, _frame: object) -> None:
        """Handle a signal in the main thread, between any two instructions: do not wait for a lock here."""
        self.received += 1
        if self.received > 1:
            self._end_now(1)
        if self._request_stop is None:
            self._end_early(number)
            return
        self._request_stop()
        with suppress(BlockingIOError):
            os.write(self._write, b"\0")  # a library may have replaced the wakeup descriptor

    def _watch(self) -> None:
        """Run the watchdog thread. It reads zeros from `_handle`; other bytes are signal numbers."""
        count, armed = 0, False
        while True:
            select.select([self._read], [], [])
            for number in os.read(self._read, 64):
                if number not in (0, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    continue
                count += number != 0
                if count > 1:
                    self._end_now(1)
                if self._request_stop is None:
                    self._end_early(number)
                elif not armed:
                    armed = True
                    _after(self._limit, self._force)

    def _force(self) -> None:
        if self._left is not None:
            return  # `main` has ended, and `exit` has a timer of its own
        _briefly(self._forced)
        self._end(self._code)

    def _end_early(self, number: int) -> None:
        if not self._ending.acquire(blocking=False):
            return  # the other thread ends the process
        quiet = self.service and number == signal.SIGTERM
        if not self.service:
            with suppress(OSError):
                os.write(2, b"timokha: interrupted\n")
        self._end_now(0 if quiet else 1)

    def _end(self, code: int) -> None:
        _briefly(_flush)
        self._end_now(code)

    def _end_now(self, code: int) -> None:
        children.kill_all()
        leftovers.remove()
        self._terminal.restore()
        os._exit(code)


def _after(seconds: float, end: Callable[[], None]) -> None:
    """Call `end` after `seconds`, unless the process has ended by then."""
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    with suppress(RuntimeError):  # while it exits, Python 3.12 starts no thread, and `exit` has a timer
        timer.start()


def _briefly(work: Callable[[], None]) -> None:
    """Run `work` for at most `SPEAK` seconds: what blocks the process may block this too."""
    thread = threading.Thread(target=work, daemon=True)
    with suppress(RuntimeError):  # while it exits, Python 3.12 starts no thread
        thread.start()
        thread.join(SPEAK)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
