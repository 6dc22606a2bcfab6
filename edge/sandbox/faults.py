"""What goes wrong on demand. Methods are named as in `messages.SendMessage`; counts go down as faults strike."""

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key")
SEND = "messages.SendMessage"


class Refusal(Exception):
    """An RPC error: the client sees `code` and `message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


@dataclass(slots=True)
class _Planned:
    user_id: int
    method: str
    code: int
    message: str
    times: int


class Faults:
    """The faults of one server.

    `short_updates`: new messages are pushed as UpdateShortMessage.
    `refuse_repeats`: a repeated random_id is answered with RANDOM_ID_DUPLICATE instead of the first message.
    `slice_size`: how many changes one getDifference brings at most.
    """

    def __init__(self) -> None:
        self.short_updates = False
        self.refuse_repeats = False
        self.slice_size = 100
        self._planned: list[_Planned] = []
        self._floods: dict[tuple[int, str], float] = {}
        self._lost: Counter[tuple[int, str]] = Counter()
        self._swallowed: Counter[int] = Counter()
        self._too_long: set[int] = set()

    def refuse(self, user_id: int, code: int, message: str, *, method: str = SEND, times: int = 1) -> None:
        """Answer the user's next `times` calls of `method` with an error."""
        self._planned.append(_Planned(user_id, method, code, message, times))

    def flood_wait(self, user_id: int, seconds: int, *, method: str = SEND, times: int | None = None) -> None:
        """FLOOD_WAIT for the next `seconds`, naming what is left of them; with `times`, for so many calls instead."""
        if times is None:
            self._floods[user_id, method] = time.monotonic() + seconds
        else:
            self.refuse(user_id, 420, f"FLOOD_WAIT_{seconds}", method=method, times=times)

    def lose_answers(self, user_id: int, *, method: str = SEND, times: int = 1) -> None:
        """Do what the next `times` calls ask for, and cut the connection before their results are sent."""
        self._lost[user_id, method] += times

    def suppress_pushes(self, user_id: int, times: int = 1) -> None:
        """Keep the next `times` changes from the user's sessions: a gap in their pts."""
        self._swallowed[user_id] += times

    def difference_too_long(self, user_id: int) -> None:
        """Answer the user's next getDifference with differenceTooLong."""
        self._too_long.add(user_id)

    def strike(self, user_id: int | None, method: str) -> None:
        """Raise the Refusal that is planned for this call, if any is."""
        if user_id is None:
            return
        left = self._floods.get((user_id, method), 0.0) - time.monotonic()
        if left > 0:
            raise Refusal(420, f"FLOOD_WAIT_{math.ceil(left)}")
        for plan in self._planned:
            if (plan.user_id, plan.method) == (user_id, method) and plan.times > 0:
                plan.times -= 1
                raise Refusal(plan.code, plan.message)

    def loses_answer(self, user_id: int | None, method: str) -> bool:
        return user_id is not None and _take(self._lost, (user_id, method))

    def swallows_push(self, user_id: int) -> bool:
        return _take(self._swallowed, user_id)

    def is_too_long(self, user_id: int) -> bool:
        if user_id not in self._too_long:
            return False
        self._too_long.remove(user_id)
        return True


def _take(counter: Counter[Key], key: Key) -> bool:
    if counter[key] <= 0:
        return False
    counter[key] -= 1
    return True
