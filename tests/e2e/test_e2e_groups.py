"""Groups and topics: who is answered there and where, what was missed, and what Telegram does not allow."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from tests.e2e.conftest import BOT_TOO, THINKING, WAIT, Product, product
from tests.e2e.test_e2e_owner_first import a_new_second

ASKED = "Тимоха, "


@dataclass
class Readers:
    """A product whose owner lists one supergroup; Anna, its creator, and Boris write there, and in another."""

    made: Product
    group: Group
    other: Group
    anna: Account
    boris: Account

    def says(self, text: str, *, by: Account | None = None, group: Group | None = None, **place: int) -> StoredMessage:
        return self.made.telegram.send_to_group((by or self.boris).id, (group or self.group).id, text, **place)

    def all_written(self, group: Group | None = None) -> list[StoredMessage]:
        """What was sent from the owner's account in a group."""
        found = self.made.telegram.messages(self.anna.id, (group or self.group).id)
        return [message for message in found if message.sender_id == self.made.owner.id and not message.action]

    def written(self, group: Group | None = None) -> list[StoredMessage]:
        """The same without the thinking lines."""
        return [message for message in self.all_written(group) if message.text not in THINKING]

    async def followed(self, group: Group) -> None:
        """The group's changes are taken in: what is written in it from now on counts."""
        done = ('"catch_up.done"', f'"group": "{group.id}"')
        async with asyncio.timeout(WAIT):
            while not any(all(part in line for part in done) for line in self.made.log("userbot").splitlines()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)

    async def answered(self, *texts: str, group: Group | None = None) -> list[StoredMessage]:
        """Wait until the userbot has written these texts in the group, and nothing else."""
        await self.made.until(lambda: len(self.written(group)) >= len(texts))
        assert [message.text for message in self.written(group)] == list(texts)
        return self.written(group)

    async def answers_another(self) -> None:
        """By then an answer to what was written before would have been sent."""
        other = self.made.visitor()
        self.made.says(other, f"{ASKED}привет")
        await self.made.until(lambda: self.made.answers(other))


MakeReaders = Callable[..., Awaitable[Readers]]


@pytest.fixture
async def make_readers(tmp_path: Path) -> AsyncIterator[MakeReaders]:
    async with AsyncExitStack() as stack:

        async def make(
            *, bot: bool = False, forum: bool = False, supergroup: bool = True, listed: int = 1, **settings: str
        ) -> Readers:
            made = await stack.enter_async_context(product(tmp_path, bot=bot, **settings))
            anna, boris = made.visitor(), made.visitor()
            people = [anna.id, boris.id, made.owner.id]
            group, other = (
                made.telegram.add_group(title, people, supergroup=supergroup, forum=forum and supergroup)
                for title in ("Readers", "Writers")
            )
            names = [str(one.id) for one in (group, other)[:listed]]
            made.settings |= {"USERBOT_GROUPS": ",".join(names)} if names else {}
            await made.start()
            await made.ready()
            readers = Readers(made, group, other, anna, boris)
            for one in (group, other)[: listed if supergroup else 0]:
                await readers.followed(one)
            return readers

        yield make


@pytest.mark.parametrize("bot", BOT_TOO)
@pytest.mark.parametrize("supergroup", [True, False], ids=["supergroup", "basic"])
async def test_a_listed_group_is_answered_and_no_other(make_readers, bot, supergroup) -> None:
    readers = await make_readers(bot=bot, supergroup=supergroup, USERBOT_TRIGGERS="mentions", USERBOT_DEBOUNCE="0.2")
    readers.says(f"{ASKED}один", group=readers.other)
    first = readers.says(f"{ASKED}два")
    [answer] = await readers.answered("два")
    thinking = next(
        one for one in readers.made.telegram.messages(readers.anna.id, readers.group.id) if one.id == answer.reply_to
    )
    assert supergroup is False or thinking.reply_to == first.id
    readers.says("просто слова")
    readers.says("@timokha, три")
    readers.says("@timokha, четыре", group=readers.other)
    await readers.answered("два", "@timokha, три")
    await readers.answers_another()
    await readers.answered(group=readers.other)


async def test_what_the_owner_writes_in_a_group_pauses_it_there_only_if_it_is_answered(make_readers) -> None:
    readers = await make_readers()
    await a_new_second()
    for group in (readers.other, readers.group):
        readers.says("отвечу сам", by=readers.made.owner, group=group)
    await readers.made.logged("owner_wrote")
    readers.says(f"{ASKED}привет")
    await readers.made.logged('"paused"')
    await readers.answers_another()
    await readers.answered("отвечу сам")
    assert readers.made.log("userbot").count("owner_wrote") == 1


async def test_a_topics_answer_stays_in_the_topic_and_has_its_own_context(make_readers) -> None:
    readers = await make_readers(forum=True)
    topic = readers.made.telegram.add_topic(readers.anna.id, readers.group.id, "Novels")
    readers.says(f"{ASKED}в теме", topic_id=topic.id)
    [answer] = await readers.answered("в теме")
    assert (answer.in_topic, answer.top_id) == (True, topic.id)
    readers.says(f"{ASKED}в общей")
    _, answer = await readers.answered("в теме", "в общей")
    assert not answer.in_topic
    log = readers.made.log("userbot")
    assert f"{readers.group.id}t{topic.id}" in log


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_questions_from_a_downtime_are_each_answered_once_in_supergroups_too(make_readers, bot) -> None:
    readers = await make_readers(bot=bot, USERBOT_WHEN_BUSY="queue")
    readers.made.telegram.faults.slice_size = 4
    await readers.made.processes["userbot"].stop()
    asked = [f"вопрос {number}" for number in range(3)]
    for text in asked:
        readers.says(ASKED + text)
        readers.says("просто слова")
    await readers.made.start("userbot")
    await readers.answered(*asked)
    readers.says(f"{ASKED}последний")
    await readers.answered(*asked, "последний")
    assert len(readers.all_written()) == 2 * 4


async def test_a_killed_userbot_answers_each_question_of_a_group_once(make_readers) -> None:
    readers = await make_readers(USERBOT_WHEN_BUSY="queue", GENERATE_ECHO_DELAY="0.5")
    await readers.made.processes["userbot"].stop()
    readers.says(f"{ASKED}до запуска")
    await readers.made.start("userbot")
    await readers.answered("до запуска")
    for number in range(3):
        readers.says(f"{ASKED}вопрос {number}")
        await readers.made.until(lambda number=number: len(readers.all_written()) > 2 * (number + 1))
        await readers.made.kill("userbot")
        await readers.made.start("userbot")
    await readers.answered("до запуска", *(f"вопрос {number}" for number in range(3)))


async def test_what_was_lost_or_too_much_to_be_told_live_is_fetched(make_readers) -> None:
    readers = await make_readers(USERBOT_WHEN_BUSY="queue")
    telegram, us = readers.made.telegram, readers.made.owner.id
    telegram.faults.suppress_pushes(us, channel_id=readers.group.id)
    readers.says(f"{ASKED}потерян")
    telegram.faults.repeat_pushes(us, channel_id=readers.group.id)
    readers.says(f"{ASKED}дважды")
    await readers.answered("потерян", "дважды")
    telegram.faults.suppress_pushes(us, channel_id=readers.group.id)
    readers.says(f"{ASKED}слишком много")
    telegram.push_channel_too_long(us, readers.group.id, with_pts=True)
    await readers.answered("потерян", "дважды", "слишком много")


@pytest.mark.slow
async def test_nothing_is_lost_if_a_groups_difference_is_too_long(make_readers) -> None:
    readers = await make_readers(USERBOT_WHEN_BUSY="queue")
    await readers.made.processes["userbot"].stop()
    for number in range(3):
        readers.says(f"{ASKED}вопрос {number}")
    readers.made.telegram.faults.longest_difference = 2
    await readers.made.start("userbot")
    await readers.answered(*(f"вопрос {number}" for number in range(3)))


async def test_a_group_that_telegram_does_not_show_harms_no_other_and_is_answered_once_it_does(make_readers) -> None:
    readers = await make_readers(listed=2, USERBOT_WHEN_BUSY="queue")
    telegram, us = readers.made.telegram, readers.made.owner.id
    telegram.remove(us, readers.group.id)
    await readers.made.logged("group.not_shown")
    readers.says(f"{ASKED}нас нет")
    readers.says(f"{ASKED}а тут мы", group=readers.other)
    await readers.answered("а тут мы", group=readers.other)
    telegram.join(us, readers.group.id)
    readers.says(f"{ASKED}мы снова тут")
    await readers.answered("нас нет", "мы снова тут")
    assert readers.made.log("userbot").count("group.not_shown") == 1


@pytest.mark.slow
async def test_a_group_whose_changes_telegram_does_not_give_holds_up_no_other(make_readers) -> None:
    readers = await make_readers(listed=2)
    telegram, us = readers.made.telegram, readers.made.owner.id
    await readers.made.processes["userbot"].stop()
    for group in (readers.group, readers.other):
        readers.says(f"{ASKED}пропущен", group=group)
    for method in ("channels.GetFullChannel", "updates.GetChannelDifference"):
        telegram.faults.refuse(us, 500, "INTERDC_1_CALL_ERROR", method=method, times=None, peer_id=readers.group.id)
    await readers.made.start("userbot")
    await readers.answered("пропущен", group=readers.other)
    readers.says(f"{ASKED}живой")
    await readers.answered("живой")
    telegram.faults.stop_refusing(us)
    await readers.answered("живой", "пропущен")


async def test_the_list_of_groups_changes_without_a_restart(make_readers, tmp_path) -> None:
    readers = await make_readers(listed=0, TIMOKHA_CONFIG=str(tmp_path / "timokha.toml"))
    readers.says(f"{ASKED}рано")
    (tmp_path / "timokha.toml").write_text(f'[userbot]\ngroups = ["{readers.group.id}"]\n')
    await readers.followed(readers.group)
    readers.says(f"{ASKED}пора")
    await readers.answered("пора")


async def test_in_a_slow_group_the_answer_comes_first_and_no_other_chat_waits(make_readers) -> None:
    readers = await make_readers(USERBOT_WHEN_BUSY="queue")
    readers.made.telegram.set_slow_mode(readers.group.id, 3)
    for text in ("один", "два"):
        readers.says(ASKED + text)
    await readers.answered("один")
    await readers.answers_another()
    await readers.answered("один", "два")
    assert len(readers.all_written()) == 2  # no thinking lines
    assert "telegram.flood_wait" not in readers.made.log("userbot")


@pytest.mark.slow
async def test_if_only_a_refusal_tells_of_a_slow_mode_the_thinking_line_is_left_out(make_readers) -> None:
    readers = await make_readers()
    telegram, us = readers.made.telegram, readers.made.owner.id
    telegram.faults.refuse(us, 420, "SLOWMODE_WAIT_1", peer_id=readers.group.id)
    readers.says(f"{ASKED}один")
    await readers.answered("один")
    assert len(readers.all_written()) == 1


async def test_where_we_may_not_write_questions_are_left_alone_for_a_while(make_readers) -> None:
    readers = await make_readers(listed=2, USERBOT_WHEN_BUSY="queue", GENERATE_ECHO_DELAY="0.5")
    readers.made.telegram.set_writable(readers.group.id, writable=False)
    for text in ("один", "два"):
        readers.says(ASKED + text)
    readers.says(f"{ASKED}а тут можно", group=readers.other)
    await readers.answered("а тут можно", group=readers.other)
    await readers.made.logged('"undeliverable"')
    readers.made.telegram.set_writable(readers.group.id)
    readers.says(f"{ASKED}три")
    await readers.made.logged('"paused"')
    readers.made.order(f"/resume {readers.group.id}")
    await readers.made.until(lambda: len(readers.made.saved()) == 2)
    readers.says(f"{ASKED}четыре")
    await readers.answered("четыре")
    assert readers.made.log("userbot").count("group.left_alone") == 1


@pytest.mark.slow
async def test_a_closed_topic_is_left_alone_and_the_others_are_not(make_readers) -> None:
    readers = await make_readers(forum=True)
    closed, open_ = (readers.made.telegram.add_topic(readers.anna.id, readers.group.id, name) for name in "ab")
    readers.made.telegram.close_topic(readers.group.id, closed.id)
    readers.says(f"{ASKED}закрыта", by=readers.anna, topic_id=closed.id)
    await readers.made.logged("group.left_alone")
    readers.says(f"{ASKED}открыта", topic_id=open_.id)
    await readers.answered("открыта")


async def test_while_collecting_edits_count_and_deleted_messages_are_left_out(make_readers) -> None:
    readers = await make_readers(forum=True, USERBOT_TRIGGERS="any", USERBOT_DEBOUNCE="2")
    telegram = readers.made.telegram
    topic = telegram.add_topic(readers.anna.id, readers.group.id, "Novels")
    first = readers.says("один", topic_id=topic.id)
    lost = readers.says("лишнее", topic_id=topic.id)
    await readers.made.logged('"collected"')
    telegram.edit(readers.boris.id, first.id, "раз", group_id=readers.group.id)
    telegram.delete(readers.boris.id, lost.id, group_id=readers.group.id)
    readers.says("два", topic_id=topic.id)
    [answer] = await readers.answered("раз\nдва")
    assert answer.top_id == topic.id


async def test_who_goes_on_typing_is_waited_for(make_readers) -> None:
    readers = await make_readers(forum=True, USERBOT_TRIGGERS="any", USERBOT_DEBOUNCE="0.5")
    telegram = readers.made.telegram
    topic = telegram.add_topic(readers.anna.id, readers.group.id, "Novels")

    async def type_on() -> None:
        while True:
            telegram.type(readers.boris.id, readers.group.id, topic_id=topic.id)
            await asyncio.sleep(0.2)

    typing = asyncio.create_task(type_on())
    readers.says("один", topic_id=topic.id)
    await readers.made.logged('"collecting"')
    for text in ("как", "дела"):  # an answer to somebody else takes longer than the debounce
        readers.says(text, by=readers.anna)
        await readers.made.until(lambda text=text: text in [message.text for message in readers.written()])
    assert "один" not in [message.text for message in readers.written()]
    typing.cancel()
    telegram.type(readers.boris.id, readers.group.id, "cancel", topic_id=topic.id)
    await readers.made.until(lambda: "один" in [message.text for message in readers.written()])


async def test_a_readers_vote_on_an_answer_in_a_topic_is_kept(make_readers) -> None:
    readers = await make_readers(forum=True, USERBOT_FEEDBACK="true", USERBOT_THINKING="reaction")
    telegram = readers.made.telegram
    topic = telegram.add_topic(readers.anna.id, readers.group.id, "Novels")
    telegram.set_reactions(readers.group.id, allowed=False)
    readers.says(f"{ASKED}один", topic_id=topic.id)
    [answer] = await readers.answered("один")  # although 👀 was refused
    telegram.set_reactions(readers.group.id, allowed=True)
    question = readers.says(f"{ASKED}два", topic_id=topic.id)
    await readers.answered("один", "два")
    assert question.reactions[readers.made.owner.id].emoji == "👀"
    telegram.react(readers.anna.id, answer, "👎")
    await readers.made.logged('"vote": -1')
    telegram.react(readers.anna.id, answer, None)
    await readers.made.logged('"vote": 0')
