"""Recreate what is missing on RabbitMQ, or end the process if that is not possible."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from events.errors import TimokhaError, TransportError
from events.faults import Fault
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.runtime.tasks import within

LOOK_EVERY = timedelta(seconds=3)
"""For deletions that the broker does not report."""

AFTER_FAILURE = timedelta(seconds=0.5)
"""Minimum pause before the next check: a refused consumer closes its channel, and reopening it requests a check."""

PATIENCE = timedelta(seconds=15)
"""From the first failed attempt to recreate something to the end of the process."""

LONG_PATIENCE = timedelta(seconds=60)
"""The same for passing errors. A frozen broker counts as disconnected before that, which has no limit."""

LOOK_LIMIT = timedelta(seconds=10)
"""For one check."""

Restore = Callable[[], Awaitable[bool]]
"""Recreates what is missing and returns whether anything was. Raises TransportError."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Item:
    what: str
    restore: Restore
    failing_since: float | None = None


@dataclass(slots=True)
class Upkeep:
    """Keeps what one `Broker` needs: `run` checks everything that was passed to `keep`."""

    clock: Clock
    is_up: Callable[[], bool]
    _items: list[_Item] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _failed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _log_throttle: LogThrottle = field(default_factory=LogThrottle)

    def keep(self, what: str, restore: Restore) -> Callable[[], None]:
        """Call `restore` from now on, until the returned function is called."""
        item = _Item(what, restore)
        self._items.append(item)

        def forget() -> None:
            with suppress(ValueError):
                self._items.remove(item)

        return forget

    def wake(self, *_: object) -> None:
        """Check now: something may be missing."""
        self._wake.set()

    def fail(self, error: TimokhaError) -> None:
        """End the process with `error`."""
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # retrieved, so that asyncio does not log it

    @property
    def missing(self) -> str:
        """What is missing and could not be recreated yet, empty if nothing."""
        return next((f"RabbitMQ lacks {item.what}" for item in self._items if item.failing_since is not None), "")

    def check(self) -> None:
        """Raises TransportError if the process can't go on."""
        if self._failed.done():
            self._failed.result()

    async def failure(self) -> None:
        """Wait for ever, or raise the error that ends the process."""
        await asyncio.wait({self._failed})
        self._failed.result()

    async def run(self) -> None:
        """Check everything every `LOOK_EVERY` and after `wake`, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY.total_seconds()):
                    await self._wake.wait()
            self._wake.clear()
            for item in tuple(self._items):
                if self.is_up():
                    await self._look(item)
                else:
                    item.failing_since = None
            if any(item.failing_since is not None for item in self._items):
                await self.clock.sleep(AFTER_FAILURE)

    async def _look(self, item: _Item) -> None:
        try:
            if await within(LOOK_LIMIT, item.restore()):
                log.warning("rabbitmq.remade", what=item.what)
            item.failing_since = None
        except TransportError as error:
            self._fail_or_wait(item, error)
        except TimeoutError:
            self._fail_or_wait(item, TransportError(f"RabbitMQ does not answer about {item.what!r}; see its log"))
        except Exception as error:  # noqa: BLE001 - the other items are checked all the same
            what = f"{item.what!r} could not be checked ({type(error).__name__}); start this process again"
            self._fail_or_wait(item, TransportError(what, Fault.UNKNOWN))

    def _fail_or_wait(self, item: _Item, error: TransportError) -> None:
        if not self.is_up():
            return
        now = self.clock.monotonic()
        item.failing_since = now if item.failing_since is None else item.failing_since
        patience = LONG_PATIENCE if error.fault is Fault.PASSING else PATIENCE
        if now - item.failing_since >= patience.total_seconds():
            self.fail(error)
        elif self._log_throttle.due(f"{item.what} {error.fault}"):
            log.warning("rabbitmq.missing", what=item.what, error=str(error))
