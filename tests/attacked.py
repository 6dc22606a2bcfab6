"""A server on the shipped configuration with something stored in it, and connections of each user to attack it."""

from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random

from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError
from pydantic import SecretStr

from events import subjects
from events.jetstream.addresses import Access
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

PROCESSES = {"setup": "setup", "userbot": "userbot", "generate": "generate", "bridge": "bridge", "tools": "doctor"}
"""By user, the process whose inbox it has."""

RECORD = b'{"a chat": "record"}'

VICTIMS = {
    "$KV.chats.1.2": "userbot",
    "$KV.telegram.1": "userbot",
    "$KV.marks.unfinished.1.2": "userbot",
    "$KV.bridge.victim": "bridge",
    "timokha.requests.1.2.3.0": "userbot",
    "timokha.requests.rabbitmq.2.3.0": "bridge",
    "timokha.replies.1.2.3.0": "generate",
    "timokha.deadletters.1.2.3.0": "generate",
    "timokha.feedback.1.2.3.0.0123456789ab": "userbot",
}
"""What is stored before the attacks, and whose right it is."""

NAMED = [
    "$KV.chats.1.2",
    "$KV.telegram.1",
    "$KV.marks.unfinished.1.2",
    "$KV.bridge.victim",
    "timokha.requests.8.8.{n}.0",
    "timokha.requests.rabbitmq.8.{n}.0",
    "timokha.replies.8.8.{n}.0",
    "timokha.deadletters.8.8.{n}.0",
    "timokha.feedback.8.8.{n}.0.0123456789ab",
    "$JS.API.STREAM.DELETE.KV_chats",
    "$JS.API.STREAM.PURGE.KV_chats",
    "$JS.API.STREAM.MSG.DELETE.KV_chats",
    "$JS.API.STREAM.MSG.DELETE.REQUESTS",
    "$JS.API.CONSUMER.DELETE.REQUESTS.generate",
    "$JS.API.CONSUMER.DELETE.REPLIES.edge-1",
    "timokha.wake.1",
    "timokha.progress.1.2.3.0",
    "_INBOX_userbot.victim",
    "_INBOX_setup.victim",
]
"""Where a process may want the server's answer to go. `{n}` is another number each time."""

State = Mapping[str, object]


@dataclass
class Attacked:
    """A server with something stored in it; `by[user]` is the connection of an attacker."""

    by: Mapping[str, JetStreamContext]
    numbers: count = field(default_factory=lambda: count(100))

    def numbered(self, subject):
        return subject.replace("{n}", str(next(self.numbers)))

    async def publish(self, user, subject, body=b"", reply="", headers=None):
        """As a process that has been taken over does: it waits for nothing."""
        await self.by[user]._nc.publish(subject, body, reply=reply, headers=headers)

    async def state(self) -> State:
        """Everything that is stored, and how it is kept, once the server has done what it was told."""
        await self._settled()
        administrator = self.by["setup"]
        found: dict[str, object] = {}
        for stream in await administrator.streams_info():
            name = stream.config.name
            found[name] = (stream.created, stream.config)
            for consumer in await administrator.consumers_info(name):
                found[f"{name} {consumer.name}"] = (consumer.created, consumer.config)
            sequence = stream.state.first_seq
            while sequence <= stream.state.last_seq:
                message = await administrator.get_msg(name, seq=sequence, subject=">", next=True)
                if ".settled." not in message.subject:
                    found[message.subject] = message.data
                sequence = message.seq + 1
        return found

    async def _settled(self):
        """What is published after an attack is stored after whatever that has made the server publish."""
        for user in self.by:
            await sent(self.by[user])
        for subject, user in VICTIMS.items():
            root, name, *tokens = subject.split(".")
            settled = ["settled", "{n}"] if root == "$KV" else ["settled", "0", "{n}", *tokens[3:]]
            if "rabbitmq" not in subject:
                with suppress(NoStreamResponseError):  # it has gone
                    await self.by[user].publish(self.numbered(".".join([root, name, *settled])))


async def sent(js):
    """What was published and subscribed to is at the server: a flush of nats-py's may overtake it."""
    await js.stream_info("REPLIES")


@asynccontextmanager
async def attacked(guarded):
    """Attacked, on that server."""
    async with AsyncExitStack() as stack:
        by = {}
        for user, process in PROCESSES.items():
            access = Access(user=user, password=SecretStr(guarded.passwords[user]))
            by[user] = await stack.enter_async_context(connect(guarded.server.url, name=process, access=access))
        topology = Topology(by["setup"], retrying=Retrying(SystemClock(), Random()))
        await topology.ensure_all(["1", subjects.RABBITMQ_ACCOUNT])
        for subject, user in VICTIMS.items():
            await by[user].publish(subject, RECORD)
        yield Attacked(by)


def changes(before: State, after: State) -> dict[str, object]:
    return {
        name: after.get(name, "gone") for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    }
