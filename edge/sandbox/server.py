"""A Telegram server in this process, on loopback: for tests and the demo, without an account or a network."""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Self, TypeVar

from edge.sandbox import mentions, messaging, render
from edge.sandbox.business_by_hand import BusinessByHand
from edge.sandbox.buttons import Press
from edge.sandbox.call import Push
from edge.sandbox.connections import Connections
from edge.sandbox.faults import Faults
from edge.sandbox.groups_by_hand import GroupsByHand
from edge.sandbox.live_drafts import LiveDraft
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.messaging import Content
from edge.sandbox.peers import is_group
from edge.sandbox.rpc_buttons import press_button
from edge.sandbox.state import Account, SandboxState, normal_phone
from edge.sandbox.tl import types
from events.errors import SettingsError
from events.runtime.clock import Clock

Value = TypeVar("Value")
UNREADABLE = bytes.fromhex("0badc0de")
"""The id of a constructor that no layer has."""
OLDEST_MESSAGE = 300
"""Seconds (https://core.telegram.org/mtproto/security_guidelines#checking-msg-id)."""


class Sandbox(BusinessByHand, GroupsByHand):
    """An MTProto server with users, private chats, groups and faults on demand.

    `async with Sandbox() as telegram: ...` listens on `host` (loopback only, unless `beyond_loopback`) and `port`
    (0: a free one).
    With the `state` of a closed sandbox it continues where that one ended, by default on the same port.
    Its clock is `clock`, else the state's, which is this machine's by default.

    Raises
    ------
    SettingsError
        The host is not a loopback address.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: SandboxState | None = None,
        clock: Clock | None = None,
        beyond_loopback: bool = False,
    ) -> None:
        self.state = state or SandboxState()
        self.state.clock = clock or self.state.clock
        self.faults = Faults(self.state.clock)
        self.state.address = (host if beyond_loopback else _loopback(host), port or self.state.address[1])
        self._connections = Connections(self.state, self.faults)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse_connections()

    @property
    def address(self) -> str:
        """host:port, as USERBOT_TELEGRAM_SERVER takes it."""
        host, port = self.state.address
        return f"{host}:{port}"

    @property
    def public_key_pem(self) -> str:
        """The text of the file that USERBOT_TELEGRAM_KEY names."""
        return self.state.key.public_pem

    def add_user(
        self,
        *,
        first_name: str,
        username: str | None = None,
        phone: str | None = None,
        bot: bool = False,
        business: bool = False,
        lang_code: str | None = None,
        password: str | None = None,
    ) -> Account:
        """Add a user who can sign in with `phone` and `login_code`, or as a bot with the account's `token`.

        `business`: people may connect the bot to their accounts.
        """
        return self.state.add_account(
            first_name=first_name,
            username=username,
            phone=phone,
            bot=bot,
            business=business,
            lang_code=lang_code,
            password=password,
        )

    def login_code(self, phone: str) -> str:
        """Return the code last sent to `phone`. Raises LookupError if there is none."""
        if sent := self.state.codes.get(normal_phone(phone)):
            return sent.code
        raise LookupError(f"no code is waiting for {phone}; ask for one first")

    def password(self, phone: str) -> str:
        """Return the second factor of the user with `phone`. Raises LookupError if there is none."""
        account = self.state.by_phone(phone)
        if account and account.password is not None:
            return account.password
        raise LookupError(f"{phone} has no password; sign in with the code alone")

    def messages(self, user_id: int, peer_id: int) -> list[StoredMessage]:
        """Return the messages that the user finds in the chat, oldest first, without service messages."""
        box = self.state.chat_box(self.state.accounts[user_id], peer_id)
        return [message for message in box.chat(peer_id) if not message.action]

    def typing(self, user_id: int, peer_id: int) -> list[str]:
        """Return the actions that `user_id` showed `peer_id`, oldest first: `typing`, `cancel` …"""
        return [seen.action for seen in self.state.typing if (seen.user_id, seen.peer_id) == (user_id, peer_id)]

    def live_drafts(self, user_id: int, peer_id: int) -> list[LiveDraft]:
        """Return the live drafts that `user_id` showed `peer_id`, oldest first."""
        return [draft for draft in self.state.live_drafts.seen if (draft.user_id, draft.peer_id) == (user_id, peer_id)]

    def live_draft(self, user_id: int, peer_id: int) -> LiveDraft | None:
        """Return the live draft of `user_id` that `peer_id` is shown now."""
        return self.state.live_drafts.shown(user_id, peer_id, self.state.now)

    def read_up_to(self, user_id: int, peer_id: int) -> int:
        """Return the id of the last message that the user has read in the chat, 0 if none."""
        return self.state.accounts[user_id].box.read_inbox.get(peer_id, 0)

    def pts(self, owner_id: int) -> int:
        """Return the pts of a user, or of a supergroup or channel."""
        return self.state.box(owner_id).pts

    def sessions(self, user_id: int) -> int:
        """Return the number of the user's connections that would get an update now."""
        return len(self._connections.listeners(user_id))

    def send(self, user_id: int, peer_id: int, text: str, *, reply_to: int | None = None) -> StoredMessage:
        """Write as a user who has no client here; return the user's own copy, or that of the supergroup."""
        accounts = self.state.accounts
        if is_group(peer_id):
            return self.send_to_group(user_id, peer_id, text, reply_to=reply_to)
        content = Content(text=text, reply_to=reply_to)
        message, events = messaging.send(self.state, accounts[user_id], accounts[peer_id], content)
        self._deliver(events)
        return message

    def edit(self, user_id: int, message_id: int, text: str, *, group_id: int = 0) -> None:
        """Change the user's own message, as `send` does for users without a client.

        `group_id`: the supergroup or channel whose message it is.
        """
        user = self.state.accounts[user_id]
        message = self.state.chat_box(user, group_id).messages[message_id]
        entities = mentions.with_usernames(text, None) if group_id else None
        self._deliver(messaging.edit(self.state, user, message, text, entities=entities))

    def delete(self, user_id: int, *message_ids: int, revoke: bool = True, group_id: int = 0) -> None:
        """Delete messages of the user's chats, unless `revoke` is false also for the others in the chats.

        `group_id`: the supergroup or channel whose messages they are.
        """
        user = self.state.accounts[user_id]
        box = self.state.chat_box(user, group_id)
        self._deliver(messaging.delete(self.state, user, [box.messages[id_] for id_ in message_ids], revoke=revoke))

    def add_contact(self, user_id: int, contact_id: int, *, name: str = "") -> None:
        """Make the contact one of the user's, known by `name`, else by its own."""
        accounts = self.state.accounts
        contact = accounts[contact_id]
        accounts[user_id].contacts[contact_id] = (name, "") if name else (contact.first_name, contact.last_name)

    def press(self, user_id: int, bot_id: int, message_id: int, data: bytes) -> Press:
        """Press a button of the user's copy of a bot's message. The bot's answer is the press's `answer`, once it came.

        Raises Refusal, e.g. if there is no such button.
        """
        accounts = self.state.accounts
        press, push = press_button(self.state, accounts[user_id], accounts[bot_id], message_id, data)
        self._connections.deliver([push])
        return press

    def rename(self, user_id: int, *usernames: str) -> None:
        """Change the usernames, the ordinary one first, and push the change to the user's sessions."""
        account = self.state.accounts[user_id]
        account.username, account.usernames = usernames[0] if usernames else None, usernames[1:]
        update = types.UpdateShort(update=render.renamed(account), date=self.state.now)
        self._connections.deliver([Push(user_id, update, counted=False)])

    def block(self, user_id: int, peer_id: int, *, blocked: bool = True) -> None:
        """Block or unblock the peer as the user. If the peer is a bot, it gets an update."""
        user, peer = self.state.accounts[user_id], self.state.accounts[peer_id]
        if stop := messaging.block(self.state, user, peer, blocked):
            updates = render.updates(self.state, peer, [render.stopped(stop)], [user.id])
            self._connections.deliver([Push(peer.id, updates, counted=False)])

    async def wait_for(self, predicate: Callable[[], Value], timeout: float | None = 10.0) -> Value:
        """Return the first true value of `predicate`, called again after every event. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not (value := predicate()):
                await self._connections.changed.wait()
        return value

    def push_unreadable(self, user_id: int) -> None:
        """Push an object that no client here can parse."""
        for connection in self._connections.listeners(user_id):
            connection.push(UNREADABLE)

    def push_outdated(self, user_id: int) -> None:
        """Push updates in a message that is so old that clients must not accept it."""
        for connection in self._connections.listeners(user_id):
            connection.push(types.UpdatesTooLong(), age=2 * OLDEST_MESSAGE)

    def begin_sessions_anew(self, user_id: int) -> None:
        """Announce that the server has lost the user's sessions, and the updates that it had not sent yet."""
        for connection in self._connections.listeners(user_id):
            connection.push(types.NewSessionCreated(first_msg_id=0, unique_id=1, server_salt=0))

    def change_salts(self, user_id: int) -> None:
        """Give the user's keys a new salt, as Telegram does every hour; the old one is refused from now on."""
        keys = self.state.auth_keys
        for id_, owner in self.state.logins.items():
            if owner == user_id:
                keys[id_] = replace(keys[id_], salt=secrets.token_bytes(8))

    def drop_connections(self, user_id: int | None = None) -> None:
        """Abort the connections of a user, or all; clients may reconnect at once."""
        for connection in list(self._connections.tasks) if user_id is None else self._connections.of_user(user_id):
            connection.drop()

    async def refuse_connections(self) -> None:
        """Abort all connections and close the port until `accept_connections`."""
        self._connections.accepting = False
        if self._server:
            self._server.close()
            self._server = None
        tasks = [task for task in self._connections.tasks.values() if task]
        self.drop_connections()
        await asyncio.gather(*tasks)

    async def accept_connections(self) -> None:
        """Listen on the same port again."""
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        host, port = self.state.address
        self._connections.accepting = True
        self._server = await asyncio.start_server(self._connections.serve, host, port)
        self.state.address = (host, self._server.sockets[0].getsockname()[1])


def _loopback(host: str) -> str:
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise SettingsError(f"the sandbox listens on loopback only, not on {host!r}; use 127.0.0.1")
    return host
