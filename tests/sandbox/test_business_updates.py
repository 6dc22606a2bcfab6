"""A connected bot catches up by qts: the state, slices, limits, gaps."""

from pyrogram.raw import types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from tests.sandbox.business import Bot


async def test_missed_updates_come_in_slices_of_both_counters(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot
) -> None:
    telegram.send(anna.id, bot.account.id, "/start")
    await bot.next()
    before = await bot.state()
    telegram.faults.slice_size = 3
    telegram.connect_business(anna.id, bot.account.id)
    for number in range(4):
        telegram.send(anna.id, bot.account.id, f"order {number}")
        telegram.send(boris.id, anna.id, f"question {number}")
    telegram.block(boris.id, bot.account.id)
    pts, qts, orders, told, kinds = before.pts, before.qts, [], [], []
    while not isinstance(part := await bot.difference(pts, qts), types.updates.DifferenceEmpty):
        kinds.append(type(part))
        orders += [message.message for message in part.new_messages]
        told += part.other_updates
        state = part.state if isinstance(part, types.updates.Difference) else part.intermediate_state
        pts, qts = state.pts, state.qts
    assert orders == [f"order {number}" for number in range(4)]
    assert [update.qts for update in told] == [before.qts + number for number in range(1, 7)]
    assert [update.message.message for update in told[1:5]] == [f"question {number}" for number in range(4)]
    assert kinds == [types.updates.DifferenceSlice] * 3 + [types.updates.Difference]
    assert (pts, qts) == (telegram.pts(bot.account.id), telegram.qts(bot.account.id))
    part = await bot.difference(pts, before.qts, qts_limit=2)
    assert [update.qts for update in part.other_updates] == [before.qts + 1, before.qts + 2]
    assert (part.intermediate_state.pts, part.intermediate_state.qts) == (pts, before.qts + 2)


async def test_a_lost_push_leaves_a_gap_that_the_difference_fills(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot
) -> None:
    before = await bot.state()
    telegram.connect_business(anna.id, bot.account.id)
    assert (await bot.next()).qts == before.qts + 1
    telegram.faults.suppress_pushes(bot.account.id, 2)
    for text in ("lost", "lost too", "pushed"):
        telegram.send(boris.id, anna.id, text)
    pushed = await bot.next()
    assert (pushed.qts, pushed.message.message) == (before.qts + 4, "pushed")
    missed = await bot.difference(before.pts, before.qts + 1)
    assert [update.message.message for update in missed.other_updates] == ["lost", "lost too", "pushed"]
    telegram.faults.difference_too_long(bot.account.id)
    assert isinstance(await bot.difference(before.pts, before.qts), types.updates.DifferenceTooLong)
    telegram.faults.stuck_slices(bot.account.id)
    stuck = await bot.difference(before.pts, before.qts + 1)
    assert (stuck.other_updates, stuck.intermediate_state.qts) == ([], before.qts + 1)
