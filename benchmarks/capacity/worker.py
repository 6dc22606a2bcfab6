"""What an answer of the default model costs a worker: answers a second and processor seconds, one at a time to 16."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine
from benchmarks.capacity import usage
from benchmarks.path import Edge, Load, edge, functions, load
from benchmarks.progress import tell
from benchmarks.voice_lists import read_list
from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import run_once
from events.jetstream.connection import connect

NAMES = {1: "Аня", 4: "Борис", 16: "Вера"}
"""In flight → whom the questions call by name: each crowd has the same ones, but nothing is known from before."""
QUESTIONS = 48

Figures = dict[str, object]


async def measure(directory: Path) -> Figures:
    """By how many answers are written at once: answers a second of all cores, and seconds of one core for each."""
    tell("preparing the default model, once")
    await run_once("model")
    await asyncio.to_thread(directory.mkdir)
    async with (
        EmbeddedServer(directory / "nats") as nats,
        connect(nats.url, name="bench") as js,
        edge(js) as asking,
        functions(directory, nats.url, {}) as [worker],
    ):
        await asking.ask("Привет!")
        found: Figures = {"cores": machine.cores()}
        for crowd, name in NAMES.items():
            tell(f"the default model, {crowd} at once")
            before, written = usage.Usage.of(worker.pid), _Written(asking, questions(name))
            measured = await load(written.ask, in_flight=crowd, count=QUESTIONS)
            found |= figures(crowd, measured, usage.Usage.of(worker.pid).since(before).cpu, written.tokens)
        return found | {"memory_mib": round(usage.private_mib(worker.pid))}


class _Written:
    """Asks, and counts the tokens of the answers."""

    def __init__(self, asking: Edge, texts: Iterator[str]) -> None:
        self._asking = asking
        self._texts = texts
        self.tokens = 0

    async def ask(self) -> None:
        answer = await self._asking.ask(next(self._texts))
        self.tokens += answer.usage.output_tokens


def figures(crowd: int, measured: Load, cpu: float, tokens: int) -> Figures:
    count = len(measured.trips)
    return {
        f"answers_per_second_{crowd}": round(measured.per_second, 3),
        f"answer_p50_seconds_{crowd}": round(measured.p50, 2),
        f"cpu_seconds_{crowd}": round(cpu / count, 3),
        f"tokens_an_answer_{crowd}": round(tokens / count, 1),
    }


def questions(name: str) -> Iterator[str]:
    """Ordinary ones, to somebody of that name."""
    return (f"{name}, {line}" for talk in read_list("halfway") for line in talk)
