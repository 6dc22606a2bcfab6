"""Faults of the userbot's own, which none of ours has: a step of a chat fails, or taking in a reply does.

They show what its promise is worth that a fault holds up no chat.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

from edge.userbot.driving.performer import Performer
from edge.userbot.driving.replies import Replies
from events.errors import TimokhaError
from events.faults import UNKNOWN_ATTEMPTS
from tests.promises.skips import FAULTY
from tests.simulation.world import World

STEPS = {
    "Notify": 3,
    "Withdraw": 3,
    "CarryOut": 2,
    "CloseBurst": 3,
    "Submit": 2,
    "ExpireApproval": 2,
    "Recall": 2,
    "ShowDraft": 2,
    "Expire": 1,
    "Think": 3,
    "Deliver": 3,
    "TakeUp": 3,
    "Erase": 1,
}
"""Which fail, and how often, compared with each other."""
TIMES = (1, 2, UNKNOWN_ATTEMPTS, UNKNOWN_ATTEMPTS)
"""How often one does: after the last number it is skipped."""


class Bug(Exception):
    """Something of ours is wrong."""


KINDS: tuple[type[BaseException], ...] = (Bug, Bug, TimokhaError, asyncio.CancelledError)
"""The last one is what a library raises that cancels its own call."""


@dataclass(eq=False)
class Armed:
    """The next `left` calls for `account` of what is called `what` raise `error`."""

    account: str
    what: str
    error: type[BaseException]
    left: int


@dataclass(eq=False)
class Bugs:
    """`note`: tells the judge what was out of order, for how many seconds, of which edge."""

    world: World
    note: Callable[[str, str, float, str], None] = lambda *_: None
    _armed: list[Armed] = field(default_factory=list)

    def strike(self, what: str, whom: str, size: float) -> None:
        """`size` also decides by chance what exactly happens, so that it does in a smaller plan as well."""
        getattr(self, f"_{what}")(str(self.world.accounts[whom].id), Random(f"{what} {whom} {size}"))

    def _step(self, account: str, chance: Random) -> None:
        (step,) = chance.choices(list(STEPS), list(STEPS.values()))
        self._armed.append(Armed(account, step, chance.choice(KINDS), chance.choice(TIMES)))

    def _reply(self, account: str, chance: Random) -> None:
        self._armed.append(Armed(account, Replies.__name__, Bug, chance.choice(TIMES)))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the userbots be as these blows say."""
        with ExitStack() as stack:
            stack.enter_context(patch.object(Performer, "perform", self._failing(Performer.perform, _step)))
            stack.enter_context(patch.object(Replies, "_take", self._failing(Replies._take, _reply)))
            yield

    def _failing(self, call: Any, name: Callable[[Any], str]) -> Any:
        async def failing(owner: Any, first: Any, *others: Any, **options: Any) -> Any:
            self._fail(owner._ports.account, name(first))
            return await call(owner, first, *others, **options)

        return failing

    def _fail(self, account: str, what: str) -> None:
        armed = next((one for one in self._armed if (one.account, one.what) == (account, what)), None)
        if armed:
            armed.left -= 1
            if not armed.left:
                self._armed.remove(armed)
            edge = next(name for name, found in self.world.accounts.items() if str(found.id) == account)
            self.note(FAULTY, edge, 0, edge)
            raise armed.error


def _step(step: Any) -> str:
    return type(step).__name__


def _reply(_: Any) -> str:
    return Replies.__name__
