"""Recreate what is missing on RabbitMQ, or end the process where that is not possible."""

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
"""For what the broker does not report as deleted."""

AFTER_FAILURE = timedelta(seconds=0.5)
"""At least, to the next check: a refused consumer closes its channel, and the reopened channel asks for a check."""

PATIENCE = timedelta(seconds=15)
"""From the first failed attempt to recreate something to the end of the process."""

LONG_PATIENCE = timedelta(seconds=60)
"""The same for passing errors. A frozen broker counts as disconnected sooner, and is waited for."""

LOOK_LIMIT = timedelta(seconds=10)
"""For one check."""

Restore = Callable[[], Awaitable[bool]]
"""Recreates what is missing and returns whether anything was. Raises TransportError."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Kept:
    what: str
    restore: Restore
    wrong_since: float | None = None


@dataclass(slots=True)
class Upkeep:
    """For one `Broker`: `run` checks everything that was passed to `keep`."""

    clock: Clock
    is_up: Callable[[], bool]
    _kept: list[_Kept] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _failed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _log_throttle: LogThrottle = field(default_factory=LogThrottle)

    def keep(self, what: str, restore: Restore) -> Callable[[], None]:
        """Call `restore` from now on, until the returned function is called."""
        kept = _Kept(what, restore)
        self._kept.append(kept)

        def forget() -> None:
            with suppress(ValueError):
                self._kept.remove(kept)

        return forget

    def wake(self, *_: object) -> None:
        """Check now: something may be missing."""
        self._wake.set()

    def fail(self, error: TimokhaError) -> None:
        """End the process with `error`."""
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # retrieved, so that asyncio does not complain

    @property
    def lacking(self) -> str:
        """What is missing and could not be recreated yet, empty if nothing."""
        return next((f"RabbitMQ lacks {kept.what}" for kept in self._kept if kept.wrong_since is not None), "")

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
            for kept in tuple(self._kept):
                if self.is_up():
                    await self._look(kept)
                else:
                    kept.wrong_since = None
            if any(kept.wrong_since is not None for kept in self._kept):
                await self.clock.sleep(AFTER_FAILURE)

    async def _look(self, kept: _Kept) -> None:
        try:
            if await within(LOOK_LIMIT, kept.restore()):
                log.warning("rabbitmq.remade", what=kept.what)
            kept.wrong_since = None
        except TransportError as error:
            self._wrong(kept, error)
        except TimeoutError:
            self._wrong(kept, TransportError(f"RabbitMQ does not answer about {kept.what!r}; see its log"))
        except Exception as error:  # noqa: BLE001 - the others are looked after all the same
            what = f"{kept.what!r} could not be looked after ({type(error).__name__}); start this process again"
            self._wrong(kept, TransportError(what, Fault.UNKNOWN))

    def _wrong(self, kept: _Kept, error: TransportError) -> None:
        if not self.is_up():
            return
        now = self.clock.monotonic()
        kept.wrong_since = now if kept.wrong_since is None else kept.wrong_since
        patience = LONG_PATIENCE if error.fault is Fault.PASSING else PATIENCE
        if now - kept.wrong_since >= patience.total_seconds():
            self.fail(error)
        elif self._log_throttle.due(f"{kept.what} {error.fault}"):
            log.warning("rabbitmq.missing", what=kept.what, error=str(error))
