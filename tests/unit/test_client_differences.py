"""What differs between the two Telegram clients: the same values go in and come out with either."""

from io import BytesIO
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.raw.core import TLObject

from edge.userbot.telegram.client_differences import build, callback_buttons, callback_data, replied_id, reply_fields

types = raw.types


def sent(thing: Any) -> Any:
    """The same after it has been written and read, as the other side gets it."""
    return TLObject.read(BytesIO(thing.write()))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (types.messages.Messages, {"messages": [], "chats": [], "users": [types.UserEmpty(id=2)]}),
        (
            types.Dialog,
            {
                "peer": types.PeerUser(user_id=2),
                "top_message": 3,
                "read_inbox_max_id": 0,
                "read_outbox_max_id": 0,
                "unread_count": 1,
                "unread_mentions_count": 0,
                "unread_reactions_count": 0,
                "notify_settings": types.PeerNotifySettings(),
            },
        ),
    ],
)
def test_an_object_is_complete_in_the_layer_of_the_installed_client(kind: Any, fields: dict[str, Any]) -> None:
    there = sent(build(kind, **fields))
    assert {name: getattr(there, name) for name in fields} == fields


def test_a_field_that_may_not_be_empty_has_to_be_given() -> None:
    with pytest.raises(TypeError):
        build(types.Dialog)


@pytest.mark.parametrize("message_id", [3, None])
def test_a_message_replies_to_what_it_should_or_to_nothing(message_id: int | None) -> None:
    peer = types.InputPeerUser(user_id=2, access_hash=7)
    query = raw.functions.messages.SendMessage(peer=peer, message="да", random_id=1, **reply_fields(message_id))
    assert replied_id(sent(query)) == message_id


def test_a_row_of_buttons_carries_its_labels_and_data() -> None:
    buttons = [("Да", b"+"), ("Нет", b"-")]
    [row] = sent(callback_buttons(buttons)).rows
    assert [(button.text, callback_data(button)) for button in row.buttons] == buttons
