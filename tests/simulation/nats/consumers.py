"""Deliver what a consumer has to those who asked for it, and take their acknowledgements.

Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.nats.consumer_state import ConsumerState
from tests.simulation.nats.protocol import status
from tests.simulation.nats.store import SECOND
from tests.simulation.nats.streams import Message, Stream

if TYPE_CHECKING:
    from tests.simulation.nats.server import NatsServer

NO_MESSAGES = status("404 No Messages")
DELETED = status("409 Consumer Deleted")
TOO_MANY = status("409 Exceeded MaxWaiting")


@dataclass(eq=False)
class PullRequest:
    """`left`: messages that it still asks for."""

    reply: str
    left: int
    no_wait: bool
    expiry: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class Handler:
    """What listens to one kind of message for a consumer."""

    take: Callable[[str, str, bytes, bytes], None]
    queue: str = ""


@dataclass(eq=False)
class Consumer:
    """A consumer in a running server: `state` outlives it, the requests and the timers don't."""

    server: "NatsServer"
    stream: Stream
    state: ConsumerState
    requests: deque[PullRequest] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        name = f"{self.stream.name}.{self.state.name}"
        self._handlers = {
            f"$JS.API.CONSUMER.MSG.NEXT.{name}": Handler(self._requested),
            f"$JS.ACK.{name}.>": Handler(self._settled),
        }
        for subject, handler in self._handlers.items():
            self.server.interest.add(subject, handler)
        self._wait_for_leases()

    def end(self) -> None:
        """Stop with the server."""
        self._cancel_timer()
        for request in self.requests:
            _forget(request)

    def delete(self) -> None:
        for subject, handler in self._handlers.items():
            self.server.interest.remove(subject, handler)
        for request in self.requests:
            self._tell(request, DELETED)
        self.end()

    # --- requests

    def _requested(self, subject: str, reply: str, headers: bytes, payload: bytes) -> None:
        try:
            asked = json.loads(payload or b"{}")
            request = PullRequest(reply, asked.get("batch") or 1, bool(asked.get("no_wait")))
        except (ValueError, AttributeError) as error:
            self.server.publish(reply, "", status(f"400 Bad Request - {error}"), b"")
            return
        if len(self.requests) >= self.state.config["max_waiting"]:
            self._tell(request, TOO_MANY)
            return
        self._expect(request, asked.get("expires") or 0)
        self.dispatch()
        if request.no_wait and request in self.requests:
            self.requests.remove(request)
            _forget(request)
            self._tell(request, NO_MESSAGES)

    def _expect(self, request: PullRequest, expires: int) -> None:
        self.requests.append(request)
        if expires:
            when = asyncio.get_running_loop().time() + expires / SECOND
            request.expiry = self.server.later(when, lambda: self._expired(request))

    def _expired(self, request: PullRequest) -> None:
        if request in self.requests:
            self.requests.remove(request)
            left = {"Nats_Pending_Messages": request.left, "Nats_Pending_Bytes": 0}
            self._tell(request, status("408 Request Timeout", **left))

    def _tell(self, request: PullRequest, block: bytes) -> None:
        self.server.publish(request.reply, "", block, b"")

    def forget_gone(self) -> None:
        """Drop the requests of clients that are not there any more."""
        for request in [one for one in self.requests if not self.server.interest.match(one.reply)]:
            self.requests.remove(request)
            _forget(request)

    # --- deliveries

    def dispatch(self) -> None:
        """Deliver as much as was asked for."""
        while self.requests and (request := self._next_request()) and (message := self._next_message()):
            self._deliver(request, message)

    def _next_request(self) -> PullRequest | None:
        while self.requests:
            if self.server.interest.match(self.requests[0].reply):
                return self.requests[0]
            _forget(self.requests.popleft())
        return None

    def _next_message(self) -> Message | None:
        """Return what is to be delivered next, and note it as delivered."""
        state, now = self.state, asyncio.get_running_loop().time()
        if (sequence := state.next_again()) is not None:
            state.deliver_again(sequence, now)
            return self.stream.get(sequence)
        if len(state.pending) >= state.config["max_ack_pending"] or not state.waiting:
            return None
        found = [self.stream.next(state.next, pattern) for pattern in state.patterns]
        message = min((one for one in found if one), key=lambda one: one.sequence, default=None)
        if message:
            state.deliver_first(message.sequence, now)
        return message

    def _deliver(self, request: PullRequest, message: Message) -> None:
        state = self.state
        pending = state.pending[message.sequence]
        self._wake_at(pending.until)
        ack = (
            f"$JS.ACK.{self.stream.name}.{state.name}.{pending.deliveries}"
            f".{message.sequence}.{state.delivered}.{message.stamp}.{state.waiting}"
        )
        self.server.publish(request.reply, ack, message.headers, message.payload, under=message.subject)
        self.requests.popleft()
        request.left -= 1
        if request.left > 0:
            self.requests.append(request)
        else:
            _forget(request)

    # --- acknowledgements

    def _settled(self, subject: str, reply: str, headers: bytes, payload: bytes) -> None:
        sequence = int(subject.split(".")[5])
        verdict, _, options = payload.partition(b" ")
        now = asyncio.get_running_loop().time()
        match verdict:
            case b"-NAK":
                self._refused(sequence, json.loads(options).get("delay", 0) / SECOND if options.strip() else 0)
            case b"+WPI":
                self.state.extend(sequence, now + self.state.ack_wait)
            case b"+TERM":
                self.state.settle(sequence)
            case b"" | b"+ACK" | b"+NXT":
                self._acknowledged(sequence)
        if reply:
            self.server.publish(reply, "", b"", b"")
        self.dispatch()

    def _acknowledged(self, sequence: int) -> None:
        if sequence in self.state.pending and self.server.faults.forget_ack():
            self.state.ask_again(sequence)
        else:
            self.state.settle(sequence)

    def _refused(self, sequence: int, delay: float) -> None:
        if delay:
            until = asyncio.get_running_loop().time() + delay
            self.state.extend(sequence, until)
            self._wake_at(until)
        else:
            self.state.ask_again(sequence)

    # --- leases

    def _wake_at(self, when: float) -> None:
        if self._timer is None or when < self._timer.when():
            self._cancel_timer()
            self._timer = self.server.later(when, self._leases_ended)

    def _leases_ended(self) -> None:
        self._timer = None
        self.state.expire(asyncio.get_running_loop().time())
        self.dispatch()
        self._wait_for_leases()

    def _wait_for_leases(self) -> None:
        if (expiry := self.state.next_expiry()) is not None:
            self._wake_at(expiry)

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None


def _forget(request: PullRequest) -> None:
    if request.expiry:
        request.expiry.cancel()
