"""Log lines that would come again and again."""

from events.runtime.seldom import REMEMBERED, Seldom


async def test_a_kind_is_due_once_until_it_is_news_again() -> None:
    seldom = Seldom(60)
    assert [seldom.due("a"), seldom.due("b"), seldom.due("a")] == [True, True, False]
    seldom.reset()
    assert seldom.due("a")


async def test_kinds_whose_time_is_over_take_no_memory() -> None:
    seldom = Seldom(0)
    for number in range(3 * REMEMBERED):
        assert seldom.due(f"queue {number}")
    assert len(seldom._last) <= REMEMBERED


async def test_kinds_without_end_are_not_lines_without_end() -> None:
    seldom = Seldom(60)
    assert sum(seldom.due(f"queue {number}") for number in range(3 * REMEMBERED)) == REMEMBERED
