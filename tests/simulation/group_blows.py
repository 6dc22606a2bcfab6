"""What goes wrong with the changes of a supergroup, which it numbers itself."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.userbot.storage.watermark import group_key
from events import subjects
from tests.simulation.talks import Talk
from tests.simulation.world import World

TIMES = 3
"""How many changes it concerns at most."""
Note = Callable[[str, str, float, str], None]


@dataclass
class GroupBlows:
    """`talk`: what is said in the group, None if there is none. `note`: for the judge."""

    world: World
    talk: Talk | None
    note: Note

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
            getattr(self, f"_{what}")(1 + int(size * TIMES), self.talk.group.id)

    def _missing(self, times: int, group: int) -> None:
        self._note_gap()
        self.world.telegram.faults.suppress_pushes(self._account, times, channel_id=group)

    def _late(self, times: int, group: int) -> None:
        self.world.telegram.faults.delay_pushes(self._account, times, channel_id=group)

    def _twice(self, times: int, group: int) -> None:
        self.world.telegram.faults.repeat_pushes(self._account, times, channel_id=group)

    def _too_long(self, times: int, group: int) -> None:
        """Telegram only says that there are changes."""
        self._missing(times, group)
        self._remark()
        self.world.telegram.push_channel_too_long(self._account, group, with_pts=times > 1)

    def _history(self, _: int, group: int) -> None:
        """The changes are to be read in the history instead."""
        self._note_gap()
        self.world.telegram.faults.difference_too_long(self._account, channel_id=group)
        self.world.telegram.drop_connections(self._account)

    def _stuck(self, times: int, group: int) -> None:
        self.note("stuck_slices", "telegram", 0, self.talk.edge if self.talk else "")
        self.world.telegram.faults.stuck_slices(self._account, times, channel_id=group)
        self.world.telegram.drop_connections(self._account)

    def _remark(self) -> None:
        if self.talk:
            self.talk.show_gap()

    def _note_gap(self) -> None:
        self.note("gap", "telegram", 0, self.talk.edge if self.talk else "")

    @property
    def _account(self) -> int:
        assert self.talk
        return self.world.accounts[self.talk.edge].id
