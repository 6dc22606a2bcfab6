"""Updates of a record have an order in which each builds on the one before it, or are refused."""

import pytest

from tests.promises.history import History
from tests.promises.linearizable import FAILED, OK, REMOVED, UNKNOWN, not_linearizable
from tests.promises.lines.stored import Update


def wrongs(*updates: tuple) -> list[str]:
    """Each: expected, result, revision, began, ended."""
    return list(not_linearizable(History(tuple(Update("1.2", *update) for update in updates))))


@pytest.mark.parametrize(
    "updates",
    [
        [],
        [(0, OK, 4, 1, 2), (4, OK, 7, 3, 4), (7, FAILED, None, 5, 6), (7, OK, 8, 5.5, 6)],
        [(0, UNKNOWN, None, 1, 2)],
        [(0, OK, 4, 1, 2), (4, UNKNOWN, None, 3, 4), (4, FAILED, None, 5, 6)],
        [(0, OK, 4, 1, 2), (4, UNKNOWN, None, 3, 4), (4, OK, 6, 5, 6)],
        [(0, OK, 4, 1, 2), (4, UNKNOWN, None, 3, 4), (6, OK, 7, 5, 6)],
        [(0, UNKNOWN, None, 1, 2), (3, UNKNOWN, None, 3, 4), (5, OK, 7, 5, 6)],
        [(0, OK, 4, 1, 2), (4, OK, 5, 3, 4), (4, FAILED, None, 3.5, 6)],
        [(0, OK, 4, 1, 2), (4, REMOVED, None, 3, 4), (4, FAILED, None, 5, 6), (0, OK, 7, 7, 8)],
        [(0, OK, 4, 1, 2), (4, UNKNOWN, None, 3, 4), (5, REMOVED, None, 5, 6), (0, OK, 7, 7, 8)],
    ],
)
def test_what_has_an_order_is_accepted(updates) -> None:
    assert wrongs(*updates) == []


@pytest.mark.parametrize(
    ("updates", "why"),
    [
        ([(0, OK, 4, 1, 2), (0, OK, 5, 1, 2)], "revision 5 builds on 0, while 4 came before it"),
        ([(0, OK, 4, 1, 2), (4, OK, 5, 3, 4), (4, OK, 6, 3, 4)], "revision 6 builds on 4, while 5 came before it"),
        ([(0, OK, 4, 1, 2), (3, OK, 5, 3, 4)], "revision 5 builds on 3, while 4 came before it"),
        ([(0, OK, 4, 1, 2), (5, OK, 6, 3, 4)], "revision 6 builds on 5, while 4 came before it"),
        ([(0, OK, 4, 1, 2), (6, OK, 7, 3, 4), (4, UNKNOWN, None, 5, 6)], "revision 7 builds on 6"),
        ([(0, OK, 4, 1, 2), (4, OK, 4, 3, 4)], "revision 4 does not follow 4"),
        ([(0, OK, 4, 1, 2), (0, OK, 5, 1, 2), (4, REMOVED, None, 3, 4)], "revision 5 builds on 0, while 4 came before"),
        ([(0, OK, 4, 1, 2), (4, OK, 5, 3, 4), (4, REMOVED, None, 5, 6), (0, OK, 7, 7, 8)], "revision 7 builds on 0"),
        ([(0, OK, 4, 1, 2), (4, REMOVED, None, 3, 4), (4, OK, 5, 5, 6)], "revision 5 builds on 4, which was removed"),
        ([(0, OK, 4, 1, 2), (4, OK, 3, 3, 4)], "revision 3 does not follow 4"),
        ([(0, OK, 4, 3, 4), (4, OK, 5, 1, 2)], "revision 5 was there before 4"),
        ([(0, OK, 4, 1, 2), (4, FAILED, None, 3, 4)], "an update of revision 4 was refused, though that was"),
        ([(0, FAILED, None, 3, 4), (0, OK, 2, 5, 6)], "an update of revision 0 was refused, though that was"),
        ([(0, OK, 4, 1, 2), (4, UNKNOWN, None, 3, 4), (5, OK, 6, 5, 6), (7, OK, 8, 7, 8)], "revision 8 builds on 7"),
    ],
)
def test_what_has_none_is_refused(updates, why) -> None:
    assert any(wrong.startswith(f"register 1.2: {why}") for wrong in wrongs(*updates)), wrongs(*updates)
