"""What a driver acts on, and how its steps are traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from edge.userbot.chat.record import Current
from edge.userbot.chat.steps import Deliver, Expire, Step, Think
from edge.userbot.driving.messenger import Messenger
from edge.userbot.storage.chats import Chats
from events.ids import RequestId
from events.runtime.retrying import Retrying
from events.schema import Sampling
from events.transport import Log
from observability import names
from observability.telemetry import Telemetry

STEP_SPANS = {Think: names.START_ANSWER, Expire: names.AWAIT_ANSWER, Deliver: names.DELIVER_ANSWER}


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside a chat's driver; `retrying` has the clock and the chance as well.

    `formatted`: the Markdown of answers is shown as formatting.
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

    def now(self) -> datetime:
        return self.retrying.clock.now()


@contextmanager
def traced(step: Step, current: Current | None, ports: Ports, *, since: datetime) -> Iterator[None]:
    """The spans of a step about the current question, which reach back to when it became due."""
    name = STEP_SPANS.get(type(step))
    if current is None or name is None:
        yield
        return
    span = partial(
        ports.telemetry.spans.step, question=RequestId.parse(current.request_id), trace=current.question.trace
    )
    its_turn = current.deadline - ports.deadline
    if isinstance(step, Think) and its_turn > current.question.asked_at:
        with span(names.AWAIT_TURN, since=current.question.asked_at):
            pass
    with span(name, since=its_turn if isinstance(step, Expire) else since):
        yield
