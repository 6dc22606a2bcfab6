"""Decode a chat server's response to JSON objects: server-sent events, or one answer that is not streamed."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

from httpx2 import RequestError, Response, TimeoutException
from openai import APIConnectionError, APIError, APITimeoutError

StreamEvent = Mapping[str, Any]

DONE: StreamEvent = {}
"""The last event, if the server marks the end of the stream."""

_ENDLESS = 256 * 1024
"""Bytes that a response may have beside its tokens."""
_TOKEN = 4096
"""Bytes that a token may take: each event repeats the ids, and some servers add probabilities."""
_DRAIN = 0.1
"""Seconds to wait for the response's end after its last event, so that the connection can be used again."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


async def events(response: Response, *, tokens: int) -> AsyncGenerator[StreamEvent, None]:
    """Yield the events of `response`, including `DONE` if the server sends it.

    Raises APIError for an error in the stream, APIConnectionError if the connection breaks, and ValueError if the
    response is not JSON or far longer than `tokens`.
    """
    decoder = _Decoder(response, _ENDLESS + tokens * _TOKEN)
    async with aclosing(_pieces(response)) as pieces:
        async for piece in pieces:
            for event in decoder.feed(piece):
                yield event
                if event is DONE:
                    await _drain(pieces)
                    return
    for event in decoder.finish():
        yield event


async def _pieces(response: Response) -> AsyncGenerator[bytes, None]:
    """Yield the body; turn errors of the transport into the client's."""
    try:
        async for piece in response.aiter_bytes():
            yield piece
    except TimeoutException as error:
        raise APITimeoutError(request=response.request) from error
    except RequestError as error:
        raise APIConnectionError(request=response.request) from error


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    with suppress(TimeoutError, APIConnectionError):
        async with asyncio.timeout(_DRAIN):
            async for _ in pieces:
                pass


class _Decoder:
    """Decodes bytes into events."""

    def __init__(self, response: Response, most: int) -> None:
        self._response = response
        self._left = most
        self._rest = b""
        self._data: list[bytes] = []
        self._body: list[bytes] | None = None
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[StreamEvent]:
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError("the response does not end")
        self._rest += piece
        if not self._begun and not self._begin():
            return
        if self._body is not None:
            self._body.append(self._rest)
            self._rest = b""
            return
        *lines, self._rest = _LINE_END.split(self._rest)
        for line in lines:
            yield from self._line(line)

    def finish(self) -> Iterator[StreamEvent]:
        """Yield the rest at the end of the response; the last event needs no empty line."""
        if self._body is not None:
            yield from self._whole(b"".join(self._body))
            return
        yield from self._line(self._rest)
        yield from self._dispatch()

    def _begin(self) -> bool:
        """Return whether the first byte has arrived; it tells a JSON body from a stream, unlike headers."""
        self._rest = self._rest.removeprefix(_BYTE_ORDER_MARK).lstrip()
        if self._rest:
            self._begun = True
            self._body = [] if self._rest[:1] == b"{" else None
        return self._begun

    def _line(self, line: bytes) -> Iterator[StreamEvent]:
        if not line:
            yield from self._dispatch()
            return
        name, _, value = line.partition(b":")
        # Older llama.cpp names the field of an error after it.
        if name in (b"data", b"error"):
            self._data.append(value.removeprefix(b" "))

    def _dispatch(self) -> Iterator[StreamEvent]:
        data, self._data = self._data, []
        if not data:
            return
        try:
            together = [self._event(b"\n".join(data))]
        except ValueError:
            # The server puts no empty line between events.
            together = [self._event(line) for line in data]
        yield from together

    def _whole(self, body: bytes) -> Iterator[StreamEvent]:
        try:
            together = [self._event(body)]
        except ValueError:
            # The server sends one object per line.
            together = [self._event(line) for line in body.splitlines() if line.strip()]
        yield from together
        if any(event.get("choices") for event in together):
            yield DONE

    def _event(self, data: bytes) -> StreamEvent:
        if data.startswith(b"[DONE]"):
            return DONE
        try:
            event = json.loads(data.decode(errors="replace"))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(event, dict):
            raise TypeError("no object")
        error = event.get("error") or (event if event.get("object") == "error" else None)
        if error:
            raise APIError("an error came instead", self._response.request, body=_error_body(error))
        return event


def _error_body(error: object) -> dict[str, Any]:
    """Return `error` in OpenAI's form; some servers name the status differently."""
    if not isinstance(error, dict):
        return {"message": str(error)}
    statuses = (error.get(name) for name in ("code", "status", "status_code"))
    return error | {"code": next((status for status in statuses if status), None)}
