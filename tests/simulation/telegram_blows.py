"""What goes wrong at Telegram: each kind of blow is a method of its name."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from edge.sandbox.faults import SEND
from tests.simulation.addresses import TELEGRAM
from tests.simulation.world import World

AWAY = 25.0
"""Seconds that Telegram can't be reached, at most; that it asks to wait:"""
FLOOD = 12
TIMES = 4
"""How often, at most, something is lost, doubled or refused."""
EDIT, DIFFERENCE, HISTORY = "messages.EditMessage", "updates.GetDifference", "messages.GetHistory"
NAME = "contacts.ResolveUsername"
METHODS = (SEND, SEND, EDIT, DIFFERENCE, HISTORY)
BUSY = ((500, "WORKER_BUSY_TOO_LONG_RETRY"), (-503, "Timeout"), (500, "RPC_CALL_FAIL"))
NOT_TAKEN = (16, 17, 32, 33)
"""Codes of bad_msg_notification: the clock, twice each way, and the sequence number."""
Note = Callable[[str, str, float, str], None]


@dataclass(eq=False)
class TelegramBlows:
    """`note`, `note_flood`: tell the judge of it."""

    world: World
    chance: Random
    note: Note
    note_flood: Callable[[str, float], None]

    def __post_init__(self) -> None:
        self.world.telegram.faults.on_struck = self._note_struck

    def strike(self, what: str, whom: str, size: float) -> None:
        getattr(self, what)(whom, size)

    def _note_struck(self, user_id: int, what: str) -> None:
        """It holds up whoever waits for it, which may be long after the blow."""
        whom = next((name for name, account in self.world.accounts.items() if account.id == user_id), "")
        self.note(what, "telegram", 0, whom)

    def cut(self, whom: str, _: float) -> None:
        self.note("cut", "telegram", 0, whom)
        self.world.telegram.drop_connections(self._caller(whom))

    def cut_everybody(self) -> None:
        """Cut everybody off, who may connect again at once."""
        self.note("cut", "telegram", 0, "")
        self.world.telegram.drop_connections()

    def away(self, _: str, size: float) -> None:
        self.note("outage", "telegram", size * AWAY, "")
        self.world.telegram.drop_connections()
        self.world.loop.network.refused[TELEGRAM] = None
        self._later(size * AWAY, lambda: self.world.loop.network.refused.pop(TELEGRAM, None))

    def answer_lost(self, whom: str, _: float) -> None:
        self.world.telegram.faults.lose_answers(self._caller(whom), method=self.chance.choice(METHODS))

    def flood(self, whom: str, size: float) -> None:
        seconds = 1 + int(size * FLOOD)
        self.note_flood(whom, seconds)
        self.world.telegram.faults.flood_wait(self._caller(whom), seconds, method=self.chance.choice(METHODS))

    def names_flooded(self, whom: str, size: float) -> None:
        """Nobody is found by their name meanwhile."""
        self.world.telegram.faults.flood_wait(self._caller(whom), 1 + int(size * FLOOD), method=NAME)

    def busy(self, whom: str, size: float) -> None:
        self.note("passing_refusals", "telegram", 0, whom)
        (code, name), method = self.chance.choice(BUSY), self.chance.choice(METHODS)
        self.world.telegram.faults.refuse(self._caller(whom), code, name, method=method, times=1 + int(size * TIMES))

    def gap(self, whom: str, size: float) -> None:
        self.note("gap", "telegram", 0, whom)
        self.world.telegram.faults.suppress_pushes(self._caller(whom), 1 + int(size * TIMES))

    def doubled(self, whom: str, size: float) -> None:
        self.world.telegram.faults.repeat_pushes(self._caller(whom), 1 + int(size * TIMES))

    def turned_round(self, whom: str, size: float) -> None:
        self.world.telegram.faults.delay_pushes(self._caller(whom), 1 + int(size * TIMES))

    def stuck(self, whom: str, size: float) -> None:
        self.note("stuck_slices", "telegram", 0, whom)
        self.world.telegram.faults.stuck_slices(self._caller(whom), 1 + int(size * TIMES))
        self.world.telegram.drop_connections(self._caller(whom))

    def not_taken(self, whom: str, _: float) -> None:
        code, method = self.chance.choice(NOT_TAKEN), self.chance.choice(METHODS)
        self.world.telegram.faults.notify_bad_message(self._caller(whom), code, method=method)

    def styles_refused(self, whom: str, size: float) -> None:
        """Messages with formatting are, which come without it then."""
        self.world.telegram.faults.rare.refuse_styles(self._caller(whom), times=1 + int(size * TIMES))

    def _caller(self, whom: str) -> int:
        return self.world.callers[whom].id

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.world.loop.call_later(seconds, act)
