"""A simulated broker where tests have a real node: the same methods as `tests.rabbitmq_node.RabbitMQNode`."""

from collections.abc import Callable, Mapping
from typing import Self

from tests.simulation.rabbitmq.server import SimulatedRabbitMQ

HOST = "127.0.0.1"


class SimulatedNode:
    """On a free loopback port, which it keeps over restarts."""

    def __init__(self) -> None:
        self.server = SimulatedRabbitMQ()
        self._port = 0

    @property
    def url(self) -> str:
        return self.url_of("guest", "guest")

    def url_of(self, user: str, password: str) -> str:
        return f"amqp://{user}:{password}@{HOST}:{self._port}/"

    async def start(self) -> None:
        if self._port:
            await self.server.start()
        else:
            self._port = await self.server.listen(HOST, 0)

    async def kill(self) -> None:
        self.server.kill()

    async def lose_data(self) -> None:
        """Only after `kill`."""
        self.server.store.clear()

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()

    async def control(self, command: str, *arguments: str) -> None:
        """Do what `rabbitmqctl` does. Raises KeyError for a command that is not simulated."""
        self._commands[command](*arguments)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    @property
    def _commands(self) -> Mapping[str, Callable[..., None]]:
        return {
            "change_password": self.server.users.__setitem__,
            "close_all_connections": lambda text: self.server.close_connections(text=text),
            "delete_queue": self.server.delete_queue,
            "set_vm_memory_high_watermark": self._set_watermark,
        }

    def _set_watermark(self, fraction: str) -> None:
        if float(fraction):
            self.server.end_alarm()
        else:
            self.server.raise_alarm()
