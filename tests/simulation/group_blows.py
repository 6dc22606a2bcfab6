"""What goes wrong with the changes of a supergroup, which it numbers itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.userbot.storage.watermark import group_key
from events import subjects
from tests.promises.restrictions import RESTRICTED
from tests.simulation.talks import Talk
from tests.simulation.world import World

TIMES = 3
"""How many changes it concerns at most."""
MUTED = 12.0
"""Seconds that the account may not write, at most."""
SLOW = 3
"""Seconds between two of its messages, at most."""
Note = Callable[[str, str, float, str], None]


@dataclass
class GroupBlows:
    """`talk`: what is said in the group, None if there is none. `note`, `slowed`: tell the judge of it."""

    world: World
    talk: Talk | None
    note: Note
    slowed: Callable[[str, float], None]

    @property
    def is_followed(self) -> bool:
        """Whether it is stored how far the group's changes were taken in, if there is one."""
        return self.talk is None or any(self.world.stored(f"KV_{subjects.TELEGRAM_BUCKET}", self._watermark))

    @property
    def _watermark(self) -> str:
        assert self.talk
        return f"$KV.{subjects.TELEGRAM_BUCKET}.{group_key(str(self._account), str(self.talk.group.id))}"

    def strike(self, what: str, size: float) -> None:
        if self.talk:
            getattr(self, f"_{what}")(size, self.talk.group.id)

    def _missing(self, size: float, group: int) -> None:
        self._note_gap()
        self.world.telegram.faults.suppress_pushes(self._account, _times(size), channel_id=group)

    def _late(self, size: float, group: int) -> None:
        self.world.telegram.faults.delay_pushes(self._account, _times(size), channel_id=group)

    def _twice(self, size: float, group: int) -> None:
        self.world.telegram.faults.repeat_pushes(self._account, _times(size), channel_id=group)

    def _too_long(self, size: float, group: int) -> None:
        """Telegram only says that there are changes."""
        self._missing(size, group)
        self._remark()
        self.world.telegram.push_channel_too_long(self._account, group, with_pts=size > 0.5)

    def _history(self, _: float, group: int) -> None:
        """The changes are to be read in the history instead."""
        self.note("difference_too_long", "telegram", 0, self._edge)
        self.world.telegram.faults.difference_too_long(self._account, channel_id=group)
        self.world.telegram.drop_connections(self._account)

    def _stuck(self, size: float, group: int) -> None:
        self.note("stuck_slices", "telegram", 0, self._edge)
        self.world.telegram.faults.stuck_slices(self._account, _times(size), channel_id=group)
        self.world.telegram.drop_connections(self._account)

    def _muted(self, size: float, group: int) -> None:
        """The account may not write for a while."""
        self.note(RESTRICTED, "group", size * MUTED, self._edge)
        self.world.telegram.mute(self._account, group)
        self._later(size * MUTED, partial(self.world.telegram.mute, self._account, group, muted=False))

    def _removed(self, size: float, group: int) -> None:
        """Somebody removes the account, and another takes it in again."""
        if self._account in self.world.telegram.state.groups[group].members:
            self.note(RESTRICTED, "group", size * MUTED, self._edge)
            self.world.telegram.remove(self._account, group)
            self._later(size * MUTED, partial(self.world.telegram.join, self._account, group))

    def _slow(self, size: float, group: int) -> None:
        """A member may write every few seconds only."""
        seconds = 1 + int(size * SLOW)
        self.slowed(self._edge, seconds)
        self.world.telegram.set_slow_mode(group, seconds)
        self._later(size * MUTED, partial(self.world.telegram.set_slow_mode, group, 0))

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.world.loop.call_later(seconds, act)

    def _remark(self) -> None:
        if self.talk:
            self.talk.show_gap()

    def _note_gap(self) -> None:
        self.note("gap", "telegram", 0, self._edge)

    @property
    def _edge(self) -> str:
        assert self.talk
        return self.talk.edge

    @property
    def _account(self) -> int:
        return self.world.accounts[self._edge].id


def _times(size: float) -> int:
    return 1 + int(size * TIMES)
