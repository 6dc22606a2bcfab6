"""Chat records that can't be read: what was stored in their place, and the users who start their chats afresh."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from events import subjects
from tests.promises.lines import FOR_EVER
from tests.promises.lines.disturbances import Break
from tests.promises.owners_acts import FLOODED
from tests.promises.texts import DELETED, UNREADABLE
from tests.simulation.nonsense import RECORDS
from tests.simulation.people import People
from tests.simulation.registers import STREAM, Registers
from tests.simulation.world import World

LOOK = 0.1
"""Seconds between two looks; likewise:"""
THINKS = (0.2, 2.0)
"""Until a user does what they were told."""
ASKS_AGAIN = 10.0
"""After which a user asks again who was not told anything, or repeats a command that nothing has answered."""
ASKS = 8
"""How often, at most."""
HASTY = 0.3
"""How likely a user starts afresh without being told to."""


@dataclass
class Broken:
    """The record of the chat with the user of index `user`. As in a history otherwise."""

    edge: str
    user: int
    own_id: int
    at: float
    afresh_at: float = FOR_EVER
    hasty: bool = False
    revision: int = 0
    """What was stored in its place has."""


@dataclass
class BrokenRecords:
    world: World
    people: People
    registers: Registers
    found: list[Broken] = field(default_factory=list)
    _doing: "dict[asyncio.Task[None], None]" = field(default_factory=dict)

    @property
    def rest(self) -> bool:
        """Whether no user has a chat to start afresh."""
        return not self._doing

    def lines(self, edge: str) -> Iterator[Break]:
        for one in self.found:
            if one.edge == edge:
                yield Break(edge, self._chat(one), one.own_id, one.at, one.afresh_at, one.hasty)

    def hid(self, edge: str, chat: str, at: float) -> bool:
        """Return whether what was asked there then may be in no record."""
        return any((one.edge, self._chat(one)) == (edge, chat) and at <= one.afresh_at for one in self.found)

    def overwrite(self, whom: str, chance: Random) -> None:
        """Store nonsense in place of a record of this account, if one of its chats has one that can be read."""
        busy = {one.user for one in self.found if one.afresh_at == FOR_EVER}
        users = [one for one in range(len(self.people.users)) if self.people.edge_of(one) == whom and one not in busy]
        users = [one for one in users if self.people.users[one] not in self.people.kept_out]
        if not users or not self.world.nats_has(STREAM):
            return
        user = chance.choice(users)
        last = max(self.people.users[user].box.messages, default=0)
        broken = Broken(whom, user, last, self.world.loop.time())
        if before := self._revision(broken):
            self.world.nats.publish(self._subject(broken), "", b"", chance.choice(RECORDS))
            broken.revision = self._revision(broken)
            self.registers.overwritten(self._key(broken), before, broken.revision)
            self.found.append(broken)
            self._do(self._mended(broken, chance))

    async def _mended(self, broken: Broken, chance: Random) -> None:
        if chance.random() < HASTY:
            broken.hasty = True
        else:
            await self._until_told(broken, chance)
        await asyncio.sleep(chance.uniform(*THINKS))
        while not self._is_gone(broken) and not await self._is_afresh(broken):
            pass
        broken.afresh_at = self.world.loop.time()

    async def _until_told(self, broken: Broken, chance: Random) -> None:
        """Ask until told. Somebody whom the owner keeps silent is not told.

        Nor is who has sent a command before, which may be taken in again after a crash.
        """
        for _ in range(ASKS):
            await asyncio.sleep(chance.uniform(*THINKS))
            self.people.ask(broken.edge, broken.user)
            if await self._got(broken, broken.own_id, UNREADABLE):
                return
            if self._is_gone(broken) or (self._revision(broken) != broken.revision and self._has_erased(broken)):
                broken.hasty = True
                return
        silent = any(act.what in ("pause", "deny", FLOODED) for act in self._owners_acts(broken.edge))
        broken.hasty = silent or self.people.was_absent(broken.edge, broken.at)

    def _is_gone(self, broken: Broken) -> bool:
        """Whether it was erased with all else, as its person has sent the bot away."""
        return self._revision(broken) != broken.revision and self.people.has_left(broken.edge, broken.at)

    def _has_erased(self, broken: Broken) -> bool:
        return any((one.edge, one.chat) == (broken.edge, self._chat(broken)) for one in self.people.wiped)

    def _owners_acts(self, edge: str) -> list[Any]:
        return self.people.owners[edge].acts if edge in self.people.owners else []

    async def _is_afresh(self, broken: Broken) -> bool:
        command = self.people.erase(broken.edge, broken.user)
        return await self._got(broken, command.own_id, DELETED)

    async def _got(self, broken: Broken, since: int, texts: set[str]) -> bool:
        until = self.world.loop.time() + ASKS_AGAIN
        while self.world.loop.time() < until:
            if self._has(broken, since, texts):
                return True
            await asyncio.sleep(LOOK)
        return False

    def _has(self, broken: Broken, since: int, texts: set[str]) -> bool:
        user, account = self.people.users[broken.user].id, self.world.accounts[broken.edge].id
        return any(one.id > since and one.text in texts for one in self.world.telegram.messages(user, account))

    def _revision(self, broken: Broken) -> int:
        stream = self.world.nats.store.streams.get(STREAM)
        return 0 if stream is None else stream.last_sequence_of(self._subject(broken))

    def _subject(self, broken: Broken) -> str:
        return f"$KV.{subjects.CHATS_BUCKET}.{self._key(broken)}"

    def _key(self, broken: Broken) -> str:
        return f"{self.world.accounts[broken.edge].id}.{self._chat(broken)}"

    def _chat(self, broken: Broken) -> str:
        return str(self.people.users[broken.user].id)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.world.loop.create_task(work)
        self._doing[task] = None
        task.add_done_callback(self._doing.pop)
