"""The edge dies before or after every single thing that it does to the world; the next start makes it good.

`docs/delivery.md` has the same points as a table.
"""

import asyncio

import pytest

from events.errors import Conflict
from events.ids import RequestId
from events.memory import MemoryRecords
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.stories import World, tell, tell_with_every_death
from tests.crashes.userbot import ACCOUNT, CHAT, world
from tests.fuses import Fuse, Fused

WITH_SHUT_CHATS = {"an answer in several parts", "commands"}
"""Those that run each time: the rest of them is slow."""
LIVES = [
    *(pytest.param(name, False, id=name) for name in SCENARIOS),
    *(
        pytest.param(name, True, id=f"{name}, shut", marks=() if name in WITH_SHUT_CHATS else pytest.mark.slow)
        for name in SCENARIOS
    ),
]


@pytest.mark.parametrize(("name", "shut"), LIVES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_edge_that_dies_around_anything_it_does_leaves_what_the_next_one_finishes(name, shut, after) -> None:
    scenario = SCENARIOS[name]
    fuses = tell_with_every_death(lambda retrying: world(scenario, retrying, shut=shut), scenario, after=after)
    assert len(fuses) > 4
    # A harness that shows no growing text would test nothing of it.
    grows = scenario.rules.live and bool(scenario.answer("раз"))
    assert ("Telegram.preview" in fuses[-1].journal) is (grows and not scenario.drafts[0])
    assert ("Telegram.live_draft" in fuses[-1].journal) is scenario.drafts[0]


def test_what_was_asked_before_a_deletion_is_gone_from_the_streams_after_a_crash_at_any_point() -> None:
    scenario = SCENARIOS["a deletion while a question is being answered"]
    for at in range(1, 12):
        made: list[World] = []

        def make(retrying: Retrying, made: list[World] = made) -> World:
            made.append(world(scenario, retrying))
            return made[-1]

        tell(make, scenario, Fuse(at, True))
        log = made[0].places.log
        assert asyncio.run(log.find(Channel.REQUESTS, RequestId(ACCOUNT, CHAT, "1"))) is None


def test_the_fused_records_still_refuse_what_lost_a_race() -> None:
    """The harness must not hide conflicts: they are part of the promise."""

    async def lose() -> None:
        records = Fused(MemoryRecords(), Fuse(0, False), "save")
        await records.save("k", b"1", None)
        with pytest.raises(Conflict):
            await records.save("k", b"2", None)

    asyncio.run(lose())
