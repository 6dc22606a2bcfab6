"""A sandbox with two people, and stock clients for them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from pyrogram import Client

from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram import pyrogram_repairs
from edge.userbot.telegram.quick_storage import quicken_storage
from edge.userbot.telegram.server import use_server
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.sandbox.business import Bot
from tests.sandbox.groups import Member


@pytest.fixture(autouse=True)
def _no_unknown_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """pyrogram writes errors that Telegram does not have to a file in the working directory."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "unknown_errors.txt").exists()


@pytest.fixture(scope="session", autouse=True)
def _quick_storage() -> None:
    """In a process with as many modules as pytest's a stock client takes seconds to sign in."""
    quicken_storage()


@pytest.fixture
def repaired() -> None:
    """The client is repaired as that of the userbot, whose calls rely on it."""
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


@pytest.fixture
async def telegram() -> AsyncIterator[Sandbox]:
    async with Sandbox() as telegram:
        yield telegram


@dataclass(frozen=True)
class People:
    """Two users of the sandbox, and a stock client of each."""

    anna: Account
    boris: Account
    anna_client: Client
    boris_client: Client


@pytest.fixture
def anna(telegram: Sandbox) -> Account:
    return telegram.add_user(first_name="Anna", username="anna", phone="+79990000001")


@pytest.fixture
def boris(telegram: Sandbox) -> Account:
    return telegram.add_user(first_name="Boris", username="boris", phone="+79990000002", lang_code="ru")


@pytest.fixture
async def people(telegram: Sandbox, anna: Account, boris: Account) -> AsyncIterator[People]:
    async with connect(telegram, "+79990000001") as first, connect(telegram, "+79990000002") as second:
        yield People(anna, boris, first, second)


@pytest.fixture
async def members(telegram: Sandbox, people: People) -> tuple[Member, Member]:
    """Anna and Boris with what their clients are pushed."""
    return Member(telegram, people.anna, people.anna_client), Member(telegram, people.boris, people.boris_client)


@pytest.fixture
def robot(telegram: Sandbox) -> Account:
    """A bot that people may connect to their accounts."""
    if not HAS_BUSINESS:
        pytest.skip("pyrogram knows no Business connections: they are tested with kurigram")
    return telegram.add_user(first_name="Robot", username="robot", bot=True, business=True)


@pytest.fixture
async def bot(telegram: Sandbox, robot: Account) -> AsyncIterator[Bot]:
    use_server(telegram.address, telegram.public_key_pem)
    async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        yield Bot(robot, client)


@pytest.fixture
async def connection(telegram: Sandbox, anna: Account, boris: Account, bot: Bot) -> str:
    """Anna has connected the bot, and Boris has written to her."""
    id_ = telegram.connect_business(anna.id, bot.account.id)
    telegram.send(boris.id, anna.id, "question")
    assert [(await bot.next()).qts, (await bot.next()).qts] == [1, 2]
    return id_
