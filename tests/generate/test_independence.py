"""An answer is the same to the bit, whoever else is in the batch and whatever was asked before.

What is compared is not only the tokens but the logarithm of how likely each was: a last bit that differs shows at once,
not only where it turns into another word.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from multiprocessing import Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from events.runtime.clock import SystemClock
from functions.generate.engines.openvino import model_process
from functions.generate.engines.openvino.batch_invariance import max_companions, with_aliases
from functions.generate.engines.openvino.export.transformers_export import export
from functions.generate.engines.openvino.model_process import Stepper
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import CancelJob, Job, JobFailure, JobResult, ModelSpec
from functions.generate.settings import Arithmetic
from tests.generate import tiny_models
from tests.generate.tiny_models import CONTEXT

SLOTS, NEW = 16, 6
LENGTHS = (2, 5, 31, 32, 33, 34, 63, 64, 65, 97, 129, 256, 257, 258, 290)
"""Of prompts, in tokens: around blocks of the cache, and around what is read in a step."""
WORDS = 300
Answer = tuple[list[int], list[float]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    export(str(tiny_models.save("gemma3", made / "tiny")), made / "prepared", bits=8, clock=SystemClock())
    return made / "prepared"


class Recorded:
    """A handle whose tokens come with their likelihoods."""

    def __init__(self, handle: Any, likelihoods: list[float]) -> None:
        self._handle = handle
        self._likelihoods = likelihoods

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def read(self) -> Any:
        outputs = self._handle.read()
        for output in outputs.values():
            self._likelihoods += output.generated_log_probs
        return outputs


class Asked:
    """A model, stepped in a thread of this process."""

    def __init__(self, directory: Path, arithmetic: Arithmetic) -> None:
        self._arriving: SimpleQueue[Job | CancelJob | None] = SimpleQueue()
        self._connection, theirs = Pipe()
        self._likelihoods: dict[int, list[float]] = {}
        self._numbers = count(1)
        model = model_spec(directory, SLOTS, CONTEXT, CONTEXT, arithmetic)
        self._stepper = Stepper(model, theirs, self._arriving, clock=SystemClock())
        self._stepper._pipeline = self._watched(self._stepper._pipeline)
        self._thread = threading.Thread(target=self._stepper.run, daemon=True)
        self._thread.start()

    def _watched(self, pipeline: Any) -> Any:
        likelihoods = self._likelihoods

        class Watched:
            def __getattr__(self, name: str) -> Any:
                return getattr(pipeline, name)

            def add_request(self, number: int, prompt: Any, config: Any) -> Recorded:
                config.logprobs = 1
                return Recorded(pipeline.add_request(number, prompt, config), likelihoods.setdefault(number, []))

        return Watched()

    def job(self, prompt: Sequence[int], **how: Any) -> Job:
        return Job(next(self._numbers), list(prompt), how.pop("limit", NEW), frozenset(), **how)

    def put(self, message: Job | CancelJob) -> None:
        self._arriving.put(message)

    def answers(self, jobs: Sequence[Job]) -> list[Answer]:
        for job in jobs:
            self.put(job)
        found: dict[int, list[int]] = {}
        while not found.keys() >= {job.number for job in jobs}:
            match self._connection.recv():
                case JobResult(number, tokens):
                    found[number] = tokens
        return [(found[job.number], self._likelihoods[job.number]) for job in jobs]

    def close(self) -> None:
        self._arriving.put(None)
        self._thread.join()


@pytest.fixture(params=[Arithmetic.FAST, Arithmetic.EXACT])
def arithmetic(request: pytest.FixtureRequest) -> Arithmetic:
    return Arithmetic(request.param)


@pytest.fixture
def asked(directory: Path, arithmetic: Arithmetic) -> Iterator[Asked]:
    asked = Asked(directory, arithmetic)
    yield asked
    asked.close()


@pytest.fixture
def stranger(directory: Path, arithmetic: Arithmetic) -> Iterator[Asked]:
    """Another process, as it were."""
    stranger = Asked(directory, arithmetic)
    yield stranger
    stranger.close()


def test_companions_that_can_not_join_end_the_answers_in_hand_and_nothing_else(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = asked.job([1, 2, 3])
    with monkeypatch.context() as broken:
        broken.setattr(asked._stepper._companions, "join", failing)
        asked.put(job)
        assert asked._connection.poll(30)
        assert asked._connection.recv() == JobFailure(job.number, "the model could not be run: RuntimeError")
    assert asked.answers([asked.job([1, 2, 3])])


def failing(*_: Any) -> None:
    raise RuntimeError("no room")


def prompts() -> list[list[int]]:
    generator = np.random.default_rng(0)
    return [generator.integers(1, WORDS, length).tolist() for length in LENGTHS]


def test_alone_again_together_and_with_others_who_leave(asked: Asked) -> None:
    alone = [asked.answers([asked.job(prompt)])[0] for prompt in prompts()]
    again = [asked.answers([asked.job(prompt)])[0] for prompt in prompts()]
    assert again == alone
    together = asked.answers([asked.job(prompt) for prompt in prompts()])
    assert together == alone
    leaving = [asked.job(prompt[::-1], limit=200, partial_interval=0.0) for prompt in prompts()[-3:]]
    jobs = [asked.job(prompt, partial_interval=0.0) for prompt in prompts()]
    for job in leaving:
        asked.put(job)
    for job in jobs[::2]:
        asked.put(job)
    for job in leaving:
        asked.put(CancelJob(job.number))
    assert asked.answers(jobs[1::2]) == alone[1::2]


def test_a_question_about_an_answer_is_read_as_where_it_was_not_written(asked: Asked, stranger: Asked) -> None:
    """What was written is in the cache, but written tokens were computed one by one."""
    first = prompts()[4]
    [(written, _)] = asked.answers([asked.job(first, limit=40)])
    more = [[*first, *written, *prompts()[1]], [*first, *written, 7]]
    found = [asked.answers([asked.job(prompt)])[0] for prompt in more]
    assert [stranger.answers([stranger.job(prompt)])[0] for prompt in more] == found


def test_a_later_stage_goes_on_with_what_was_read(asked: Asked) -> None:
    """Else the thoughts of a model would be read anew for its answer."""
    job = asked.job(prompts()[9], limit=40)
    [(written, _)] = asked.answers([job])
    later = replace(asked.job([*job.prompt, *written]), earlier=((job.number, len(job.prompt)),))
    ids = np.array(later.prompt)
    marks = with_aliases(ids, later)[: len(job.prompt)]
    assert marks.tolist() == with_aliases(ids[: len(job.prompt)], job).tolist()
    assert len(asked.answers([later])[0][0]) == NEW


def test_what_is_cancelled_before_its_turn_is_not_begun(asked: Asked) -> None:
    jobs = [asked.job(prompt, limit=50) for prompt in [*prompts(), *prompts()]]
    late = jobs[SLOTS + 8 :]
    for message in (*jobs, *(CancelJob(job.number) for job in late)):
        asked.put(message)
    asked.answers([asked.job(prompts()[0])])
    assert not any(job.number in asked._likelihoods for job in late)


def test_a_step_has_room_for_the_longest_whole_prompt_and_what_all_others_read_before_it() -> None:
    model = ModelSpec("", SLOTS, 1024, 2048, {})
    others = (SLOTS - 1) * model_process._TOKENS_A_STEP
    assert model_process._scheduler(model).max_num_batched_tokens >= model_process._WHOLE + others + max_companions()
