"""The demo's chat without the prefix: what the guest writes in quick succession becomes one question."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from cli.demo.chat import is_open
from cli.demo.owner import ORDER, ChatWithOwner
from edge.userbot.chat.commands import Collect
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.transitions import hear
from edge.userbot.rules import Rules
from edge.userbot.triggers import Trigger, Triggers
from events.errors import SettingsError

HOW = (
    "the guest needs no prefix: lines in quick succession become one question with one answer, to the last"
    " of them; in a pipe an empty line waits for it"
)


def refuse_business() -> None:
    """Raise SettingsError: that chat with a bot has no part without the prefix."""
    raise SettingsError("`timokha demo` has either --twin or --business, leave one out (DEMO_TWIN, DEMO_BUSINESS)")


@dataclass
class ChatWithTwin(ChatWithOwner):
    """A demo's chat in which every line of the guest's is answered, and the owner writes as in `ChatWithOwner`."""

    def is_question(self, text: str) -> bool:
        return super().is_question(text) or self._is_piece(text)

    def said_together(self, lines: Iterable[str]) -> Iterator[list[str]]:
        for is_piece, run in groupby(lines, self._is_piece):
            if is_piece:
                yield list(run)
            else:
                yield from super().said_together(run)

    def _is_piece(self, text: str) -> bool:
        """Return whether `text` is one of those lines that become one question."""
        rules = Rules(prefix=self.prefix, names=self.names, triggers=Triggers.of([Trigger.PRIVATE]))
        message = Incoming(str(self.owner), str(self.visitor), 0, text, "", self.clock.now())
        return not text.startswith(ORDER) and isinstance(hear(message, rules), Collect)

    async def _is_settled(self, text: str, message_id: int) -> bool:
        if self._is_piece(text):
            record = await self.refresh()
            if message_id not in record.seen or record.bursts or is_open(record):
                return False
        return await super()._is_settled(text, message_id)
