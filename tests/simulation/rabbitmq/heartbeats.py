"""Heartbeats: a connection that says nothing for too long is cut."""

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.rabbitmq.frames import HEARTBEAT

if TYPE_CHECKING:
    from tests.simulation.rabbitmq.connection import Connection


class Heartbeats:
    """Sends one in each half of `seconds` without another frame; cuts the connection after two silent ones."""

    def __init__(self, connection: "Connection", seconds: int) -> None:
        self.heard = True
        self.spoke = True
        self._connection = connection
        self._seconds = seconds
        self._silent = 0
        self._half = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds / 2, self._look)

    def _look(self) -> None:
        if not self._connection.server.stands_still(self._connection):
            self._speak()
            self._half = 1 - self._half
            if not self._half and self._listen():
                self._connection.cut()
                return
        self._wait()

    def _speak(self) -> None:
        if not self.spoke:
            self._connection.write(HEARTBEAT)
        self.spoke = False

    def _listen(self) -> bool:
        """Return whether the client has been silent for too long."""
        self._silent = 0 if self.heard else self._silent + 1
        self.heard = False
        return self._silent >= 2
