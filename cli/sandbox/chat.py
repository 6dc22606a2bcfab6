"""The sandbox's chat: write to the userbot's account as another user, and show the replies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from cli.demo.terminal import labelled, with_formatting
from edge.sandbox.server import Sandbox
from events.runtime.clock import Clock

UNCHANGED_FOR = timedelta(seconds=3)
"""After so long without an edit a message counts as complete."""


@dataclass
class SandboxChat:
    """The conversation of `visitor` with `owner`, the account of the userbot.

    `growing` is the text so far of a message that is being edited; it is shown again when it is complete.
    """

    telegram: Sandbox
    owner: int
    visitor: int
    show: Callable[[str], None]
    clock: Clock
    growing: str = ""
    _shown: dict[int, str] = field(default_factory=dict)
    """The text shown of each message, by id."""
    _edits: dict[int, tuple[str, float]] = field(default_factory=dict)
    """A message's newer text and the time when it was first seen, by id."""

    async def say(self, text: str) -> None:
        """Write `text` to the account."""
        self.telegram.send(self.visitor, self.owner, text)
        self.show(labelled("you> ", text))

    async def refresh(self) -> None:
        """Show new messages, and edited ones that are complete."""
        self.growing = ""
        for message in self.telegram.messages(self.visitor, self.owner):
            if message.out or self._shown.get(message.id) == message.text:
                continue
            if message.id not in self._shown or self._is_whole(message.id, message.text):
                self._shown[message.id] = message.text
                self._edits.pop(message.id, None)
                self.show(labelled("bot> ", with_formatting(message.text, message.entities)))
            else:
                self.growing = message.text

    def _is_whole(self, message_id: int, text: str) -> bool:
        now = self.clock.monotonic()
        seen, since = self._edits.get(message_id, ("", now))
        if seen != text:
            self._edits[message_id] = (text, now)
            return False
        return now - since >= UNCHANGED_FOR.total_seconds()
