"""Formatted answers in the sandbox's Telegram: taken as they are sent, found again, refused where Telegram refuses."""

import pytest
from pyrogram.enums import MessageEntityType
from pyrogram.errors import EntityBoundsInvalid
from pyrogram.raw import functions, types

from cli.demo.terminal import with_formatting
from edge.sandbox.server import Sandbox
from edge.userbot.formatting.messages import formatted_messages
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.messenger import TelegramMessenger

pytestmark = pytest.mark.usefixtures("repaired")

ANSWER = (
    "# Ответ 😀\n\n" + "* **раз**: `x_1` и _два_\n" * 250 + "```py\n" + "    a = 1\n" * 100 + "```\n[т](https://x.y)"
)
LOOKS = {
    "bold": MessageEntityType.BOLD,
    "italic": MessageEntityType.ITALIC,
    "code": MessageEntityType.CODE,
    "pre": MessageEntityType.PRE,
}


@pytest.fixture
async def messenger(people) -> TelegramMessenger:
    """Anna's."""
    await people.anna_client.resolve_peer("boris")
    return TelegramMessenger(
        people.anna_client, TelegramApi(people.anna_client, flood_waited=print), rate=100, on_updates=id
    )


async def test_every_part_arrives_as_it_was_sent_and_is_known_again_by_another_life(people, messenger) -> None:
    made = formatted_messages(ANSWER, formatted=True)
    assert len(made) > 1
    chat = str(people.boris.id)
    ids = [await messenger.send(chat, part, reply_to=None, random_id=n) for n, part in enumerate(made, 1)]
    assert [await messenger.find_own(chat, part.text, reply_to=None) for part in made] == ids
    seen = [message async for message in people.boris_client.get_chat_history("anna")]
    for part, message in zip(made, reversed(seen), strict=True):
        assert message.text == part.text
        assert [(look.type, look.offset, look.length) for look in message.entities] == [
            (LOOKS[entity.style], entity.offset, entity.length) for entity in part.entities
        ]


async def test_a_line_is_edited_into_a_formatted_answer_and_once_more_changes_nothing(people, messenger) -> None:
    chat = str(people.boris.id)
    line = await messenger.send(chat, FormattedText("Думаю…"), reply_to=None, random_id=1)
    [answer] = formatted_messages("Это **важно**", formatted=True)
    for _ in range(2):
        await messenger.edit(chat, line, answer)
    [message] = [message async for message in people.boris_client.get_chat_history("anna")]
    assert (message.text, message.text.html) == ("Это важно", "Это <b>важно</b>")
    await messenger.edit(chat, line, FormattedText("Это важно"))
    [message] = [message async for message in people.boris_client.get_chat_history("anna")]
    assert message.entities is None


async def send(people, text: str, *entities) -> None:
    peer = await people.anna_client.resolve_peer("boris")
    query = functions.messages.SendMessage(peer=peer, message=text, random_id=1, entities=list(entities))
    await people.anna_client.invoke(query)


async def test_formatting_out_of_bounds_is_refused_and_nothing_sent(people, telegram: Sandbox) -> None:
    for offset, length in [(0, 0), (0, 5), (4, 1), (-1, 2), (3, 1), (2, 1), (0, 3)]:
        with pytest.raises(EntityBoundsInvalid):
            await send(people, "ab😀", types.MessageEntityBold(offset=offset, length=length))
    assert telegram.messages(people.boris.id, people.anna.id) == []


async def test_more_than_a_hundred_entities_are_dropped_without_a_word(people, telegram: Sandbox) -> None:
    await send(people, "a" * 150, *(types.MessageEntityBold(offset=place, length=1) for place in range(150)))
    [message] = telegram.messages(people.boris.id, people.anna.id)
    assert len(message.entities) == 100


async def test_what_is_trimmed_takes_its_formatting_along(people, telegram: Sandbox) -> None:
    await send(
        people, "ab  ", types.MessageEntityBold(offset=0, length=4), types.MessageEntityItalic(offset=2, length=2)
    )
    [message] = telegram.messages(people.boris.id, people.anna.id)
    assert message.text == "ab"
    assert message.entities == [types.MessageEntityBold(offset=0, length=2)]


async def test_a_terminal_shows_formatting_by_its_own_means(people, messenger, telegram: Sandbox) -> None:
    [part] = formatted_messages("😀 **a `b`**, *c* ~~d~~", formatted=True)
    await messenger.send(str(people.boris.id), part, reply_to=None, random_id=1)
    [message] = [message async for message in people.boris_client.get_chat_history("anna")]
    [stored] = telegram.messages(people.boris.id, people.anna.id)
    shown = "😀 \x1b[1ma\x1b[22m \x1b[36mb\x1b[39m, \x1b[3mc\x1b[23m \x1b[9md\x1b[29m"
    assert with_formatting(message.text, message.entities) == with_formatting(stored.text, stored.entities) == shown
