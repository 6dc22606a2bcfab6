"""The edges of all connected persons, each apart from the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from weakref import WeakValueDictionary

import structlog

from edge.userbot.account_edge import AccountEdge, EdgeContext
from edge.userbot.chat.record import Notice
from edge.userbot.driving.messenger import Messenger
from edge.userbot.driving.notices import add_own_notice
from edge.userbot.driving.ports import Departure
from events.jetstream.topology import Topology
from events.runtime.tasks import cancel, for_each, run_all, until_stopped

AT_ONCE = 16
"""Persons whose edges are opened, or whose consumers are looked at, concurrently."""
LOOKED_AT = 20
"""Consumers that are looked at in turn: a thousand persons must not keep NATS busy."""

log = structlog.get_logger(__name__)


class Accounts:
    """Every person's account is answered by an `AccountEdge` of its own, made by `open_edge`.

    `messenger_of`: sends for one person.
    """

    def __init__(
        self,
        context: EdgeContext,
        topology: Topology,
        messenger_of: Callable[[str], Messenger],
        departure_of: Callable[[str], Departure],
        *,
        open_edge: Callable[..., Awaitable[AccountEdge]] = AccountEdge.open,
    ) -> None:
        self._context = context
        self._topology = topology
        self._messenger_of = messenger_of
        self._departure_of = departure_of
        self._open_edge = open_edge
        self._edges: dict[str, AccountEdge] = {}
        self._closed: dict[str, asyncio.Event] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._opened: asyncio.Queue[tuple[AccountEdge, asyncio.Event]] = asyncio.Queue()
        self._is_held = True
        self._changes = 0
        self._looked_at = 0

    async def begin(self, persons: Iterable[str]) -> None:
        """Resume the unfinished chats of `persons`, without a step until `release`. Raises TransportError."""

        async def begin(person: str) -> None:
            await self.edge(person)

        await for_each(persons, begin, at_once=AT_ONCE)

    def release(self) -> None:
        """Begin the work: messages from before the start are taken in."""
        self._is_held = False
        for edge in self._edges.values():
            edge.release()

    async def edge(self, person: str) -> AccountEdge:
        """Return a person's edge; make it if it is the first time. Raises TransportError."""
        if edge := self._edges.get(person):
            return edge
        async with self._lock(person):
            if person not in self._edges:
                self._edges[person] = await self._open(person)
            return self._edges[person]

    def _lock(self, person: str) -> asyncio.Lock:
        return self._locks.setdefault(person, asyncio.Lock())

    async def notify(self, person: str, notice: Notice) -> None:
        """Add a notice to a person's chat with the bot. Raises TransportError."""
        edge = await self.edge(person)
        await add_own_notice(edge.ports, edge.drivers.wake, person, notice)

    async def _open(self, person: str) -> AccountEdge:
        await self._topology.ensure_edge(person)
        edge = await self._open_edge(
            self._context,
            person,
            self._messenger_of(person),
            owner_chat=person,
            by_bot=True,
            departure=self._departure_of(person),
        )
        await edge.resume()
        if not self._is_held:
            edge.release()
        self._closed[person] = asyncio.Event()
        self._opened.put_nowait((edge, self._closed[person]))
        log.info("account.opened", account=person)
        return edge

    async def close(self, person: str) -> None:
        """End a person's edge, and remove its consumer. Raises TransportError."""
        async with self._lock(person):
            if edge := self._edges.pop(person, None):
                self._closed.pop(person).set()
                await edge.stop()
            await self._topology.drop_edge(person)

    async def ensure(self) -> None:
        """Create the consumers that are missing. Raises TransportError.

        If streams had to be created, look at all of them, otherwise at some: after many calls each was looked at.
        """
        topology, persons = self._topology, list(self._edges)
        if len(topology.changes) == self._changes and not topology.replaced:
            start = self._looked_at % (len(persons) or 1)
            persons = [*persons[start:], *persons[:start]][:LOOKED_AT]
            self._looked_at = start + LOOKED_AT
        await for_each(persons, self._ensure_consumer, at_once=AT_ONCE)
        self._changes = len(topology.changes)

    async def _ensure_consumer(self, person: str) -> None:
        """Create a person's consumer if it is missing, unless their edge was closed meanwhile."""
        async with self._lock(person):
            if person in self._edges:
                await self._topology.ensure_edge(person)

    def on_store_recreated(self) -> None:
        """Restore what NATS has lost."""
        for edge in self._edges.values():
            edge.on_store_recreated()

    async def run(self) -> None:
        """Run the edges, also those that are made later, until cancelled. Raises the first error of any."""
        running: set[asyncio.Task[None]] = set()
        opening = asyncio.create_task(self._opened.get())
        try:
            while True:
                await asyncio.wait({opening, *running}, return_when=asyncio.FIRST_COMPLETED)
                if opening.done():
                    edge, closed = opening.result()
                    running.add(asyncio.create_task(until_stopped(closed, edge.run())))
                    opening = asyncio.create_task(self._opened.get())
                for task in [task for task in running if task.done()]:
                    running.discard(task)
                    await task  # it runs until it is closed, is cancelled or fails
        finally:
            await cancel(opening, *running)

    async def stop(self) -> None:
        """Leave unfinished work to the next start."""
        await run_all(*(edge.stop() for edge in self._edges.values()))
