"""Talk to the model's process from the engine: submit jobs, and return futures of their results."""

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from events.errors import SettingsError
from functions.generate.engines.openvino.process import ModelProcess
from functions.generate.engines.openvino.protocol import CancelJob, Job, JobFailure, JobResult, ModelSpec, PartialResult
from functions.worker.outcomes import Reject, Retry

_CLOSING = 30.0
"""Seconds to finish the current step."""
_ENDED = JobFailure(0, "the model's process has ended")


class Batch:
    """Jobs of `model`, in a process that starts at once; `wait` until the model is loaded."""

    def __init__(self, model: ModelSpec, process: ModelProcess | None = None) -> None:
        """`process`: one without a model, which this takes over. Raises OSError if it has ended."""
        self.model = model
        self._waiting: dict[int, Future[JobResult]] = {}
        self._callbacks: dict[int, Callable[[list[int]], None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._open(process or ModelProcess())

    def wait(self) -> None:
        """Wait until the model is loaded. Raises SettingsError, one line, if that fails."""
        self._ready.result()

    def submit(self, job: Job, on_partial: Callable[[list[int]], None] | None = None) -> "Future[JobResult]":
        """Add `job` to the batch; cancelling the future removes it. The future may fail with `Retry` or `Reject`.

        `on_partial`: called from another thread with the tokens so far, if the job has a `partial_interval`.
        """
        future: Future[JobResult] = Future()
        if on_partial:
            self._callbacks[job.number] = on_partial
            future.add_done_callback(lambda _: self._callbacks.pop(job.number, None))
        with self._lock:
            self._waiting[job.number] = future
            try:
                self._connection.send(job)
            except OSError:
                self._settle(job.number, _ENDED)
                self._reopen()
        future.add_done_callback(lambda done: self._cancel(job.number) if done.cancelled() else None)
        return future

    def close(self) -> None:
        """Drop all jobs, and end the process."""
        with self._lock:
            self._closed = True
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as end:
            # A shutdown wakes the reader, too; a mere close would not.
            end.shutdown(socket.SHUT_RDWR)
        if not self._ready.done():
            self._process.kill()  # the model is still loading
        self._process.wait(_CLOSING)
        self._reader.join()
        self._connection.close()

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        with self._lock:
            self._closed = True
        self._process.kill()
        self._process.wait()

    def _open(self, process: ModelProcess) -> None:
        self._process = process
        self._connection: Any = Connection(process.socket.detach())
        self._connection.send(self.model)
        self._ready: Future[None] = Future()
        self._reader = threading.Thread(
            target=self._read, args=(self._connection, self._ready), name="written", daemon=True
        )
        self._reader.start()

    def _reopen(self) -> None:
        if not self._closed:
            self._process.wait()
            self._open(ModelProcess())

    def _cancel(self, number: int) -> None:
        with self._lock, suppress(OSError):
            if self._waiting.pop(number, None):
                self._connection.send(CancelJob(number))

    def _read(self, connection: Any, ready: "Future[None]") -> None:
        with suppress(EOFError, OSError):
            while True:
                answer = connection.recv()
                match answer:
                    case True:
                        ready.set_result(None)
                    case JobFailure(0, why):
                        ready.set_exception(self._unloadable(why))
                    case PartialResult(number, tokens):
                        if on_partial := self._callbacks.get(number):
                            on_partial(tokens)
                    case _:
                        self._settle(answer.number, answer)
        if not ready.done():
            ready.set_exception(self._unloadable(_ENDED.why))
        for number in list(self._waiting):
            self._settle(number, _ENDED)

    def _unloadable(self, why: str) -> SettingsError:
        return SettingsError(f"{self.model.directory} can't be loaded ({why}): delete it, and it is made again")

    def _settle(self, number: int, answer: JobResult | JobFailure) -> None:
        future = self._waiting.pop(number, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        match answer:
            case JobResult():
                future.set_result(answer)
            case JobFailure(_, why, ever):
                future.set_exception(Reject(why) if ever else Retry(why))
