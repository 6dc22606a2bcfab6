"""Take the account's live changes in the order that Telegram numbers them, and save how far they were taken.

A state is saved only once the messages up to it are stored. The next start fetches those after it again, and the intake
recognises the ones that it has stored before.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from edge.userbot.intake.account_updates import Counter, Keyed, LiveChange, UpdatesState
from edge.userbot.storage.watermark import Key, Watermark
from events.errors import TransportError
from events.runtime.retrying import Retrying

GAP_PATIENCE = timedelta(seconds=0.5)
"""How long to wait for missing changes, which may be on their way (see Telegram's documentation)."""
SAVE_EVERY = timedelta(seconds=1)
NEVER = float("inf")
IN_TURN = (Counter.QTS, Counter.PTS)
"""What is ordered in the bot's own chats may need a connection that was made before."""

log = structlog.get_logger(__name__)


class ChangeOrder:
    """`receive` stores the effect of a change's content. Times are monotonic, in seconds."""

    def __init__(
        self, watermark: Watermark, receive: Callable[[Keyed], Awaitable[object]], *, retrying: Retrying
    ) -> None:
        self._watermark = watermark
        self._receive = receive
        self._clock = retrying.clock
        self._saving = retrying.pauses()
        self.state: UpdatesState | None = None
        self.early: list[LiveChange] = []
        """Live changes that wait for those before them."""
        self.taken_early: dict[Key, None] = {}
        """Keys of contents after `state` that were taken in out of order."""
        self.gap_due = NEVER
        """When to fetch the changes that are missing before the early ones."""
        self.save_due = NEVER

    async def take_in_order(self) -> None:
        """Take the early changes that follow the state without a gap; the others keep waiting."""
        for counter in IN_TURN:
            await self._take_in_order(counter)
        if not self.early:
            self.gap_due = NEVER
        elif self.gap_due == NEVER:
            self.gap_due = self._clock.monotonic() + GAP_PATIENCE.total_seconds()

    async def _take_in_order(self, counter: Counter) -> None:
        for change in sorted(self.early, key=lambda change: change.number):
            assert self.state
            if change.counter is not counter:
                continue
            if change.number - change.count > self.state.of(counter):
                return
            self.early.remove(change)
            if change.number <= self.state.of(counter):
                continue
            if change.content:
                await self._receive(change.content)
            self.advance(self.state.at(change.number, counter))

    async def take_out_of_order(self, *, skip_known: bool) -> None:
        """Take the contents of the early changes but keep the changes, so that the state does not move.

        `skip_known`: leave out those that the state covers.
        """
        self.early.sort(key=lambda change: (IN_TURN.index(change.counter), change.number))
        for number, change in enumerate(self.early):
            known = skip_known and self.state and change.number <= self.state.of(change.counter)
            if change.content and not known:
                await self._receive(change.content)
                if key := change.content.key:
                    self.taken_early[key] = None
                self._save_later()
                self.early[number] = replace(change, content=None)

    async def take_fetched(self, contents: Sequence[Keyed]) -> None:
        """Take what was fetched, but for what was taken early."""
        for content in contents:
            if content.key not in self.taken_early:
                await self._receive(content)

    def skip_to(self, state: UpdatesState) -> None:
        """Go on from `state`. Drop live changes after it: the next difference contains them."""
        self.early.clear()
        self.gap_due = NEVER
        self.advance(state)

    def advance(self, state: UpdatesState) -> None:
        self.state = state
        self._save_later()

    def save_again(self) -> None:
        """Save the state now: the store has lost it."""
        if self.state:
            self.save_due = self._clock.monotonic()

    async def save_soon(self) -> None:
        """Save now, unless the last save has failed."""
        if not self._saving.failures:
            await self.save()

    async def save(self) -> None:
        assert self.state
        try:
            await self._watermark.save(self.state, self.taken_early)
        except TransportError as error:
            pause = self._saving.next(error)
            self.save_due = self._clock.monotonic() + pause.total_seconds()
            log.warning("catch_up.not_saved", error=str(error), again_in=pause.total_seconds())
        else:
            self._saving.reset()
            self.save_due = NEVER

    def _save_later(self) -> None:
        if self.save_due == NEVER and self.state:
            self.save_due = self._clock.monotonic() + SAVE_EVERY.total_seconds()
