"""Models that answer with nothing, too much, or not at all for a while.

The blows of the family `model` in `rare_blows.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch

from functions.generate.engines.echo import EchoEngine
from tests.promises.faults import NO_ANSWER
from tests.simulation.broker_faults import EngineFailure
from tests.simulation.world import World

DRAWS = (2, 3, 6)
"""How many in a row are empty: after three a request is given up."""
DOWN, VERBOSE = (6.0, 20.0), (3.0, 12.0)
"""Seconds in which a model fails each time, or is verbose."""
HUGE = 2
"""Answers in a row that nothing takes."""
MUCH, TOO_MUCH = "много слов " * 500, "слишком много слов " * 40_000
"""More than one message of Telegram's; more than one of NATS or of a bridge."""
ASKED = "вопрос"
"""What a user writes, and no other program, which wants the same text back."""


@dataclass(eq=False)
class Models:
    """`note`: tells the judge what was out of order, for how many seconds."""

    world: World
    note: Callable[[str, str, float], None] = lambda *_: None
    _empty: int = 0
    _huge: int = 0
    _states: list[str] = field(default_factory=list)
    """What all models are like now."""

    def strike(self, what: str, _: str, size: float) -> None:
        """`size` also decides by chance what exactly happens, so that it does in a smaller plan as well."""
        getattr(self, f"_{what}")(Random(f"{what} {size}"))

    def _mute(self, chance: Random) -> None:
        self._empty += chance.choice(DRAWS)

    def _verbose(self, chance: Random) -> None:
        self._for_a_while("verbose", chance.uniform(*VERBOSE))

    def _down(self, chance: Random) -> None:
        seconds = chance.uniform(*DOWN)
        self.note(NO_ANSWER, "engine", seconds)
        self._for_a_while("down", seconds)

    def _immense(self, chance: Random) -> None:
        self._huge += chance.randint(1, HUGE)

    def _for_a_while(self, state: str, seconds: float) -> None:
        self._states.append(state)
        self.world.loop.call_later(seconds, self._states.remove, state)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the engines be as these blows say."""
        with patch.object(EchoEngine, "generate", self._changed(EchoEngine.generate)):
            yield

    def _changed(self, generate: Any) -> Any:
        async def changed(engine: EchoEngine, turns: Any, *others: Any, **options: Any) -> Any:
            if "down" in self._states:
                raise EngineFailure
            answer = await generate(engine, turns, *others, **options)
            return replace(answer, text=self._text(answer.text))

        return changed

    def _text(self, text: str) -> str:
        if self._empty:
            self._empty -= 1
            self.note(NO_ANSWER, "engine", 0)
            return ""
        if self._huge:
            self._huge -= 1
            self.note(NO_ANSWER, "engine", 0)
            return TOO_MUCH
        if "verbose" not in self._states or ASKED not in text:
            return text
        # Its last message names the questions as well, so that no other one is like it, but has no line of its own.
        return f"{text}\n{MUCH}{' '.join(text.split())}"
