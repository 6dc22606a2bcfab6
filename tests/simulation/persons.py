"""A person who has connected a bot: gives orders in the chat with it, presses its buttons, and may leave it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from edge.business import kept, leaving
from edge.sandbox.centres import MAIN
from edge.sandbox.state import Account
from edge.userbot.owner.phrases import disconnected
from events import subjects
from tests.promises.lines import FOR_EVER
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.owners import Absent, Stored
from tests.promises.lines.owners import Act as ActLine
from tests.promises.presence import LEFT, MUTED, REMOVED, UNKNOWN
from tests.simulation.nats.streams import Stream
from tests.simulation.owners import LOOK, Owner

MUTED_FOR = (1.0, 6.0)
"""Seconds without the right to answer; likewise:"""
REMOVES = (1.5, 4.0)
"""From the bot's word that it answers no more until it is removed in Telegram."""
COMES_BACK = (0.1, 6.0)
"""From then until the bot is connected again; or, after what was stored is erased:"""
COMES_BACK_LATE = (30.0, 40.0)
COMES_BACK_LAST = (140.0, 150.0)
BUSY, DIFFERENCE = (500, "WORKER_BUSY_TOO_LONG_RETRY"), "updates.GetDifference"
TELLS = 4
"""How often the bot is told to go, at most."""
ERASED, LATE = 20.0, 120.0
"""From when the bot was removed until all is erased, and until what came late is."""
DONE = disconnected("ru")


@dataclass
class Person(Owner):
    """`absences`: when the bot could not answer for them."""

    absences: list[Absent] = field(default_factory=list)
    unseen: list[Disturbance] = field(default_factory=list)
    """How long a change of the connection was not told."""
    _is_going: bool = False
    centre: int = MAIN
    """The data centre of their account."""

    @property
    def is_known(self) -> bool:
        """Whether the bot's process has opened the account."""
        return self._is_known_since(0.0)

    def _is_known_since(self, at: float) -> bool:
        opened = (one for one in self.world.log.lines if one["event"] == "account.opened" and one["time"] > at)
        return any(line["account"] == str(self._account.id) for line in opened)

    @property
    def departures(self) -> list[Absent]:
        """The absences in which it was sent away."""
        return [one for one in self.absences if one.how in (LEFT, REMOVED)]

    @property
    def is_away(self) -> bool:
        return bool(self.absences) and self.absences[-1].back_at == FOR_EVER

    def connect(self, *, can_reply: bool = True) -> None:
        """Connect the bot, or change what it may do, which gives another connection."""
        telegram, bot = self.world.telegram, self._own_chat
        telegram.connect_business(self._account.id, bot, can_reply=can_reply, dc_id=self.centre)

    # --- what the person does, besides what every owner does

    def change(self, _: Account) -> None:
        if not self.is_away:
            self.connect()

    def change_unseen(self, user: Account) -> None:
        """Likewise when Telegram does not tell the bot, and then can't tell what it has missed."""
        faults, bot = self.world.telegram.faults, self._own_chat
        faults.suppress_pushes(bot)
        faults.refuse(bot, *BUSY, method=DIFFERENCE)
        self.change(user)
        self._do(self._unseen())

    async def _unseen(self) -> None:
        """Note how long that takes."""
        began = self._now
        while self.world.telegram.faults.refuses(self._own_chat, BUSY[1]):  # noqa: ASYNC110 - of the sandbox
            await asyncio.sleep(LOOK)
        self.unseen.append(Disturbance("passing_refusals", "telegram", began, self._now))

    def start(self, _: Account) -> None:
        self._order("/start", "start", None)

    def mute(self, _: Account) -> None:
        """Take away the right to answer for a while."""
        if not self.is_away:
            self.connect(can_reply=False)
            self._absent(MUTED)
            self._do(self._muted())

    def is_forgotten(self, seconds: float) -> None:
        """What the bot knew of the connection is lost, until it changes so many seconds later."""
        self._absent(UNKNOWN)
        self._do(self._known_again(seconds))

    async def _known_again(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.connect()
        while not self._is_known_since(self.absences[-1].at):  # noqa: ASYNC110 - in the log
            await asyncio.sleep(LOOK)
        self._change_absence(back_at=self._now)

    async def _muted(self) -> None:
        await asyncio.sleep(self.chance.uniform(*MUTED_FOR))
        self._come_back()

    def pause(self, user: Account) -> None:
        if not self.is_away:
            super().pause(user)

    def deny(self, user: Account) -> None:
        if not self.is_away:
            super().deny(user)

    def leave(self, _: Account) -> None:
        """Tell the bot to go, remove it, and come back soon; likewise:"""
        self._go(self._left(COMES_BACK))

    def leave_long(self, _: Account) -> None:
        """Come back when all is erased."""
        self._go(self._left(COMES_BACK_LATE))

    def leave_for_ever(self, _: Account) -> None:
        """Never come back."""
        self._go(self._left(None))

    def leave_after_all(self, _: Account) -> None:
        """Come back when what came late is erased as well."""
        self._go(self._left(COMES_BACK_LAST))

    def leave_connected(self, _: Account) -> None:
        """Never remove it in Telegram."""
        self._go(self._told_to_go())

    def remove(self, _: Account) -> None:
        """Remove the bot without a word, and come back soon; likewise:"""
        self._go(self._removed(COMES_BACK))

    def remove_long(self, _: Account) -> None:
        """Come back when all is erased."""
        self._go(self._removed(COMES_BACK_LATE))

    def remove_for_ever(self, _: Account) -> None:
        """Never come back."""
        self._go(self._removed(None))

    def _go(self, going: Coroutine[Any, Any, None]) -> None:
        """Once nothing is left to be taken back."""
        if self._is_going:
            going.close()
            return
        self._is_going = True
        self._do(self._gone(going))

    async def _gone(self, going: Coroutine[Any, Any, None]) -> None:
        while len(self._doing) > 1:  # noqa: ASYNC110 - of many tasks
            await asyncio.sleep(LOOK)
        await going
        self._is_going = self.is_away

    async def _left(self, pause: tuple[float, float] | None) -> None:
        await self._told_to_go()
        await asyncio.sleep(self.chance.uniform(*REMOVES))
        await self._disconnected(pause)

    async def _told_to_go(self) -> None:
        self._absent(LEFT)
        for _ in range(TELLS):
            act = self._order("/disconnect", LEFT, None)
            await self._told(act)
            if act.said == DONE:
                self._change_absence(since=act.done_at)
                break

    async def _removed(self, pause: tuple[float, float] | None) -> None:
        self._absent(REMOVED)
        self._change_absence(since=self._now)
        await self._disconnected(pause)

    async def _disconnected(self, pause: tuple[float, float] | None) -> None:
        self.world.telegram.disconnect_business(self._account.id)
        if pause:
            await asyncio.sleep(self.chance.uniform(*pause))
            self._come_back()

    def _absent(self, how: str) -> None:
        self.absences.append(Absent(self.edge, how, self._now))

    def _come_back(self) -> None:
        self.connect()
        self._change_absence(back_at=self._now)

    def _change_absence(self, **known: float) -> None:
        self.absences[-1] = replace(self.absences[-1], **known)

    # --- what is different in the chat with the bot

    @property
    def _own_chat(self) -> int:
        return self.world.callers[self.edge].id

    # --- for the history

    def lines(self, names: dict[str, str]) -> Iterator[Any]:
        """Yield the absences, and what is stored about somebody who has left for good, as well."""
        for line in super().lines(names):
            yield replace(line, by_date=True) if isinstance(line, ActLine) and line.what != "wrote" else line
        yield from (*self.absences, *self.unseen)
        if self.is_away:
            yield from (Stored(self.edge, what) for what in self.stored())

    @property
    def rests(self) -> bool:
        return super().rests and not (self.is_away and self.stored())

    def stored(self) -> list[str]:
        """Return what NATS has of the account."""
        account = str(self._account.id)
        parts = [(stream, message.subject) for stream, held in self._streams() for message in held.every(">")]
        found = [f"{stream} {subject}" for stream, subject in parts if account in subject.split(".")]
        consumer = subjects.edge_consumer(account)
        return found + [f"{stream} {consumer}" for stream, held in self._streams() if consumer in held.consumers]

    def _streams(self) -> list[tuple[str, Stream]]:
        return list(self.world.nats.store.streams.items())


@contextmanager
def erased_sooner() -> Iterator[None]:
    """Shorten the five minutes and the day that the product waits for somebody who comes back, or what comes late."""
    with patch.object(kept, "GRACE", timedelta(seconds=ERASED)), patch.object(leaving, "LATE", timedelta(seconds=LATE)):
        yield
