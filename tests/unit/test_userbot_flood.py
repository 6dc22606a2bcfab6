"""PEER_FLOOD: everything is paused, and the owner is told once, whichever process dies when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from edge.userbot import phrases
from edge.userbot.chat.policy import BY_FLOOD, FLOOD_PAUSE, Policy, is_paused, resume
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.messenger import PeerFlooded
from edge.userbot.formatting.styled_text import FormattedText
from events.errors import TransportError
from tests.unit.conftest import ACCOUNT, CHAT


@dataclass
class Flooded:
    """Refuses messages to everyone but the owner. `told`: what the owner got; `tries`: what was refused."""

    lasts: bool = True
    told: list[tuple[str, int | None]] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    _sent: set[int] = field(default_factory=set)

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        if chat == CHAT and self.lasts:
            self.tries.append(message.text)
            raise PeerFlooded("PEER_FLOOD")
        if random_id not in self._sent and chat == ACCOUNT:
            self.told.append((message.text, reply_to))
        self._sent.add(random_id)
        return 77


@pytest.fixture
def flooded(places, monkeypatch) -> Flooded:
    telegram = Flooded()
    monkeypatch.setattr(places.telegram, "send", telegram.send)
    return telegram


async def policy_of(edge) -> Policy:
    return await edge.ports.chats.policy.load()


async def told(places, edge) -> None:
    """The owner knows, and nothing is left to do."""

    async def condition() -> bool:
        return (await policy_of(edge)).owner_told and not edge.drivers.busy

    await places.until(condition)


def failing(really: Callable, key: str, error: BaseException, failures: list[str]) -> Callable:
    """Let saving `key` fail as often as `failures` has entries."""

    async def save(saved: str, *given: object) -> int:
        if saved == key and failures:
            failures.pop()
            raise error
        return await really(saved, *given)

    return save


async def test_everything_is_paused_for_a_day_and_the_owner_is_told_once(places, flooded) -> None:
    edge = places.edge()
    with capture_logs() as logs:
        assert await edge.says("/help", 1) == Effect.HELPED
        await told(places, edge)
        await edge.says("/set_context_length 5", 2)
        await edge.idle()
    policy, now = await policy_of(edge), edge.ports.retrying.clock.now()
    assert (policy.paused_by, is_paused(policy, now)) == (BY_FLOOD, True)
    assert FLOOD_PAUSE - timedelta(minutes=1) < policy.paused_until - now <= FLOOD_PAUSE
    assert flooded.told == [(phrases.flooded("ru", policy.paused_until), None)]
    assert len(flooded.tries) == 2
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["telegram.flooded"]
    assert await edge.says("Тимоха, раз", 3) == Effect.PAUSED


async def test_the_question_in_preparation_counts_as_undeliverable_and_its_chat_goes_on(places, flooded) -> None:
    edge = places.edge()
    assert await edge.says("Тимоха, раз", 1) == Effect.ASKED
    await told_while_asking(places, edge)
    with capture_logs() as logs:
        await edge.answer(1)
        await edge.idle()
    assert [line["outcome"] for line in logs if line["event"] == "question.settled"] == ["undeliverable"]
    flooded.lasts = False
    await edge.ports.chats.policy.change(lambda policy: resume(policy, datetime.now(UTC)))
    assert await edge.says("Тимоха, два", 2) == Effect.ASKED


async def told_while_asking(places, edge) -> None:
    async def condition() -> bool:
        return (await policy_of(edge)).owner_told

    await places.until(condition)


@pytest.mark.parametrize("key", ["1.policy", "1.1"], ids=["the policy", "the owner's record"])
async def test_while_the_store_is_away_the_pause_waits_for_it(places, flooded, monkeypatch, key) -> None:
    failures = ["", ""]
    monkeypatch.setattr(places.records, "save", failing(places.records.save, key, TransportError("away"), failures))
    edge = places.edge()
    await edge.says("/help", 1)
    await told(places, edge)
    assert not failures
    assert len(flooded.told) == 1


class Died(BaseException):
    """As good as kill -9: nothing handles it."""


async def test_a_process_that_dies_before_it_has_told_the_owner_leaves_that_to_the_next(
    places, flooded, monkeypatch
) -> None:
    save, failures = places.records.save, [""]
    monkeypatch.setattr(places.records, "save", failing(save, "1.1", Died(), failures))
    edge = places.edge()
    await edge.says("/help", 1)
    await places.until(lambda: dead(edge))
    assert not (await policy_of(edge)).owner_told
    await edge.die()
    flooded.lasts = False
    edge = places.edge()
    assert await edge.says("Тимоха, раз", 2) == Effect.PAUSED
    await told(places, edge)
    assert len(flooded.told) == 1


async def dead(edge) -> bool:
    return (await policy_of(edge)).paused_by == BY_FLOOD and not edge.drivers.busy


async def test_a_notice_that_was_sent_before_a_crash_is_not_sent_again(places, flooded, monkeypatch) -> None:
    """The process dies after the notice and before it has recorded that the owner knows."""
    records = places.records
    edge = places.edge()
    await edge.says("/help", 1)
    await told(places, edge)
    stored = await records.load("1.policy")
    policy = (await policy_of(edge)).having(owner_told=False)
    await records.save("1.policy", policy.to_json(), stored.version)
    await edge.die()
    edge = places.edge()
    await edge.says("/help", 2)
    await told(places, edge)
    assert len(flooded.told) == 1


async def test_a_policy_that_cant_be_read_and_an_owners_record_that_cant_be_read_stop_nothing(places, flooded) -> None:
    await places.records.save("1.policy", b"{nonsense", None)
    edge = places.edge()
    await edge.says("/help", 1)
    await edge.idle()
    assert len(flooded.tries) == 1
    await edge.ports.chats.policy.start_afresh(lambda policy: resume(policy, datetime.now(UTC)))
    await places.records.save("1.1", b"{nonsense", None)
    await edge.says("/set_context_length 5", 2)
    await told(places, edge)
    assert flooded.told == []
