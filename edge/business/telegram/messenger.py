"""Send messages for connected persons: through their connections, and as the bot in their chats with it."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from pyrogram import Client, raw

from edge.business.telegram.connection_api import ConnectionApi
from edge.userbot.chat_tokens import is_group
from edge.userbot.driving.messenger import Button, Messenger, Undeliverable
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.peers import Peers


class PersonMessenger:
    """Implements `Messenger` for one person.

    The chat whose id is the person's own is theirs with the bot, `as_bot` sends there; `through` sends elsewhere.
    """

    def __init__(self, person: str, *, as_bot: Messenger, through: Messenger) -> None:
        self._person = person
        self._as_bot = as_bot
        self._through = through

    def _to(self, chat: str) -> Messenger:
        return self._as_bot if chat == self._person else self._through

    async def send(
        self,
        chat: str,
        message: FormattedText,
        *,
        reply_to: int | None,
        random_id: int,
        buttons: Sequence[Button] = (),
    ) -> int:
        return await self._to(chat).send(chat, message, reply_to=reply_to, random_id=random_id, buttons=buttons)

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        await self._to(chat).edit(chat, message_id, message)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        return await self._to(chat).preview(chat, message_id, message)

    def is_slow(self, chat: str) -> bool:
        return self._to(chat).is_slow(chat)

    def takes_live_drafts(self, chat: str) -> bool:
        return self._to(chat).takes_live_drafts(chat)

    async def live_draft(self, chat: str, random_id: int, message: FormattedText) -> bool:
        return await self._to(chat).live_draft(chat, random_id, message)

    async def delete(self, chat: str, message_id: int) -> None:
        await self._to(chat).delete(chat, message_id)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        return await self._to(chat).find_own(chat, text, reply_to=reply_to)

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        return await self._to(chat).has_outcome(chat, message_id, thinking=thinking)

    async def find_chat(self, name: str) -> str | None:
        return await self._as_bot.find_chat(name)

    async def wrote_first(self, chat: str) -> bool | None:
        return await self._to(chat).wrote_first(chat)

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        await self._to(chat).react(chat, message_id, emoji)

    async def typing(self, chat: str) -> None:
        await self._to(chat).typing(chat)


class BotPeers(Peers):
    """The bot's own chats. For people who have written to it, Telegram needs no access hash, so none is remembered."""

    async def peer(self, chat: str) -> Any:
        if is_group(chat):
            raise Undeliverable(f"chat {chat} is not a person's")
        return raw.types.InputPeerUser(user_id=int(chat), access_hash=0)


class PersonPeers(BotPeers):
    """The people in a person's chats. Telegram gives each other hashes than the bot has for its own chats with them.

    `access_hash`: returns what came with their messages. Whoever is not among them is addressed as by the bot itself.
    """

    def __init__(self, client: Client, api: TelegramApi, access_hash: Callable[[str], int | None]) -> None:
        super().__init__(client, api)
        self._access_hash = access_hash

    async def peer(self, chat: str) -> Any:
        known = self._access_hash(chat)
        if known is None:
            return await super().peer(chat)
        return raw.types.InputPeerUser(user_id=int(chat), access_hash=known)


def messengers(
    client: Client,
    api: TelegramApi,
    *,
    rate: float,
    on_updates: Callable[[Any], None],
    through: Callable[[str], ConnectionApi],
) -> Callable[[str], Messenger]:
    """Return what makes the messenger of a person.

    `rate`: messages a second of all persons together. `through`: makes what calls Telegram as a person.
    """
    as_bot = TelegramMessenger(client, api, rate=rate, on_updates=on_updates).through(api, BotPeers(client, api))

    def messenger_of(person: str) -> Messenger:
        as_person = through(person)
        messenger = as_bot.through(as_person, PersonPeers(client, api, as_person.access_hash))
        return PersonMessenger(person, as_bot=as_bot, through=messenger)

    return messenger_of
