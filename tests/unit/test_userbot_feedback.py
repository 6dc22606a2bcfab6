"""A reader's vote on an answer is kept without who the reader is; a reaction to anything else changes nothing."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from edge.userbot.chat.answers import answer_shown_by, record_answered
from edge.userbot.chat.incoming import Reaction
from edge.userbot.chat.record import MAX_ANSWERS, AnswerText, ChatRecord, Failure, Question, ask
from edge.userbot.formatting.messages import split
from edge.userbot.intake.reactions import ReactionIntake
from edge.userbot.people import People, Person
from edge.userbot.rules import Rules
from events.errors import TransportError
from events.faults import Fault
from events.ids import RequestId
from events.runtime.clock import SystemClock
from events.transport import Channel
from tests.crashes.scenarios import LONG, SCENARIOS
from tests.crashes.stories import tell_with_every_death
from tests.crashes.userbot import world
from tests.fuses import Fuse, Fused
from tests.unit.conftest import ACCOUNT, CHAT, READER

ID = RequestId(ACCOUNT, CHAT, "7")
OTHER = Person("555000111")


async def answered(places, text: str = "ответ", **rules: object):
    """An edge that has answered message 7; the ids of the answer's messages."""
    edge = places.edge(feedback=True, **rules)
    await edge.says("Тимоха, раз", 7)
    await edge.answer(7, text)
    await edge.idle()
    thinking = 0 if rules.get("live") else 1
    return edge, [1001 + number for number in range(thinking, len(places.telegram.texts))]


def votes(places) -> list[tuple[str, int]]:
    stored = places.log._stored[Channel.FEEDBACK].values()
    return [(event.subject, event.data().vote) for event in stored]


@pytest.mark.parametrize("live", [False, True])
async def test_a_vote_on_any_part_of_an_answer_is_a_vote_on_the_answer(places, live) -> None:
    edge, messages = await answered(places, LONG, live=live)
    assert len(messages) == len(split(LONG)) > 1
    for message in messages:
        await edge.reacts(message, -1, Person(f"9{message}"))
    assert votes(places) == [(str(ID), -1)] * len(messages)


async def test_the_newest_vote_of_a_reader_counts_also_if_it_was_taken_back(places) -> None:
    edge, [message] = await answered(places)
    for vote in (1, -1, -1, 0):
        await edge.reacts(message, vote)
    await edge.reacts(message, 1, OTHER)
    assert votes(places) == [(str(ID), 0), (str(ID), 1)]


async def test_an_event_names_no_reader_and_tells_readers_and_chats_apart(places) -> None:
    edge, [message] = await answered(places)
    await edge.reacts(message, 1, OTHER)
    await edge.reacts(message, 1, Person("555000112"))
    events = list(places.log._stored[Channel.FEEDBACK].values())
    assert len({event.data().reader for event in events}) == 2
    for event in events:
        assert "55500011" not in repr(event)
    other_key = ReactionIntake(edge.ports, edge.drivers.wake, lambda: edge.rules, key=b"another")
    await other_key.receive(Reaction(ACCOUNT, CHAT, message, OTHER, 1))
    assert len(votes(places)) == 3


async def test_a_reaction_to_anything_but_an_answer_changes_nothing(places) -> None:
    edge, [message] = await answered(places)
    before = dict(places.records._records)
    for other in (7, message - 1, message + 1):  # the question, the thinking line, nothing
        await edge.reacts(other, 1)
    assert votes(places) == []
    assert places.records._records == before


async def test_a_failure_is_no_answer(places) -> None:
    edge = places.edge(feedback=True)
    await edge.says("Тимоха, раз", 7)
    await edge.fail(7)
    await edge.idle()
    for message in (1001, 1002):
        await edge.reacts(message, -1)
    assert votes(places) == []


async def test_without_the_setting_nothing_is_kept_and_the_record_is_as_ever(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, раз", 7)
    await edge.answer(7)
    await edge.idle()
    await edge.reacts(1002, 1)
    assert votes(places) == []
    assert "answers" not in json.loads((await places.records.load(f"{ACCOUNT}.{CHAT}")).value)


async def test_turned_off_while_running_it_keeps_no_vote_on_earlier_answers(places) -> None:
    edge, [message] = await answered(places)
    edge.rules = replace(edge.rules, feedback=False)
    await edge.reacts(message, 1)
    assert votes(places) == []


@pytest.mark.parametrize(
    ("reader", "rules"),
    [
        (Person(ACCOUNT), {}),
        (OTHER, {"deny": People.of([OTHER.id])}),
        (OTHER, {"deny": People.of(["wrote_first"])}),
        (OTHER, {"allow": People.of(["@anna", "contacts"])}),
    ],
    ids=["the owner", "denied", "perhaps denied", "not allowed"],
)
async def test_the_owner_and_those_whom_the_owner_does_not_want_answered_have_no_vote(places, reader, rules) -> None:
    edge, [message] = await answered(places)
    edge.rules = replace(edge.rules, **rules)
    await edge.reacts(message, 1, reader)
    assert votes(places) == []
    await edge.reacts(message, 1, Person("7", frozenset({"anna"}), wrote_first=False))
    assert len(votes(places)) == 1


async def test_what_the_owner_has_denied_by_a_command_counts_at_once(places) -> None:
    edge, [message] = await answered(places)
    await edge.ports.chats.policy.change(lambda policy: policy.having(denied=(CHAT,)))
    await edge.reacts(message, 1)
    assert votes(places) == []


async def test_delete_history_erases_the_votes_and_no_later_one_counts(places) -> None:
    edge, [message] = await answered(places)
    await edge.reacts(message, 1)
    await edge.reacts(message, -1, OTHER)
    await edge.says("/delete_history", 9)
    await edge.gone(Channel.FEEDBACK, 7)
    await edge.reacts(message, 1)
    assert votes(places) == []
    assert (await edge.ports.chats.load(CHAT)).answers == ()


async def test_a_store_that_is_away_is_tried_again_and_one_bad_reaction_harms_only_itself(places) -> None:
    edge, [message] = await answered(places)
    errors = [TransportError("away", Fault.PASSING), TransportError("away", Fault.PASSING)]
    publish = edge.ports.log.publish

    async def failing(channel, event):
        if errors:
            raise errors.pop()
        return await publish(channel, event)

    edge.ports.log.publish = failing
    await edge.reacts(message, 1)
    assert votes(places) == [(str(ID), 1)]
    errors[:] = [RuntimeError("a bug")] * 9
    await edge.reacts(message, -1)
    assert votes(places) == [(str(ID), 1)]
    errors.clear()
    await edge.reacts(message, -1)
    assert votes(places) == [(str(ID), -1)]


async def test_a_chat_whose_record_can_not_be_read_loses_its_votes_alone(places) -> None:
    _, [message] = await answered(places)
    key = f"{ACCOUNT}.{CHAT}"
    stored = await places.records.load(key)
    await places.records.save(key, b"{}", stored.version)
    fresh = places.edge(feedback=True)
    await fresh.reacts(message, 1)
    assert votes(places) == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_vote_that_comes_again_after_a_crash_is_one_vote(places, after) -> None:
    edge, [message] = await answered(places)
    ports = replace(edge.ports, log=Fused(places.log, Fuse(1, after), "publish"))
    dying = ReactionIntake(ports, edge.drivers.wake, lambda: edge.rules, key=b"key")
    reaction = Reaction(ACCOUNT, CHAT, message, READER, 1)
    life = asyncio.create_task(dying.receive(reaction))
    await asyncio.wait_for(ports.log._fuse.blown.wait(), 10)
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    assert len(votes(places)) == int(after)
    await edge.reaction_intake.receive(reaction)
    assert votes(places) == [(str(ID), 1)]


TOLD = {
    "several parts": ("an answer in several parts", Rules(feedback=True)),
    "live": ("a live answer in several parts", Rules(feedback=True, live=True)),
    "a live draft": ("an answer that grows in a live draft", Rules(feedback=True, live=True)),
    "a deleted thinking line": (
        "a live answer whose thinking line the user has deleted",
        Rules(feedback=True, live=True),
    ),
}


@pytest.mark.parametrize("shut", [False, True], ids=["open", "shut"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", TOLD)
def test_an_answer_knows_its_messages_whatever_dies_on_the_way(name, after, shut) -> None:
    told, rules = TOLD[name]

    def holds(chat, record: ChatRecord) -> bool:
        parts = {1001 + at for at, (text, _) in enumerate(chat.texts) if text in chat.replies}
        return SCENARIOS[told].holds(chat, record) and {*record.answers[0].message_ids} == parts

    scenario = replace(SCENARIOS[told], rules=rules, holds=holds)
    assert len(tell_with_every_death(lambda retrying: world(scenario, retrying, shut=shut), scenario, after=after)) > 4


def delivering(outcome: AnswerText | Failure, message: int = 7, **changes: object) -> ChatRecord:
    now = SystemClock().now()
    question = Question(message_id=message, text="раз", locale="ru", asked_at=now, approve=bool(changes))
    current = ask(question, RequestId(ACCOUNT, CHAT, str(message)), now + timedelta(minutes=1))
    return ChatRecord(current=current.having(outcome=outcome, **changes))


def test_what_the_owner_wrote_instead_and_what_still_waits_for_approval_is_no_answer_of_the_models() -> None:
    for record in (
        delivering(AnswerText(text="я сам", by_owner=True), approved=True),
        delivering(AnswerText(text="ответ"), approved=False),
    ):
        assert record_answered(record, str(ID), 1002) is record
    approved = record_answered(delivering(AnswerText(text="ответ"), approved=True), str(ID), 1002)
    assert answer_shown_by(approved, 1002).request_id == str(ID)


def test_only_the_newest_answers_are_known_and_repeats_change_nothing() -> None:
    record = ChatRecord()
    for number in range(1, MAX_ANSWERS + 3):
        current = delivering(AnswerText(text="ответ"), number).current
        record = record_answered(record.having(current=current), current.request_id, 1000 + number)
        assert record_answered(record, current.request_id, 1000 + number) is record
    assert len(record.answers) == MAX_ANSWERS
    assert answer_shown_by(record, 1002) is None
    assert answer_shown_by(record, 1003).message_ids == (1003,)
    assert record_answered(record, "1.2.99.0", 5) is record
