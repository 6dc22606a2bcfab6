"""Read input that is no terminal, all of it, before the chat begins."""

import asyncio
import os
import threading

STDIN = 0


async def read_all() -> tuple[str, bool]:
    """Read stdin to its end; return its text and whether all of it was UTF-8. What was not became U+FFFD.

    It may never end. After a cancellation the thread goes on until the process ends.
    """
    data = await _bytes()
    text = data.decode(errors="replace")
    return text, text.encode() == data


async def _bytes() -> bytes:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        # Not sys.stdin, whose lock the interpreter takes at its end.
        data = bytearray()
        while part := os.read(STDIN, 65536):
            data += part
        loop.call_soon_threadsafe(_settle, result, bytes(data))

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return await result


def _settle(result: asyncio.Future[bytes], data: bytes) -> None:
    if not result.done():
        result.set_result(data)
