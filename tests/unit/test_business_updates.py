"""What updates about business connections say, in our form."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pyrogram import raw

from edge.business.connection import BusinessMessage, Connection, ConnectionChanged, MessageEdited, MessagesDeleted
from edge.business.telegram.updates import read_update, to_owned_message
from edge.sandbox.business_types import HAS_BUSINESS
from edge.userbot.chat.incoming import Incoming, OwnMessage
from edge.userbot.telegram import client_differences

if not HAS_BUSINESS:
    pytest.skip("pyrogram knows no business connections; kurigram does", allow_module_level=True)
types: Any = raw.types
PERSON, CHAT, BOT = "5", "6", "9"


def message(text: str = "hello", *, chat: int = 6, sender: int | None = None, **fields: Any) -> Any:
    author = types.PeerUser(user_id=sender) if sender else None
    return client_differences.build(
        types.Message, id=3, peer_id=types.PeerUser(user_id=chat), from_id=author, date=0, message=text, **fields
    )


def user(id_: int, **fields: Any) -> Any:
    return types.User(id=id_, access_hash=10 * id_, **fields)


def read(found: Any, *users: Any) -> Any:
    return to_owned_message(PERSON, BusinessMessage("a", found, {one.id: one for one in users}))


def test_a_partners_message_is_a_message_to_the_person() -> None:
    found = read(message("bot, hi", sender=6), user(6, first_name="Ann", username="Ann"))
    assert isinstance(found, Incoming)
    assert (found.account, found.chat, found.text, found.sender.usernames) == (PERSON, CHAT, "bot, hi", {"ann"})


def test_a_forwarded_message_is_known_as_such() -> None:
    forward = types.MessageFwdHeader(date=0)
    assert read(message(sender=6, fwd_from=forward), user(6)).forwarded


@pytest.mark.parametrize("through_us", [True, False])
def test_what_went_through_the_connection_is_ours_and_what_did_not_is_the_persons(through_us) -> None:
    found = read(message(out=True, sender=5, via_business_bot_id=int(BOT) if through_us else None))
    assert isinstance(found, OwnMessage)
    assert (found.account, found.chat, found.is_ours) == (PERSON, CHAT, through_us)


@pytest.mark.parametrize(
    ("found", "users"),
    [
        (message("greeting", out=True, sender=5, offline=True), []),
        (message("/pause", chat=5, sender=5), []),
        (message("", sender=6), [user(6)]),
        (message("hi", sender=6), [user(6, bot=True)]),
        (message("bot, hi", sender=6, via_business_bot_id=8), [user(6)]),
        (types.MessageEmpty(id=3), []),
    ],
    ids=["Telegram's greeting", "Saved Messages", "media without words", "a bot's", "through a connected bot", "empty"],
)
def test_what_changes_nothing_is_left_out(found, users) -> None:
    assert read(found, *users) is None


def test_a_photo_that_the_person_sends_is_the_persons_turn() -> None:
    assert read(message("", out=True, sender=5)).text == ""


def test_the_partner_is_addressed_by_the_hash_that_came_with_the_message() -> None:
    found = message(out=True, sender=5)
    assert BusinessMessage("a", found, {5: user(5), 6: user(6)}).access_hash == 60
    assert BusinessMessage("a", found, {6: user(6, min=True)}).access_hash is None
    assert BusinessMessage("a", types.MessageEmpty(id=3), {}).access_hash is None


def test_updates_are_read() -> None:
    rights = types.BusinessBotRights(reply=True)
    connection = types.BotBusinessConnection(connection_id="a", user_id=5, dc_id=4, date=0, rights=rights)
    made = datetime.fromtimestamp(0, UTC)
    changed = read_update(types.UpdateBotBusinessConnect(connection=connection, qts=1), {})
    assert changed == ConnectionChanged(Connection("a", PERSON, 4, made, is_enabled=True, may_reply=True))
    gone = types.UpdateBotDeleteBusinessMessage(
        connection_id="a", peer=types.PeerUser(user_id=6), messages=[1, 2], qts=2
    )
    assert read_update(gone, {}) == MessagesDeleted("a", CHAT, (1, 2))
    edited = types.UpdateBotEditBusinessMessage(connection_id="a", message=message("new", sender=6), qts=3)
    assert read_update(edited, {}) == MessageEdited("a", CHAT, 3, "new")
    own = types.UpdateBotEditBusinessMessage(connection_id="a", message=message("new", out=True, sender=5), qts=4)
    assert read_update(own, {}) is None
