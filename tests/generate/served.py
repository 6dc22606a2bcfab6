"""A tiny taught model behind each engine: what the shared suite has to know of one to put it to the test."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from torch.nn.modules.module import register_module_forward_hook
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from benchmarks import gpt2_gguf
from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.app import open_engine
from functions.generate.engine import Engine
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.export.transformers_export import export
from functions.generate.engines.openvino.protocol import JobResult
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models import vocabulary
from functions.generate.settings import GenerateSettings
from tests.clocks import ManualClock
from tests.generate.lessons import ANSWERS, CONTEXT, Taught
from tests.generate.model_server import ModelServer

SLOTS = 4
_LLAMA_CPP = Path(__file__).with_name("llama_server.py")


class Served:
    """`given` are settings. Engines are opened as `timokha generate` opens them."""

    def __init__(self, **given: Any) -> None:
        self._given = given

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def kill(self) -> None:
        """What runs the model, if that is another process."""
        raise NotImplementedError

    async def revive(self) -> None:
        """What nobody else starts again."""

    def says(self, question: str) -> str:
        """What it answers greedily."""
        return ANSWERS[question]

    @property
    def wrote(self) -> int:
        """Tokens so far, for whomever; grows."""
        raise NotImplementedError

    @asynccontextmanager
    async def engine(self, **given: Any) -> AsyncIterator[Engine]:
        settings = GenerateSettings.read(**{"slots": SLOTS, **self._given, **given})
        engine = await open_engine(settings, clock=self._clock())
        try:
            yield engine
        finally:
            await engine.close()

    def _clock(self) -> Any:
        return SystemClock()


class OpenVINO(Served):
    """Of tokens it knows those of answers that came to an end, even if nobody waited."""

    def __init__(self, taught: Taught, cache: Path) -> None:
        super().__init__(engine="openvino", model=str(taught.directory), cache=cache)
        self._patch = pytest.MonkeyPatch()
        self._wrote = 0

    async def start(self) -> None:
        settle = Batch._settle

        def counted(batch: Batch, number: int, answer: Any) -> None:
            self._wrote += len(answer.tokens) if isinstance(answer, JobResult) else 0
            settle(batch, number, answer)

        self._patch.setattr(Batch, "_settle", counted)

    async def stop(self) -> None:
        self._patch.undo()

    async def kill(self) -> None:
        for process in stepping():
            process.kill()
            process.wait(30)

    @property
    def wrote(self) -> int:
        return self._wrote


class Narrow(OpenVINO):
    """The same model with the logits of its answers' tokens alone, and of those of single bytes."""

    def __init__(self, taught: Taught, cache: Path) -> None:
        super().__init__(taught, cache)
        directory = cache / f"{taught.directory.name}-narrow"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vocabulary, "tokens_to_keep", _said)
            export(str(taught.directory), directory, bits=8, clock=SystemClock())
        assert ServingInfo.read(directory).rows
        self._given["model"] = str(directory)


def _said(tokenizer: Any, *, always: Collection[int], size: int) -> list[int]:
    written = {token for answer in ANSWERS.values() for token in tokenizer.encode(f" {answer}\n").ids}
    single = {token for piece, token in tokenizer.get_vocab().items() if len(piece) == 1}
    return sorted({*written, *single, *always})


class Transformers(Served):
    """A token a run of the model."""

    def __init__(self, taught: Taught, cache: Path) -> None:
        super().__init__(engine="transformers", model=str(taught.directory))
        self._wrote = 0

    async def start(self) -> None:
        def run(module: Any, *_: Any) -> None:
            self._wrote += isinstance(module, GPT2LMHeadModel)

        self._hook = register_module_forward_hook(run)

    async def stop(self) -> None:
        self._hook.remove()

    @property
    def wrote(self) -> int:
        return self._wrote


class OpenAI(Served):
    """A server of ours, which knows no limit of requests."""

    def __init__(self, taught: Taught, cache: Path) -> None:
        super().__init__(engine="openai")
        self._server = ModelServer(taught, context=CONTEXT)

    async def start(self) -> None:
        self._server.start()
        self._given["openai_base_url"] = self._server.url

    async def stop(self) -> None:
        await self._server.stop()

    async def kill(self) -> None:
        await self._server.stop()

    async def revive(self) -> None:
        self._server.start()

    @property
    def wrote(self) -> int:
        return self._server.wrote


class LlamaCpp(Served):
    """llama.cpp's server in a process of its own."""

    def __init__(self, taught: Taught, cache: Path) -> None:
        if find_spec("xllamacpp") is None:
            pytest.skip("llama.cpp's server is not installed: xllamacpp has no wheel here")
        super().__init__(engine="openai")
        tokenizer: Any = AutoTokenizer.from_pretrained(taught.directory)
        model = AutoModelForCausalLM.from_pretrained(taught.directory)
        [end] = tokenizer.encode(taught.end)
        file = cache / f"{taught.directory.name}.gguf"
        self._file = gpt2_gguf.write(file, model, tokenizer, template=taught.template, end=end)
        self._process: Process | None = None
        self._url = ""

    async def start(self) -> None:
        port = self._url.rpartition(":")[2] or "0"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(_LLAMA_CPP), str(self._file), str(SLOTS), str(CONTEXT), port),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        assert self._process.stdout
        self._url = (await self._process.stdout.readline()).decode().strip()
        assert self._url, "llama.cpp's server did not start"
        self._given["openai_base_url"] = f"{self._url}/v1"

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            await self.kill()

    async def kill(self) -> None:
        assert self._process
        self._process.kill()
        await self._process.wait()

    async def revive(self) -> None:
        await self.start()


class Echo(Served):
    """It has no model: it says what it is told, over a delay that passes at once."""

    def __init__(self, taught: Taught, cache: Path) -> None:
        super().__init__(engine="echo", echo_delay=timedelta(seconds=1))

    def says(self, question: str) -> str:
        return question

    def _clock(self) -> Any:
        return ManualClock()


EVERY: dict[str, Callable[[Taught, Path], Served]] = {
    "openvino": OpenVINO,
    "narrow": Narrow,
    "transformers": Transformers,
    "openai": OpenAI,
    "llamacpp": LlamaCpp,
    "echo": Echo,
}


def stepping() -> list[psutil.Process]:
    """The processes of the OpenVINO engine that run a model."""
    return [child for child in psutil.Process().children() if any("model_process" in word for word in _words(child))]


def _words(child: psutil.Process) -> list[str]:
    """Its command line; until the kernel has ended its exec it has none."""
    while not (words := child.cmdline()):
        pass
    return words


def asked(*texts: str) -> list[Turn]:
    """The user's and the assistant's words, by turns; the last ones are the user's."""
    roles = [Role.ASSISTANT if (len(texts) - place) % 2 == 0 else Role.USER for place in range(len(texts))]
    return [Turn(role=role, text=text) for role, text in zip(roles, texts, strict=True)]


class Shown:
    """Collects what is told while an answer is written."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.begun = asyncio.Event()

    async def __call__(self, text: str) -> None:
        self.texts.append(text)
        self.begun.set()
