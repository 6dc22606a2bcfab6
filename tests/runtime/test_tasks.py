"""Tasks end when told to, even those that lose a cancellation."""

import asyncio
from datetime import timedelta

import pytest

from events.errors import TimokhaError
from events.runtime.tasks import cancel, finish, run_all, run_with_helpers, until_stopped, within


async def deaf(losses: int, ended: list[str]) -> None:
    """Loses so many cancellations, as `asyncio.wait_for` does until Python 3.12."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            losses -= 1
            if losses < 0:
                ended.append("ended")
                raise


async def cancelled_inside() -> None:
    """Ends as what a library has cancelled."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def failing(error: Exception) -> None:
    raise error


async def started(ended: list[str], losses: int = 1) -> asyncio.Task[None]:
    task = asyncio.create_task(deaf(losses, ended))
    await asyncio.sleep(0)
    return task


async def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    ended: list[str] = []
    async with asyncio.timeout(10):
        await cancel(await started(ended, 3), await started(ended, 0), None)
    assert ended == ["ended", "ended"]


async def test_wait_for_loses_a_cancellation_of_the_tick_in_which_its_future_is_done() -> None:
    """The cause, forced: from Python 3.12 on the first cancellation is heeded."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    rounds = 0

    async def waiting() -> None:
        nonlocal rounds
        await asyncio.wait_for(future, 60)
        rounds += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    future.set_result(None)
    async with asyncio.timeout(10):
        await cancel(task)
    assert task.cancelled()


async def test_who_is_cancelled_while_cancelling_still_waits_for_the_tasks() -> None:
    ended: list[str] = []
    task = await started(ended, 2)
    canceller = asyncio.create_task(cancel(task))
    await asyncio.sleep(0)
    canceller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await canceller
    assert task.done()
    assert ended == ["ended"]


async def test_within_a_limit_work_that_loses_its_cancellation_ends() -> None:
    ended: list[str] = []
    with pytest.raises(TimeoutError):
        await within(timedelta(seconds=0.01), deaf(1, ended))
    assert ended == ["ended"]


async def test_within_gives_what_the_work_gives_or_raises() -> None:
    async def seven() -> int:
        return 7

    assert await within(timedelta(seconds=5), seven()) == 7
    with pytest.raises(KeyError):
        await within(timedelta(seconds=5), failing(KeyError()))


async def test_what_a_library_has_cancelled_is_an_error_and_no_cancellation() -> None:
    with pytest.raises(ConnectionAbortedError):
        await within(timedelta(seconds=5), cancelled_inside())
    with pytest.raises(TimokhaError):
        await until_stopped(asyncio.Event(), cancelled_inside())


async def test_work_ends_with_the_task_that_waits_for_it() -> None:
    ended: list[str] = []
    task = asyncio.create_task(within(timedelta(seconds=60), deaf(1, ended)))
    await asyncio.sleep(0.01)
    await cancel(task)
    assert ended == ["ended"]


async def test_a_cleanup_is_finished_although_its_caller_is_cancelled_again_and_again() -> None:
    gate, cleaned = asyncio.Event(), []

    async def cleanup() -> None:
        await gate.wait()
        cleaned.append(True)

    task = asyncio.create_task(finish(timedelta(seconds=10), cleanup()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]


async def test_a_cleanup_that_hangs_or_fails_raises_nothing() -> None:
    await finish(timedelta(seconds=0.01), deaf(1, []))
    await finish(timedelta(seconds=1), failing(OSError()))


async def test_the_first_error_of_several_ends_the_others_and_comes_as_it_is() -> None:
    ended: list[str] = []
    with pytest.raises(KeyError):
        await run_all(deaf(1, ended), failing(KeyError()))
    assert ended == ["ended"]


async def test_together_ends_when_all_have() -> None:
    done: list[int] = []

    async def count(number: int) -> None:
        done.append(number)

    await run_all(count(1), count(2))
    assert done == [1, 2]


async def test_helpers_end_with_the_work_that_they_are_beside() -> None:
    ended: list[str] = []
    await run_with_helpers(asyncio.sleep(0), deaf(1, ended), asyncio.sleep(0))
    assert ended == ["ended"]


@pytest.mark.parametrize("failing_first", [True, False])
async def test_an_error_of_the_work_or_of_a_helper_ends_both(failing_first: bool) -> None:
    ended: list[str] = []
    both = [failing(KeyError()), deaf(1, ended)] if failing_first else [deaf(1, ended), failing(KeyError())]
    with pytest.raises(KeyError):
        await run_with_helpers(*both)
    assert ended == ["ended"]


@pytest.mark.parametrize("run", [run_all, run_with_helpers])
async def test_a_part_that_a_library_has_cancelled_does_not_leave_the_others_running_without_it(run) -> None:
    ended: list[str] = []

    async with asyncio.timeout(10):
        with pytest.raises(TimokhaError):
            await run(deaf(1, ended), cancelled_inside())
    assert ended == ["ended"]
