"""What is known of one run, a line each: what was asked, sent and logged, and what was out of order meanwhile.

The kinds of lines are in `lines/`. They come in any order.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Break, Disturbance, Flood, Malformed, Refused, Spoilt
from tests.promises.lines.logged import LeftAlone, Logged, Settled, Skipped, Undeliverable
from tests.promises.lines.messages import Asked, Erased, Remark, Sent
from tests.promises.lines.owners import Absent, Act, Draft, Stored
from tests.promises.lines.processes import Process
from tests.promises.lines.programs import Dead, GivenUp, Posted, Replied
from tests.promises.lines.stored import Acknowledged, NoRecords, Record, Update
from tests.promises.lines.votes import Kept, Voted

Line = (
    Settings
    | Account
    | Asked
    | Sent
    | Logged
    | Settled
    | Undeliverable
    | Skipped
    | LeftAlone
    | Disturbance
    | Flood
    | Refused
    | Malformed
    | Spoilt
    | Break
    | Erased
    | Remark
    | Voted
    | Kept
    | Act
    | Draft
    | Absent
    | Stored
    | Record
    | NoRecords
    | Acknowledged
    | Process
    | Update
    | Posted
    | Replied
    | Dead
    | GivenUp
)
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class History:
    lines: tuple[Line, ...]

    def of(self, kind: type[Kind]) -> Sequence[Kind]:
        """The lines of a kind, in their order."""
        return self._by_kind[kind]  # type: ignore[return-value] # what is filed under a kind is of it

    @property
    def settings(self) -> Settings:
        return next(iter(self.of(Settings)), Settings())

    @cached_property
    def _by_kind(self) -> dict[type, list[Line]]:
        found: dict[type, list[Line]] = defaultdict(list)
        for line in self.lines:
            found[type(line)].append(line)
        return found
