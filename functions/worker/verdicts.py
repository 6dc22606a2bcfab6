"""What a handler can say besides an answer; only the worker loop settles."""

from datetime import timedelta

from events.schema import FailureReason


class Retry(Exception):
    """A passing fault: deliver the request again, not before `delay`.

    With `attempts` this is the last verdict on a request that was delivered so often, if it has more left or not.
    """

    def __init__(self, why: str, *, delay: timedelta = timedelta(seconds=1), attempts: int | None = None) -> None:
        super().__init__(why)
        self.delay = delay
        self.attempts = attempts


class Reject(Exception):
    """This request can't be answered, however often it is tried."""

    def __init__(self, why: str, *, reason: FailureReason = FailureReason.REJECTED) -> None:
        super().__init__(why)
        self.reason = reason
