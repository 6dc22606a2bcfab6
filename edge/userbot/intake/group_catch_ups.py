"""A catch-up for each supergroup that the owner has listed: Telegram numbers the changes of each apart."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog

from edge.userbot.intake.account_updates import Gap, GroupChange, Keyed, LiveChange, NotShown
from edge.userbot.intake.catch_up import CatchUp
from events.runtime.clock import Clock
from events.runtime.tasks import cancel, run_all, run_with_helpers

LOOK = timedelta(seconds=1)
"""How often the list is looked at: it may change while this runs."""
RETRY = timedelta(minutes=10)
"""After this time a group that Telegram does not show is tried again, unless something of it comes live before."""

OpenCatchUp = Callable[[str, bool], CatchUp]
"""Gets the group, and whether its catch-up begins anew."""

log = structlog.get_logger(__name__)


class GroupCatchUps:
    """`listed`: returns the supergroups to catch up with, as they are now. `open_catch_up`: makes a group's catch-up.

    That begins anew if the group is listed while this runs: what was written there before is nothing to answer.

    `put_uncounted` gets what other groups and channels contain: that is taken as it comes.
    """

    def __init__(
        self,
        listed: Callable[[], Iterable[str]],
        open_catch_up: OpenCatchUp,
        put_uncounted: Callable[[Keyed], None],
        *,
        clock: Clock,
    ) -> None:
        self._listed = listed
        self._open = open_catch_up
        self._put_uncounted = put_uncounted
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._groups = {group: _Group(group, open_catch_up, clock, anew=False) for group in listed()}

    def put(self, change: GroupChange) -> None:
        """Queue what came live, or with the account's changes."""
        if change.group is None:
            for group in self._groups.values():
                group.put(change.change)
        elif change.group in self._groups:
            self._groups[change.group].put(change.change)
        elif isinstance(change.change, LiveChange) and change.change.content:
            self._put_uncounted(change.change.content)

    async def run(self) -> None:
        """Run until cancelled. Raises the first error of any group's catch-up."""
        try:
            while True:
                await self._follow_list()
                await self._clock.sleep(LOOK)
                for task in self._tasks.values():
                    if task.done():
                        task.result()
        finally:
            await cancel(*self._tasks.values())

    async def wait_until_caught_up(self) -> None:
        """Wait until what was missed in the groups listed at the start is taken in, or Telegram does not show it."""
        for group in list(self._groups.values()):
            await group.settled.wait()

    def on_store_recreated(self) -> None:
        """Save everything again: the store was lost and recreated."""
        for group in self._groups.values():
            group.catch_up.on_store_recreated()

    async def stop(self) -> None:
        """Save how far every group's changes were taken in."""
        await run_all(*(group.catch_up.stop() for group in self._groups.values()))

    async def _follow_list(self) -> None:
        listed = set(self._listed())
        for group in set(self._groups) - listed:
            left = self._groups.pop(group)
            await cancel(self._tasks.pop(group, None))
            await left.catch_up.stop()
            left.settled.set()
        for group in listed - set(self._groups):
            self._groups[group] = _Group(group, self._open, self._clock, anew=True)
        for group in listed - set(self._tasks):
            self._tasks[group] = asyncio.create_task(self._groups[group].run(), name=f"catch-up {group}")


class _Group:
    """One group. While Telegram does not show it, its catch-up rests and harms no other."""

    def __init__(self, group: str, open_catch_up: OpenCatchUp, clock: Clock, *, anew: bool) -> None:
        self._group = group
        self._open = open_catch_up
        self._clock = clock
        self._rests, self._woken = False, asyncio.Event()
        self._is_known_to_rest = False
        self.catch_up = open_catch_up(group, anew)
        self.settled = asyncio.Event()
        """Set once what was missed is taken in, or can't be had for now."""

    def put(self, change: LiveChange | Gap) -> None:
        if self._rests:
            self._begin_anew()
        self.catch_up.put(change)

    async def run(self) -> None:
        """Run until cancelled. Raises TransportError if the saved state can't be read."""
        while True:
            try:
                await run_with_helpers(self.catch_up.run(), self._note_caught_up())
            except NotShown as error:
                self._rest(error)
            await self._wait()

    def _rest(self, error: NotShown) -> None:
        write_log = log.debug if self._is_known_to_rest else log.warning
        write_log("group.not_shown", group=self._group, error=str(error), again_in=RETRY.total_seconds())
        self._rests = self._is_known_to_rest = True
        self._woken.clear()
        self.settled.set()

    async def _wait(self) -> None:
        waiting = asyncio.ensure_future(self._woken.wait())
        pause = asyncio.ensure_future(self._clock.sleep(RETRY))
        try:
            await asyncio.wait({waiting, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(waiting, pause)
        if self._rests:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._rests = False
        self.catch_up = self._open(self._group, False)
        self._woken.set()

    async def _note_caught_up(self) -> None:
        await self.catch_up.wait_until_caught_up()
        self._is_known_to_rest = False
        self.settled.set()
