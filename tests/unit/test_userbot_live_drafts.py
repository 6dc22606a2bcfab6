"""Live answers in live drafts: no thinking line is sent, the text grows in a draft, and the answer is a message."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.userbot import phrases
from edge.userbot.chat.record import NO_MESSAGE, AnswerText, Question, ask
from edge.userbot.driving.live import DRAFT_INTERVAL, EDIT_INTERVAL, LiveView
from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable
from edge.userbot.driving.outbox import random_id
from edge.userbot.formatting.messages import split
from edge.userbot.formatting.styled_text import FormattedText
from events.ids import RequestId
from events.schema import GenerationProgressed

CHAT = "2"
ID = "1.2.7.0"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
THINKING = phrases.thinking("ru", ID)
QUESTION = Question(message_id=7, text="раз", locale="ru", asked_at=NOW, live=True)
CURRENT = ask(QUESTION, RequestId("1", "2", "7"), NOW + timedelta(minutes=2))
DRAFTED = CURRENT.having(thinking_id=NO_MESSAGE)


def taken(text: str) -> None:
    pass


def refused(text: str) -> None:
    raise Undeliverable("TEXTDRAFT_PEER_INVALID")


async def asked(places, *, live: bool = True):
    """An edge that waits for the answer to message 7."""
    edge = places.edge(live=live)
    await edge.says("Тимоха, раз", 7)

    async def thought() -> bool:
        current = (await edge.ports.chats.load(CHAT)).current
        return current is not None and current.thinking_id is not None

    await places.until(thought)
    return edge


@pytest.mark.parametrize("fails", [False, True])
async def test_the_outcome_is_the_only_message_after_a_draft_that_grew(places, fails) -> None:
    places.telegram.before_live_draft = taken
    edge = await asked(places)
    edge.writes(7, "Хорошо,", 1)
    await places.telegram.until(lambda: len(places.telegram.live_drafts) > 1)
    text = " ".join(str(number) for number in range(3000))
    await (edge.fail(7) if fails else edge.answer(7, text))
    await edge.idle()
    assert places.telegram.live_drafts == [(random_id(ID, "live"), shown) for shown in (THINKING, "Хорошо,")]
    first, *further = [phrases.failure("ru", "empty")] if fails else split(text)
    assert places.telegram.texts == [(first, 7), *((part, 7) for part in further)]
    assert places.telegram.edits == []


@pytest.mark.parametrize("live", [False, True])
async def test_a_chat_that_takes_no_drafts_gets_the_thinking_line(places, live) -> None:
    places.telegram.before_live_draft = refused if live else taken
    edge = await asked(places, live=live)
    assert places.telegram.texts == [(THINKING, 7)]
    edge.writes(7, "Хорошо,", 1)
    await edge.answer(7)
    await edge.idle()
    assert (places.telegram.texts == [("ответ", 7)]) is live
    assert places.telegram.live_drafts == []


@pytest.mark.parametrize("error", [FloodWaited(timedelta(hours=1)), MessengerError("gone"), ValueError("x")])
async def test_a_draft_that_fails_costs_only_the_view(places, error) -> None:
    def fail(text: str) -> None:
        raise error

    places.telegram.before_live_draft = fail
    edge = await asked(places)
    edge.writes(7, "Хорошо,", 1)
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.texts == [("ответ", 7)]


@pytest.mark.parametrize("before", [False, True])
async def test_a_question_goes_the_way_it_began_whatever_the_next_process_may(places, before) -> None:
    places.telegram.before_live_draft = taken if before else None
    edge = await asked(places)
    await edge.die()
    places.telegram.before_live_draft = None if before else taken
    again = places.edge(live=True)
    await again.drivers.resume()
    again.writes(7, "Хорошо,", 1)
    await again.answer(7)
    await again.idle()
    assert places.telegram.texts == [("ответ", 7)]
    assert len(places.telegram.live_drafts) == before


async def test_a_line_that_may_have_been_sent_is_not_left_beside_a_draft(places) -> None:
    edge = places.edge(live=True)
    places.telegram.after_send = lost
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    await edge.die()
    places.telegram.after_send = places.telegram.before_live_draft = taken
    again = places.edge(live=True)
    await again.drivers.resume()
    await again.answer(7)
    await again.idle()
    assert places.telegram.texts == [("ответ", 7)]


def lost(text: str) -> None:
    raise MessengerError("the connection is gone")


@pytest.fixture
def view(places) -> LiveView:
    places.telegram.before_live_draft = taken
    view = LiveView(CHAT, places.telegram, formatted=True)
    view.watch(ID)
    return view


def progress(text: str, sequence: int) -> GenerationProgressed:
    return GenerationProgressed(request_id=ID, text=text, sequence=sequence)


def shown(places) -> list[str]:
    return [text for _, text in places.telegram.live_drafts]


async def test_a_draft_is_kept_alive_while_nothing_new_is_written(places, view) -> None:
    assert await view.begin_live_draft(CURRENT, FormattedText(THINKING), NOW)
    fades = NOW + DRAFT_INTERVAL
    await view.show(DRAFTED, fades - EDIT_INTERVAL, edits=True)
    assert shown(places) == [THINKING]
    assert await view.show(DRAFTED, fades, edits=True) > fades
    assert view.take_progress(progress("раз", 1))
    assert not view.take_progress(progress("раз два", 2))
    await view.show(DRAFTED, fades + EDIT_INTERVAL, edits=True)
    await view.show(DRAFTED, fades + EDIT_INTERVAL + DRAFT_INTERVAL, edits=True)
    assert shown(places) == [THINKING, THINKING, "раз два", "раз два"]


async def test_a_draft_that_could_delay_a_message_is_shown_later(places, view, monkeypatch) -> None:
    monkeypatch.setattr(places.telegram, "live_draft", no_room)
    assert await view.begin_live_draft(CURRENT, FormattedText(THINKING), NOW)
    assert await view.show(DRAFTED, NOW, edits=True) == NOW + EDIT_INTERVAL
    monkeypatch.undo()
    await view.show(DRAFTED, NOW + EDIT_INTERVAL, edits=True)
    assert shown(places) == [THINKING]


async def no_room(*_: object) -> bool:
    return False


async def test_after_a_refusal_nothing_is_due_but_typing(places, view) -> None:
    assert await view.begin_live_draft(CURRENT, FormattedText(THINKING), NOW)
    places.telegram.before_live_draft = refused
    view.take_progress(progress("раз", 1))
    await view.show(DRAFTED, NOW + EDIT_INTERVAL, edits=True)
    view.take_progress(progress("раз два", 2))
    later = NOW + 2 * DRAFT_INTERVAL
    assert await view.show(DRAFTED, later, edits=True) > later + EDIT_INTERVAL
    assert shown(places) == [THINKING]


async def test_during_a_flood_wait_no_draft_is_shown(places, view) -> None:
    view.take_progress(progress("раз", 1))
    await view.show(DRAFTED, NOW, edits=False)
    assert shown(places) == []


async def test_an_answer_that_is_there_already_needs_no_draft(places, view) -> None:
    assert await view.begin_live_draft(CURRENT.having(outcome=AnswerText(text="да")), FormattedText(THINKING), NOW)
    assert shown(places) == []
