"""Each request of another program that RabbitMQ has confirmed has exactly one outcome: a reply, or a dead letter.

A reply may come again if something was out of order in between. Nothing is answered that should be refused, and
nothing fails unless something was out of order for as long as the request allowed.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.promises.disturbances import Disturbances
from tests.promises.faults import NO_ANSWER, SLACK
from tests.promises.history import History
from tests.promises.lines.disturbances import Disturbance, Spoilt
from tests.promises.lines.programs import ANSWERED, DEAD, DROPPED, REFUSED, Dead, GivenUp, Posted, Replied
from tests.promises.lines.stored import Acknowledged
from tests.promises.skips import TOO_SMALL
from tests.promises.spoiling import Spoiling

ON_THE_WAY = ("nats", "rabbitmq", "bridge-in", "generate")
"""What a request and its reply go through."""


def unkept(history: History) -> Iterator[str]:
    known = _Known(history)
    yield from (f"a reply to nothing: {one.text!r}" for one in history.of(Replied) if one.request_id not in known.ids)
    yield from (f"a dead letter of nothing: {name}" for name in known.dead if name not in known.ids)
    for request in history.of(Posted):
        yield from (f"{wrong}: {request.request_id} {request.text}" for wrong in known.wrongs(request))


class _Known:
    """`dead`: the ids of all dead letters."""

    def __init__(self, history: History) -> None:
        self.ids = {one.request_id for one in history.of(Posted)}
        self.dead = {one.request_id: None for one in history.of(Dead)}
        self._chronicle = Disturbances(list(history.of(Disturbance)))
        self._spoiling = Spoiling(history.of(Spoilt), self._chronicle)
        self._replies: dict[str, list[Replied]] = defaultdict(list)
        for reply in sorted(history.of(Replied), key=lambda one: one.at):
            self._replies[reply.request_id].append(reply)
        self._taken = {one.request_id for one in history.of(Acknowledged)}
        self._given_up = {one.request_id: one.at for one in history.of(GivenUp)}

    def wrongs(self, request: Posted) -> Iterator[str]:
        replies = self._replies[request.request_id]
        yield from self._repeated(request, replies)
        if replies:
            yield from self._reply(request, replies[0])
        elif request.confirmed_at is not None:
            yield from self._silence(request)
        yield from self._letter(request, replies)

    def _repeated(self, request: Posted, replies: Sequence[Replied]) -> Iterator[str]:
        if len({reply.text for reply in replies}) > 1 and not self._is_lost(request):
            yield "replied twice, and otherwise"
        for first, again in pairwise(replies):
            if not any(noted.touches(first.at, again.at, slack=SLACK) for noted in self._chronicle.disturbances):
                yield "replied twice, and nothing was out of order"

    def _reply(self, request: Posted, reply: Replied) -> Iterator[str]:
        """What is wrong with it."""
        if reply.text and reply.text != request.text:
            yield f"replied with another text, {reply.text!r}"
        if reply.text and request.expected != ANSWERED:
            yield "answered what is to be refused"
        if not reply.text and request.expected == ANSWERED and not self._may_fail(request, reply):
            yield "failed, and no fault was as long as it allowed"
        if request.expected in (DEAD, DROPPED):
            yield "replied to nowhere"

    def _silence(self, request: Posted) -> Iterator[str]:
        """Nobody hears of a dead letter; of the rest its program does, unless its reply was given up."""
        if not self._is_dead(request) and request.request_id not in self._given_up and not self._is_lost(request):
            yield "lost"
        if request.expected != DROPPED and request.request_id in self._given_up and not self._was_returned(request):
            yield "given up, and its program was there"

    def _is_dead(self, request: Posted) -> bool:
        """Whether a dead letter is all that comes of it; without a program to hear of that, of any that is given up."""
        if request.expected == DROPPED:
            return request.request_id in self.dead and self._was_given_up(request)
        return request.expected == DEAD

    def _letter(self, request: Posted, replies: Sequence[Replied]) -> Iterator[str]:
        """Whether there is a dead letter, and whether there should be."""
        failed = bool(replies) and not replies[0].text
        due = request.expected in (REFUSED, DEAD) or (request.expected == ANSWERED and failed)
        due = due and not self._spoiling.has_no_letter(request.request_id)
        is_there = request.request_id in self.dead
        if is_there and not due and (replies or request.expected != ANSWERED) and not self._was_given_up(request):
            yield "a dead letter of what was not refused"
        if due and not is_there and request.confirmed_at is not None and not self._is_lost(request, letter=True):
            yield "refused without a dead letter"

    def _may_fail(self, request: Posted, reply: Replied) -> bool:
        """Something that it goes through was out of order for as long as it allowed, or took it away."""
        least = request.deadline - 2 * SLACK
        long = self._chronicle.longest(request.at, reply.at, whom=ON_THE_WAY, slack=SLACK) >= least
        taken_away = any(noted.touches(request.at, reply.at) for noted in self._chronicle.of("deleted_stream"))
        spoilt = self._spoiling.may_fail(request.request_id, request.at, reply.at)
        return long or taken_away or spoilt or self._was_given_up(request)

    def _was_refused(self, request: Posted) -> bool:
        """A stream was too small for it or for its reply, perhaps only at first, or a model had no answer."""
        end = request.at + request.deadline
        return any(noted.touches(request.at, end) for noted in self._chronicle.of(TOO_SMALL, NO_ANSWER))

    def _was_given_up(self, request: Posted) -> bool:
        """RabbitMQ has dead-lettered what waited in its queue, JetStream has refused it, or a worker gave it up."""
        if self._was_refused(request) or self._spoiling.may_have_letter(request.request_id):
            return True
        end = request.at + request.deadline
        given_up = self._chronicle.of("given_up")
        return any(noted.whom == request.queue and noted.touches(request.at, end) for noted in given_up)

    def _is_lost(self, request: Posted, *, letter: bool = False) -> bool:
        """Whether what a broker had of it went with a store, a stream or a queue.

        Its reply can only until its time was over, but a dead letter later as well.
        """
        end = float("inf") if letter else request.at + request.deadline
        streams = ("DEADLETTERS",) if letter else ("REQUESTS", "REPLIES")
        for noted in self._chronicle.of("emptied", "deleted_stream", "queue_lost", TOO_SMALL):
            if not noted.touches(request.at, end):
                continue
            if noted.what == "emptied" or noted.whom in (*streams, "nats"):
                return True
            if noted.whom == request.queue and request.request_id not in self._taken:
                return True
        return False

    def _was_returned(self, request: Posted) -> bool:
        """RabbitMQ said each time that there is no such queue, as was planned."""
        at = self._given_up[request.request_id]
        return any(noted.touches(request.at, at) for noted in self._chronicle.of("returned", "queue_lost"))
