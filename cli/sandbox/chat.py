"""The other person of the sandbox, in the terminal: writes lines, shows what comes back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from cli.demo.terminal import labelled, looking
from edge.sandbox.server import Sandbox
from events.runtime.clock import Clock

QUIET = timedelta(seconds=3)
"""After an edit: a message that changes no more is whole."""


@dataclass
class SandboxChat:
    """The conversation of `visitor` with `owner`, the account that the userbot answers from.

    `growing` is what can be read so far of a message that is being edited; it is shown again when it is whole.
    """

    telegram: Sandbox
    owner: int
    visitor: int
    show: Callable[[str], None]
    clock: Clock
    growing: str = ""
    _shown: dict[int, str] = field(default_factory=dict)
    """From message ids to what was shown of them."""
    _edits: dict[int, tuple[str, float]] = field(default_factory=dict)
    """From message ids to a newer text, and when it was first seen."""

    async def say(self, text: str) -> None:
        """Write `text` to the account."""
        self.telegram.send(self.visitor, self.owner, text)
        self.show(labelled("you> ", text))

    async def refresh(self) -> None:
        """Show what is new."""
        self.growing = ""
        for message in self.telegram.messages(self.visitor, self.owner):
            if message.out or self._shown.get(message.id) == message.text:
                continue
            if message.id not in self._shown or self._is_whole(message.id, message.text):
                self._shown[message.id] = message.text
                self._edits.pop(message.id, None)
                self.show(labelled("bot> ", looking(message.text, message.entities)))
            else:
                self.growing = message.text

    def _is_whole(self, message_id: int, text: str) -> bool:
        now = self.clock.monotonic()
        seen, since = self._edits.get(message_id, ("", now))
        if seen != text:
            self._edits[message_id] = (text, now)
            return False
        return now - since >= QUIET.total_seconds()
