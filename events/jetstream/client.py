"""Fixes for nats-py's client: raise refusals as errors, send no password without TLS, always reconnect."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import structlog
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError, SecureConnWantedError
from nats.errors import TimeoutError as NatsTimeoutError

from events.jetstream.credentials import Credentials
from events.jetstream.listening import Listening
from events.jetstream.unconfirmed import NotConfirmed, Unconfirmed
from events.runtime.log_throttle import LogThrottle

REFUSALS_EVERY = 60.0
"""Seconds between two log lines about the same subject."""

REMEMBERED = 100
"""Refused subjects that are remembered; beyond that old ones are dropped."""

NEEDED_PAYLOAD = 1024 * 1024
"""Bytes that our messages and records may have; also a server's default limit."""

LEAST_HEADER = len(b"NATS/1.0\r\n\r\n")

REFUSAL = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"')
"""A refusal, in lower case as the client passes it on."""

log = structlog.get_logger(__name__)


class NotPermitted(NatsError):
    """The server refuses an operation to this user."""

    def __init__(self, doing: str, subject: str) -> None:
        self.refusal = f"this NATS user may not {doing} {subject}"
        self.advice = (
            "NATS_USER and NATS_PASSWORD must be those of this process, and the server's configuration must let it"
            " (docs/security.md)"
        )
        super().__init__(f"{self.refusal}: {self.advice}")


class JetStreamOff(NatsError):
    """Neither the server nor its cluster has JetStream."""

    def __init__(self) -> None:
        super().__init__("this NATS server runs without JetStream")


class Client(NatsClient):
    """Match refusals, which the server reports without naming the request, to the requests that then time out."""

    def __init__(self, *, tls: bool, credentials: Credentials | None = None) -> None:
        super().__init__()
        self._tls_wanted = tls
        self._credentials = credentials
        self._refused: dict[str, float] = {}
        self._first_wait: float | None = None
        self._refusals = LogThrottle(REFUSALS_EVERY)
        self._log_throttle = LogThrottle()
        self._payload = NEEDED_PAYLOAD
        self.listening = Listening(self)
        self.unconfirmed = Unconfirmed()
        self.reconnections = 0

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        old_style: bool = False,
        headers: Mapping[str, Any] | None = None,
    ) -> Msg:
        """Send a request, and raise NotPermitted or NotConfirmed for a time-out, and JetStreamOff."""
        since = self.now
        try:
            answer = await self.listening.ask(subject, payload, headers, timeout=timeout)
        except NatsTimeoutError:
            self.check(subject, since)
            if self.unconfirmed.note_missing(subject, self.now):
                raise NotConfirmed from None
            raise
        except NoRespondersError:
            # In a cluster another server may have it.
            off = not self._server_info.get("jetstream") and not self._server_info.get("cluster")
            if off and subject.startswith("$JS.API."):
                raise JetStreamOff from None
            raise
        self.unconfirmed.note_answered(subject)
        return answer

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: Mapping[str, Any] | None
    ) -> None:
        """Raise MaxPayloadError where nats-py, which ignores headers, would make the server end the connection."""
        size = payload_size + sum(len(f"{name}: {value}\r\n".encode()) for name, value in (headers or {}).items())
        if headers and size + LEAST_HEADER > self.max_payload:
            raise MaxPayloadError
        await super()._send_publish(subject, reply, payload, payload_size, dict(headers) if headers else None)

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg | None:
        """Return the message for the queue of its subscription; with None nats-py does no more."""
        message: Msg = super()._build_message(sid, subject, reply, data, headers)
        return None if self.listening.pass_on(message) else message

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def check(self, subject: str, since: float) -> None:
        """Raise NotPermitted if publishing to `subject`, or receiving the reply, was refused after `since`."""
        for refused, when in self._refused.items():
            if when >= since and refused.startswith(subject.lower()):
                raise NotPermitted("publish to", subject)
            if refused.startswith(self._inbox_prefix.decode().lower()):
                raise NotPermitted("subscribe to", f"{self._inbox_prefix.decode()}.>")

    async def _process_err(self, err_msg: str) -> None:
        refusal = REFUSAL.search(err_msg)
        if refusal:
            self._remember_refusal(*refusal.groups())
        else:
            # On most errors nats-py closes the connection for good, e.g. when a password has changed.
            self.warn(NatsError(err_msg))
            await self._process_op_err(NatsError(f"nats: {err_msg}"))

    async def log_disconnected(self) -> None:
        if not self.is_closed and self._log_throttle.due("disconnected"):
            log.warning("nats.disconnected")

    def check_payload(self) -> None:
        """Warn of a `max_payload` that is too small, once until it changes with the server or its settings."""
        if self.max_payload != self._payload and (small := payload_problem(self.max_payload)):
            log.warning("nats.small_payload", error=small)
        self._payload = self.max_payload

    def wait_longer(self, most: float) -> None:
        """Lengthen the pause before the next attempt to reconnect, up to `most` seconds."""
        if self.is_reconnecting:
            self._first_wait = self._first_wait or self.options["reconnect_time_wait"]
            self.options["reconnect_time_wait"] = min(most, self.options["reconnect_time_wait"] * 1.5)

    async def log_reconnected(self) -> None:
        self.reconnections += 1
        if self._first_wait:
            self.options["reconnect_time_wait"] = self._first_wait
        if self._log_throttle.due("reconnected"):
            log.info("nats.reconnected")
        self.check_payload()

    def warn(self, error: Exception) -> None:
        """Log `error`, at a limited rate."""
        reason = str(error) or type(error).__name__
        if self._log_throttle.due(reason):
            log.warning("nats.error", error=reason)

    def _remember_refusal(self, doing: str, subject: str) -> None:
        if len(self._refused) >= REMEMBERED:
            # Subjects contain request ids, so their number is unbounded. No request waits this long.
            oldest, inbox = self.now - REFUSALS_EVERY, self._inbox_prefix.decode().lower()
            kept = {
                refused: when for refused, when in self._refused.items() if when > oldest or refused.startswith(inbox)
            }
            self._refused = kept
        self._refused[subject] = self.now
        if self._refusals.due(subject):
            log.error("nats.not_permitted", error=str(NotPermitted(_VERBS[doing], subject)))

    def _connect_command(self) -> bytes:
        if self._tls_wanted and not self._server_info.get("tls_required"):
            raise SecureConnWantedError
        if self._credentials:
            self._credentials.refresh()
        return super()._connect_command()


def payload_problem(size: int) -> str:
    """Return what is wrong with a `max_payload` of `size` bytes, empty if nothing."""
    if size >= NEEDED_PAYLOAD:
        return ""
    return (
        f"this NATS server takes messages of {size} bytes at most, so long questions and answers will fail:"
        f" set max_payload to {NEEDED_PAYLOAD} or more in its configuration"
    )


_VERBS = {"publish": "publish to", "subscription": "subscribe to"}
