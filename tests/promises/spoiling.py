"""Requests that a worker on RabbitMQ could not answer, and what may become of them.

EMPTY: somebody else's worker has answered with nothing, so that it fails, and there is no dead letter. GIVEN_UP: it was
given up for good, so that it fails and is a dead letter, unless another worker was faster. DELAYED: it was never
answered, or not so that anybody could read it, and is sent again when half of its time is over; or one of its attempts
was lost. It may only fail if something else was out of order as well.
"""

from collections.abc import Iterable

from tests.promises.disturbances import Disturbances
from tests.promises.lines.disturbances import Spoilt

EMPTY, GIVEN_UP, DELAYED = "empty", "given_up", "delayed"


class Spoiling:
    """Whatever revision of a request it was."""

    def __init__(self, spoilt: Iterable[Spoilt], chronicle: Disturbances) -> None:
        self._known = {(name_of(one.request_id), one.what) for one in spoilt}
        self._chronicle = chronicle

    def fails(self, request_id: str) -> bool:
        return self._was(request_id, EMPTY, GIVEN_UP)

    def may_fail(self, request_id: str, begin: float, end: float) -> bool:
        """`begin`, `end`: when it was asked, and was over."""
        noted = any(one.touches(begin, end) for one in self._chronicle.disturbances)
        return self.fails(request_id) or (noted and self._was(request_id, DELAYED))

    def has_no_letter(self, request_id: str) -> bool:
        return self._was(request_id, EMPTY)

    def may_have_letter(self, request_id: str) -> bool:
        return self._was(request_id, GIVEN_UP)

    def _was(self, request_id: str, *what: str) -> bool:
        return any((name_of(request_id), one) in self._known for one in what)


def name_of(request_id: str) -> str:
    """Return it without its revision."""
    return request_id.rpartition(".")[0]
