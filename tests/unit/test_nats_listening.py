"""Answers and messages that do not go through nats-py's queues."""

import asyncio

import pytest
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from structlog.testing import capture_logs

from events.jetstream.listening import Listening


class Nats:
    """Publishes to nobody; subscriptions are numbered from 1."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.published: list[tuple[str, str]] = []

    def new_inbox(self) -> str:
        return "_INBOX_test.one"

    async def subscribe(self, subject: str) -> Subscription:
        self.subjects.append(subject)
        return Subscription(self, len(self.subjects))

    async def publish(self, subject: str, payload: bytes, reply: str, headers: object) -> None:
        self.published.append((subject, reply))


@pytest.fixture
def nats() -> Nats:
    return Nats()


@pytest.fixture
def listening(nats: Nats) -> Listening:
    return Listening(nats)


def message(subject: str, data: bytes = b"", headers: dict[str, str] | None = None, *, sid: int = 1) -> Msg:
    return Msg(None, subject, data=data, headers=headers, _sid=sid)


async def asked(listening: Listening, nats: Nats, subject: str) -> "tuple[asyncio.Task[Msg], str]":
    """A request, and where its answer goes."""
    task = asyncio.ensure_future(listening.ask(subject, b"", None, timeout=60))
    while subject not in dict(nats.published):  # noqa: ASYNC110
        await asyncio.sleep(0)
    return task, dict(nats.published)[subject]


async def test_each_request_gets_its_own_answer(listening: Listening, nats: Nats) -> None:
    (one, to_one), (two, to_two) = await asked(listening, nats, "one"), await asked(listening, nats, "two")
    assert listening.pass_on(message(to_two, b"2"))
    assert listening.pass_on(message(to_one, b"1"))
    assert ((await one).data, (await two).data) == (b"1", b"2")


async def test_all_requests_share_an_inbox(listening: Listening, nats: Nats) -> None:
    first = [asyncio.ensure_future(listening.ask(name, b"", None, timeout=60)) for name in ("one", "two")]
    await asked(listening, nats, "three")
    assert nats.subjects == ["_INBOX_test.one.*"]
    assert all(reply.startswith("_INBOX_test.one.") for _, reply in nats.published)
    assert not any(task.done() for task in first)


async def test_a_request_without_an_answer_times_out(listening: Listening) -> None:
    with pytest.raises(NatsTimeoutError):
        await listening.ask("subject", b"", None, timeout=0)


async def test_an_answer_that_comes_too_late_goes_nowhere(listening: Listening, nats: Nats) -> None:
    with pytest.raises(NatsTimeoutError):
        await listening.ask("slow", b"", None, timeout=0)
    assert listening.pass_on(message(dict(nats.published)["slow"]))


async def test_a_second_answer_is_ignored(listening: Listening, nats: Nats) -> None:
    task, reply = await asked(listening, nats, "subject")
    assert listening.pass_on(message(reply, b"1"))
    assert listening.pass_on(message(reply, b"2"))
    assert (await task).data == b"1"


async def test_a_request_that_no_one_takes_fails(listening: Listening, nats: Nats) -> None:
    task, reply = await asked(listening, nats, "subject")
    listening.pass_on(message(reply, headers={"Status": "503"}))
    with pytest.raises(NoRespondersError):
        await task


async def test_a_request_is_cancelled_even_as_its_answer_arrives(listening: Listening, nats: Nats) -> None:
    """`asyncio.wait_for` of Python 3.11 drops such a cancellation."""
    task, reply = await asked(listening, nats, "subject")
    listening.pass_on(message(reply))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_message_goes_to_its_receiver_and_others_to_the_client(listening: Listening) -> None:
    received: list[Msg] = []
    await listening.listen("subject", received.append)
    assert listening.pass_on(ours := message("subject"))
    assert not listening.pass_on(message("subject", sid=2))
    assert received == [ours]


async def test_the_client_reads_on_after_a_receiver_has_failed(listening: Listening) -> None:
    def fail(message: Msg) -> None:
        raise ValueError("the text of a message")

    await listening.listen("subject", fail)
    with capture_logs() as lines:
        assert listening.pass_on(message("subject"))
    assert lines == [{"event": "nats.not_received", "error": "ValueError", "log_level": "error"}]
