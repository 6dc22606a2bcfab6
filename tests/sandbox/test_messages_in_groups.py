"""Sending to groups and topics, and looking for what was sent there, in the sandbox's Telegram."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from pyrogram import Client

from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.server import use_server
from tests.sandbox.test_looking_up import messenger_of

pytestmark = pytest.mark.usefixtures("repaired")


@dataclass
class Forum:
    """A forum with a topic, whose creator, Boris, writes; `us` send there."""

    telegram: Sandbox
    group: Group
    topic_id: int
    boris: Account
    us: Account
    messenger: TelegramMessenger
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def chat(self) -> str:
        return f"{self.group.id}t{self.topic_id}"

    def asks(self, text: str = "a question", **place: int | None) -> StoredMessage:
        return self.telegram.send_to_group(self.boris.id, self.group.id, text, **place)

    async def answers(self, text: str = "an answer", *, chat: str = "", reply_to: int | None = None) -> StoredMessage:
        id_ = await self.messenger.send(
            chat or self.chat, FormattedText(text), reply_to=reply_to, random_id=next(self.numbers)
        )
        return next(one for one in self.telegram.messages(self.boris.id, self.group.id) if one.id == id_)


@pytest.fixture
def forum(telegram: Sandbox, people) -> Forum:
    anna, boris = people.anna, people.boris
    group = telegram.add_group("Readers", [boris.id, anna.id], forum=True)
    topic = telegram.add_topic(boris.id, group.id, "Novels")
    return Forum(telegram, group, topic.id, boris, anna, messenger_of(people.anna_client, []))


@pytest.fixture
async def bots_forum(telegram: Sandbox, boris: Account) -> AsyncIterator[Forum]:
    robot = telegram.add_user(first_name="Robot", username="robot", bot=True)
    use_server(telegram.address, telegram.public_key_pem)
    async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        group = telegram.add_group("Readers", [boris.id, robot.id], forum=True)
        topic = telegram.add_topic(boris.id, group.id, "Novels")
        await client.get_chat(group.id)
        yield Forum(telegram, group, topic.id, boris, robot, messenger_of(client, []))


@pytest.fixture(params=["user", "bot"])
def any_forum(request: pytest.FixtureRequest) -> Forum:
    return request.getfixturevalue("forum" if request.param == "user" else "bots_forum")


async def test_a_reply_and_a_message_to_nobody_stay_in_the_topic(any_forum) -> None:
    question = any_forum.asks(topic_id=any_forum.topic_id)
    for reply_to in (question.id, None):
        sent = await any_forum.answers(reply_to=reply_to)
        assert (sent.in_topic, sent.top_id, sent.reply_to) == (True, any_forum.topic_id, reply_to)


@pytest.mark.parametrize("refused", [True, False])
async def test_the_answer_to_a_deleted_message_stays_in_the_topic(any_forum, refused) -> None:
    if not refused:
        any_forum.telegram.faults.unknown_reply = None
    question = any_forum.asks(topic_id=any_forum.topic_id)
    any_forum.telegram.delete(any_forum.boris.id, question.id, group_id=any_forum.group.id)
    sent = await any_forum.answers(reply_to=question.id)
    assert (sent.in_topic, sent.top_id, sent.reply_to) == (True, any_forum.topic_id, None)


async def test_outside_of_topics_messages_go_to_the_group(any_forum) -> None:
    question = any_forum.asks()
    sent = await any_forum.answers(chat=str(any_forum.group.id), reply_to=question.id)
    assert (sent.in_topic, sent.reply_to) == (False, question.id)


async def test_what_was_sent_is_found_in_its_topic_only(any_forum) -> None:
    messenger, group = any_forum.messenger, str(any_forum.group.id)
    first, other = any_forum.asks(topic_id=any_forum.topic_id), any_forum.asks()
    assert await messenger.find_own(any_forum.chat, "an answer", reply_to=first.id) is None
    line = await any_forum.answers("line", reply_to=first.id)
    sent = await any_forum.answers(reply_to=line.id)
    elsewhere = await any_forum.answers("elsewhere", chat=group, reply_to=other.id)
    for _ in range(60):
        any_forum.asks("noise")
    assert await messenger.find_own(any_forum.chat, "an answer", reply_to=line.id) == sent.id
    assert await messenger.find_own(any_forum.chat, "elsewhere", reply_to=other.id) is None
    assert await messenger.find_own(group, "elsewhere", reply_to=other.id) == elsewhere.id


async def test_the_outcome_of_a_question_is_found_in_its_topic(any_forum) -> None:
    question, later = (any_forum.asks(topic_id=any_forum.topic_id) for _ in range(2))
    line = await any_forum.answers("line", reply_to=question.id)
    await any_forum.answers(reply_to=line.id)
    found = [
        await any_forum.messenger.has_outcome(any_forum.chat, one.id, thinking={"line"}) for one in (question, later)
    ]
    assert found == [True, False]


async def test_typing_is_shown_in_the_topic(forum) -> None:
    await forum.messenger.typing(forum.chat)
    [typing] = forum.telegram.state.typing
    assert (typing.user_id, typing.peer_id, typing.topic_id) == (forum.us.id, forum.group.id, forum.topic_id)


async def test_a_reaction_is_shown_and_a_refused_one_harms_nothing(forum) -> None:
    question = forum.asks(topic_id=forum.topic_id)
    for emoji in ("👀", "👀", "no such thing", "👍"):
        await forum.messenger.react(forum.chat, question.id, emoji)
    assert question.reactions[forum.us.id].emoji == "👍"
    forum.telegram.delete(forum.boris.id, question.id, group_id=forum.group.id)
    await forum.messenger.react(forum.chat, question.id, "👀")


async def test_our_message_is_deleted_in_the_group(any_forum) -> None:
    sent = await any_forum.answers()
    for _ in range(2):
        await any_forum.messenger.delete(any_forum.chat, sent.id)
    assert sent not in any_forum.telegram.messages(any_forum.boris.id, any_forum.group.id)
