"""What workers on RabbitMQ do in some seeds: they fail at one question again and again, or are quick for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

from functions.generate.engines.echo import EchoEngine
from tests.promises.lines.disturbances import Spoilt
from tests.promises.spoiling import GIVEN_UP
from tests.simulation.broker_faults import EngineFailure
from tests.simulation.owners import QUESTION
from tests.simulation.processes import PROCESS
from tests.simulation.world import World

NAME = "generate-rabbitmq"
QUICK_FOR = (5.0, 20.0)
"""Seconds in which an answer takes no time."""


@dataclass(eq=False)
class WorkerFaults:
    """`note`: tells the judge what was out of order, for how many seconds."""

    world: World
    note: Callable[[str, str, float], None] = lambda *_: None
    _next: int = 0
    _failing_at: list[str] = field(default_factory=list)
    """The texts at which they fail."""
    _hurried: int = 0

    def strike(self, what: str, whom: str, size: float) -> None:
        getattr(self, f"_{what}")(Random(f"{what} {whom} {size}"))

    def lines(self, ids: dict[str, str]) -> Iterator[Spoilt]:
        """`ids`: of the requests, by what is in their texts and in no other's."""
        for text in self._failing_at:
            for name in QUESTION.findall(text) or [text]:
                if name in ids:
                    yield Spoilt(ids[name], GIVEN_UP)

    def _stuck(self, _: Random) -> None:
        self._next += 1

    def _quick(self, chance: Random) -> None:
        self._hurried += 1
        self.world.loop.call_later(chance.uniform(*QUICK_FOR), self._no_longer)

    def _no_longer(self) -> None:
        self._hurried -= 1

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the workers be as these blows say."""
        generate = EchoEngine.generate

        async def tried(engine: EchoEngine, turns: Any, *others: Any, **options: Any) -> Any:
            process = PROCESS.get()
            if process and process.name == NAME:
                engine = self._tried(engine, turns[-1].text)
            return await generate(engine, turns, *others, **options)

        with patch.object(EchoEngine, "generate", tried):
            yield

    def _tried(self, engine: EchoEngine, text: str) -> EchoEngine:
        if self._next and text not in self._failing_at:
            self._next -= 1
            self._failing_at.append(text)
        if text in self._failing_at:
            self.note("failing", "engine", 0)
            raise EngineFailure
        return EchoEngine(clock=engine._clock) if self._hurried else engine
