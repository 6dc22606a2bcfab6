"""Live answers: the thinking line grows into the answer, whatever gets lost on the way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from edge.userbot import phrases
from edge.userbot.chat.record import ChatRecord, Question, ask, from_json
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.live import EDIT_INTERVAL, LiveView
from edge.userbot.driving.messenger import FloodWaited, MessengerError
from edge.userbot.formatting.messages import split
from edge.userbot.formatting.styled_text import Entity, FormattedText
from events.event import Event
from events.ids import RequestId
from events.schema import FailureReason, GenerationProgressed

CHAT = "2"
ID = "1.2.7.0"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + EDIT_INTERVAL


async def asked(places):
    """An edge that has shown its thinking line for message 7."""
    edge = places.edge(live=True)
    await edge.says("Тимоха, раз", 7)

    async def thought() -> bool:
        current = (await edge.ports.chats.load(CHAT)).current
        return current is not None and current.thinking_id is not None

    await places.until(thought)
    return edge


async def test_the_thinking_line_grows_into_the_answer(places) -> None:
    edge = await asked(places)
    assert (await edge.request(7)).data().live
    edge.writes(7, "Хорошо,", 1)
    await places.telegram.until(lambda: places.telegram.edits)
    await edge.answer(7, "Хорошо, а у тебя?")
    await edge.idle()
    assert places.telegram.edits == ["Хорошо,", "Хорошо, а у тебя?"]
    assert places.telegram.texts == [("Хорошо, а у тебя?", 7)]
    history = (await edge.ports.chats.load(CHAT)).history
    assert [turn.text for turn in history] == ["раз", "Хорошо, а у тебя?"]


async def test_an_answer_that_grows_is_formatted_and_half_a_marker_is_text(places) -> None:
    edge = await asked(places)
    edge.writes(7, "Это **важ", 1)
    await places.telegram.until(lambda: places.telegram.edits)
    assert places.telegram.looks == [FormattedText("Это **важ")]
    edge.writes(7, "Это **важно**, и", 2)
    await places.telegram.until(lambda: len(places.telegram.edits) == 2)
    assert places.telegram.looks == [FormattedText("Это важно, и", (Entity("bold", 4, 5),))]
    await edge.answer(7, "Это **важно**, и `вот`")
    await edge.idle()
    assert places.telegram.looks == [FormattedText("Это важно, и вот", (Entity("bold", 4, 5), Entity("code", 13, 3)))]
    history = (await edge.ports.chats.load(CHAT)).history
    assert [turn.text for turn in history] == ["раз", "Это **важно**, и `вот`"]


async def test_an_answer_whose_progress_was_lost_still_replaces_the_line(places) -> None:
    edge = await asked(places)
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.texts == [("ответ", 7)]


async def test_a_failure_replaces_the_line_and_what_it_has_grown_to(places) -> None:
    edge = await asked(places)
    edge.writes(7, "Хорошо,", 1)
    await places.telegram.until(lambda: places.telegram.edits)
    await edge.fail(7)
    await edge.idle()
    assert places.telegram.texts == [(phrases.failure("ru", FailureReason.EMPTY), 7)]


async def test_further_parts_of_a_long_answer_reply_to_the_first_one(places) -> None:
    edge = await asked(places)
    text = " ".join(str(number) for number in range(3000))
    await edge.answer(7, text)
    await edge.idle()
    first, *further = split(text)
    assert further
    assert places.telegram.texts == [(first, 7), *((part, 1001) for part in further)]


async def test_a_live_answer_is_never_longer_than_a_message_while_it_grows(places) -> None:
    edge = await asked(places)
    text = " ".join(str(number) for number in range(3000))
    edge.writes(7, text, 1)
    await places.telegram.until(lambda: places.telegram.edits)
    assert places.telegram.edits == [split(text)[0]]


async def test_what_is_written_after_the_outcome_or_a_deletion_changes_nothing(places) -> None:
    edge = await asked(places)
    edge.writes(7, "Хорошо,", 1)
    await places.telegram.until(lambda: places.telegram.edits)
    assert await edge.says("/delete_history", 8) is Effect.DELETED
    await places.telegram.count(2)
    edge.writes(7, "Хорошо, а у", 2)
    await edge.says("Тимоха, два", 9)
    await places.telegram.count(3)
    edge.writes(7, "Хорошо, а у тебя", 3)
    await edge.answer(9, "второй")
    await edge.idle()
    edge.writes(9, "поздно", 1)
    assert [text for text, _ in places.telegram.texts] == ["Хорошо,", phrases.deleted("ru", cancelled=True), "второй"]


@pytest.mark.parametrize("error", [FloodWaited(timedelta(hours=1)), MessengerError("gone")])
async def test_a_failed_edit_ends_the_view_and_the_answer_does_not_wait(places, error) -> None:
    tried = asyncio.Event()

    def refuse(text: str) -> None:
        tried.set()
        raise error

    edge = await asked(places)
    places.telegram.before_edit = refuse
    edge.writes(7, "Хорошо,", 1)
    async with asyncio.timeout(10):
        await tried.wait()
    places.telegram.before_edit = lambda text: None
    edge.writes(7, "Хорошо, а у", 2)
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.edits == ["ответ"]


async def test_an_answer_whose_line_the_user_has_deleted_replies_to_the_question(places) -> None:
    edge = await asked(places)
    places.telegram.deleted.add(1001)
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.texts[1:] == [("ответ", 7)]
    assert places.telegram.edits == []


async def test_a_lost_result_of_the_last_edit_makes_the_same_edit_again(places) -> None:
    results = [MessengerError("the connection is gone")]

    def lose(text: str) -> None:
        if results:
            raise results.pop()

    edge = await asked(places)
    places.telegram.after_edit = lose
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.edits == ["ответ", "ответ"]
    assert places.telegram.texts == [("ответ", 7)]


@pytest.mark.parametrize("live", [True, False])
async def test_a_question_keeps_the_mode_in_which_it_was_asked_over_a_restart(places, live) -> None:
    edge = places.edge(live=live)
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    await edge.die()
    again = places.edge(live=not live)
    await again.drivers.resume()
    await again.answer(7)
    await again.idle()
    assert (places.telegram.texts == [("ответ", 7)]) is live
    assert places.telegram.texts[-1][0] == "ответ"


async def test_what_cant_be_read_or_nobody_waits_for_is_dropped(places) -> None:
    edge = await asked(places)
    good = Event.of(
        GenerationProgressed(request_id=ID, text="Хорошо,", sequence=1), source="/test", time=datetime.now(UTC)
    )
    for event in (
        Event("", "", "", "", good.time, b""),
        Event(good.id, good.type, good.source, "1.404.7.0", good.time, good.body),
        Event(good.id, good.type, good.source, ID, good.time, b"{"),
    ):
        edge.drivers.take_progress(event)
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.edits == ["ответ"]


def test_a_record_from_before_live_answers_is_not_live() -> None:
    record = ChatRecord(current=ask(question(), RequestId("1", "2", "7"), LATER))
    old = record.to_json().replace(b',"live":true', b"")
    assert b"live" not in old
    assert not from_json(old).current.question.live


def question() -> Question:
    return Question(message_id=7, text="раз", locale="ru", asked_at=NOW, live=True)


def progress(text: str, sequence: int, request_id: str = ID) -> GenerationProgressed:
    return GenerationProgressed(request_id=request_id, text=text, sequence=sequence)


@pytest.fixture
def view(places) -> LiveView:
    """Of a chat whose line is its first message."""
    places.telegram.texts.append(("Думаю…", 7))
    places.telegram.looks.append(FormattedText("Думаю…"))
    view = LiveView(CHAT, places.telegram, formatted=True)
    view.watch(ID)
    return view


CURRENT = ask(question(), RequestId("1", "2", "7"), LATER).having(thinking_id=1001)


async def test_edits_are_paced_and_show_the_newest_text(places, view) -> None:
    assert view.take_progress(progress("раз", 1))
    await view.show(CURRENT, NOW, edits=True)
    assert view.take_progress(progress("раз два", 2))
    assert not view.take_progress(progress("раз два три", 3))
    assert await view.show(CURRENT, NOW + EDIT_INTERVAL / 2, edits=True) == LATER
    assert places.telegram.edits == ["раз"]
    await view.show(CURRENT, LATER, edits=True)
    assert places.telegram.edits == ["раз", "раз два три"]


async def test_a_text_that_shows_nothing_new_makes_no_edit(places, view) -> None:
    view.take_progress(progress("раз", 1))
    await view.show(CURRENT, NOW, edits=True)
    for number, text in enumerate(["раз\n", "раз\n```", "раз\n```py\n"], 2):
        view.take_progress(progress(text, number))
        await view.show(CURRENT, NOW + number * EDIT_INTERVAL, edits=True)
    assert places.telegram.edits == ["раз"]


async def test_nothing_is_shown_of_what_cant_be_seen(places, view) -> None:
    view.take_progress(progress(" \n", 1))
    await view.show(CURRENT, NOW, edits=True)
    assert places.telegram.edits == []


async def test_an_older_or_equal_text_makes_no_edit(places, view) -> None:
    view.take_progress(progress("раз два", 5))
    await view.show(CURRENT, NOW, edits=True)
    assert not view.take_progress(progress("раз", 4))
    assert not view.take_progress(progress("раз два", 6))
    assert not view.take_progress(progress("раз два три", 7, "1.2.8.0"))
    await view.show(CURRENT, LATER, edits=True)
    assert places.telegram.edits == ["раз два"]


async def test_an_edit_that_would_cost_a_message_its_turn_is_made_later(places, view) -> None:
    places.telegram.takes_previews = False
    view.take_progress(progress("раз", 1))
    assert await view.show(CURRENT, NOW, edits=True) == LATER
    places.telegram.takes_previews = True
    await view.show(CURRENT, LATER, edits=True)
    assert places.telegram.edits == ["раз"]


@pytest.mark.parametrize(
    "current",
    [
        CURRENT.having(thinking_id=None),
        CURRENT.having(thinking_id=0),
        CURRENT.having(question=question().having(live=False)),
        CURRENT.having(question=question().having(doubtful=True)),
    ],
)
async def test_without_a_line_to_grow_nothing_is_edited(places, view, current) -> None:
    view.take_progress(progress("раз", 1))
    await view.show(current, NOW, edits=True)
    await view.show(CURRENT, NOW, edits=False)
    assert places.telegram.edits == []


async def test_typing_is_shown_again_when_it_would_fade_and_after_a_message(places, view) -> None:
    until = await view.show(CURRENT, NOW, edits=True)
    await view.show(CURRENT, until - timedelta(seconds=1), edits=True)
    await asyncio.sleep(0)
    assert places.telegram.typings == 1
    await view.show(CURRENT, until, edits=True)
    await asyncio.sleep(0)
    view.restart_typing()
    await view.show(CURRENT, until, edits=True)
    await asyncio.sleep(0)
    assert places.telegram.typings == 3
