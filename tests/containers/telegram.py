"""A Telegram in a container, for the tests: `telegram.py` serves, `telegram.py '{"do": …}'` asks the one that serves.

It runs in the image `timokha-sandbox`. Only containers reach it; what it is asked comes over its container's loopback.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from edge.sandbox.server import Sandbox
from edge.sandbox.state import SandboxState
from edge.userbot import phrases
from events.schema import FailureReason

PORT, CONTROL = 4430, 9900
PHONE, CODE = "+79990000001", "12345"
KEY = Path("/var/lib/timokha/telegram.pem")
FAILURES = {
    phrases.failure(locale, str(reason)) for locale in ("ru", "en") for reason in (*FailureReason, phrases.DEADLINE)
}


class People:
    """Visitors by number, and what the account has written to them."""

    def __init__(self, telegram: Sandbox) -> None:
        self._telegram = telegram
        self._owner = telegram.add_user(first_name="Timokha", username="timokha", phone=PHONE)
        self._visitors: dict[int, Any] = {}

    def say(self, numbers: list[int], text: str) -> None:
        for number in numbers:
            if number not in self._visitors:
                self._visitors[number] = self._telegram.add_user(
                    first_name=f"Visitor {number}", phone=f"+7999111{number:04}", lang_code="ru"
                )
            self._telegram.send(self._visitors[number].id, self._owner.id, text)

    def told(self, numbers: list[int]) -> list[dict[str, int]]:
        """How many lines of each kind every one of them has."""
        return [self._counted(self._visitors[number].id) for number in numbers]

    def connected(self) -> int:
        return self._telegram.sessions(self._owner.id)

    def _counted(self, visitor: int) -> dict[str, int]:
        texts = [message.text for message in self._telegram.messages(self._owner.id, visitor) if message.out]
        thinking = sum(text in phrases.thinking_lines() for text in texts)
        failures = sum(text in FAILURES for text in texts)
        return {"thinking": thinking, "failures": failures, "answers": len(texts) - thinking - failures}


def telegram() -> Sandbox:
    made = Sandbox(host="0.0.0.0", port=PORT, state=SandboxState(login_code=CODE), beyond_loopback=True)
    KEY.write_text(made.public_key_pem)
    return made


async def serve() -> None:
    async with telegram() as server:
        people = People(server)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = json.loads(await reader.readline())
            writer.write(json.dumps(getattr(people, asked.pop("do"))(**asked)).encode())
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", CONTROL) as control:
            await control.serve_forever()


async def ask(line: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", CONTROL)
    writer.write(line.encode() + b"\n")
    print((await reader.read()).decode())
    writer.close()


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1]) if len(sys.argv) > 1 else serve())
