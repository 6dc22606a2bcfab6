"""When Telegram takes an account for a spammer: all chats are paused from then on, and the owner is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.sandbox.message_box import StoredMessage
from edge.userbot.chat.record import NO_MESSAGE
from tests.promises.owners_acts import FLOODED
from tests.promises.texts import FLOODED as NOTICE
from tests.simulation.acts import Act
from tests.simulation.world import World


@dataclass
class Floods:
    """Those of the account of `edge`."""

    world: World
    edge: str
    _read: int = 0
    """Lines of the log."""
    _known: dict[str, Act] = field(default_factory=dict)
    """By until when all chats were paused."""

    def begun(self) -> Iterator[Act]:
        """Yield those that the userbot's log has told of since the last call, whether or not the owner is told."""
        lines = self.world.log.lines
        new, self._read = lines[self._read :], len(lines)
        for line in new:
            if (line["event"], line["process"]) != ("telegram.flooded", self.edge):
                continue
            if (until := line["paused_until"]) not in self._known:
                self._known[until] = Act(FLOODED, None, line["time"], NO_MESSAGE)
                yield self._known[until]

    def take(self, message: StoredMessage) -> bool:
        """Note that the owner is told. Two of one minute have the same notice."""
        known = list(self._known.values())
        if known and message.text.startswith(NOTICE):
            act = next((act for act in known if not act.said), known[-1])
            act.times += bool(act.said)
            act.said, act.done_at = message.text, min(act.done_at, self.world.loop.time())
        return message.text.startswith(NOTICE)
