"""What was out of order meanwhile."""

from dataclasses import dataclass

from tests.promises.lines import FOR_EVER


@dataclass(frozen=True)
class Disturbance:
    """Something was out of order.

    `what` is the kind of fault, `whom` a kind of process, `telegram`, or a stream's name. `account`: the kind of the
    only edge that it concerned, if there is one.
    """

    what: str
    whom: str
    began: float
    ended: float = FOR_EVER
    account: str = ""

    def touches(self, begin: float, end: float, *, slack: float = 0.0) -> bool:
        return self.began <= end and self.ended + slack >= begin


@dataclass(frozen=True)
class Flood:
    """Telegram has told the account to wait so long."""

    account: str
    seconds: float


@dataclass(frozen=True)
class Refused:
    """So many messages were refused for good, as planned, to the account or to the bot that it shares with others."""

    account: str
    count: int


@dataclass(frozen=True)
class Malformed:
    """Nonsense has taken the place of the reply."""

    request_id: str


@dataclass(frozen=True)
class Spoilt:
    """A worker of somebody else's, or RabbitMQ, gave no answer to the request. `what`: see `spoiling.py`."""

    request_id: str
    what: str


@dataclass(frozen=True)
class Break:
    """A chat's record can't be read from `at` until its user has started it afresh; `own_id`: the user's last message.

    `hasty`: the user did not wait to be told.
    """

    account: str
    chat: str
    own_id: int
    at: float
    afresh_at: float = FOR_EVER
    hasty: bool = False
