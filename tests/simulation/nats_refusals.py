"""What an operator sets at NATS so that it refuses for good, what it does not answer, and what strangers send there.

The blows of the family `refused` in `rare_blows.py`. What an operator has set is set back after a while. As the log
of an edge asks for it, that is started again then: what it has given up meanwhile is taken up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from events import subjects
from events.transport import Channel
from tests.promises.skips import TOO_SMALL

if TYPE_CHECKING:
    from tests.simulation.blows import Blows
    from tests.simulation.nats.server import NatsServer

STREAMS = {
    "KV_chats": 6,
    "KV_marks": 1,
    "KV_telegram": 1,
    "KV_bridge": 1,
    "REQUESTS": 3,
    "REPLIES": 4,
    "DEADLETTERS": 1,
}
"""Which are too small for their messages, and how often, compared with each other."""
SIZES = (1, 300, 600, 1000, 1500)
"""Bytes that one takes; likewise a server:"""
PAYLOADS = (400, 700, 1200)
WINDOWS = (1, 4)
"""How often in a row; each time, and in between, for so many seconds:"""
SMALL_FOR, ENOUGH_FOR = (0.2, 2.5), (0.3, 2.0)
FORBIDDEN_FOR = (1.0, 8.0)
DOWN = 0.1
"""The size of a blow after which what was stopped starts again at once."""
UNMADE = ("REQUESTS", "REPLIES", "DEADLETTERS", "KV_bridge")
"""What is deleted, while nothing confirms that it is made again."""


@dataclass(eq=False)
class NatsRefusals:
    blows: "Blows"
    _open: int = 0
    """How much is still to be set back."""
    _restarted_at: float = 0.0

    @property
    def rests(self) -> bool:
        """Whether all is set back, and the edges that were started again are ready."""
        return not self._open and all(self._is_ready(edge) for edge in self.blows.world.accounts)

    def _is_ready(self, edge: str) -> bool:
        lines = (line for line in self.blows.world.log.lines if line["time"] >= self._restarted_at)
        return any((line["process"], line["event"]) == (edge, "userbot.ready") for line in lines)

    def strike(self, what: str, whom: str, size: float) -> None:
        """`size` also decides by chance what exactly happens, so that it does in a smaller plan as well."""
        getattr(self, f"_{what}")(whom, Random(f"{what} {whom} {size}"))

    def _small(self, _: str, chance: Random) -> None:
        """A stream takes only messages up to a size, again and again."""
        (stream,) = chance.choices(list(STREAMS), list(STREAMS.values()))
        at = 0.0
        for _window in range(chance.randint(*WINDOWS)):
            seconds = chance.uniform(*SMALL_FOR)
            self._later(at, self._limit, stream, chance.choice(SIZES), seconds)
            at += seconds + chance.uniform(*ENOUGH_FOR)
        self._finish(at)

    def _limit(self, stream: str, most: int, seconds: float) -> None:
        self.blows.note(TOO_SMALL, stream.removeprefix("KV_"), seconds)
        self._nats.limit_messages(stream, most)
        self.blows.world.loop.call_later(seconds, self._nats.limit_messages, stream, -1)

    def _payload(self, _: str, chance: Random) -> None:
        """The server itself does, until it is started again with other settings."""
        seconds = chance.uniform(*SMALL_FOR)
        self.blows.note(TOO_SMALL, "nats", seconds)
        self._nats.limit_payload(chance.choice(PAYLOADS))
        self._later(seconds, self._restart)
        self._finish(seconds + 1)

    def _restart(self) -> None:
        self._nats.limit_payload()
        self.blows.strike_one("nats_killed", "", DOWN)

    def _forbidden(self, whom: str, chance: Random) -> None:
        """An edge may not fetch its replies."""
        account, seconds = self.blows.world.accounts[whom].id, chance.uniform(*FORBIDDEN_FOR)
        stream, consumer = subjects.stream(Channel.REPLIES), subjects.edge_consumer(str(account))
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self.blows.note("forbidden", "nats", seconds)
        self._nats.forbidden[subject] = None
        self._later(seconds, self._nats.forbidden.pop, subject, None)

    def _unmade(self, _: str, chance: Random) -> None:
        """What was deleted is made again, but nothing says so."""
        stream = chance.choice(UNMADE)
        if self.blows.world.nats_has(stream):
            self.blows.at_nats.delete_stream(stream)
            self._nats.faults.lose_answers(f"STREAM.CREATE.{stream}")

    def _junk(self, _: str, __: Random) -> None:
        """What is no delivery comes where deliveries are expected."""
        self._nats.send_junk()

    def _setup(self, _: str, __: Random) -> None:
        """An operator sets up what all accounts need."""
        accounts = ",".join(str(account.id) for account in self.blows.world.accounts.values())
        self.blows.world.set_up({"accounts": accounts}, killed_after=None)

    def _finish(self, seconds: float) -> None:
        """Start the edges again after so many seconds."""
        self._later(seconds, self._start_edges_again)

    def _start_edges_again(self) -> None:
        self._restarted_at = self.blows.world.loop.time()
        for name in self.blows.world.accounts:
            self.blows.strike_one("process_stopped", name, DOWN)

    @property
    def _nats(self) -> "NatsServer":
        return self.blows.world.nats

    def _later(self, seconds: float, act: Callable[..., object], *given: object) -> None:
        self._open += 1
        self.blows.world.loop.call_later(seconds, self._do, act, *given)

    def _do(self, act: Callable[..., object], *given: object) -> None:
        self._open -= 1
        act(*given)
