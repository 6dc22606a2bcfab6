"""What differs between pyrogram 2.0.106 (layer 158) and its fork kurigram, chosen by what the installed client has.

Both are imported as `pyrogram`. Everything else is written for both.
"""

import inspect
from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache
from typing import Any, TypeVar

import pyrogram
from pyrogram import Client, raw
from pyrogram.connection import Connection
from pyrogram.raw.core import TLObject
from pyrogram.session import internals
from pyrogram.session.auth import Auth
from pyrogram.session.internals import MsgFactory, MsgId
from pyrogram.storage import sqlite_storage

Made = TypeVar("Made", bound=TLObject)

HTTPS = 443
EMPTY: dict[str, Callable[[], Any]] = {"list": list, "int": int}
"""What makes the empty values of the fields that newer layers require."""
CLIENT_OPTIONS = {
    "skip_updates": True,  # kurigram fetches missed updates by itself, with a state of its own
    "fetch_replies": False,
    "fetch_topics": False,
    "fetch_stories": False,
    "fetch_stickers": False,
}
"""What switches off kurigram's own calls."""


# Telegram's types


def build(kind: Callable[..., Made], **fields: Any) -> Made:
    """Return an object of Telegram's; fields that the installed layer requires in addition are empty."""
    return kind(**{name: empty() for name, empty in _required(kind).items()} | fields)


def reply_fields(message_id: int | None, topic: int = 0) -> dict[str, Any]:
    """Return the fields of a `SendMessage` that say what it replies to: newer layers have an object there.

    In a forum's topic what replies to nothing names the message that began it
    (https://core.telegram.org/constructor/inputReplyToMessage).
    """
    reply = {"reply_to_msg_id": message_id or topic or None, "top_msg_id": (topic or None) if message_id else None}
    if not _takes(raw.functions.messages.SendMessage, "reply_to"):
        return reply
    types: Any = raw.types
    return {"reply_to": types.InputReplyToMessage(**reply) if reply["reply_to_msg_id"] else None}


def replied_id(query: Any) -> int | None:
    """Return what a `SendMessage` replies to."""
    return getattr(getattr(query, "reply_to", query), "reply_to_msg_id", None)


def top_id(query: Any) -> int | None:
    """Return the topic that a `SendMessage` names for its reply."""
    return getattr(getattr(query, "reply_to", query), "top_msg_id", None)


def callback_buttons(buttons: list[tuple[str, bytes]]) -> Any:
    """Return the markup of a row of buttons with a label and data: newer layers have other types for them."""
    types: Any = raw.types
    if hasattr(types, "KeyboardButtonCallback"):
        row = [types.KeyboardButtonCallback(text=label, data=data) for label, data in buttons]
        return types.ReplyInlineMarkup(rows=[types.KeyboardButtonRow(buttons=row)])
    row = [
        types.KeyboardInlineButton(text=label, type=types.InlineButtonTypeCallback(data=data))
        for label, data in buttons
    ]
    return types.ReplyInlineMarkup(rows=[types.KeyboardInlineButtonRow(buttons=row)])


def callback_data(button: Any) -> bytes | None:
    """Return the data of a button that a press sends to the bot, None for another button."""
    data = getattr(getattr(button, "type", button), "data", None)
    return data if isinstance(data, bytes) else None


HAS_LIVE_DRAFTS = hasattr(raw.types, "SendMessageTextDraftAction")


def live_draft(random_id: int, text: str, entities: list[Any]) -> Any:
    """Return the action that shows a text while it is written. Only if `HAS_LIVE_DRAFTS`."""
    types: Any = raw.types
    text_with_entities = types.TextWithEntities(text=text, entities=entities)
    return types.SendMessageTextDraftAction(random_id=random_id, text=text_with_entities)


# The client


def client_options() -> dict[str, Any]:
    """Return the arguments for `Client` that leave it to us to fetch updates."""
    return {name: value for name, value in CLIENT_OPTIONS.items() if _takes(Client, name)}


# Connecting


def telegram_address(data_centre: int) -> tuple[str, int]:
    """Return the address of one of Telegram's own servers."""
    if hasattr(internals, "DataCenter"):
        return internals.DataCenter(data_centre, False, False, False)
    return sqlite_storage.PROD[data_centre], HTTPS  # type: ignore[attr-defined]


def pack_unencrypted(data: TLObject, now: float) -> bytes:
    """Return the packet of a call that is made before there is a key."""
    pack: Any = Auth.pack
    packet: bytes = pack(data, now) if _takes(pack, "server_time") else pack(data)
    return packet


def make_factory(client: Any) -> Any:
    """Return what numbers a new session's messages."""
    factory: Any = MsgFactory
    return factory(client) if _takes(factory, "client") else factory()


async def make_message(session: Any, body: TLObject) -> Any:
    """Return a call as a message of the session."""
    factory = session.msg_factory
    return await factory.create(body) if hasattr(factory, "create") else factory(body)


def make_connection(session: Any) -> Any:
    """Return the session's next connection: kurigram keeps the server's address in the session."""
    client = session.client
    if not hasattr(session, "server_address"):
        return Connection(session.dc_id, session.test_mode, client.ipv6, client.proxy, session.is_media)
    return client.connection_factory(
        dc_id=session.dc_id,
        server_address=session.server_address,
        port=session.port,
        test_mode=session.test_mode,
        proxy=client.proxy,
        media=session.is_media,
        protocol_factory=client.protocol_factory,
        loop=client.loop,
    )


def greeting_fields(client: Any) -> dict[str, Any]:
    """Return what a client says of its languages when it connects."""
    lang_code = client.lang_code
    return {
        "system_lang_code": getattr(client, "system_lang_code", lang_code),
        "lang_code": lang_code,
        "lang_pack": getattr(client, "lang_pack", ""),
    }


def crypto_executor(connection: Any) -> Executor | None:
    """Return where packets are encrypted: kurigram has a thread for each connection, None before it is made."""
    shared: Executor | None = getattr(pyrogram, "crypto_executor", None)
    return shared or getattr(getattr(connection, "protocol", None), "crypto_executor", None)


def dropped_messages(session: Any) -> int:
    """Return how many messages in a row kurigram has dropped; pyrogram closes the connection instead."""
    return int(getattr(session, "ignore_count", 0))


def use_server_time(message_id: Callable[[], int], now: Callable[[], float]) -> None:
    """Make the client take message ids and the time from these: each client has its own clock in its own place."""
    MsgId.__new__ = lambda cls: message_id()  # type: ignore[method-assign]
    if hasattr(Client, "server_time"):
        Client.server_time = property(lambda client: now())
        MsgFactory.allocate_message_identity = _async(message_id)  # type: ignore[attr-defined]


def _async(answer: Callable[[], int]) -> Any:
    async def method(_self: Any) -> int:
        return answer()

    return method


@cache
def _required(kind: Callable[..., Any]) -> dict[str, Callable[[], Any]]:
    """Return the required fields of a type of Telegram's that may be empty, each with what makes it so."""
    parameters = inspect.signature(kind).parameters.values()
    required = {one.name: _kind_of(one.annotation) for one in parameters if one.default is one.empty}
    return {name: EMPTY[kind] for name, kind in required.items() if kind in EMPTY}


def _kind_of(annotation: Any) -> str:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return name.rpartition("typing.")[2].partition("[")[0].lower()


def _takes(called: Callable[..., Any], name: str) -> bool:
    return name in inspect.signature(called).parameters
