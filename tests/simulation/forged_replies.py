"""Replies that no worker has written: in the place of one that is waited for, and to questions of nobody."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from events import subjects
from events.ids import RequestId
from events.transport import Channel
from tests.promises.lines.disturbances import Malformed
from tests.simulation.nonsense import reply
from tests.simulation.people import People
from tests.simulation.world import World

LOOK = 0.05
"""Seconds between two looks for a request."""
WAITS = 8.0
"""Seconds until there is one whose reply can be forged, at most."""
NOBODYS = 10**6
"""A message that nobody has written."""


@dataclass
class ForgedReplies:
    """`malformed`: the request ids of the questions whose reply was forged."""

    world: World
    people: People
    malformed: set[str] = field(default_factory=set)
    _doing: "dict[asyncio.Task[None], None]" = field(default_factory=dict)

    def lines(self) -> Iterator[Malformed]:
        yield from map(Malformed, sorted(self.malformed))

    def forge(self, whom: str, chance: Random) -> None:
        """Let nonsense come in the place of the next reply."""
        self._do(self._forged(whom, chance))

    def send_to_nobody(self, whom: str, chance: Random) -> None:
        account, user = self.world.accounts[whom].id, chance.choice(self.people.users).id
        nobody, other = (RequestId(str(account), str(user), str(number)) for number in (NOBODYS, NOBODYS + 1))
        self._publish(nobody, *reply(chance.choice((nobody, other)), other, chance))

    async def _forged(self, whom: str, chance: Random) -> None:
        known, until = set(self._asked(whom)), self.world.loop.time() + WAITS
        while self.world.loop.time() < until:
            if new := [one for one in self._asked(whom) if one not in known and not one.revision]:
                self._forge(new[0], chance)
                return
            await asyncio.sleep(LOOK)

    def _asked(self, whom: str) -> Iterator[RequestId]:
        """The requests of its account that are stored."""
        stream, account = subjects.stream(Channel.REQUESTS), self.world.accounts[whom].id
        prefix = f"timokha.{Channel.REQUESTS.value}."
        for subject, _ in self.world.stored(stream, f"{prefix}{account}."):
            yield RequestId.parse(subject.removeprefix(prefix))

    def _forge(self, asked: RequestId, chance: Random) -> None:
        """Unless the model was faster."""
        others = [one for one in self.people.asked if str(one.message_id) != asked.message]
        other = RequestId(asked.account, str(others[-1].user), str(others[-1].message_id)) if others else None
        if other and not self._is_answered(asked):
            self._publish(asked, *reply(asked, other, chance))
            self.malformed.update([str(asked)] if self._is_answered(asked) else [])

    def _is_answered(self, asked: RequestId) -> bool:
        subject = subjects.subject(Channel.REPLIES, asked)
        return any(True for _ in self.world.stored(subjects.stream(Channel.REPLIES), subject))

    def _publish(self, about: RequestId, headers: dict[str, str], body: bytes) -> None:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        block = "\r\n".join(["NATS/1.0", *lines, "", ""]).encode() if lines else b""
        self.world.nats.publish(subjects.subject(Channel.REPLIES, about), "", block, body)
        self.world.nats.flush()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.world.loop.create_task(work)
        self._doing[task] = None
        task.add_done_callback(self._doing.pop)
