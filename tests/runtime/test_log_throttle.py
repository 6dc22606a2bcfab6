"""Log lines that would come again and again."""

from events.runtime.log_throttle import REMEMBERED, LogThrottle


async def test_a_kind_is_due_once_until_it_is_news_again() -> None:
    log_throttle = LogThrottle(60)
    assert [log_throttle.due("a"), log_throttle.due("b"), log_throttle.due("a")] == [True, True, False]
    log_throttle.reset()
    assert log_throttle.due("a")


async def test_kinds_whose_time_is_over_take_no_memory() -> None:
    log_throttle = LogThrottle(0)
    for number in range(3 * REMEMBERED):
        assert log_throttle.due(f"queue {number}")
    assert len(log_throttle._last) <= REMEMBERED


async def test_kinds_without_end_are_not_lines_without_end() -> None:
    log_throttle = LogThrottle(60)
    assert sum(log_throttle.due(f"queue {number}") for number in range(3 * REMEMBERED)) == REMEMBERED
