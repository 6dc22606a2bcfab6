"""A bot with a stock client, and what it is told about the accounts that are connected to it."""

import asyncio
from typing import Any

from pyrogram import Client
from pyrogram.raw import functions, types

from edge.sandbox.state import Account

PATIENCE = 10


async def ignore_updates(_updates: Any) -> None:
    """What a client does with updates before it is stopped, as it would meet a session that is closed."""


class Bot:
    """`told` are the updates that were pushed to it, with the users that came along by id."""

    def __init__(self, account: Account, client: Client) -> None:
        self.account = account
        self.client = client
        self.told: asyncio.Queue[Any] = asyncio.Queue()
        self.users: dict[int, Any] = {}
        client.handle_updates = self._take

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self.told.get()

    async def state(self) -> Any:
        return await self.client.invoke(functions.updates.GetState())

    async def difference(self, pts: int, qts: int, **limits: int) -> Any:
        return await self.client.invoke(functions.updates.GetDifference(pts=pts, date=0, qts=qts, **limits))

    def peer(self, user_id: int) -> Any:
        return types.InputPeerUser(user_id=user_id, access_hash=self.users[user_id].access_hash)

    async def send(self, connection: str, user_id: int, text: str, random_id: int = 1, reply_to: int = 0) -> Any:
        """Write through the connection, over its data centre, and return the one update of the result."""
        answered = types.InputReplyToMessage(reply_to_msg_id=reply_to) if reply_to else None
        query = functions.messages.SendMessage(
            peer=self.peer(user_id), message=text, random_id=random_id, reply_to=answered
        )
        return await self.one(connection, query)

    async def invoke(self, connection: str, query: Any) -> Any:
        return await self.client.invoke(query, business_connection_id=connection)

    async def invoke_once(self, connection: str, query: Any) -> Any:
        """Call over the main data centre. `invoke` repeats what fails for a reason on Telegram's side."""
        wrapped = functions.InvokeWithBusinessConnection(connection_id=connection, query=query)
        return await self.client.session.send(wrapped)

    async def one(self, connection: str, query: Any) -> Any:
        [update] = (await self.invoke(connection, query)).updates
        return update

    async def _take(self, updates: Any) -> None:
        self.users |= {user.id: user for user in getattr(updates, "users", ())}
        for update in getattr(updates, "updates", ()):
            self.told.put_nowait(update)
