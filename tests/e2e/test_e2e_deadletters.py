"""A question that nobody could answer is looked at, asked again and dropped from the command line."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from nats.js import JetStreamContext

from cli.deadletters.resend import NotResent, ask_again
from edge.userbot import phrases
from edge.userbot.chat.record import MAX_WAITING, ChatRecord, Question
from events.event import Event
from events.ids import RequestId
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.schema import FailureReason, GenerationFailed, GenerationRequested
from events.transport import Channel
from functions.worker.outcomes import GaveUp
from functions.worker.settling import dead_letter_of

OUTCOME = GaveUp(FailureReason.ATTEMPTS_EXHAUSTED, "no worker finished it", 5)


async def deadletters(url: str, *arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cli", "deadletters", *arguments],
        env={**os.environ, "NATS_URL": url, "LOG_LEVEL": "error"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


async def given_up(log: JetStreamLog, request_id: RequestId, speaker: str = "") -> None:
    """As a worker gives up; with a `speaker` as if it had been asked in a group."""
    async with asyncio.timeout(20):
        while (request := await log.find(Channel.REQUESTS, request_id)) is None:  # noqa: ASYNC110 - a stream
            await asyncio.sleep(0.02)
    data = request.data()
    assert isinstance(data, GenerationRequested)
    turns = tuple(turn.model_copy(update={"speaker": speaker}) for turn in data.turns)
    asked = replace(request, body=data.model_copy(update={"turns": turns}).model_dump_json().encode())
    await log.publish(Channel.DEADLETTERS, dead_letter_of(asked, OUTCOME))
    failed = GenerationFailed(request_id=str(request_id), reason=OUTCOME.reason)
    await log.publish(Channel.REPLIES, Event.of(failed, source="/test", time=datetime.now(UTC)))


async def test_a_dead_letter_is_listed_shown_and_asked_again(make_product) -> None:
    product = await make_product(USERBOT_PERSONA="Ты Мария.")
    await product.kill("generate")
    visitor = product.visitor()
    question = product.says(visitor, "Тимоха, трудный вопрос")
    request_id = RequestId(str(product.owner.id), str(visitor.id), str(question.id))
    async with connect(product.nats.url, name="test") as js:
        log = JetStreamLog(js)
        await given_up(log, request_id, speaker="Анна")
        await product.until(lambda: product.answers(visitor))
        code, listed, _ = await deadletters(product.nats.url, "list")
        assert code == 0
        row = listed.splitlines()[1].split()
        assert row[:3] == [str(request_id), "attempts_exhausted", "5"]
        code, shown, _ = await deadletters(product.nats.url, "show", str(request_id))
        assert code == 0
        assert "user Анна: трудный вопрос" in shown
        assert "persona: Ты Мария." in shown
        assert "header traceparent" in shown

        await product.start("generate")
        code, said, _ = await deadletters(product.nats.url, "resend", str(request_id))
        assert (code, said) == (0, f"asked again as {request_id.next_revision()}\n")
        await product.until(lambda: len(product.answers(visitor)) == 2)
        assert await log.find(Channel.DEADLETTERS, request_id) is None
        again = await log.find(Channel.REQUESTS, request_id.next_revision())
        assert again.data().persona == "Ты Мария."
        assert again.data().turns[-1].speaker == "Анна"
    assert product.answers(visitor) == [phrases.failure("ru", OUTCOME.reason), "трудный вопрос"]
    code, _, said = await deadletters(product.nats.url, "resend", str(request_id))
    assert code == 1
    assert "there is no dead letter" in said


@pytest.mark.slow
async def test_a_dead_letter_asked_again_without_a_userbot_is_taken_up_by_its_next_start(make_product) -> None:
    product = await make_product()
    await product.kill("generate")
    visitor = product.visitor()
    question = product.says(visitor, "Тимоха, вопрос")
    request_id = RequestId(str(product.owner.id), str(visitor.id), str(question.id))
    async with connect(product.nats.url, name="test") as js:
        await given_up(JetStreamLog(js), request_id)
        await product.until(lambda: product.answers(visitor))
    await product.processes["userbot"].stop()
    code, said, _ = await deadletters(product.nats.url, "resend", str(request_id))
    assert code == 0
    assert "its next start" in said
    await product.start("userbot", "generate")
    await product.until(lambda: len(product.answers(visitor)) == 2)
    assert product.answers(visitor)[1] == "вопрос"


async def test_a_dropped_dead_letter_is_gone_and_one_from_rabbitmq_is_published_again(
    js: JetStreamContext, nats_server, make_request
) -> None:
    log = JetStreamLog(js)
    here, there = "1.2.3.0", "rabbitmq.a.b.0"
    for request_id in (here, there):
        event = Event.of(
            make_request(request_id, seconds=-60), source="/test", time=datetime.now(UTC), headers={"kept": "yes"}
        )
        await log.publish(Channel.DEADLETTERS, dead_letter_of(event, OUTCOME))
    assert (await deadletters(nats_server.url, "drop", here))[:2] == (0, f"dropped {here}\n")
    assert (await deadletters(nats_server.url, "resend", there))[:2] == (0, "asked again as rabbitmq.a.b.1\n")
    assert (await deadletters(nats_server.url, "list"))[1:] == ("", "no dead letters\n")
    event = await log.find(Channel.REQUESTS, RequestId("rabbitmq", "a", "b", 1))
    request = event.data()
    assert isinstance(request, GenerationRequested)
    assert request.deadline > datetime.now(UTC)
    assert event.headers == {"kept": "yes"}


async def test_an_id_that_is_none_is_wrong_use(nats_server) -> None:
    code, _, said = await deadletters(nats_server.url, "show", "nonsense")
    assert code == 2
    assert len(said.splitlines()) == 1


QUESTION = Question(message_id=7, text="раз", locale="ru", asked_at=datetime.now(UTC), revision=1)
AGAIN = RequestId("1", "2", "7", 1)


def test_asking_again_twice_changes_nothing() -> None:
    once = ask_again(ChatRecord(), QUESTION, AGAIN)
    assert once.waiting == (QUESTION,)
    assert ask_again(once, QUESTION, AGAIN) is once


def test_what_was_deleted_or_finds_no_place_is_not_asked_again() -> None:
    with pytest.raises(NotResent, match="deleted"):
        ask_again(ChatRecord(deleted_to=7), QUESTION, AGAIN)
    others = tuple(QUESTION.having(message_id=number) for number in range(20, 20 + MAX_WAITING))
    with pytest.raises(NotResent, match="later"):
        ask_again(ChatRecord(waiting=others), QUESTION, AGAIN)
