"""The dependencies of intake, drivers and replies."""

from dataclasses import dataclass
from datetime import timedelta

from edge.userbot.driving.messenger import Messenger
from edge.userbot.storage.chats import Chats
from events.runtime.retrying import Retrying
from events.schema import Sampling
from events.transport import Log
from observability.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Ports:
    """What intake, drivers and replies depend on. `retrying` has the clock and the random generator.

    `formatted`: show the Markdown of answers as formatting. `owner_chat`: the chat that takes the
    owner's commands, None if there is none.
    """

    account: str
    chats: Chats
    log: Log
    messenger: Messenger
    sampling: Sampling
    deadline: timedelta
    telemetry: Telemetry
    retrying: Retrying
    formatted: bool = True
    owner_chat: str | None = None
