"""Make calls at the data centres of connected persons' accounts, which may be others than the bot's.

kurigram can do that, but it hands out a session that is not signed in yet or never will be, stops none, and asks only
once in which data centre a connection is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from pyrogram import Client, raw, session
from pyrogram.errors import RPCError

from edge.userbot.telegram.api import ONCE
from edge.userbot.telegram.faults import classify, name
from events.faults import Fault
from events.runtime.tasks import cancel, finish, run_all, within

OPEN_TIMEOUT = timedelta(seconds=10)
"""To exchange a key, connect and sign in. Whoever waits for that tries again later."""
RECONNECT_TIMEOUT = timedelta(seconds=5)
"""For a call that comes while a session is being connected again."""
STOP_TIMEOUT = timedelta(seconds=2)
SIGN_IN_ATTEMPTS = 3
"""Telegram may take an exported sign-in for invalid, once."""

T = TypeVar("T")

functions: Any = raw.functions
Auth: Any = session.Auth
log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_centres(client: Client) -> AsyncIterator["Centres"]:
    """Yield the data centres for a started client, and finally end the sessions there."""
    centres = Centres(client)
    try:
        yield centres
    finally:
        await centres.stop()


class CentreRefused(Exception):
    """A data centre does not accept the bot's sign-in there, which says nothing of the sign-in at its own."""


class Centres:
    """Calls Telegram at any data centre: at the bot's own through the started client, elsewhere through a session each.

    A session is made for the first call. One that is lost for good is replaced at the next.
    """

    def __init__(self, client: Client) -> None:
        self._client: Any = client
        self._openings: dict[int, asyncio.Task[Any]] = {}

    async def invoke(self, query: Any, centre: int) -> Any:
        """Make a call once. Raises the errors of `Client.invoke`, or CentreRefused."""
        if centre == await self._client.storage.dc_id():
            return await self._client.invoke(query, **ONCE)
        opening = self._opening(centre)
        there = await asyncio.shield(opening)
        await within(RECONNECT_TIMEOUT, there.is_started.wait())
        try:
            return await _accepted(there.invoke(query, **ONCE))
        except CentreRefused:
            await self._drop(centre, opening)
            raise

    async def stop(self) -> None:
        """End all sessions."""
        await finish(STOP_TIMEOUT, self._drop_all())

    def _opening(self, centre: int) -> asyncio.Task[Any]:
        """Return what opens the session with a data centre, or has opened it: one for all who ask."""
        opening = self._openings.get(centre)
        if opening is None or (opening.done() and _has_failed(opening)):
            opening = self._openings[centre] = asyncio.create_task(within(OPEN_TIMEOUT, self._open(centre)))
        return opening

    async def _open(self, centre: int) -> Any:
        client = self._client
        option = await client.get_dc_option(centre, ipv6=client.ipv6)
        place = centre, option.ip_address, option.port
        test_mode = await client.storage.test_mode()
        key = await Auth(client, *place, test_mode).create()
        there: Any = session.Session(client, *place, key, test_mode)
        try:
            await _accepted(there.start())
            await self._sign_in(centre, there)
        except BaseException:
            await finish(STOP_TIMEOUT, there.stop())
            raise
        self._replace_when_lost(centre, there)
        log.info("telegram.centre_connected", centre=centre)
        return there

    async def _sign_in(self, centre: int, there: Any) -> None:
        for attempt in range(1, SIGN_IN_ATTEMPTS + 1):
            exported = await self._client.invoke(functions.auth.ExportAuthorization(dc_id=centre), **ONCE)
            taken_along = functions.auth.ImportAuthorization(id=exported.id, bytes=exported.bytes)
            try:
                await _accepted(there.invoke(taken_along, **ONCE))
            except RPCError as error:
                if name(error) != "AUTH_BYTES_INVALID" or attempt == SIGN_IN_ATTEMPTS:
                    raise
            else:
                return

    def _replace_when_lost(self, centre: int, there: Any) -> None:
        """Forget the session if it can't be connected again."""
        restart = there.restart

        async def restart_or_forget() -> None:
            try:
                await restart()
            except Exception as error:  # noqa: BLE001 - the next call opens another
                log.warning("telegram.centre_lost", centre=centre, error=name(error))
                self._openings.pop(centre, None)

        there.restart = restart_or_forget

    async def _drop_all(self) -> None:
        await run_all(*(self._drop(centre, opening) for centre, opening in list(self._openings.items())))

    async def _drop(self, centre: int, opening: asyncio.Task[Any]) -> None:
        if self._openings.get(centre) is opening:
            del self._openings[centre]
        await finish(STOP_TIMEOUT, _end(opening))


async def _accepted(call: Awaitable[T]) -> T:
    """Return what a call at another data centre returns. Raises CentreRefused if that does not accept our sign-in."""
    try:
        return await call
    except Exception as error:
        if classify(error) is Fault.FATAL:
            raise CentreRefused(name(error)) from None
        raise


async def _end(opening: asyncio.Task[Any]) -> None:
    await cancel(opening)
    if not _has_failed(opening):
        await opening.result().stop()


def _has_failed(opening: asyncio.Task[Any]) -> bool:
    return opening.cancelled() or opening.exception() is not None
