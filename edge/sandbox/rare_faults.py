"""Faults that Telegram seldom has, which tests inject: it answers late, tells less than there is, or refuses styles.

Of each a user's next `times` calls are concerned.
"""

from collections import Counter, defaultdict


class RareFaults:
    def __init__(self) -> None:
        self._late: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
        self._behind: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
        self._styles: Counter[int] = Counter()

    def answer_late(self, user_id: int, method: str, seconds: float, *, times: int = 1) -> None:
        """Carry out calls of the method at once, but send their results so much later."""
        self._late[user_id, method] += [seconds] * times

    def answer_from_behind(self, user_id: int, changes: int, *, times: int = 1) -> None:
        """Answer getDifference as if the account's last `changes` changes had not been made yet.

        The state in the answer is older than that of the call if the call knows some of them.
        """
        self._behind[user_id] += [(changes, True)] * times

    def end_early(self, user_id: int, changes: int, *, times: int = 1) -> None:
        """Answer getDifference likewise, but never with an older state than that of the call."""
        self._behind[user_id] += [(changes, False)] * times

    def refuse_styles(self, user_id: int, *, times: int = 1) -> None:
        """Refuse to send, or to edit, a message with entities."""
        self._styles[user_id] += times

    def lateness(self, user_id: int | None, method: str) -> float:
        """Return how many seconds later the result of this call is sent."""
        planned = self._late.get((user_id or 0, method))
        return planned.pop(0) if planned else 0.0

    def changes_behind(self, user_id: int, *, missed: int) -> int:
        """Return how many of the last changes this getDifference leaves out. `missed`: how many it does not know."""
        planned = self._behind.get(user_id)
        changes, may_go_back = planned.pop(0) if planned else (0, True)
        return changes if may_go_back else min(changes, missed)

    def refuses_styles(self, user_id: int) -> bool:
        """Return whether this message with entities is refused."""
        self._styles[user_id] -= (refused := self._styles[user_id] > 0)
        return refused
