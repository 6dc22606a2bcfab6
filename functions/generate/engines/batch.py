"""Continuous batching: one thread steps all requests together; one joins or leaves between two steps."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from functions.generate.engines.quiet_openvino import genai, ov
from functions.verdicts import Reject, Retry

_BLOCK = 32
"""Tokens in a block of the KV cache, on a CPU."""
_ROOM_FOR_ANSWER = 256
"""Tokens; longer answers borrow from the others' room."""
_TOKENS_A_STEP = 256
"""A longer prompt is read over several steps, so that the others' answers go on meanwhile."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote, the token that ended it included. Times in seconds."""

    tokens: list[int]
    cut: bool
    prompt_seconds: float
    generation_seconds: float


@dataclass(slots=True)
class _Request:
    prompt: list[int]
    config: Any
    future: "Future[Written]"
    started: float = field(default_factory=time.monotonic)
    first_at: float | None = None
    tokens: list[int] = field(default_factory=list)
    handle: Any = None


class Batch:
    """Runs the model in `directory` for up to `slots` requests in one step."""

    def __init__(self, directory: Path, *, slots: int, max_input_tokens: int, properties: dict[str, str]) -> None:
        self._pipeline: Any = genai.ContinuousBatchingPipeline(
            directory, _scheduler(slots, max_input_tokens), "CPU", properties
        )
        self._arriving: SimpleQueue[_Request | None] = SimpleQueue()
        self._running: list[_Request] = []
        self._count = 0
        self._thread = threading.Thread(target=self._run, name="generate", daemon=True)
        self._thread.start()

    def submit(self, prompt: list[int], config: Any) -> "Future[Written]":
        """Cancelling the future takes the request out of the batch. It may fail with `Retry` or `Reject`."""
        request = _Request(prompt, config, Future())
        self._arriving.put(request)
        return request.future

    def close(self) -> None:
        """Cancel what is being written, and wait for the step in hand."""
        self._arriving.put(None)
        self._thread.join()

    def _run(self) -> None:
        while self._admit():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - whatever the library raises, the next request may do
                self._fail(Retry(f"the model could not be run: {type(error).__name__}"))
        for request in self._running:
            request.future.cancel()

    def _admit(self) -> bool:
        """Take in what has come, waiting if there is nothing else to do; False when it is over."""
        while True:
            try:
                request = self._arriving.get(block=not self._running)
            except Empty:
                return True
            if request is None:
                return False
            self._start(request)

    def _start(self, request: _Request) -> None:
        self._count += 1
        try:
            request.handle = self._pipeline.add_request(
                self._count, ov.Tensor(np.array([request.prompt], dtype=np.int64)), request.config
            )
        except Exception as error:  # noqa: BLE001 - one bad request is nobody else's fault
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(Reject(f"the model does not take it: {type(error).__name__}"))
            return
        self._running.append(request)

    def _step(self) -> None:
        for request in self._running:
            if request.future.cancelled():
                request.handle.cancel()
        self._pipeline.step()
        self._running = [request for request in self._running if not self._is_over(request)]

    def _is_over(self, request: _Request) -> bool:
        reason = genai.GenerationFinishReason.NONE
        while request.handle.can_read():
            for output in request.handle.read().values():
                request.first_at = request.first_at or time.monotonic()
                request.tokens += output.generated_ids
                reason = output.finish_reason
        if request.handle.get_status() == genai.GenerationStatus.RUNNING:
            return False
        if request.future.set_running_or_notify_cancel():
            request.future.set_result(_written(request, cut=reason == genai.GenerationFinishReason.LENGTH))
        return True

    def _fail(self, why: Exception) -> None:
        for request in self._running:
            request.handle.cancel()
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(why)
        self._running = []


def _written(request: _Request, *, cut: bool) -> Written:
    ended = time.monotonic()
    first = request.first_at or ended
    return Written(request.tokens, cut, prompt_seconds=first - request.started, generation_seconds=ended - first)


def _scheduler(slots: int, max_input_tokens: int) -> Any:
    config = genai.SchedulerConfig()
    config.max_num_seqs = slots
    config.max_num_batched_tokens = max(_TOKENS_A_STEP, slots)
    config.dynamic_split_fuse = True
    config.enable_prefix_caching = True
    # Memory is taken when it is first written to.
    config.num_kv_blocks = (slots + 1) * -(-(max_input_tokens + _ROOM_FOR_ANSWER) // _BLOCK)
    return config
