"""A question that is deleted before its answer gets none; whatever else is deleted or edited changes nothing."""

import asyncio
from datetime import timedelta

import pytest

from edge.business.telegram.updates import read_update
from events.ids import RequestId
from events.transport import Channel
from tests.fuses import Fuse
from tests.unit.business_places import CHAT, PERSON, Life, Places
from tests.unit.test_business_leaving import answer, run, until


async def connect(places: Places, life: Life) -> None:
    await life.begin()
    await life.connects(places.connection("old"))
    await life.asks("old", CHAT, 11, "bot, a question")

    async def thinks() -> bool:
        return len(places.telegram.texts) == 1

    await until(thinks)
    await life.die()


async def delete(places: Places, fuse: Fuse) -> None:
    """Have the question deleted by a process that dies; the deletion is fetched again if it was not taken in."""
    await connect(places, Life(places))
    dying = Life(places, fuse)
    work = asyncio.create_task(delete_once(places, dying))
    blown = asyncio.create_task(fuse.blown.wait())
    await asyncio.wait({work, blown}, return_when=asyncio.FIRST_COMPLETED)
    blown.cancel()
    work.cancel()
    await dying.die()
    last = Life(places)
    await last.begin()
    await last.deletes("old", CHAT, 11)
    await places.log.publish(Channel.REPLIES, answer(CHAT, 11))
    await until(lambda: is_over(places))
    await asyncio.sleep(5)
    await last.die()


async def delete_once(places: Places, life: Life) -> None:
    await life.begin()
    await life.deletes("old", CHAT, 11)
    await until(lambda: is_withdrawn(places))
    await asyncio.sleep(1)


async def is_withdrawn(places: Places) -> bool:
    return bool(places.telegram.deleted)


async def is_over(places: Places) -> bool:
    reply = await places.log.find(Channel.REPLIES, RequestId(PERSON, CHAT, "11"))
    return reply is None and await is_withdrawn(places)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whenever_the_process_dies_a_deleted_question_gets_no_answer(virtually, after) -> None:
    journals: list[int] = []

    async def count(places: Places) -> None:
        fuse = Fuse(0, after)
        await delete(places, fuse)
        journals.append(len(fuse.journal))

    run(virtually, count)
    assert journals[0] >= 3
    for at in range(1, journals[0] + 1):

        async def story(places: Places, at: int = at) -> None:
            await delete(places, Fuse(at, after))
            assert len(places.telegram.texts) == 1, at  # the thinking line, which is withdrawn
            assert set(places.telegram.deleted) == {1001}, at

        run(virtually, story)


def test_the_deletion_of_our_thinking_line_leaves_the_question_to_be_answered(virtually) -> None:
    async def story(places: Places) -> None:
        await connect(places, Life(places))
        life = Life(places)
        await life.begin()
        await life.deletes("old", CHAT, 1001)
        await places.log.publish(Channel.REPLIES, answer(CHAT, 11))

        async def is_answered() -> bool:
            return places.telegram.said_to(CHAT)[-1] == "a secret"

        await until(is_answered, at_most=timedelta(minutes=1))
        await life.die()

    run(virtually, story)


def test_deleted_messages_are_read_with_their_chat() -> None:
    types = pytest.importorskip("pyrogram").raw.types
    if not hasattr(types, "UpdateBotDeleteBusinessMessage"):
        pytest.skip("this client does not know business connections")
    deleted = types.UpdateBotDeleteBusinessMessage(
        connection_id="c", peer=types.PeerUser(user_id=2), messages=[5, 6], qts=1
    )
    found = read_update(deleted, {})
    assert (found.connection_id, found.chat, found.message_ids) == ("c", "2", (5, 6))
