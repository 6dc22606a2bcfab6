"""Play a recorded burst to the real intake, record, driver and replies, in virtual time."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from edge.userbot.chat.incoming import Deleted, Edited, Typing
from edge.userbot.rules import Rules
from events.runtime.retrying import Retrying
from events.schema import GenerationRequested
from events.transport import Channel
from tests.fuzz.owner.telegram import ACCOUNT, ANNA, Telegram
from tests.fuzz.owner.world import FOR_EVER, Patient, World
from tests.unit.conftest import VirtualClock, VirtualLoop

ANSWERING = 1.0
"""Seconds that a worker takes."""
REST = 60.0
"""Seconds after the last event in which everything that may still be asked is answered."""
ANSWER = "Ответ на:\n"


@dataclass
class Played:
    """What became of a burst. `asked`: seconds from its first event, and the text, of each question."""

    burst: dict[str, Any]
    asked: list[tuple[float, str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [event for event in self.burst["events"] if event["kind"] == "message"]

    @property
    def waited(self) -> float:
        """Seconds from the last message to the last question."""
        at: float = self.messages[-1]["at"]
        return self.asked[-1][0] - at

    @property
    def is_one(self) -> bool:
        """Return whether all of it got one answer."""
        text = "\n".join(self._texts())
        return [asked for _, asked in self.asked] == [text] and self.answers == [ANSWER + text]

    def _texts(self) -> list[str]:
        """Return the texts of all messages as they stood when the question was asked."""
        until = max(self.asked[-1][0], self.messages[-1]["at"])
        texts: dict[int, str] = {}
        for event in self.burst["events"]:
            if event["at"] <= until and event["kind"] in {"message", "edit"}:
                texts[event["id"]] = event["text"]
            if event["at"] <= until and event["kind"] == "delete":
                del texts[event["id"]]
        return list(texts.values())


def play(burst: dict[str, Any], rules: Rules) -> Played:
    loop, clock, played = VirtualLoop(), VirtualClock(), Played(burst)
    telegram = Telegram(clock.now)
    world = World(Retrying(clock, Random(7)), telegram, rules)
    try:
        loop.run_until_complete(_play(world, played))
    finally:
        loop.close()
    played.answers = [post.text for post in telegram.ours(ANNA.id) if post.text.startswith(ANSWER)]
    return played


async def _play(world: World, played: Played) -> None:
    await world.marks.add(f"built.{ACCOUNT}")
    await world.start()
    began = world.retrying.clock.monotonic()
    async with asyncio.TaskGroup() as group:
        working = group.create_task(_work(world, played, began))
        ids: dict[int, int] = {}
        for event in played.burst["events"]:
            await asyncio.sleep(began + event["at"] - world.retrying.clock.monotonic())
            await _happen(world, event, ids)
        await asyncio.sleep(REST)
        working.cancel()
    await world.die()


async def _happen(world: World, event: dict[str, Any], ids: dict[int, int]) -> None:
    """`ids`: Telegram's, by those of the file."""
    assert world.life
    match event["kind"]:
        case "message":
            ids[event["id"]] = world.telegram.post(ANNA.id, "user", event["text"]).id
        case "edit":
            await world.life.intake.receive_edit(Edited(ACCOUNT, ANNA.id, ids[event["id"]], event["text"]))
        case "delete":
            deleted = Deleted(ACCOUNT, frozenset({ids[event["id"]]}))
            await world.life.intake.receive_deletion_from_bursts(deleted)
        case "typing":
            world.life.drivers.note_typing(Typing(ANNA.id, ANNA.id))


async def _work(world: World, played: Played, began: float) -> None:
    """Answer each question with its own text."""
    requests = Patient(world.log.subscribe(Channel.REQUESTS, "generate", lease=timedelta(seconds=60)))
    async with asyncio.TaskGroup() as group:
        while True:
            for delivery in await requests.fetch(64, FOR_EVER):
                request = delivery.event.data()
                assert isinstance(request, GenerationRequested)
                played.asked.append((world.retrying.clock.monotonic() - began, request.turns[-1].text))
                group.create_task(_answer(world, request))
                await delivery.ack()


async def _answer(world: World, request: GenerationRequested) -> None:
    world.asked.append(request)
    await asyncio.sleep(ANSWERING)
    await world.reply(request, ANSWER + request.turns[-1].text)
