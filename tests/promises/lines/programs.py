"""What is known of the requests of another program that asks over RabbitMQ: lines of a history."""

from dataclasses import dataclass

ANSWERED, FAILED, REFUSED, DEAD, DROPPED = "answered", "failed", "refused", "dead", "dropped"
"""What becomes of a request: an answer; a failure; a failure and a dead letter; a dead letter alone, as nobody could
get a reply; or an answer that is given up, as nobody takes it."""


@dataclass(frozen=True)
class Posted:
    """A program has asked, with a `text` that no other request has. `expected`: what becomes of it in good order.

    `request_id`: the one that the bridge gives it. `confirmed_at`: when RabbitMQ confirmed it, None: it has not.
    `deadline`: seconds that it allows. `queue`: where it was posted.
    """

    request_id: str
    text: str
    expected: str
    queue: str
    at: float
    confirmed_at: float | None = None
    deadline: float = 120.0


@dataclass(frozen=True)
class Replied:
    """A reply came. `text`: of an answer, empty if it says that the request has failed.

    `request_id` is empty if it is to nothing that was asked.
    """

    request_id: str
    text: str
    at: float


@dataclass(frozen=True)
class Dead:
    """JetStream has a dead letter of the request at the end."""

    request_id: str


@dataclass(frozen=True)
class GivenUp:
    """The bridge's log has that it gave up a reply."""

    request_id: str
    at: float
