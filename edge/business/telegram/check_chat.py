"""The chat in which the check writes: between the person and a second account of theirs."""

import secrets
from dataclasses import dataclass
from typing import Any

from edge.business.telegram.check_calls import Answer, CheckedBot, functions
from edge.userbot.telegram.client_differences import build, reply_fields


@dataclass(frozen=True, slots=True)
class CheckedChat:
    """`word` is in every message. `partner`: the second account."""

    bot: CheckedBot
    word: str
    connection: Any
    partner: int

    @property
    def peer(self) -> Any:
        return self.bot.peer(self.partner)

    async def call(self, query: Any, connection: str = "") -> Answer:
        """Make a call through the connection, or another one."""
        own = self.connection
        return await self.bot.call_through(connection or own.connection_id, own.dc_id, query)

    async def write(self, text: str, *, random_id: int, reply_to: int | None = None, connection: str = "") -> Answer:
        query = send_message(self.peer, f"{self.word}: {text}", random_id=random_id, reply_to=reply_to)
        return await self.call(query, connection)

    async def refusal(self, text: str, *, connection: str = "") -> str:
        """Return why a message is refused; if it is not, delete it, and return an empty text."""
        answer = await self.write(text, random_id=new_random_id(), connection=connection)
        sent = [update.message.id for update in answer.updates if hasattr(update, "message")]
        if sent:
            await self.call(functions.messages.DeleteMessages(id=sent, revoke=True), connection)
        return answer.refusal


def new_random_id() -> int:
    return secrets.randbits(62) + 1


def send_message(peer: Any, text: str, *, random_id: int, reply_to: int | None = None, markup: Any = None) -> Any:
    """Return the call that sends a message."""
    fields = {"peer": peer, "message": text, "random_id": random_id, "reply_markup": markup}
    return build(functions.messages.SendMessage, **fields, **reply_fields(reply_to))
