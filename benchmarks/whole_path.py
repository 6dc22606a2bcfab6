"""The openvino engine alone, and the same one in a real `timokha generate` between request and reply events.

`python -m benchmarks.whole_path` after `python -m benchmarks.weights`. Both load the model; they answer in turns.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from benchmarks.path import edge, functions
from benchmarks.progress import tell
from benchmarks.ways import NEW
from benchmarks.weights import openvino
from cli.demo.nats_server import EmbeddedServer
from events.jetstream.connection import connect
from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.openvino.engine import OpenVINOEngine
from functions.generate.settings import GenerateSettings

ROUNDS = 3
WORDS = 36
"""40 tokens with the speakers' names; the words are the random model's."""
SAMPLING = Sampling(temperature=0, max_new_tokens=NEW, repetition_penalty=1)
SHORT = SAMPLING.model_copy(update={"max_new_tokens": 1})
_FIELDS = GenerateSettings.model_fields

Ask = Callable[[str, Sampling], Awaitable[object]]


async def measure(model: Path, requests: int) -> dict[str, object]:
    """Answers a second of `requests` at once, as medians, and the path's share of the engine's."""
    engine = await asyncio.to_thread(
        OpenVINOEngine, model, slots=requests, clock=SystemClock(), arithmetic=_FIELDS["arithmetic"].default
    )
    settings = {"GENERATE_MODEL": str(model), "GENERATE_SLOTS": str(requests)}
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            EmbeddedServer(Path(directory, "nats")) as nats,
            connect(nats.url, name="bench") as js,
            edge(js) as asking,
            functions(Path(directory), nats.url, settings),
        ):
            sides: dict[str, Ask] = {"engine": _alone(engine), "path": asking.ask}
            rates = await _in_turns(sides, requests)
    await engine.close()
    efficiency = statistics.median(path / alone for alone, path in zip(rates["engine"], rates["path"], strict=True))
    medians = {f"{name}_answers_per_second_{requests}": statistics.median(rates[name]) for name in sides}
    return {
        f"path_efficiency_{requests}": round(efficiency, 3),
        **{name: round(rate, 3) for name, rate in medians.items()},
    }


def _alone(engine: OpenVINOEngine) -> Ask:
    return lambda text, sampling: engine.generate([Turn(role=Role.USER, text=text)], sampling)


async def _in_turns(sides: dict[str, Ask], requests: int) -> dict[str, list[float]]:
    for ask in sides.values():
        await ask(_text(0, 0), SHORT)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(1, ROUNDS + 1):
        for side, (name, ask) in enumerate(sides.items()):
            tell(f"{requests} at once, {name}, round {number} of {ROUNDS}")
            began = time.perf_counter()
            # Texts of its own: nothing is known from a round before.
            texts = [_text(2 * number + side, question) for question in range(requests)]
            await asyncio.gather(*(ask(text, SAMPLING) for text in texts))
            rates[name].append(requests / (time.perf_counter() - began))
    return rates


def _text(round_: int, question: int) -> str:
    return " ".join(f"w{1000 + 2000 * round_ + 50 * question + word}" for word in range(WORDS))


if __name__ == "__main__":
    click.echo(asyncio.run(measure(openvino(_FIELDS["bits"].default), 32)))
