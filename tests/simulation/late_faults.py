"""What Telegram seldom does: it forgets how far a client is, tells less than there is, or answers late.

A change that is not shown comes before each blow at the account's changes, so that those after it wait for a fetch.
"""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from edge.sandbox.faults import Faults
from tests.simulation.edge_faults import DIFFERENCE, FAR, STATE_REFUSALS, TYPE, UNKNOWN

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

LATE = (0.2, 1.8)
"""Seconds until a difference comes that is not late enough to count as slow; until a call of typing ends:"""
TYPED = (2.0, 9.0)
TIMES = (2, 4)
"""How often Telegram does it; likewise what is given up after five times, and what is on every message:"""
LONG = (5, 7)
OFTEN = 12


@dataclass(eq=False)
class LateFaults:
    blows: "Blows"

    def strike(self, what: str, whom: str, size: float) -> None:
        getattr(self, f"_{what}")(whom, Random(f"{what} {whom} {size}"))

    @property
    def _faults(self) -> Faults:
        return self.blows.world.telegram.faults

    def _forgotten(self, whom: str, chance: Random) -> None:
        """There is no difference from where the client is, and none from where it then begins."""
        if self._shows_nothing(whom):
            return
        self._open_gap(whom, chance, "state_refused")
        for _ in range(chance.randint(*TIMES)):
            self._faults.refuse(self._caller(whom), 400, chance.choice(STATE_REFUSALS), method=DIFFERENCE)

    def _gone_back(self, whom: str, chance: Random) -> None:
        """The account is at an older change than the client, as after a backup was restored."""
        if not self._shows_nothing(whom):
            self._open_gap(whom, chance, "state_refused")
            self._faults.rare.answer_from_behind(self._caller(whom), FAR, times=chance.randint(*TIMES))

    def _ends_early(self, whom: str, chance: Random) -> None:
        """A difference ends before what has come live."""
        self._open_gap(whom, chance, "stuck_slices")
        times = chance.randint(*(TIMES if self._shows_nothing(whom) else LONG))
        self._faults.rare.end_early(self._caller(whom), chance.randint(2, 3), times=times)

    def _nothing(self, whom: str, chance: Random) -> None:
        """A part of a difference does not advance, again and again."""
        self._open_gap(whom, chance, "stuck_slices")
        times = chance.randint(*(TIMES if self._shows_nothing(whom) else LONG))
        self._faults.stuck_slices(self._caller(whom), times)

    def _unknown(self, whom: str, chance: Random) -> None:
        self._open_gap(whom, chance, "difference_unknown")
        times = chance.randint(*(TIMES if self._shows_nothing(whom) else LONG))
        self._faults.refuse(self._caller(whom), *UNKNOWN, method=DIFFERENCE, times=times)

    def _typing(self, whom: str, chance: Random) -> None:
        for _ in range(OFTEN):
            self._faults.rare.answer_late(self._caller(whom), TYPE, chance.uniform(*TYPED))

    def _open_gap(self, whom: str, chance: Random, what: str) -> None:
        """`what`: the judge's name for what keeps the client from what it has missed."""
        self.blows.note("gap", "telegram", 0, whom)
        self.blows.note(what, "telegram", 0, whom)
        self._faults.suppress_pushes(self._caller(whom))
        for _ in range(chance.randint(*LONG)):
            self._faults.rare.answer_late(self._caller(whom), DIFFERENCE, chance.uniform(*LATE))

    def _shows_nothing(self, whom: str) -> bool:
        """Whether Telegram shows the account no chats: what it has missed would be lost with its state."""
        return self.blows.world.callers[whom].bot

    def _caller(self, whom: str) -> int:
        return self.blows.world.callers[whom].id
