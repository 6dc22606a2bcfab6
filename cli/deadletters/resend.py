"""`timokha deadletters resend ID`: ask the question once more, as its next revision.

A question from Telegram goes back into its chat record, and the userbot asks it when no other question of the chat is
in progress: it publishes, shows and accepts only what the record holds. A request from RabbitMQ has no record and is
published as it was, with a new deadline. `docs/decisions/resending.md` has the reasons.
"""

import asyncio
from datetime import datetime, timedelta
from random import Random

import click

from cli.deadletters.store import DeadLetterStore, open_store, parse_id
from cli.settings import ResendSettings
from edge.userbot.chat.record import MAX_WAITING, ChatRecord, Question
from edge.userbot.storage.chats import open_chats
from events import subjects
from events.deadletters import DeadLetter
from events.errors import MalformedEvent, TimokhaError
from events.event import Event
from events.ids import RequestId
from events.jetstream.core_nats import wake
from events.runtime.clock import SystemClock
from events.runtime.retrying import Backoff, Retrying
from events.schema import GenerationRequested
from events.transport import Channel
from observability.telemetry import Telemetry

SOURCE = "/timokha/deadletters"
WAKE_ATTEMPTS = 5
WAKE_PAUSES = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=1))
"""The userbot may still be reconnecting to a restarted server."""


class NotResent(TimokhaError):
    """The question can't be asked again, or not now."""


async def main(settings: ResendSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Ask the question again and drop the dead letter. Raises NoDeadLetter, NotResent or SettingsError."""
    request_id = parse_id(settings.id)
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    async with open_store(settings) as store:
        letter = await store.get(request_id)
        outcome = await _resend(store, letter, request_id, settings, retrying)
        await store.drop(request_id)
    click.echo(outcome)


async def _resend(
    store: DeadLetterStore, letter: DeadLetter, request_id: RequestId, settings: ResendSettings, retrying: Retrying
) -> str:
    now = retrying.clock.now()
    again = request_id.next_revision()
    if await store.log.find(Channel.REQUESTS, again):
        return f"{request_id} was asked again before, as {again}"
    request = _request(letter)
    if request_id.account == subjects.RABBITMQ_ACCOUNT:
        data = request.model_copy(
            update={
                "request_id": str(again),
                "revision": again.revision,
                "deadline": now + settings.deadline,
            }
        )
        await store.log.publish(Channel.REQUESTS, Event.of(data, source=SOURCE, time=now, headers=letter.event.headers))
        return f"asked again as {again}"
    chats = await open_chats(store.js, again.account, retrying=retrying)
    question = _question(request, again, letter, now)
    await chats.change(again.chat, lambda record: ask_again(record, question, again))
    if await _wake_userbot(store, again, retrying):
        return f"asked again as {again}"
    return f"asked again as {again}; no userbot runs for account {again.account}, its next start takes the question up"


def ask_again(record: ChatRecord, question: Question, again: RequestId) -> ChatRecord:
    """Return `record` with `question` waiting; the same record if it waits or is being answered already.

    Raises NotResent.
    """
    if again.is_up_to(record.deleted_to):
        raise NotResent(f"the user has deleted this question since; run `timokha deadletters drop` on {again}")
    answering = record.current is not None and record.current.request_id == str(again)
    waiting = {(one.message_id, one.revision) for one in record.waiting}
    if answering or (question.message_id, question.revision) in waiting:
        return record
    if len(record.waiting) >= MAX_WAITING:
        raise NotResent(f"{MAX_WAITING} questions wait in chat {again.chat} already; try again later")
    return record.having(waiting=(*record.waiting, question))


def _request(letter: DeadLetter) -> GenerationRequested:
    try:
        request = letter.event.data()
    except MalformedEvent as error:
        raise NotResent(f"it can't be read ({error}); `timokha deadletters drop` deletes it") from None
    if not isinstance(request, GenerationRequested):
        raise NotResent(f"it is not a request but a {letter.event.type}; `timokha deadletters drop` deletes it")
    return request


def _question(request: GenerationRequested, again: RequestId, letter: DeadLetter, now: datetime) -> Question:
    trace = {name: value for name, value in letter.event.headers.items() if name in ("traceparent", "tracestate")}
    return Question(
        message_id=int(again.message),
        text=request.turns[-1].text,
        speaker=request.turns[-1].speaker,
        locale=request.locale,
        asked_at=now,
        trace=trace,
        revision=again.revision,
        live=request.live,
        persona=request.persona,
    )


async def _wake_userbot(store: DeadLetterStore, again: RequestId, retrying: Retrying) -> bool:
    pauses = retrying.pauses(WAKE_PAUSES)
    while pauses.failures < WAKE_ATTEMPTS:
        if await wake(store.js, again.account, again.chat):
            return True
        await retrying.clock.sleep(pauses.next())
    return False
