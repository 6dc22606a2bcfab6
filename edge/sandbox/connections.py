"""The open connections of one server, and the delivery of updates to them."""

import asyncio

from edge.sandbox.call import Push
from edge.sandbox.client_connection import ClientConnection
from edge.sandbox.faults import Faults
from edge.sandbox.mtproto_codec import MessageIds
from edge.sandbox.state import SandboxState


class Connections:
    """Serves clients; holds what their connections share. `changed` is set and replaced after every event.

    While `accepting` is false, new connections are dropped: a client may connect while the port is being closed.
    """

    def __init__(self, state: SandboxState, faults: Faults) -> None:
        self.state = state
        self.faults = faults
        self.message_ids = MessageIds(state.clock)
        self.tasks: dict[ClientConnection, asyncio.Task[None] | None] = {}
        self.changed = asyncio.Event()
        self.accepting = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = ClientConnection(self, reader, writer)
        if not self.accepting:
            connection.drop()
            return
        self.tasks[connection] = asyncio.current_task()
        try:
            await connection.run()
        finally:
            del self.tasks[connection]
            self.notify()

    def deliver(self, pushes: list[Push], origin: ClientConnection | None = None) -> None:
        """Send each push to all sessions of its user, except `origin`, whose result contains it already."""
        for push in pushes:
            for due in self.faults.disturbed(push, push.counted, (push.user_id, push.channel_id)):
                self._deliver(due, origin)
        self.notify()

    def _deliver(self, push: Push, origin: ClientConnection | None) -> None:
        for connection in self.listeners(push.user_id):
            if connection is not origin or push.everywhere:
                connection.push(push.updates)

    def of_user(self, user_id: int) -> list[ClientConnection]:
        return [connection for connection in self.tasks if connection.user_id == user_id]

    def listeners(self, user_id: int) -> list[ClientConnection]:
        """Return a user's connections that take updates: at the main data centre, unless the client wants none."""
        quiet, elsewhere = self.state.quiet, self.state.data_centres.elsewhere
        return [
            connection
            for connection in self.of_user(user_id)
            if (session := connection.session) and session not in quiet and session[0] not in elsewhere
        ]

    def notify(self) -> None:
        """Wake those who wait for `changed`."""
        self.changed.set()
        self.changed = asyncio.Event()
