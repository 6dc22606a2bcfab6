"""A message that Telegram has taken, although nobody could record it before the account may not write any more.

The blows of the family `taken` in `rare_blows.py`.
"""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from edge.sandbox.faults import SEND

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

LATE = 0.5
"""Seconds until the result of a message comes, in which NATS goes away; how often it is looked whether it has come:"""
LOOK = 0.1
PATIENCE = 15.0
"""Seconds in which a message to the group is waited for."""
TIMES = 4
"""Messages whose results are late: some may be for other chats."""
AWAY, MUTED = 0.3, 0.9
"""Sizes of the blows: NATS is back while the account is still muted."""


@dataclass(eq=False)
class Unrecorded:
    blows: "Blows"

    def strike(self, what: str, whom: str, size: float) -> None:
        getattr(self, f"_{what}")(Random(f"{what} {whom} {size}"))

    def _muted(self, _: Random) -> None:
        """In the group the next message is taken; when it could be recorded, or sent again, the account is muted."""
        if self.blows.talk:
            self.blows.world.telegram.faults.rare.answer_late(self._account, SEND, LATE, times=TIMES)
            self._look(len(self._sent()), self.blows.world.loop.time() + PATIENCE)

    def _look(self, known: int, until: float) -> None:
        loop = self.blows.world.loop
        if len(self._sent()) > known:
            self.blows.strike_one("nats_killed", "", AWAY)
            self.blows.group.strike("muted", MUTED)
        elif loop.time() < until:
            loop.call_later(LOOK, self._look, known, until)

    def _sent(self) -> list[int]:
        """The account's messages in the group."""
        assert self.blows.talk
        box = self.blows.talk.group.box
        return [message.id for message in box.messages.values() if message.sender_id == self._account] if box else []

    @property
    def _account(self) -> int:
        assert self.blows.talk
        return self.blows.world.accounts[self.blows.talk.edge].id
