"""Input that is no terminal: all of it is read before anything is said."""

import asyncio
import os
import threading

STDIN = 0


async def read_all() -> tuple[str, bool]:
    """What stdin holds, once it has ended, and whether all of it was UTF-8; what was not became U+FFFD.

    It may never end: whoever has no more patience cancels, and the thread goes with the process.
    """
    data = await _bytes()
    text = data.decode(errors="replace")
    return text, text.encode() == data


async def _bytes() -> bytes:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        # Not sys.stdin, whose lock the interpreter takes at its end.
        data = b""
        while part := os.read(STDIN, 65536):
            data += part
        loop.call_soon_threadsafe(_settle, result, data)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return await result


def _settle(result: asyncio.Future[bytes], data: bytes) -> None:
    if not result.done():
        result.set_result(data)
