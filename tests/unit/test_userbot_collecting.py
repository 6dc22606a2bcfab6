"""Intake and driver while a burst is collected: typing, edits, deletions, signs, crashes and restored backups."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from edge.userbot import phrases
from edge.userbot.chat.incoming import Deleted, Edited, Incoming, Typing
from edge.userbot.chat.transitions import Effect
from edge.userbot.delays import Delay
from edge.userbot.driving.typists import MAX_TYPISTS, SHOWN, Typists
from edge.userbot.people import People, Person
from edge.userbot.triggers import Triggers
from events.errors import TransportError
from events.faults import Fault
from events.memory import MemoryMarks

ANY = Triggers.of(["any"])
CHAT = "2"
GROUP = "-1001234567890"


async def question(places, message_id: int) -> str | None:
    request = await places.lives[-1].request(message_id)
    return request and request.data().turns[-1].text


def said(places) -> list[tuple[str, int | None]]:
    lines = phrases.thinking_lines()
    return [(text, reply_to) for text, reply_to in places.telegram.texts if text not in lines]


async def answered(places, edge, message_id: int) -> None:
    await edge.answer(message_id)
    await asyncio.sleep(5)
    assert not edge.drivers.busy


def test_a_burst_is_asked_once_when_it_is_due_and_gets_one_answer(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        effects = []
        for message_id, text in ((1, "привет"), (2, "слушай"), (3, "ты где?")):
            effects.append(await edge.says(text, message_id))
            await asyncio.sleep(0.9)
        assert effects == [Effect.COLLECTING, Effect.COLLECTED, Effect.COLLECTED]
        assert places.telegram.texts == []
        await asyncio.sleep(0.2)
        assert [await question(places, number) for number in (1, 2, 3)] == [None, None, "привет\nслушай\nты где?"]
        await answered(places, edge, 3)
        assert len(said(places)) == 1
        assert await places.marks.keys("unfinished.") == []

    virtual_places(story)


def test_while_its_person_types_a_burst_waits_until_they_stop_or_send(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        edge.drivers.note_typing(Typing(CHAT, CHAT))
        await asyncio.sleep(5)
        assert await question(places, 1) is None
        edge.drivers.note_typing(Typing(CHAT, CHAT, stops=True))
        await asyncio.sleep(0.01)
        assert await question(places, 1) == "привет"
        await answered(places, edge, 1)

        await edge.says("а", 2)
        edge.drivers.note_typing(Typing(CHAT, CHAT))
        await edge.says("ты где?", 3)  # whoever has sent it types no more
        await asyncio.sleep(1.1)
        assert await question(places, 3) == "а\nты где?"

    virtual_places(story)


def test_a_message_that_is_being_stored_is_waited_for_as_its_writing_was(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        load = places.records.load

        async def slow(key: str) -> object:
            await asyncio.sleep(0.01 if key == f"1.{CHAT}" else 0.02)  # the owner's policy takes longer
            return await load(key)

        monkeypatch.setattr(places.records, "load", slow)
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        edge.drivers.note_typing(Typing(CHAT, CHAT))
        await asyncio.sleep(4)  # it would be due by now
        await edge.says("ты где?", 2)
        await asyncio.sleep(1.1)
        assert [await question(places, number) for number in (1, 2)] == [None, "привет\nты где?"]

    virtual_places(story)


def test_who_types_for_ever_is_asked_after_a_minute_and_who_vanishes_after_six_seconds(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        for _ in range(19):
            edge.drivers.note_typing(Typing(CHAT, CHAT))
            await asyncio.sleep(3)
        assert await question(places, 1) is None
        for _ in range(2):
            edge.drivers.note_typing(Typing(CHAT, CHAT))
            await asyncio.sleep(3)
        assert await question(places, 1) == "привет"
        await answered(places, edge, 1)

        await edge.says("ау", 2)
        edge.drivers.note_typing(Typing(CHAT, CHAT))
        await asyncio.sleep(SHOWN - 0.1)
        assert await question(places, 2) is None
        await asyncio.sleep(0.2)
        assert await question(places, 2) == "ау"

    virtual_places(story)


def test_somebody_else_who_types_holds_nothing_up(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        edge.drivers.note_typing(Typing(CHAT, "99"))
        await asyncio.sleep(1.6)
        assert await question(places, 1) == "привет"

    virtual_places(story)


def test_of_people_who_type_only_those_who_still_do_are_remembered(virtually) -> None:
    async def life(retrying) -> None:
        typists = Typists(retrying.clock)
        for number in range(MAX_TYPISTS + 5):
            typists.note(Typing(CHAT, f"{number}"))
        assert len(typists.until()) == MAX_TYPISTS
        await asyncio.sleep(SHOWN)
        typists.note(Typing(CHAT, "new"))
        assert list(typists.until()) == ["new"]

    virtually(life)


def test_edits_and_deletions_count_while_a_burst_is_collected_and_not_later(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        for message_id, text in ((1, "превет"), (2, "дурак"), (3, "ты гд?")):
            await edge.says(text, message_id)
        await edge.intake.receive_edit(Edited("1", CHAT, 1, "привет"))
        await edge.intake.receive_edit(Edited("1", CHAT, 3, "ты где?"))
        await edge.intake.receive_deletion_from_bursts(Deleted("1", frozenset({2})))
        await edge.intake.receive_deletion_from_bursts(Deleted("1", frozenset({1}), group=GROUP))
        await asyncio.sleep(1.6)
        assert await question(places, 3) == "привет\nты где?"
        await edge.intake.receive_edit(Edited("1", CHAT, 3, "другое"))
        await edge.intake.receive_deletion_from_bursts(Deleted("1", frozenset({3})))
        await answered(places, edge, 3)
        assert said(places) == [("ответ", 1001)]

    virtual_places(story)


def test_a_burst_of_which_everything_was_deleted_is_gone_and_says_so_in_the_log(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        await edge.says("ой", 2)
        with capture_logs() as logs:
            await edge.intake.receive_deletion_from_bursts(Deleted("1", frozenset({1})))
            await edge.intake.receive_edit(Edited("1", CHAT, 2, "\u200b"))
        settled = [(entry["request_id"], entry["outcome"]) for entry in logs if entry["event"] == "question.settled"]
        assert settled == [("1.2.2.0", Effect.QUESTION_DELETED)]
        await asyncio.sleep(5)
        assert (places.telegram.texts, edge.drivers.busy) == ([], False)
        assert await places.marks.keys("unfinished.") == []

    virtual_places(story)


def test_an_edit_that_cant_be_stored_harms_nobody(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)

        async def full(*_: object) -> int:
            error = TransportError("full")
            error.fault = Fault.FINAL
            raise error

        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(places.records, "save", full)
            await edge.intake.receive_edit(Edited("1", CHAT, 1, "и"))
        assert [entry["event"] for entry in logs] == ["message.change_dropped"]
        await asyncio.sleep(2)
        assert await question(places, 1) == "привет"

    virtual_places(story)


@pytest.mark.parametrize("when_busy", ["ignore", "queue"])
def test_what_is_written_while_the_chat_is_busy_is_asked_once_it_is_free(virtual_places, when_busy) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY, when_busy=when_busy)
        assert await edge.says("Тимоха, раз", 1) is Effect.ASKED
        await asyncio.sleep(1)
        assert await edge.says("два", 2) is Effect.COLLECTING
        await asyncio.sleep(40)
        assert await edge.says("три", 3) is Effect.COLLECTED
        assert await edge.says("Тимоха, и четыре", 4) is Effect.COLLECTED
        assert await question(places, 4) is None
        await edge.answer(1)
        await asyncio.sleep(1)
        assert await question(places, 4) == "два\nтри\nи четыре"
        await answered(places, edge, 4)
        assert len(said(places)) == 2

    virtual_places(story)


def test_during_its_delay_nothing_is_shown_and_the_owners_message_ends_it(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY, delay=Delay.parse("20"))
        await edge.says("привет", 1)
        await asyncio.sleep(19)
        assert (places.telegram.texts, places.telegram.typings) == ([], 0)
        assert await edge.owner_writes("привет!", 2) is Effect.OWNER_TOOK_OVER
        await asyncio.sleep(60)
        assert (places.telegram.texts, places.telegram.typings) == ([], 0)
        assert await edge.says("ну?", 3) is Effect.PAUSED

    virtual_places(story)


@pytest.mark.parametrize(("thinking", "reactions"), [("reaction", {2: "👀"}), ("typing", {})])
def test_a_sign_takes_the_place_of_the_thinking_line(virtual_places, thinking, reactions) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY, thinking=thinking)
        await edge.says("привет", 1)
        await edge.says("ты где?", 2)
        await asyncio.sleep(2)
        assert (places.telegram.texts, places.telegram.reactions) == ([], reactions)
        assert places.telegram.typings > 0
        await answered(places, edge, 2)
        assert places.telegram.texts == [("ответ", 2)]
        await edge.says("Тимоха, а теперь?", 3)
        await asyncio.sleep(1)
        await edge.fail(3)
        await asyncio.sleep(1)
        assert places.telegram.texts[1:] == [(phrases.failure("ru", "empty"), 3)]

    virtual_places(story)


def test_a_live_question_has_a_thinking_line_whatever_the_sign(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY, thinking="reaction", live=True)
        await edge.says("ты где?", 1)
        await asyncio.sleep(2)
        assert (len(places.telegram.texts), places.telegram.reactions) == (1, {})
        await answered(places, edge, 1)
        assert places.telegram.texts == [("ответ", 1)]

    virtual_places(story)


def test_before_the_owner_has_approved_an_answer_the_chat_sees_nothing_not_even_a_sign(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY, thinking="reaction", approve="all")
        await edge.says("ты где?", 1)
        await asyncio.sleep(2)
        assert await question(places, 1) == "ты где?"
        assert (places.telegram.texts, places.telegram.reactions, places.telegram.typings) == ([], {}, 0)

    virtual_places(story)


def test_the_next_start_asks_what_was_being_collected_together_with_what_was_missed(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        await edge.die()
        await asyncio.sleep(60)
        edge = places.edge(triggers=ANY)
        edge.drivers.hold()
        await edge.drivers.resume()
        assert await edge.says("ты где?", 2, age=timedelta(seconds=50)) is Effect.COLLECTED
        assert await edge.says("привет", 1, age=timedelta(seconds=60)) is Effect.DUPLICATE
        edge.drivers.release()
        await asyncio.sleep(1.1)
        assert await question(places, 2) == "привет\nты где?"
        await answered(places, edge, 2)

    virtual_places(story)


def test_what_a_backup_was_collecting_is_dropped_as_it_may_have_been_answered(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("привет", 1)
        backup = dict(places.records._records)
        await edge.says("ты где?", 2)
        await asyncio.sleep(2)
        await answered(places, edge, 2)
        await edge.die()

        places.records._records.clear()
        places.records._records.update(backup)
        places.marks = MemoryMarks(created_at=places.retrying.clock.now())
        edge = places.edge(triggers=ANY)
        edge.drivers.hold()
        with capture_logs() as logs:
            await edge.drivers.resume()
            assert await edge.says("ты где?", 2, age=timedelta(seconds=7)) is Effect.DOUBTFUL
            edge.drivers.release()
            await asyncio.sleep(60)
        assert said(places) == [("ответ", 1001)]
        settled = [(entry["request_id"], entry["outcome"]) for entry in logs if entry["event"] == "question.settled"]
        assert settled == [("1.2.1.0", Effect.DOUBTFUL)]
        assert (await edge.ports.chats.load(CHAT)).bursts == ()
        assert await edge.says("ау", 3) is Effect.COLLECTING
        await asyncio.sleep(2)
        assert await question(places, 3) == "ау"

    virtual_places(story)


def test_nobody_hears_of_an_unreadable_record_who_has_not_spoken_to_the_account(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=Triggers.of(["replies"]), groups=People.of([GROUP]))
        await places.records.save(f"1.{GROUP}", b"nonsense", None)
        now = places.retrying.clock.now()
        reply = Incoming("1", GROUP, 1, "да", "ru", now, sender=Person("42"), reply_to=77)
        assert await edge.intake.receive(reply) is Effect.SILENT
        await asyncio.sleep(60)
        assert not edge.drivers.busy  # a line about the record could not be sent here, and would be tried again

    virtual_places(story)


async def test_a_burst_is_counted_once_in_the_day_of_all_chats(places) -> None:
    edge = places.edge(triggers=ANY, max_answers_per_day_for_all=1)
    assert await edge.says("раз", 1) is Effect.COLLECTING
    assert await edge.says("два", 2) is Effect.COLLECTED
    assert (await edge.ports.chats.policy.load()).answers == 1
    other = Incoming("1", "3", 3, "и я", "ru", edge.ports.retrying.clock.now(), sender=Person("3"))
    assert await edge.intake.receive(other) is Effect.DAY_LIMIT_FOR_ALL
    assert (await edge.ports.chats.load("3")).notices == ()


def test_a_record_that_is_too_large_loses_its_history_and_no_piece(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge(triggers=ANY)
        await edge.says("Тимоха, раз", 1)
        await asyncio.sleep(1)
        await edge.answer(1, "ж" * 2000)
        await asyncio.sleep(5)
        save = places.records.save
        room = len((await edge.ports.chats.load(CHAT)).to_json()) + 100

        async def save_if_there_is_room(key: str, value: bytes, version: int | None) -> int:
            if len(value) > room:
                error = TransportError("too large")
                error.fault = Fault.FINAL
                raise error
            return await save(key, value, version)

        monkeypatch.setattr(places.records, "save", save_if_there_is_room)
        assert await edge.says("два", 2) is Effect.COLLECTING
        assert await edge.says("три", 3) is Effect.COLLECTED
        assert (await edge.ports.chats.load(CHAT)).history == ()
        await asyncio.sleep(2)
        assert await question(places, 3) == "два\nтри"

    virtual_places(story)
