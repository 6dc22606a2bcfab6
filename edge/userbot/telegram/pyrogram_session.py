"""A repaired session: each method replaces the client's one with the same name and describes its bug.

What is said of pyrogram is true of version 2.0.106 and of kurigram 2.2.26, unless only one is named.

`install` puts them into pyrogram's class, as its instances are created in many places.
"""

import asyncio
import contextlib
import os
from datetime import timedelta
from io import BytesIO
from typing import Any

import structlog
from pyrogram import raw
from pyrogram.crypto import mtproto
from pyrogram.errors import InternalServerError, RPCError, ServiceUnavailable
from pyrogram.raw.all import layer
from pyrogram.raw.core import Int, TLObject
from pyrogram.session import Session
from pyrogram.session.session import Result

from edge.userbot.telegram import client_differences as differences
from edge.userbot.telegram.faults import BadMessage, TransportRefused, classify, flood_wait, name
from edge.userbot.telegram.server_time import ServerTime
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel

RECONNECT_PAUSES = Backoff(first=timedelta(seconds=0.4), most=timedelta(seconds=15))
FLOOD_PAUSES = Backoff(first=timedelta(seconds=20), most=timedelta(minutes=5))
STEADY_AFTER = 5.0
"""Seconds after which a connection counts as steady."""
KEY_ATTEMPTS = 6
"""A data centre may not know a key for a moment."""
RESENDS = 3
ERROR_LENGTH = 4
LAST_PACKETS_TIMEOUT = 1.0
"""Seconds to handle packets that came right before a connection ended."""
SEQUENCE_ERRORS = {32, 33, 34, 35}
WORTH_RETRYING = (OSError, InternalServerError, ServiceUnavailable)
RETRY_DELAY = 0.5
"""Seconds."""
CONNECTION_NOT_INITED = {"CONNECTION_NOT_INITED", "CONNECTION_LAYER_INVALID"}

log = structlog.get_logger(__name__)
_handle_packet = Session.handle_packet
renewed_sessions: set[bytes] = set()
"""Ids of sessions that the server has created anew."""


class MendedSession(Session):
    connection: Any
    ping_task: Any
    recv_task: Any
    retrying: Retrying
    server_time: ServerTime
    refused: int = 0
    """The transport error that ended the connection, 0 if none did."""
    out_of_sync: bool = False
    """The server reports wrong sequence numbers: the session has to be replaced."""
    steady_from: float | None = None
    pauses: Any = None
    restarting: asyncio.Task[None] | None = None
    handling: set[asyncio.Task[None]] | None = None

    async def start(self) -> None:
        """Retry with pauses, and give up after some errors. pyrogram retries at once and for ever."""
        # kurigram has it only once it is connected: a client that is stopped before would leave it running.
        self.client.session = self.client.session or self
        seen: dict[str, int] = {}
        await self._pause_before_connecting(None)
        while True:
            try:
                return await self._open()
            except Exception as error:  # noqa: BLE001 - every error is classified
                refusal = TransportRefused(self.refused) if self.refused else error
                await self.stop()
            reason = name(refusal)
            seen[reason] = seen.get(reason, 0) + 1
            if _should_give_up(refusal, seen[reason]):
                raise refusal
            log.warning("telegram.not_connected", reason=reason, error=str(refusal))
            await self._pause_before_connecting(refusal)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def _pause_before_connecting(self, error: Exception | None) -> None:
        """Pause also after a connection that was cut right after it was made."""
        clock = self.retrying.clock
        self.pauses = self.pauses or self.retrying.pauses(RECONNECT_PAUSES)
        if error is None and (self.steady_from is None or clock.monotonic() >= self.steady_from):
            self.pauses.reset()
            return
        pause = self.pauses.next()
        if isinstance(error, TransportRefused) and error.is_flood:
            pause = FLOOD_PAUSES.pause(self.pauses.failures, self.retrying.random)
        elif error and (wait := flood_wait(error)):
            pause = max(pause, wait)
        await clock.sleep(pause)

    async def _open(self) -> None:
        self.refused = 0
        if self.out_of_sync:
            self.session_id, self.msg_factory, self.out_of_sync = (
                os.urandom(8),
                differences.make_factory(self.client),
                False,
            )
            self.pending_acks.clear()
        client = self.client
        self.connection = differences.make_connection(self)
        await self.connection.connect()
        self.recv_task = asyncio.create_task(self.recv_worker())
        await self.send(raw.functions.Ping(ping_id=0), timeout=self.START_TIMEOUT)
        if not self.is_cdn:
            greeting = raw.functions.InitConnection(
                api_id=await client.storage.api_id(),
                app_version=client.app_version,
                device_model=client.device_model,
                system_version=client.system_version,
                query=raw.functions.help.GetConfig(),
                **differences.greeting_fields(client),
            )
            await self.send(raw.functions.InvokeWithLayer(layer=layer, query=greeting), timeout=self.START_TIMEOUT)
        if self.recv_task.done():
            raise ConnectionError("cut as soon as it was made")
        self.ping_task = asyncio.create_task(self.ping_worker())
        self.steady_from = self.retrying.clock.monotonic() + STEADY_AFTER
        self.is_started.set()

    async def stop(self) -> None:
        """Cancel tasks instead of waiting for them. pyrogram also fails if there is no connection yet."""
        if self.restarting is not asyncio.current_task():
            await cancel(self.restarting)
        self.is_started.clear()
        self.stored_msg_ids.clear()
        if self.connection is not None:
            await self.connection.close()
        await cancel(self.ping_task, self.recv_task)

    async def recv_worker(self) -> None:
        """Reconnect after a transport error, and end pending calls, which in pyrogram wait for their time-out."""
        packet = None
        self.handling = self.handling or set()
        while (packet := await self.connection.recv()) is not None and len(packet) != ERROR_LENGTH:
            task = asyncio.create_task(self.handle_packet(packet))
            self.handling.add(task)
            task.add_done_callback(self.handling.discard)
        if packet:
            self.refused = -Int.read(BytesIO(packet))
        if self.handling:
            await asyncio.wait(self.handling, timeout=LAST_PACKETS_TIMEOUT)
        for result in list(self.results.values()):
            result.event.set()
        self._reconnect()

    def _reconnect(self) -> None:
        if self.is_started.is_set():
            self.is_started.clear()  # calls wait from now on
            self.restarting = asyncio.create_task(self.restart())

    async def handle_packet(self, packet: bytes) -> None:
        """Fetch updates if a packet can't be read or the session is new: pyrogram loses them without a sign.

        Reconnect after a message that fails a security check, as pyrogram does: kurigram drops it, and what came
        with it, up to 30 times.
        """
        missed, dropped = False, differences.dropped_messages(self)
        try:
            await _handle_packet(self, packet)  # type: ignore[no-untyped-call]
            if differences.dropped_messages(self) > dropped:
                await self.connection.close()
        except Exception as error:  # noqa: BLE001 - the packet's updates are fetched instead
            log.warning("telegram.packet_unreadable", error=type(error).__name__)
            missed = True
        self.server_time.report()
        if (missed or self.session_id in renewed_sessions) and self.client is not None:
            renewed_sessions.discard(self.session_id)
            await self.client.handle_updates(raw.types.UpdatesTooLong())

    async def ping_worker(self) -> None:
        """Leave it to `recv_worker` to reconnect, which kurigram does here as well, at the same time."""
        ping = raw.functions.PingDelayDisconnect(ping_id=0, disconnect_delay=self.WAIT_TIMEOUT + 10)
        while True:
            try:
                async with asyncio.timeout(self.PING_INTERVAL):
                    await self.ping_task_event.wait()
                return
            except TimeoutError:
                with contextlib.suppress(OSError, RPCError):
                    await self.send(ping, wait_response=False)

    async def invoke(
        self,
        query: TLObject,
        retries: int = Session.MAX_RETRIES,
        timeout: float = Session.WAIT_TIMEOUT,
        sleep_threshold: float = Session.SLEEP_THRESHOLD,
        retry_delay: float = RETRY_DELAY,
    ) -> Any:
        """Raise the last attempt's error. kurigram raises TimeoutError for it, and makes no attempt with 0 retries."""
        while True:
            await self._wait_until_started()
            try:
                return await self.send(query, timeout=timeout)
            except Exception as error:
                wait = flood_wait(error)
                if wait is None and retries > 0 and isinstance(error, WORTH_RETRYING):
                    retries, pause = retries - 1, retry_delay
                elif wait is not None and (wait.total_seconds() <= sleep_threshold or sleep_threshold < 0):
                    pause = wait.total_seconds()
                else:
                    raise
            await self.retrying.clock.sleep(timedelta(seconds=pause))

    async def _wait_until_started(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.WAIT_TIMEOUT):
                await self.is_started.wait()

    async def send(self, data: TLObject, wait_response: bool = True, timeout: float = Session.WAIT_TIMEOUT) -> Any:
        """Send a call again after a bad_msg_notification, which pyrogram takes for its result."""
        for _ in range(RESENDS):
            result = await self._ask(data, wait_response, timeout)
            if isinstance(result, raw.types.BadServerSalt):
                self.salt = result.new_server_salt
            elif isinstance(result, raw.types.BadMsgNotification):
                log.warning("telegram.bad_message", code=result.error_code)
                self._react(result.error_code)
            else:
                return result
        raise BadMessage(result.error_code)

    def _react(self, code: int) -> None:
        """Return if sending again helps: by now the server's time is known. Raises BadMessage otherwise."""
        error = BadMessage(code)
        if error.about_time:
            return
        if code in SEQUENCE_ERRORS:
            self._renew()
        raise error

    def _renew(self) -> None:
        """Go on with a new connection, which is also a new session."""
        self.out_of_sync = True
        self._reconnect()

    async def _ask(self, data: TLObject, wait_response: bool, timeout: float) -> Any:
        message = await differences.make_message(self, data)
        result = self.results[message.msg_id] = Result()
        try:
            executor, loop = differences.crypto_executor(self.connection), asyncio.get_running_loop()
            secret = (self.salt, self.session_id, self.auth_key, self.auth_key_id)
            packet = await loop.run_in_executor(executor, mtproto.pack, message, *secret)
            await self.connection.send(packet)
            if not wait_response:
                return None
            try:
                async with asyncio.timeout(timeout):
                    await result.event.wait()
            except TimeoutError:
                pass
        finally:
            self.results.pop(message.msg_id, None)
        if result.value is None:
            raise TimeoutError("Request timed out")
        if isinstance(result.value, raw.types.RpcError):
            self._raise_error(data, result.value)
        return result.value

    def _raise_error(self, data: TLObject, answer: raw.types.RpcError) -> None:
        if answer.error_message in CONNECTION_NOT_INITED:
            self._renew()
        if isinstance(data, raw.functions.InvokeWithoutUpdates | raw.functions.InvokeWithTakeout):
            data = data.query
        RPCError.raise_it(answer, type(data))


def _should_give_up(error: Exception, times: int) -> bool:
    """Return whether to give up connecting after an error that has come `times` times."""
    if isinstance(error, TransportRefused) and error.is_about_key:
        return times >= KEY_ATTEMPTS
    match classify(error):
        case Fault.FATAL | Fault.FINAL:
            return True
        case Fault.UNKNOWN:
            return times >= UNKNOWN_ATTEMPTS
    return False


def install(retrying: Retrying, time: ServerTime) -> None:
    for part, value in vars(MendedSession).items():
        if not part.startswith("__"):
            setattr(Session, part, value)
    Session.retrying = retrying  # type: ignore[attr-defined]
    Session.server_time = time  # type: ignore[attr-defined]
