"""What the demo's chat prints, on real processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from cli.demo.chat import DemoChat
from edge.sandbox.visitor import connect
from edge.userbot.storage.chats import open_chats
from events.jetstream.connection import connect as connect_nats
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying


@asynccontextmanager
async def chatting(product) -> AsyncIterator[tuple[DemoChat, list[str]]]:
    visitor = product.visitor()
    printed: list[str] = []
    async with (
        connect(product.telegram, product.phone(visitor)) as client,
        connect_nats(product.nats.url, name="demo") as js,
    ):
        await client.resolve_peer(product.owner.username)
        yield (
            DemoChat(
                telegram=product.telegram,
                client=client,
                owner=product.owner.id,
                visitor=visitor.id,
                chats=await open_chats(js, str(product.owner.id), retrying=Retrying(SystemClock(), Random())),
                prefix="Тимоха,",
                names=set(),
                show=printed.append,
                clock=SystemClock(),
            ),
            printed,
        )


def without_thinking(printed: list[str]) -> list[str]:
    return [line for line in printed if not line.startswith("bot~ ")]


@pytest.mark.parametrize(
    ("live", "formatting", "five"),
    [
        ("true", "markdown", "\x1b[1mпять\x1b[22m"),
        pytest.param("false", "plain", "**пять**", marks=pytest.mark.slow),
    ],
)
async def test_each_answer_is_printed_once_and_whole(make_product, live, formatting, five) -> None:
    product = await make_product(USERBOT_LIVE=live, USERBOT_FORMATTING=formatting, GENERATE_ECHO_DELAY="1.5")
    async with chatting(product) as (chat, printed):
        for text in ("Тимоха, раз два три четыре", "/set_context_length 99", "Тимоха, **пять**\nшесть"):
            await chat.show_outcome(text, await chat.say(text))
        lines = without_thinking(printed)
        assert lines[:2] == ["you> Тимоха, раз два три четыре", "bot> раз два три четыре"]
        assert lines[4:] == ["you> Тимоха, **пять**\n     шесть", f"bot> {five}\n     шесть"]
        assert len(lines) == 6
        assert len(printed) - len(lines) == 2
        assert chat.growing == ""


async def test_an_answer_that_is_being_written_can_be_read_before_it_is_printed(make_product) -> None:
    product = await make_product(USERBOT_LIVE="true", GENERATE_ECHO_DELAY="3")
    async with chatting(product) as (chat, printed):
        await chat.say("Тимоха, раз два три четыре")
        grown = []
        while not printed[-1].startswith("bot> "):
            await chat.refresh()
            grown += [chat.growing] if chat.growing else []
        assert grown
        assert all("раз два три четыре".startswith(text) for text in grown)
        assert without_thinking(printed) == ["you> Тимоха, раз два три четыре", "bot> раз два три четыре"]
