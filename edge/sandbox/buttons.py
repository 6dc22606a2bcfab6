"""Inline buttons of a bot's message: a press reaches the bot and waits for its answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.sandbox.faults import Refusal
from edge.sandbox.tl import TLObject, callback_data

LONGEST_DATA = 64
"""Bytes (https://core.telegram.org/bots/api#inlinekeyboardbutton)."""


@dataclass(slots=True)
class Press:
    """A press of a button. `answer`: the bot's, or an error, once there is one; `on_answer` is called with it."""

    id: int
    bot_id: int
    answer: TLObject | None = None
    on_answer: Callable[[TLObject], None] = field(default=lambda _answer: None)

    def settle(self, answer: TLObject) -> None:
        """Answer it, unless it is answered already."""
        if self.answer is None:
            self.answer = answer
            self.on_answer(answer)


def checked(markup: Any) -> Any:
    """Return a message's markup as Telegram keeps it, None for one without buttons. Raises Refusal."""
    if any(not 0 < len(data) <= LONGEST_DATA for data in data_of(markup)):
        raise Refusal(400, "BUTTON_DATA_INVALID")
    return markup if getattr(markup, "rows", None) else None


def data_of(markup: Any) -> list[bytes]:
    """Return the data of the buttons that can be pressed."""
    buttons = [button for row in getattr(markup, "rows", None) or () for button in row.buttons]
    return [data for button in buttons if (data := callback_data(button)) is not None]
