"""Clocks that are wrong, or set while questions are in flight: of each process, and of a machine that was asleep."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.state import Account
from edge.userbot import phrases
from events.health.reading import check_health
from tests import kernel_clock
from tests.clocks import SteppedClock
from tests.e2e.conftest import WAIT, Product, product
from tests.wall_clock import HOUR, WallClock, library

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SLOW = [pytest.param(ahead, marks=pytest.mark.slow) for ahead in (MINUTE, -MINUTE, -20 * MINUTE, DAY, -DAY)]
ASLEEP = 20
"""Seconds for which the machine seems to sleep; its clock then says 20 minutes."""
PATIENT = {"USERBOT_DEADLINE": "30", "GENERATE_ECHO_DELAY": "1"}
NO_TIME_LEFT = phrases.failure("ru", phrases.DEADLINE)


@pytest.mark.parametrize("ahead", [20 * MINUTE, *SLOW], ids=str)
async def test_a_machine_whose_clock_is_wrong_answers_and_says_so_once(make_product, ahead) -> None:
    # A bot signs in by itself, so that no client here has to live with the wrong time.
    product = await make_product(bot=True, clock=SteppedClock(-ahead))
    visitor = product.visitor()
    product.says(visitor, "Тимоха, привет")
    await product.until(lambda: product.answers(visitor))
    assert product.answers(visitor) == ["привет"]
    assert "too_old" not in product.log("userbot")
    [line] = [line for line in product.log("userbot").splitlines() if "telegram.clock_off" in line]
    seconds = round(ahead.total_seconds())
    near = [
        f"{abs(about)} s {'ahead of' if ahead > timedelta(0) else 'behind'} Telegram"
        for about in range(seconds - 5, seconds + 6)
    ]
    assert any(words in line for words in near)


@dataclass
class Clocked:
    """A product each of whose Python processes has a wall clock of its own. NATS and Telegram keep the machine's."""

    product: Product
    clocks: dict[str, WallClock]

    @property
    def health_files(self) -> dict[str, str]:
        return {name: str(self.product.directory / f"{name}.health") for name in self.clocks}

    async def asks(self, visitor: Account, text: str) -> None:
        """Ask, and return when the chat shows that it is thought about."""
        before = len(self.product.written(visitor))
        self.product.says(visitor, f"Тимоха, {text}")
        await self.product.until(lambda: len(self.product.written(visitor)) > before)

    async def answers(self, visitor: Account, *texts: str) -> None:
        """The visitor has just these outcomes, and their chat is free."""
        await self.product.until(lambda: len(self.product.answers(visitor)) >= len(texts))
        await self.product.free(visitor, len(texts))
        assert self.product.answers(visitor) == [*texts]

    async def live(self) -> None:
        """No living process is reported as dead, nor as not answering."""
        async with asyncio.timeout(WAIT):
            for file in self.health_files.values():
                while check_health(file, live=False):
                    assert check_health(file, live=True) == ""
                    await asyncio.sleep(0.05)

    def negative_spans(self) -> list[str]:
        spans = [(span["name"], _time(span["end_time"]) - _time(span["start_time"])) for span in self.product.spans()]
        assert spans
        return [f"{name} {took}" for name, took in spans if took < timedelta(0)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@asynccontextmanager
async def clocked(
    directory: Path, *, ahead: dict[str, timedelta] | None = None, **settings: str
) -> AsyncIterator[Clocked]:
    """`ahead`: whose clock is wrong from the start."""
    clocks = {
        name: WallClock(library(), directory, name, ahead=(ahead or {}).get(name, timedelta(0)))
        for name in ("userbot", "generate")
    }
    async with product(directory, **{**PATIENT, **settings}) as made:
        one = Clocked(made, clocks)
        for name, clock in clocks.items():
            made.own[name] = {**clock.environment, "TIMOKHA_HEALTH_FILE": one.health_files[name]}
        await made.start()
        await made.ready()
        yield one


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running_clocked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clocked]:
    async with clocked(tmp_path_factory.mktemp("clocked")) as one:
        yield one


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("whose", ["userbot", "generate"])
async def test_a_clock_that_is_set_while_a_question_is_in_flight_costs_no_answer(running_clocked, whose, by) -> None:
    one, visitor, other = running_clocked, running_clocked.product.visitor(), running_clocked.product.visitor()
    await one.asks(visitor, "до")
    await one.answers(visitor, "до")
    await one.asks(visitor, "во время")
    one.clocks[whose].step(by)
    await one.product.until(lambda: len(one.product.answers(visitor)) == 2)
    [_, outcome] = one.product.answers(visitor)
    # By the userbot's clock the question's time may be over now: then its user is told so.
    assert outcome == "во время" or (outcome, whose, by) == (NO_TIME_LEFT, "userbot", HOUR)
    await one.product.free(visitor, 2)
    await asyncio.gather(one.asks(visitor, "после"), one.asks(other, "тоже после"))
    await one.answers(visitor, "до", outcome, "после")
    await one.answers(other, "тоже после")
    await one.live()
    one.clocks[whose].step(-by)
    assert one.negative_spans() == []


@pytest.mark.slow
@pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does")
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_is_set_under_timokha_business_costs_no_answer(tmp_path, by) -> None:
    clock, health = WallClock(library(), tmp_path, "business"), str(tmp_path / "business.health")
    async with product(tmp_path, bot=True, business=True, **PATIENT) as made:
        telegram, bot, visitor = made.telegram, made.owner, made.visitor()
        person = telegram.add_user(first_name="Person", phone="+78880000")
        bot.met.add(person.id)
        telegram.connect_business(person.id, bot.id)
        made.own["business"] = {**clock.environment, "TIMOKHA_HEALTH_FILE": health}
        await made.start("business", "generate")
        await made.logged("business.ready", by="business")

        def written() -> list[str]:
            return [message.text for message in telegram.messages(person.id, visitor.id) if message.out]

        telegram.send(visitor.id, person.id, "Тимоха, во время")
        await made.until(written)
        clock.step(by)
        await made.until(lambda: len(written()) == 2)
        assert written()[1] in ("во время", *([NO_TIME_LEFT] if by == HOUR else []))
        await made.logged("question.settled", by="business")
        telegram.send(visitor.id, person.id, "Тимоха, после")
        await made.until(lambda: len(written()) == 4)
        assert written()[3] == "после"
        assert check_health(health, live=True) == ""


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("by", [HOUR, -HOUR, DAY + HOUR], ids=["forward", "back", "a day forward"])
async def test_nats_clock_that_is_set_while_a_question_is_in_flight_costs_no_answer(tmp_path, by) -> None:
    async with clocked(tmp_path) as one:
        product, visitor = one.product, one.product.visitor()
        await one.asks(visitor, "до")
        await one.answers(visitor, "до")
        await one.asks(visitor, "во время")
        kernel_clock.step(product.nats.pid, by)
        await one.answers(visitor, "до", "во время")
        await one.asks(visitor, "после")
        await one.answers(visitor, "до", "во время", "после")
        await product.kill("userbot")
        missed = product.visitor()
        product.says(missed, "Тимоха, пока тебя нет")
        await product.start("userbot")
        await one.answers(missed, "пока тебя нет")
        await one.live()
        assert one.negative_spans() == []


@contextmanager
def stopped(*pids: int | None) -> Iterator[None]:
    for pid in pids:
        os.kill(pid or 0, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid or 0, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_machine_that_was_asleep_goes_on(tmp_path) -> None:
    async with clocked(tmp_path) as one:
        product, clocks = one.product, one.clocks.values()
        asked, missed, after = (product.visitor() for _ in range(3))
        await one.asks(asked, "перед сном")
        with stopped(product.nats.pid, *(process.pid for process in product.processes.values())):
            product.says(missed, "Тимоха, пока ты спишь")
            await asyncio.sleep(ASLEEP)
            for clock in clocks:
                clock.step(20 * MINUTE)
        await product.until(lambda: product.answers(asked))
        await product.free(asked)
        assert product.answers(asked) in (["перед сном"], [NO_TIME_LEFT])
        await one.answers(missed, "пока ты спишь")
        await one.asks(after, "доброе утро")
        await one.answers(after, "доброе утро")
        await one.live()
        assert "too_old" not in product.log("userbot")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("whose", ["userbot", "generate"])
async def test_a_clock_that_is_wrong_from_the_start_costs_no_answer(tmp_path, whose, by) -> None:
    async with clocked(tmp_path, ahead={whose: by}) as one:
        product, first, missed = one.product, one.product.visitor(), one.product.visitor()
        await one.asks(first, "первый")
        await one.answers(first, "первый")
        await product.kill("userbot")
        product.says(missed, "Тимоха, пока тебя нет")
        await product.start("userbot")
        await one.answers(missed, "пока тебя нет")
        await one.asks(first, "второй")
        await one.answers(first, "первый", "второй")
        await one.live()


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_is_set_loses_no_message_without_the_prefix_that_was_missed(tmp_path, by) -> None:
    settings = {"USERBOT_TRIGGERS": "private", "USERBOT_DEBOUNCE": "0.2"}
    async with clocked(tmp_path, **settings) as one:
        product, first, missed = one.product, one.product.visitor(), one.product.visitor()
        product.says(first, "привет")
        await one.answers(first, "привет")
        await product.kill("userbot")
        one.clocks["userbot"].step(by)
        product.says(missed, "ты где?")
        await asyncio.sleep(2.5)
        await product.start("userbot")
        await one.answers(missed, "ты где?")
