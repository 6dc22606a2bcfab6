"""People in a group, their stock clients, and what the clients are pushed."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyrogram import Client
from pyrogram.raw import functions, types

from edge.sandbox.groups import Group
from edge.sandbox.peers import bare_id, is_channel
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account

PATIENCE = 10
Kind = TypeVar("Kind")


@dataclass(eq=False)
class Member:
    """A user with a stock client, and the updates that are pushed to it, one by one."""

    telegram: Sandbox
    account: Account
    client: Client
    pushed: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    batches: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client.handle_updates = self._take

    async def _take(self, updates: Any) -> None:
        self.batches.append(updates)
        for update in getattr(updates, "updates", None) or [getattr(updates, "update", updates)]:
            self.pushed.put_nowait(update)

    async def next(self, kind: type[Kind]) -> Kind:
        """Return the next update of this kind, and leave out the others."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(update := await self.pushed.get(), kind):
                pass
        return update

    def peer(self, group: Group) -> Any:
        if not is_channel(group.id):
            return types.InputPeerChat(chat_id=bare_id(group.id))
        return types.InputPeerChannel(channel_id=bare_id(group.id), access_hash=self._hash(group))

    def channel(self, group: Group) -> Any:
        return types.InputChannel(channel_id=bare_id(group.id), access_hash=self._hash(group))

    async def send(self, group: Group, text: str, *, random_id: int | None = None, **fields: Any) -> Any:
        """Send a message, and return the message that the result has."""
        query = functions.messages.SendMessage(
            peer=self.peer(group), message=text, random_id=random_id or self.client.rnd_id(), **fields
        )
        updates = (await self.invoke(query)).updates
        return next(update.message for update in updates if hasattr(update, "message"))

    async def invoke(self, query: Any) -> Any:
        return await self.client.invoke(query, sleep_threshold=0)

    async def difference(self, group: Group, pts: int, limit: int = 100) -> Any:
        return await self.invoke(
            functions.updates.GetChannelDifference(
                channel=self.channel(group), filter=types.ChannelMessagesFilterEmpty(), pts=pts, limit=limit
            )
        )

    async def history(self, group: Group, **fields: int) -> Any:
        return await self.invoke(functions.messages.GetHistory(peer=self.peer(group), **PAGE | fields))

    def _hash(self, group: Group) -> int:
        return self.telegram.state.access_hash(self.account.id, group.id)


PAGE = {"offset_id": 0, "offset_date": 0, "add_offset": 0, "limit": 100, "max_id": 0, "min_id": 0, "hash": 0}


def reply_to(message_id: int, top_id: int | None = None) -> dict[str, Any]:
    """Return the fields of a SendMessage: newer layers have an object there."""
    if hasattr(types, "InputReplyToMessage"):
        return {"reply_to": types.InputReplyToMessage(reply_to_msg_id=message_id, top_msg_id=top_id)}
    return {"reply_to_msg_id": message_id, "top_msg_id": top_id}
