"""The connections of one server: who is there, and who is told what."""

import asyncio

from edge.sandbox.call import Push
from edge.sandbox.faults import Faults
from edge.sandbox.link import Link
from edge.sandbox.state import SandboxState
from edge.sandbox.wire import MessageIds


class Hub:
    """What connections share. `changed` is set, and replaced, whenever anything happened.

    `accepting` is for those who got in while the port was being closed.
    """

    def __init__(self, state: SandboxState, faults: Faults) -> None:
        self.state = state
        self.faults = faults
        self.message_ids = MessageIds(state.clock)
        self.links: dict[Link, asyncio.Task[None] | None] = {}
        self.changed = asyncio.Event()
        self.accepting = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, reader, writer)
        if not self.accepting:
            link.drop()
            return
        self.links[link] = asyncio.current_task()
        try:
            await link.run()
        finally:
            del self.links[link]
            self.notify()

    def deliver(self, pushes: list[Push], origin: Link | None = None) -> None:
        """Tell every session of the users, except the one whose result says it already."""
        for push in pushes:
            if push.counted and self.faults.swallows_push(push.user_id):
                continue
            for link in self.listeners(push.user_id):
                if link is not origin:
                    link.push(push.updates)
        self.notify()

    def links_of(self, user_id: int) -> list[Link]:
        return [link for link in self.links if link.user_id == user_id]

    def listeners(self, user_id: int) -> list[Link]:
        """The connections of a user that take updates."""
        quiet = self.state.quiet
        return [link for link in self.links_of(user_id) if link.session and link.session not in quiet]

    def notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
