"""Any texts, from Telegram's update to Telegram's message: nobody is left busy, and what is sent is what was said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Literal

import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyrogram import raw

from edge.userbot.chat.commands import Ask, parse, parse_context_length
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import MAX_ANSWER_BYTES, ChatRecord, truncate
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.messages import formatted_messages as parts_of
from edge.userbot.formatting.messages import split, utf16_length
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from edge.userbot.telegram.incoming import to_incoming
from edge.userbot.text import clean, is_blank, trim
from edge.userbot.triggers import NO_TRIGGERS, Triggers
from events.event import NATS_PREFIX, Event, from_headers
from events.ids import RequestId
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import TYPES, FinishReason, GenerationCompleted, Role, Sampling, Turn, Usage
from events.transport import Channel
from functions.generate.engine import GeneratedAnswer
from functions.generate.handler import generate
from functions.worker.loop import Limits, Worker, host_handler, reply_lookup
from observability.telemetry import noop_telemetry

ACCOUNT, CHAT = "1", "2"
MOST = 4096
HUGE = 100_000
"""Characters, far more than Telegram or a model send."""
NOW = datetime(2026, 11, 24, tzinfo=UTC)

NASTY = st.sampled_from(
    [
        "\x00", "\x1b[2J", "\r\n", "\n\n", "\t", " ", "\u2028", "\u00a0",
        "\u202e", "\u2066", "\u200f", "\u061c", "\ufeff", "\u200b", "\u200d", "\ufe0f",
        "\ud83d", "\ude00", "😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇷🇺", "👍🏽", "e\u0301", "\u0301", "Z͑ͫ̓ͪ̂", "각", "क्षि",
        "<:>", "@@ПЕРВЫЙ@@", "<eos>", "Гость:", "/help", "Тимоха,", "**", "_я_",
        "`x`", "\n```py\n  a", "слово", "Конец. ", "\U0010ffff", "\ufffe",
    ]
)  # fmt: skip
ANY = st.text(st.characters(exclude_categories=[]), max_size=30)
TEXTS = st.lists(NASTY | ANY, max_size=12).map("".join)
LONG = st.builds(
    lambda pieces, times: ("".join(pieces) * times)[:HUGE],
    st.lists(NASTY, min_size=1, max_size=4),
    st.sampled_from([500, 4096, 4097, HUGE]),
)
SAID = TEXTS | LONG | st.builds(lambda text, end: text + end, LONG, TEXTS)
PREFIXED = st.builds(lambda prefix, text: prefix + text, st.sampled_from(["Тимоха, ", "ТИМОХА,", "тимоха,\n"]), SAID)
COMMANDS = st.sampled_from(["/help", "/delete_history", "/set_context_length 5"]) | SAID.map(
    "/set_context_length ".__add__
)
MESSAGES = PREFIXED | PREFIXED | COMMANDS | SAID


@dataclass
class Telegram:
    """Takes what Telegram takes; `refused` is anything else."""

    sent: list[tuple[str, int | None]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ids: dict[int, int] = field(default_factory=dict)

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        text = message.text
        fits = 0 < utf16_length(text) <= MOST and not is_blank(text)
        if not fits or clean(text) != text or text.rstrip() != text or random_id in self.ids:
            self.refused.append(text)
        if any(entity.length <= 0 or entity.offset + entity.length > utf16_length(text) for entity in message.entities):
            self.refused.append(text)
        self.sent.append((text, reply_to))
        self.ids[random_id] = 1_000_000 + len(self.ids)
        return self.ids[random_id]

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        return None

    async def has_outcome(self, chat: str, message_id: int, *, thinking: object) -> bool:
        return False

    async def delete(self, chat: str, message_id: int) -> None:
        pass

    async def find_chat(self, name: str) -> str | None:
        return None

    async def wrote_first(self, chat: str) -> bool | None:
        return None

    async def typing(self, chat: str) -> None:
        pass


@dataclass
class Model:
    """Answers with the next of its `answers`, an echo of the question for None."""

    answers: list[str | None]
    asked: list[Turn] = field(default_factory=list)
    model = "fuzz"
    provider = "timokha"
    samples = True
    own_sampling = MappingProxyType({})

    async def generate(self, turns: tuple[Turn, ...], sampling: Sampling, *_: object, **__: object) -> GeneratedAnswer:
        self.asked.append(turns[-1])
        answer = self.answers[len(self.asked) % len(self.answers)]
        text = turns[-1].text if answer is None else answer.encode(errors="ignore").decode()
        return GeneratedAnswer(text=text, finish_reason=FinishReason.STOP, usage=Usage())

    async def close(self) -> None:
        pass


@dataclass
class Talk:
    intake: Intake
    drivers: Drivers
    chats: Chats
    log: MemoryLog
    telegram: Telegram
    model: Model

    async def rest(self) -> ChatRecord:
        """The chat's record when nothing is left to do, at the latest when the deadline has passed."""
        async with asyncio.timeout(20):
            while True:
                record = await self.chats.load(CHAT)
                assert not self.telegram.refused
                questions = record.current or record.waiting or record.bursts
                if not (self.drivers.busy or questions or record.notices or record.erasing):
                    return record
                await asyncio.sleep(0)

    async def answered(self, number: int) -> None:
        """Its thinking line came once, what ended it once and whole, and its events are all there."""
        lines = [place for place, (_, reply_to) in enumerate(self.telegram.sent) if reply_to == number]
        assert len(lines) == 1
        parts = [text for text, reply_to in self.telegram.sent if reply_to == 1_000_000 + lines[0]]
        assert parts
        request_id = RequestId(ACCOUNT, CHAT, str(number))
        reply = await self.log.find(Channel.REPLIES, request_id)
        assert reply is not None
        data = reply.data()
        text = truncate(clean(data.text).strip(), MAX_ANSWER_BYTES) if isinstance(data, GenerationCompleted) else ""
        if is_blank(text):
            assert parts[0].endswith("Попробуйте спросить ещё раз другими словами.")
        else:
            assert parts == shown(text)


@asynccontextmanager
async def talking(
    answers: list[str | None], when_busy: Literal["ignore", "queue"], triggers: Triggers = NO_TRIGGERS
) -> AsyncIterator[Talk]:
    log, telegram, model, telemetry = MemoryLog(clock=SystemClock()), Telegram(), Model(answers), noop_telemetry()
    retrying = Retrying(SystemClock(), Random())
    chats = Chats(MemoryRecords(), MemoryMarks(), ACCOUNT, retrying=retrying)
    rules = Rules(
        when_busy=when_busy, deadline=timedelta(seconds=5), triggers=triggers, debounce=timedelta(seconds=0.005)
    )
    ports = Ports(
        account=ACCOUNT,
        chats=chats,
        log=log,
        messenger=telegram,
        sampling=Sampling(),
        deadline=rules.deadline,
        telemetry=telemetry,
        retrying=retrying,
    )
    drivers = Drivers(ports)
    lease = timedelta(seconds=60)
    worker = Worker(
        host_handler(
            partial(generate, engine=model, spans=telemetry.spans, clock=retrying.clock),
            clock=retrying.clock,
            random=retrying.random,
        ),
        subscription=log.subscribe(Channel.REQUESTS, "generate", lease=lease),
        publisher=log,
        is_answered=reply_lookup(log),
        source="/test",
        limits=Limits(slots=1, attempts=5, grace=timedelta(seconds=20)),
        telemetry=telemetry,
        clock=retrying.clock,
        random=retrying.random,
    )
    replies = Replies(ports, drivers, log.subscribe(Channel.REPLIES, "edge-1", lease=lease))
    running = [asyncio.create_task(worker.run(asyncio.Event())), asyncio.create_task(replies.run())]
    try:
        yield Talk(Intake(ports, drivers, lambda: rules), drivers, chats, log, telegram, model)
        assert not any(task.done() for task in running)
    finally:
        await drivers.stop()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def arriving(number: int, text: str) -> Incoming | None:
    """As it comes from Telegram: over pyrogram's own reader, which replaces what is no UTF-8."""
    message = raw.types.Message(
        id=number,
        peer_id=raw.types.PeerUser(user_id=int(CHAT)),
        date=int(datetime.now(UTC).timestamp()),
        message=text.encode(errors="surrogatepass").decode(errors="replace") if number % 2 else text,
    )
    return to_incoming(ACCOUNT, message, {}, bots=False)


def shown(text: str) -> list[str]:
    """The messages of an answer."""
    return [part.text for part in parts_of(text, formatted=True)]


def solid(text: str) -> str:
    return "".join(char for char in text if not is_blank(char))


@given(
    st.lists(MESSAGES, min_size=1, max_size=4),
    st.lists(st.none() | SAID, min_size=1, max_size=4),
    st.sampled_from(["ignore", "queue"]),
    st.booleans(),
    st.sampled_from([NO_TRIGGERS, Triggers.of(["any"])]),
)
@example(["Тимоха, " + "👨‍👩‍👧‍👦" * 10_000], [None], "ignore", True, NO_TRIGGERS)
@example(["👨‍👩‍👧‍👦" * 10_000, "и"], [None], "ignore", False, Triggers.of(["any"]))
async def test_any_talk_comes_to_rest(
    texts: list[str],
    answers: list[str | None],
    when_busy: Literal["ignore", "queue"],
    patient: bool,
    triggers: Triggers,
) -> None:
    """`patient` users wait for the outcome before they write again."""
    async with talking(answers, when_busy, triggers) as talk:
        effects: dict[int, Effect] = {}
        said: dict[int, str] = {}
        for number, text in enumerate(texts, 1):
            message = arriving(number, text)
            if message:
                said[number], effects[number] = message.text, await talk.intake.receive(message)
            if patient:
                await talk.rest()
        record = await talk.rest()
        cancelled = max((number for number, effect in effects.items() if effect is Effect.DELETED), default=0)
        for number, effect in effects.items():
            if effect in (Effect.ASKED, Effect.QUEUED) and number > cancelled:
                await talk.answered(number)
            if effect in (Effect.COLLECTING, Effect.COLLECTED) and number > cancelled:
                assert any(_collected(said[number]) in turn.text for turn in talk.model.asked)
        assert ChatRecord.model_validate_json(record.to_json()) == record
        assert all(turn.text == clean(turn.text) and turn.text for turn in talk.model.asked)
        if not cancelled:
            sent = {text for text, _ in talk.telegram.sent}
            answers_kept = [turn.text for turn in record.history if turn.role is Role.ASSISTANT]
            assert all(part in sent for text in answers_kept for part in shown(text))


def _collected(text: str) -> str:
    """What a piece of a burst surely has of a text, with the prefix or without."""
    command = parse(text)
    return truncate(command.question if isinstance(command, Ask) else trim(clean(text)), 1000)


ENVELOPES = st.builds(
    from_headers,
    st.dictionaries(
        st.sampled_from(["ce-type", "ce-subject", "ce-time", "traceparent"]),
        st.sampled_from([*TYPES, "1.2.1.0", "1.2.1.007", "1.2.x", "1.3.1.0", "nonsense", ""]),
    ),
    st.binary(max_size=30)
    | st.sampled_from([b"{}", b'{"request_id": "1.2.1.0"}', b'{"request_id": "1.2.1.0", "text": ""}']),
    st.just(NATS_PREFIX),
    subject=st.sampled_from(["1.2.1.0", "1.2.9.0", "", "x"]),
)


@given(st.lists(ENVELOPES, max_size=3), st.lists(ENVELOPES, max_size=3))
async def test_no_reply_stops_the_edge(before: list[Event], after: list[Event]) -> None:
    async with talking([None], "ignore") as talk:
        replies = talk.log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=60))
        for number, events in enumerate((before, after, []), 1):
            message = arriving(number, "Тимоха, да")
            assert message
            assert await talk.intake.receive(message) is Effect.ASKED
            for event in events:
                replies.put(event)
            await talk.rest()
        assert talk.telegram.sent[-1][0] == "да"


@given(MESSAGES)
def test_any_message_is_a_question_a_command_or_nothing(text: str) -> None:
    message = Incoming(ACCOUNT, CHAT, 7, text, "ru", NOW)
    received = receive(ChatRecord(), message, Rules(), NOW)
    assert receive(received.record, message, Rules(), NOW).effect in (Effect.DUPLICATE, Effect.SILENT)
    assert ChatRecord.model_validate_json(received.record.to_json()) == received.record
    command = parse(text)
    assert (received.effect is Effect.ASKED) == isinstance(command, Ask)
    if isinstance(command, Ask):
        assert received.record.current is not None
        assert command.question.startswith(received.record.current.question.text)


@given(SAID | st.from_regex(r"[\s+-]*[0-9٠-٩²]{1,6}[\s.]*", fullmatch=True))
def test_any_argument_sets_a_context_length_in_bounds_or_changes_nothing(argument: str) -> None:
    message = Incoming(ACCOUNT, CHAT, 7, f"/set_context_length {argument}", "en", NOW)
    received = receive(ChatRecord(), message, Rules(), NOW)
    length = parse_context_length(argument)
    if length is None:
        assert received.effect is Effect.REFUSED_ARGUMENT
        assert received.record.settings == ChatRecord().settings
    else:
        assert received.effect is Effect.SET
        assert received.record.settings.context_length == length == int(argument.strip())
        assert 0 <= length <= 50
    assert len(received.record.notices) == 1


@settings(max_examples=settings.default.max_examples // 4)  # long texts take their time
@given(SAID)
def test_any_text_is_cut_between_characters_and_whole(text: str) -> None:
    text = truncate(clean(text).strip(), MAX_ANSWER_BYTES)
    parts = split(text)
    assert all(0 < utf16_length(part) <= MOST for part in parts)
    assert solid("".join(parts)) == solid(text)
    if all(utf16_length(cluster) <= MOST for cluster in _clusters(text)):
        assert [cluster for part in parts for cluster in _clusters(part)] == _clusters(text)


def _clusters(text: str) -> list[str]:
    """What a reader sees of `text`, character by character; a space that bears an accent may be dropped at a cut."""
    return [cluster.strip() for cluster in regex.findall(r"\X", text) if not is_blank(cluster)]


@given(SAID, st.integers(1, 20_000))
def test_what_is_shortened_is_the_start_of_it_and_fits(text: str, limit: int) -> None:
    text = clean(text)
    short = truncate(text, limit)
    assert len(short.encode()) <= limit
    assert text.startswith(short)


IDS = st.integers(1, 2**63 - 1)
PEERS = st.one_of(
    st.builds(raw.types.PeerUser, user_id=IDS),
    st.builds(raw.types.PeerChat, chat_id=IDS),
    st.builds(raw.types.PeerChannel, channel_id=IDS),
)


@given(
    st.builds(
        raw.types.Message,
        id=st.integers(1, 2**31 - 1),
        peer_id=PEERS,
        from_id=st.none() | PEERS,
        date=st.integers(0, 2**31 - 1),
        message=SAID,
        out=st.booleans(),
        post=st.booleans(),
    ),
    st.text(max_size=5),
    st.booleans(),
)
def test_any_message_of_telegram_is_taken_or_left(message: object, language: str, bots: bool) -> None:
    sender = getattr(message.from_id, "user_id", 5)  # type: ignore[attr-defined]
    users = {sender: raw.types.User(id=sender, bot=True, lang_code=language)}
    taken = to_incoming(ACCOUNT, message, users, bots=bots)
    if taken is not None:
        request_id = RequestId(taken.account, taken.chat, str(taken.message_id))
        assert RequestId.parse(str(request_id)) == request_id
        assert taken.text
        receive(ChatRecord(), taken, Rules(), NOW)
