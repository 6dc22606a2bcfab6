"""Telegram's API as a connected person: every call goes through the person's business connection."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from pyrogram import raw

from edge.business.connections import Connections
from edge.business.kept import Kept
from edge.business.reasons import CONNECTION_INVALID, NO_RIGHT_TO_REPLY, NOT_CONNECTED, Reason, reason_of
from edge.business.telegram.centres import Centres
from edge.userbot.driving.messenger import MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.telegram.api import CallRefused, Take, TelegramApi, drop
from events.runtime.tasks import within

functions: Any = raw.functions

STALE = {CONNECTION_INVALID, "DC_ID_INVALID"}
"""What is known of the connection is out of date."""
RENEWAL_PATIENCE = timedelta(seconds=5)
"""How long to wait for the update about another connection after one has become invalid, e.g. by a change of rights;
as long for what is missed to be fetched."""

log = structlog.get_logger(__name__)


class ConnectionApi:
    """Has the part of `TelegramApi` that a messenger needs, but through the connection of `person`.

    `refused` is called with the reason when Telegram or the person does not allow a call, so that the person gets to
    know. `fetch_missed`: returns once updates that may have been missed are taken in.
    """

    is_bot = True
    shows_chats = False
    counts_deletions = False

    def __init__(
        self,
        api: TelegramApi,
        centres: Centres,
        connections: Connections,
        person: str,
        *,
        refused: Callable[[str, Reason], Awaitable[None]],
        fetch_missed: Callable[[], Awaitable[None]],
    ) -> None:
        self._api = api
        self._centres = centres
        self._connections = connections
        self._refused = refused
        self._fetch_missed = fetch_missed
        self.account = person

    async def invoke(self, query: Any) -> Any:
        """Make a call once, as `TelegramApi.invoke` does. Raises CallRefused if the person's connection is over."""
        try:
            return await self._invoke(query)
        except CallRefused as error:
            if isinstance(query, functions.messages.SetTyping):
                raise  # it may be about live drafts only; if not, the message that follows is refused, too
            deletes = isinstance(query, functions.messages.DeleteMessages)
            if reason := reason_of(error.reason, deletes=deletes):
                await self._refused(self.account, reason)
            raise

    async def invoke_quietly(self, query: Any, *, take: Take = drop) -> str | None:
        """Make a call whose failure does not matter, once. Return the error's name, None if it succeeded."""
        try:
            kept = self._usable()
        except CallRefused as error:
            return error.reason
        return await self._api.invoke_quietly(query, call=self._through(kept), take=take)

    def access_hash(self, user: str) -> int | None:
        """Return what is needed to address somebody in the person's chats, None if it is not known."""
        kept = self._connections.of(self.account)
        return kept.peers.get(user) if kept else None

    async def _invoke(self, query: Any) -> Any:
        deletes = isinstance(query, functions.messages.DeleteMessages)
        kept = self._usable(deletes=deletes)
        try:
            return await self._api.invoke(query, call=self._through(kept))
        except UnknownAnswer:
            # E.g. a redirection to another data centre: the call is tried again, perhaps there.
            await self._ask_again(kept)
            raise
        except CallRefused as error:
            if error.reason not in STALE:
                raise
        await self._renew(kept)
        return await self._api.invoke(query, call=self._through(self._usable(deletes=deletes)))

    def _usable(self, *, deletes: bool = False) -> Kept:
        """Return the person's connection. Raises CallRefused if it is known to take no messages.

        `deletes`: for a call that deletes messages. After `/disconnect` that is all that is still done.
        """
        kept = self._connections.of(self.account)
        if kept is None or not kept.is_enabled or (kept.left and not deletes):
            raise CallRefused(NOT_CONNECTED)
        if not kept.may_reply:
            raise CallRefused(NO_RIGHT_TO_REPLY)
        return kept

    def _through(self, kept: Kept) -> Callable[[Any], Awaitable[Any]]:
        def call(query: Any) -> Awaitable[Any]:
            wrapped = functions.InvokeWithBusinessConnection(connection_id=kept.connection_id, query=query)
            return self._centres.invoke(wrapped, kept.dc_id)

        return call

    async def _renew(self, kept: Kept) -> None:
        """Wait until what is known of the connection is no longer `kept`, which Telegram does not accept.

        Raises CallRefused if that stays so although nothing is missed any more, otherwise MessengerError.
        """
        log.warning("connection.invalid", account=self.account, connection=kept.connection_id)
        if not kept.is_same(self._connections.of(self.account)):
            return
        await self._ask_again(kept)
        is_fetched = await self._has_fetched_missed()
        if await self._connections.changed(self.account, kept, patience=RENEWAL_PATIENCE):
            return
        if not is_fetched:
            raise MessengerError("the connection has changed, and Telegram has not told how yet; trying again")
        raise CallRefused(CONNECTION_INVALID)

    async def _has_fetched_missed(self) -> bool:
        """Fetch what may have been missed. Return whether that was done in time."""
        with suppress(TimeoutError):
            await within(RENEWAL_PATIENCE, self._fetch_missed())
            return True
        return False

    async def _ask_again(self, kept: Kept) -> None:
        """Keep what Telegram says of the connection now, if it knows it. Raises MessengerError."""
        with suppress(Undeliverable):
            await self._connections.ask_again(kept.connection_id)
