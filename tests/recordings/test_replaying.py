"""Recorded from a real stream, replayed into a live system and straight into the handler."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from types import MappingProxyType

import pytest

from cli import record as recording
from cli.replay import command as replaying
from cli.replay.cases import Case, cases
from cli.replay.compare import differences
from cli.replay.in_process import in_process_player
from cli.replay.player import ACCOUNT
from cli.settings import RecordSettings, ReplaySettings
from events.errors import SettingsError
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.recordings.lines import read
from events.runtime.clock import SystemClock
from events.schema import (
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    Sampling,
    Timings,
    Usage,
)
from events.subjects import GENERATE_CONSUMER
from events.transport import Channel
from functions.generate.engine import GeneratedAnswer
from functions.generate.engines.echo import EchoEngine
from functions.generate.handler import generate
from functions.generate.prompts.formats import DialogueFormat, RuDialoGPTFormat
from functions.worker.loop import Limits, Worker, host_handler, reply_lookup
from observability.telemetry import noop_telemetry

GREEDY = Sampling(temperature=0)
QUESTIONS = ("привет", "как дела?", "что нового?")


class PromptHash:
    """A model without randomness: its answer depends on every character of the prompt, and on nothing else."""

    model = "prompt-hash"
    provider = "test"
    samples = False
    own_sampling = MappingProxyType({})

    def __init__(self, prompt_format) -> None:
        self._format = prompt_format

    async def generate(self, turns, sampling, *, persona="", on_progress=None) -> GeneratedAnswer:
        prompt = "".join(segment.text for segment in self._format.render(turns))
        return GeneratedAnswer(sha256(prompt.encode()).hexdigest(), FinishReason.STOP, Usage())

    async def close(self) -> None: ...


@asynccontextmanager
async def serving(js, engine):
    async def handle(request):
        return await generate(request, engine=engine, spans=noop_telemetry().spans, clock=SystemClock())

    log, stop = JetStreamLog(js), asyncio.Event()
    worker = Worker(
        host_handler(handle, clock=SystemClock(), random=Random(1)),
        subscription=await JetStreamSubscription.bind(js, Channel.REQUESTS, GENERATE_CONSUMER, random=Random()),
        publisher=log,
        is_answered=reply_lookup(log),
        source="/test",
        limits=Limits(slots=4, attempts=5, grace=timedelta(seconds=20)),
        telemetry=noop_telemetry(),
        clock=SystemClock(),
        random=Random(1),
    )
    working = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await working


@pytest.fixture
async def record(js, nats_server, tmp_path, make_request):
    """`record(engine, file)`: asks the questions, and records them once they are answered."""
    from events.event import Event

    async def record(engine, name: str = "recording.jsonl", **settings):
        log = JetStreamLog(js)
        async with serving(js, engine), asyncio.timeout(20):
            for number, text in enumerate(QUESTIONS):
                request = make_request(f"1.2.{number}.0", text).model_copy(update={"sampling": GREEDY})
                await log.publish(Channel.REQUESTS, Event.of(request, source="/test", time=datetime.now(UTC)))
            while len(await log.ids(Channel.REPLIES, "timokha.replies.>")) < len(QUESTIONS):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        path = tmp_path / name
        await recording.main(
            RecordSettings.read(nats_url=nats_server.url, file=path, **settings), None, asyncio.Event()
        )
        return path

    return record


async def test_a_recording_has_the_streams_questions_and_replies_in_order(record):
    events = read(await record(EchoEngine(clock=SystemClock()), count=2))
    assert {str(one.event.request_id) for one in events} == {"1.2.1.0", "1.2.2.0"}
    assert [one.channel for one in events].count(Channel.REPLIES) == 2
    assert sorted(events, key=lambda one: one.published_at) == events
    [first, second] = cases(events)
    assert [first.request.turns[-1].text, second.request.turns[-1].text] == list(QUESTIONS[1:])
    assert first.reply.text == QUESTIONS[1]


async def test_only_the_chat_that_was_asked_for_is_recorded(record):
    assert read(await record(EchoEngine(clock=SystemClock()), chat="3")) == []


async def test_the_same_model_answers_a_live_replay_as_before_and_nothing_of_it_stays(record, js, nats_server, capsys):
    path = await record(PromptHash(DialogueFormat()))
    for speed in ("maximal", "original"):
        async with serving(js, PromptHash(DialogueFormat())):
            settings = ReplaySettings.read(nats_url=nats_server.url, file=path, speed=speed)
            await replaying.main(settings, noop_telemetry(), asyncio.Event())
        assert capsys.readouterr().out.endswith("3 of 3 replies agree\n")
    for channel in Channel:
        assert await JetStreamLog(js).ids(channel, f"timokha.{channel}.{ACCOUNT}.>") == []


async def test_another_prompt_format_is_noticed_and_every_difference_shown(record, js, nats_server, capsys):
    path = await record(PromptHash(DialogueFormat()))
    async with serving(js, PromptHash(RuDialoGPTFormat())):
        settings = ReplaySettings.read(nats_url=nats_server.url, file=path)
        with pytest.raises(replaying.Disagreement, match="3 of 3 replies differ") as raised:
            await replaying.main(settings, noop_telemetry(), asyncio.Event())
    assert raised.value.exit_code == 1
    written = capsys.readouterr().out
    for number, case in enumerate(cases(read(path))):
        assert f"1.2.{number}.0: text differs" in written
        assert f"- {case.reply.text}" in written
    assert written.endswith("0 of 3 replies agree\n")


async def test_without_brokers_the_handler_is_replayed_by_the_same_rules(record, capsys):
    recorded = cases(read(await record(PromptHash(DialogueFormat()))))
    for engine, agreed in ((PromptHash(DialogueFormat()), 3), (PromptHash(RuDialoGPTFormat()), 0)):
        async with in_process_player(
            engine, slots=2, telemetry=noop_telemetry(), clock=SystemClock(), random=Random(1)
        ) as player:
            assert replaying.compare_replies(recorded, await player.play(recorded)).agreed == agreed


async def test_the_replay_command_opens_the_engine_that_its_settings_name(record, capsys):
    path = await record(EchoEngine(clock=SystemClock()))
    settings = ReplaySettings.read(file=path, handler=True, engine="echo")
    await replaying.main(settings, noop_telemetry(), asyncio.Event())
    assert capsys.readouterr().out.endswith("3 of 3 replies agree\n")


async def test_a_masked_recording_can_still_be_replayed(record, capsys):
    path = await record(EchoEngine(clock=SystemClock()), pseudonymise="mask")
    assert not [text for text in QUESTIONS if text in path.read_text()]
    await replaying.main(ReplaySettings.read(file=path, handler=True, engine="echo"), noop_telemetry(), asyncio.Event())
    assert capsys.readouterr().out.endswith("3 of 3 replies agree\n")


async def test_a_question_that_nobody_answers_differs_at_its_deadline(record, js, nats_server, capsys):
    path = await record(EchoEngine(clock=SystemClock()))
    hurried = [
        Case(
            case.request.model_copy(update={"deadline": case.asked_at + timedelta(seconds=0.2)}),
            case.asked_at,
            case.reply,
        )
        for case in cases(read(path))
    ]
    async with in_process_player(
        EchoEngine(timedelta(seconds=5), clock=SystemClock()),
        slots=3,
        telemetry=noop_telemetry(),
        clock=SystemClock(),
        random=Random(1),
    ) as player:
        report = replaying.compare_replies(hurried, await player.play(hurried))
    assert report.differed == 3
    assert "1.2.0.0: no reply differs" in report.lines


async def test_a_replay_that_is_stopped_says_so(record, nats_server):
    path = await record(EchoEngine(clock=SystemClock()))
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(replaying.Interrupted):
        await replaying.main(ReplaySettings.read(nats_url=nats_server.url, file=path), noop_telemetry(), stop)


@pytest.mark.parametrize("file", [None, "empty"])
async def test_a_replay_of_nothing_says_what_to_do(tmp_path, file):
    path = None
    if file:
        path = tmp_path / file
        path.write_text("")
    with pytest.raises(SettingsError, match="REPLAY_FILE"):
        await replaying.main(ReplaySettings.read(file=path, handler=True), noop_telemetry(), asyncio.Event())


@pytest.fixture
def asked(make_request):
    """`asked(reply, sampling)`: a recorded question."""

    def asked(reply, sampling: Sampling = GREEDY) -> Case:
        request = make_request().model_copy(update={"sampling": sampling})
        return Case(request, request.deadline - timedelta(seconds=60), reply)

    return asked


def answered(text: str = "да", reason: FinishReason = FinishReason.STOP, seconds: float = 0, tokens: int = 0):
    return GenerationCompleted(
        request_id="1.2.3.0",
        text=text,
        finish_reason=reason,
        model="test",
        usage=Usage(output_tokens=tokens),
        timings=Timings(generation=seconds),
    )


def failed(reason: FailureReason = FailureReason.EMPTY) -> GenerationFailed:
    return GenerationFailed(request_id="1.2.3.0", reason=reason)


SAMPLED = Sampling(temperature=0.7)
LENGTH = FinishReason.LENGTH


@pytest.mark.parametrize(
    ("sampling", "recorded", "replayed", "expected"),
    [
        (GREEDY, answered("да", seconds=1), answered("да", seconds=100), []),
        (GREEDY, answered("да"), answered("нет"), ["text"]),
        (GREEDY, answered("да"), answered("да", LENGTH, tokens=5), ["finish_reason", "usage"]),
        (Sampling(top_k=1), answered("да"), answered("нет"), ["text"]),
        (SAMPLED, answered("да"), answered("нет"), []),
        (SAMPLED, answered("да"), answered("нет", LENGTH), ["shape"]),
        (SAMPLED, answered("да"), answered("не\nт"), ["shape"]),
        (SAMPLED, answered("да"), answered("нет" * 20), ["length"]),
        (SAMPLED, answered("нет" * 100), answered("да"), ["length"]),
        (SAMPLED, answered(seconds=2), answered(seconds=7), []),
        (SAMPLED, answered(seconds=2), answered(seconds=7.1), ["timing"]),
        (SAMPLED, answered(), answered(seconds=7.1), []),
        (SAMPLED, answered(), failed(), ["outcome"]),
        (SAMPLED, failed(), failed(), []),
        (SAMPLED, failed(), failed(FailureReason.REJECTED), ["outcome"]),
        (GREEDY, failed(), None, ["no reply"]),
        (GREEDY, None, answered(), []),
    ],
)
def test_greedy_replies_agree_word_by_word_and_sampled_ones_in_shape_length_and_timing(
    asked, sampling, recorded, replayed, expected
):
    assert [found.what for found in differences(asked(recorded, sampling), replayed)] == expected
