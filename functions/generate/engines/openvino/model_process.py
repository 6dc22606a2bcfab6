"""The process that runs a model: all requests advance in common steps, and join or leave between two steps.

`process.py` starts it: `python -m functions.generate.engines.openvino.model_process FD`; FD is a socket for messages.
It is a process because a step holds Python's global lock. It ends when the socket closes, and so with its parent.
"""

import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from events.runtime.clock import Clock, SystemClock
from functions.generate.engines.openvino import renumbering
from functions.generate.engines.openvino.batch_invariance import (
    Companions,
    knows_aliases,
    max_companions,
    with_aliases,
)
from functions.generate.engines.openvino.library import genai, ov
from functions.generate.engines.openvino.protocol import CancelJob, Job, JobFailure, JobResult, ModelSpec, PartialResult
from functions.generate.engines.partial_text import Throttle

_BLOCK = 32
"""Tokens in a block of the KV cache, on a CPU."""
_ROOM_FOR_ANSWER = 256
"""Tokens; longer answers borrow from the others' room."""
_TOKENS_A_STEP = 256
"""Of prompts; further ones wait for the next step, so that other answers continue."""
_WHOLE = 8192
"""Tokens of a prompt that are read in one step. The bounds of parts would depend on the rest of the batch."""
_EVERY_TOKEN = 2**31


@dataclass(slots=True)
class _Running:
    number: int
    handle: Any
    throttle: Throttle | None
    started: float
    first_at: float | None = None
    tokens: list[int] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    job: Job
    since: float


class Stepper:
    """Runs the jobs from `arriving`, and sends results on `connection`; None ends it."""

    def __init__(
        self,
        model: ModelSpec,
        connection: Connection,
        arriving: "SimpleQueue[Job | CancelJob | None]",
        *,
        clock: Clock,
    ) -> None:
        self._pipeline: Any = genai.ContinuousBatchingPipeline(
            model.directory, _scheduler(model), "CPU", model.properties
        )
        directory = Path(model.directory)
        self._aliases = knows_aliases(directory)
        self._companions = Companions(self._pipeline, aliases=self._aliases)
        self._renumbering = renumbering.read(directory)
        self._connection = connection
        self._arriving = arriving
        self._clock = clock
        self._slots = model.slots
        self._waiting: dict[int, _Waiting] = {}
        self._running: dict[int, _Running] = {}
        self._before = np.zeros(0, dtype=np.int64)

    def run(self) -> None:
        while self._admit():
            if not self._running:
                continue
            try:
                self._companions.join(len(self._running))
                self._pipeline.step()
            except Exception as error:  # noqa: BLE001 - whatever the library raises, the next step may do
                self._fail_all(f"the model could not be run: {type(error).__name__}")
            for running in list(self._running.values()):
                self._read(running)
        self._end()

    def _end(self) -> None:
        """Cancel all requests, and drop them with a step: GenAI complains about requests that are left."""
        for running in self._running.values():
            running.handle.cancel()
        self._companions.leave()
        with suppress(Exception):
            self._pipeline.step()

    def _admit(self) -> bool:
        """Take in messages, waiting if there is nothing else to do; return False at the end."""
        while True:
            try:
                message = self._arriving.get(block=not self._running and not self._waiting)
            except Empty:
                self._start_next()
                return True
            match message:
                case Job():
                    self._waiting[message.number] = _Waiting(message, self._clock.monotonic())
                case CancelJob(number):
                    self._waiting.pop(number, None)
                    if running := self._running.pop(number, None):
                        running.handle.cancel()
                case None:
                    return False

    def _start_next(self) -> None:
        """Start waiting jobs, at least one, up to the tokens of a step."""
        tokens = 0
        while self._waiting and tokens < _TOKENS_A_STEP and len(self._running) < self._slots:
            waiting = self._waiting.pop(next(iter(self._waiting)))
            tokens += self._start(waiting.job, waiting.since)

    def _start(self, job: Job, since: float) -> int:
        """Start `job`; return about how many tokens of its prompt must be read."""
        ids = self._renumbering.to_model_ids(job.prompt)
        prompt = ov.Tensor((with_aliases(ids, job) if self._aliases else ids)[None])
        try:
            handle = self._pipeline.add_request(
                job.number, prompt, _config(job, self._renumbering.to_writable_ids(job.ends))
            )
        except Exception as error:  # noqa: BLE001 - it must not affect other requests
            self._connection.send(
                JobFailure(job.number, f"the model does not take it: {type(error).__name__}", ever=True)
            )
            return 0
        self._running[job.number] = _Running(job.number, handle, self._throttle(job), started=since)
        known, self._before = _shared(self._before, ids), ids
        return len(ids) - known

    def _read(self, running: _Running) -> None:
        while running.handle.can_read():
            for output in running.handle.read().values():
                running.first_at = running.first_at or self._clock.monotonic()
                running.tokens += self._renumbering.to_tokenizer_ids(output.generated_ids)
                running.cut = output.finish_reason == genai.GenerationFinishReason.LENGTH
        status = running.handle.get_status()
        if status == genai.GenerationStatus.RUNNING:
            if running.throttle and running.tokens and running.throttle.is_due():
                self._connection.send(PartialResult(running.number, running.tokens))
            return
        del self._running[running.number]
        # A request that has outgrown the whole cache is cut, too.
        running.cut = running.cut or status == genai.GenerationStatus.IGNORED
        ended = self._clock.monotonic()
        first = running.first_at or ended
        self._connection.send(
            JobResult(running.number, running.tokens, running.cut, first - running.started, ended - first)
        )

    def _throttle(self, job: Job) -> Throttle | None:
        return None if job.partial_interval is None else Throttle(job.partial_interval, self._clock)

    def _fail_all(self, why: str) -> None:
        for running in self._running.values():
            running.handle.cancel()
            self._connection.send(JobFailure(running.number, why))
        self._running.clear()
        self._companions.leave()


def _shared(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Return how many tokens both have in common at the beginning."""
    length = min(len(first), len(second))
    differ = np.flatnonzero(first[:length] != second[:length])
    return int(differ[0]) if len(differ) else length


def _scheduler(model: ModelSpec) -> Any:
    companions = max_companions()
    config = genai.SchedulerConfig()
    config.max_num_seqs = model.slots + companions
    config.max_num_batched_tokens = _WHOLE + model.slots * _TOKENS_A_STEP + companions  # what others read or write
    config.dynamic_split_fuse = True
    config.enable_prefix_caching = True
    # Memory is allocated at the first write; a request that does not fit at all would be cut off.
    usual = companions + (model.slots + 1) * -(-(model.max_input_tokens + _ROOM_FOR_ANSWER) // _BLOCK)
    config.num_kv_blocks = max(usual, -(-model.longest // _BLOCK) + companions + 1)  # one the library keeps
    return config


def _config(job: Job, ends: set[int]) -> Any:
    """Return the configuration of `job`. `ends`: its ends, in the model's ids."""
    config = genai.GenerationConfig()
    config.max_new_tokens = job.limit
    config.min_new_tokens = 0 if job.may_be_empty else 1
    config.stop_token_ids = ends
    if ends:
        # If a model's configuration has no end token, GenAI requires one in each request.
        config.set_eos_token_id(min(ends))
    config.presence_penalty = job.presence_penalty
    if job.temperature > 0:
        config.do_sample = True
        config.temperature = job.temperature
        config.top_p = job.top_p
        config.top_k = job.top_k or _EVERY_TOKEN
        config.rng_seed = job.seed
    return config


def _receive(connection: Connection, arriving: "SimpleQueue[Job | CancelJob | None]") -> None:
    try:
        while True:
            arriving.put(connection.recv())
    except (EOFError, OSError):
        arriving.put(None)


def main(descriptor: int) -> None:
    """Serve until the other end closes."""
    connection = Connection(descriptor)
    try:
        model = connection.recv()
    except (EOFError, OSError):
        return  # the process was not needed
    with suppress(BrokenPipeError):  # the parent has ended
        _serve(model, connection)


def _serve(model: ModelSpec, connection: Connection) -> None:
    arriving: SimpleQueue[Job | CancelJob | None] = SimpleQueue()
    try:
        stepper = Stepper(model, connection, arriving, clock=SystemClock())
    except Exception as error:  # noqa: BLE001 - the parent reports it
        connection.send(JobFailure(0, (str(error).strip().splitlines() or [type(error).__name__])[-1], ever=True))
        return
    connection.send(True)
    threading.Thread(target=_receive, args=(connection, arriving), daemon=True).start()
    stepper.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
