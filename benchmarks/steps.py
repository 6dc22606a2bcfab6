"""Where the time of a step goes with 1, 8 and 32 answers at once: `python -m benchmarks.steps [DIRECTORY]`, a minute.

DIRECTORY is a prepared model, by default the default one's. Prints lines of JSON, in milliseconds:

- `step`: one step of all answers, as the model's process does it; `python`: our own code between two steps.
- Of the step, as means, while the graph's operations are counted: the `head`, the `layers' products`, `attention`,
  `norms`, `all else`; `between`: what is left, between two operations and in GenAI's scheduling and sampling.
- `graph`: a run of the whole graph alone.
- Once an answer: `tokenizer`, to encode its prompt and decode its tokens, and `hop`, to the model's process and back.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from itertools import count, pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import click
from rich.console import Console

from benchmarks.default_model import NEW, PROMPT, prompts
from benchmarks.graph_step import GraphStep
from events.runtime.clock import SystemClock
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.batch_invariance import max_companions
from functions.generate.engines.openvino.model_process import Stepper
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import CancelJob, Job, JobResult
from functions.generate.engines.prepared_models import prepare_for_openvino
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.tokens import FastTokenizer
from functions.generate.settings import Arithmetic, GenerateSettings

CROWDS = (1, 8, 32)
ROUNDS = 3
GRAPH_STEPS, TRIPS = 40, 50
_NEVER = frozenset({0})
"""No answer ends before its last token."""


class TimedPipeline:
    """Notes when each step of `pipeline` began and ended."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.steps: list[tuple[float, float]] = []

    def step(self) -> None:
        began = time.perf_counter()
        self._pipeline.step()
        self.steps.append((began, time.perf_counter()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)


class InProcess:
    """The model's process as a thread of this one."""

    def __init__(self, directory: Path) -> None:
        self.spec = model_spec(directory, max(CROWDS), PROMPT, PROMPT + NEW, Arithmetic.AUTO)
        self._results, theirs = Pipe()
        self._arriving: SimpleQueue[Job | CancelJob | None] = SimpleQueue()
        self.pipeline = self._start(theirs)
        self._numbers = count(1)

    def _start(self, connection: Connection) -> TimedPipeline:
        stepper = Stepper(self.spec, connection, self._arriving, clock=SystemClock())
        pipeline = stepper._pipeline = TimedPipeline(stepper._pipeline)
        threading.Thread(target=stepper.run, daemon=True).start()
        return pipeline

    def milliseconds(self, crowd: int) -> dict[str, float]:
        """Medians of the steps in which all write."""
        rounds = [self._round(crowd, number) for number in range(ROUNDS + 1)][1:]
        steps = [end - begin for one in rounds for begin, end in one]
        between = [later - end for one in rounds for (_, end), (later, _) in pairwise(one)]
        return {"step": _median(steps), "python": _median(between)}

    def _round(self, crowd: int, number: int) -> list[tuple[float, float]]:
        self.pipeline.steps.clear()
        for seed, prompt in enumerate(prompts(crowd, number)):
            self._arriving.put(_job(next(self._numbers), prompt, seed))
        for _ in range(crowd):
            assert isinstance(self._results.recv(), JobResult)
        return self.pipeline.steps[-NEW // 2 : -1]


def _job(number: int, prompt: list[int], seed: int) -> Job:
    """As default_model.py asks for."""
    return Job(number, prompt, NEW, _NEVER, presence_penalty=1.4, temperature=0.7, top_k=50, top_p=0.9, seed=seed)


def lines(directory: Path) -> Iterator[Mapping[str, float]]:
    process = InProcess(directory)
    graph = GraphStep(directory, process.spec.properties)
    for crowd in CROWDS:
        step = process.milliseconds(crowd)
        parts = graph.milliseconds(max(crowd, max_companions()), PROMPT + NEW * 3 // 4, GRAPH_STEPS)
        whole = parts.pop("all")
        between = round(step["step"] - sum(parts.values()), 2)
        yield {"users": crowd, **step, **parts, "between": between, "graph": whole}
    yield {"tokenizer": tokenizer(directory), "hop": hop(directory)}


def tokenizer(directory: Path) -> float:
    words = FastTokenizer(directory, ServingInfo.read(directory))
    text = words.decode(prompts(1, 1)[0])
    took = []
    for _ in range(TRIPS):
        began = time.perf_counter()
        words.decode(words.encode(text, add_special_tokens=True, split_special_tokens=False))
        took.append(time.perf_counter() - began)
    return _median(took)


def hop(directory: Path) -> float:
    """Return the time of a job that the library refuses at once, as its prompt is empty."""
    batch = Batch(model_spec(directory, 1, PROMPT, PROMPT + NEW, Arithmetic.AUTO))
    batch.wait()
    took = []
    for number in range(TRIPS):
        began = time.perf_counter()
        assert batch.submit(Job(number + 1, [], NEW, _NEVER)).exception()
        took.append(time.perf_counter() - began)
    batch.close()
    return _median(took)


def _median(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 3)


def main(given: str | None = None) -> None:
    directory = Path(given) if given else prepare_for_openvino(GenerateSettings.read(), Console(stderr=True))
    for line in lines(directory):
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
