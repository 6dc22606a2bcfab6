"""The engine's end of the process that steps its model: jobs in, futures out."""

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
"""Seconds for the step in hand."""
_ENDED = JobFailure(0, "the model's process has ended")


class Batch:
    """Serves `model`. Its process is on its way when this returns; `wait` until the model is loaded."""

    def __init__(self, model: ModelSpec, process: ModelProcess | None = None) -> None:
        """`process` has got no model yet; it is ours from now on. Raises OSError if it has just ended."""
        self.model = model
        self._waiting: dict[int, Future[JobResult]] = {}
        self._told: dict[int, Callable[[list[int]], None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._open(process or ModelProcess())

    def wait(self) -> None:
        """Until the model is loaded. Raises SettingsError, one line, if it can't be."""
        self._ready.result()

    def submit(self, job: Job, told: Callable[[list[int]], None] | None = None) -> "Future[JobResult]":
        """Cancelling the future takes the job out of the batch. It may fail with `Retry` or `Reject`.

        `told` gets the tokens so far of a job that wants it, from another thread.
        """
        future: Future[JobResult] = Future()
        if told:
            self._told[job.number] = told
            future.add_done_callback(lambda _: self._told.pop(job.number, None))
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
        """Drop what is being written, and what comes later."""
        with self._lock:
            self._closed = True
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as end:
            # The reader sees the end as well; a mere close would leave it waiting.
            end.shutdown(socket.SHUT_RDWR)
        if not self._ready.done():
            self._process.kill()  # a model that still loads is wanted by nobody
        self._process.wait(_CLOSING)
        self._reader.join()
        self._connection.close()

    def kill(self) -> None:
        """End its process at once, if it has not ended."""
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
                        if told := self._told.get(number):
                            told(tokens)
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
