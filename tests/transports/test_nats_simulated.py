"""The simulated NATS server answers as the real one does: seeded requests of every kind that we use, asked of both."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError

from cli.demo.nats_server import EmbeddedServer
from events.jetstream.connection import connect
from tests.transports.simulated import simulated_nats

STREAMS: dict[str, dict[str, Any]] = {
    "ONCE": {"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True},
    "KV_b": {"max_msgs_per_subject": 1, "discard": "new", "allow_rollup_hdrs": True, "allow_msg_ttl": True},
    "FEW": {"max_msgs": 8, "duplicate_window": 100_000_000_000},
    "SMALL": {"max_bytes": 600, "discard": "new", "first_seq": 1000},
    "KEPT": {"deny_delete": True, "deny_purge": True, "max_msg_size": 30},
}
CONSUMERS = {
    "all": {},
    "some": {"filter_subjects": ["s.*.1", "s.*.2.>"]},
    "few": {"max_ack_pending": 3, "max_deliver": 2},
}
BUCKET = "KV_b"
"""Without consumers, as our buckets are: what a purge of some subjects does to consumers is no use of ours."""
OWN = {"created", "ts", "time", "first_ts", "last_ts", "metadata", "cluster", "last_active", "num_redelivered"}
"""What is different on each server, or at each time; the number of those delivered again is counted until a floor."""
OTHERWISE = {"consumer_limits", "pedantic", "limit", "no_ack", "did_create", "compression", "num_subjects"}
"""What the simulated one says at other times, or never; nobody looks at it."""


class Asked:
    """A client that asks at random, and keeps what was answered."""

    def __init__(self, js: JetStreamContext, random: Random) -> None:
        self.random, self._nats = random, js._nc
        self.answers: list[object] = []
        self._outstanding: list[str] = []
        self._pulls = 0
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()

    async def prepare(self) -> None:
        self._box = self._nats.new_inbox()
        await self._nats.subscribe(f"{self._box}.*", cb=self._arrived.put)
        for name, config in STREAMS.items():
            await self.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"s.{name}.>"], **config})
            for consumer, options in CONSUMERS.items() if name != BUCKET else ():
                wanted = {"name": consumer, "durable_name": consumer, "ack_policy": "explicit", **options}
                wanted = json.loads(json.dumps(wanted).replace("s.*", f"s.{name}"))
                await self.api(f"CONSUMER.CREATE.{name}.{consumer}", {"stream_name": name, "config": wanted})

    async def ask(self) -> None:
        kinds = [
            *[self.publish] * 6,
            self.get,
            self.delete,
            self.purge,
            self.info,
            *[self.pull] * 2,
            *[self.settle] * 3,
        ]
        await self.random.choice([*kinds, self.consumer, self.others])(self.random.choice(list(STREAMS)))

    async def api(self, operation: str, asked: dict[str, Any] | None = None) -> None:
        await self._ask(f"$JS.API.{operation}", json.dumps(asked).encode() if asked is not None else b"")

    async def _ask(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            answer = (await self._nats.request(subject, payload, headers=headers)).data
        except NoRespondersError:
            answer = b'"no responders"'
        self.answers.append((subject, payload, headers, _comparable(json.loads(answer or b"null"))))

    def _subject(self, stream: str) -> str:
        return f"s.{stream}.{self.random.choice(['1', '2', '3', '2.1', '2.2', '4.5.6'])}"

    async def publish(self, stream: str) -> None:
        number = str(self.random.randrange(6))
        last = str(self.random.choice([0, *range(8), 1000]))
        headers = self.random.choice(
            [
                *[{}] * 5,
                {"Nats-Msg-Id": number},
                {"Nats-Expected-Last-Subject-Sequence": last},
                {"Nats-Expected-Last-Sequence": last},
                {"Nats-Expected-Last-Msg-Id": number},
                {"Nats-Expected-Stream": self.random.choice(list(STREAMS))},
                {"Nats-Rollup": self.random.choice(["sub", "all", "other"])},
                {"X": "x" * self.random.choice([1, 70_000])},
            ]
        )
        await self._ask(self._subject(stream), b"x" * self.random.randrange(40), headers)

    def _sequence(self) -> int:
        return self.random.choice([0, self.random.randrange(30), 1000 + self.random.randrange(20)])

    def _pattern(self, stream: str) -> str:
        return self.random.choice([self._subject(stream), f"s.{stream}.*", f"s.{stream}.2.>", ">", "s.*.4.>", "none"])

    async def get(self, stream: str) -> None:
        asked = self.random.choice(
            [
                {"seq": self._sequence()},
                {"last_by_subj": self._pattern(stream)},
                {"seq": self._sequence(), "next_by_subj": self._pattern(stream)},
                {},
            ]
        )
        await self.api(f"STREAM.MSG.GET.{stream}", asked)

    async def delete(self, stream: str) -> None:
        await self.api(f"STREAM.MSG.DELETE.{stream}", {"seq": self._sequence(), "no_erase": self.random.random() < 0.5})

    async def purge(self, stream: str) -> None:
        if self.random.random() < 0.2:
            await self.api(f"STREAM.PURGE.{stream}")
        part = self.random.choice([{"seq": self._sequence()}, {"keep": 1}, {}])
        await self.api(f"STREAM.PURGE.{BUCKET}", {"filter": self._pattern(BUCKET), **part})

    async def info(self, stream: str) -> None:
        asked = {"subjects_filter": self._pattern(stream), "offset": self.random.randrange(3)}
        await self.api(f"STREAM.INFO.{stream}", self.random.choice([asked, None]))

    async def consumer(self, stream: str) -> None:
        await self.api(f"CONSUMER.INFO.{stream}.{self.random.choice(list(CONSUMERS))}")

    async def others(self, stream: str) -> None:
        await self.api(
            self.random.choice(
                [
                    *("STREAM.NAMES", f"CONSUMER.NAMES.{stream}", f"CONSUMER.LIST.{stream}", "STREAM.LIST"),
                    *("STREAM.INFO.NONE", f"CONSUMER.INFO.{stream}.none", "CONSUMER.INFO.NONE.none"),
                    *("STREAM.DELETE.NONE", f"CONSUMER.DELETE.{stream}.none", "STREAM.MSG.DELETE.NONE"),
                ]
            )
        )

    async def pull(self, stream: str) -> None:
        """Ask for messages, and take them until the server says that there are no more."""
        self._pulls += 1
        asked = {"batch": self.random.randrange(1, 4), "expires": 40_000_000}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{self.random.choice([*CONSUMERS, 'none'])}"
        await self._nats.publish(subject, json.dumps(asked).encode(), f"{self._box}.{self._pulls}")
        for _ in range(asked["batch"]):
            message = await asyncio.wait_for(self._arrived.get(), 10)
            place = message.reply.split(".")
            self.answers.append(
                (
                    subject,
                    asked,
                    message.subject == f"{self._box}.{self._pulls}" or message.subject,
                    message.data,
                    message.headers,
                    place[:7] + place[8:],
                )
            )
            if not message.reply:
                return
            self._outstanding.append(message.reply)

    async def settle(self, stream: str) -> None:
        if self._outstanding:
            place = self.random.randrange(len(self._outstanding))
            verdict = self.random.choice([b"+ACK", b"", b"-NAK", b"+TERM", b"+WPI"])
            reply = self._outstanding[place] if verdict == b"+WPI" else self._outstanding.pop(place)
            answer = await self._nats.request(reply, verdict)
            self.answers.append((verdict, reply.split(".")[2:6], answer.data))


def _comparable(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_comparable(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    return {name: _comparable(value) for name, value in answer.items() if value and name not in OWN | OTHERWISE}


@asynccontextmanager
async def asking(server: Any, random: Random) -> AsyncIterator[Asked]:
    async with server, connect(server.url, name="test") as js:
        asked = Asked(js, random)
        await asked.prepare()
        yield asked


@pytest.mark.parametrize("seed", range(2))
async def test_the_simulated_server_answers_as_the_real_one(tmp_path: Path, seed: int) -> None:
    async with (
        asking(EmbeddedServer(tmp_path), Random(seed)) as real,
        asking(simulated_nats(), Random(seed)) as simulated,
    ):
        for _ in range(300):
            await asyncio.gather(real.ask(), simulated.ask())
            assert simulated.answers[-4:] == real.answers[-4:]
    assert simulated.answers == real.answers


async def test_a_stream_that_is_created_again_while_it_is_empty_is_the_same(js: JetStreamContext) -> None:
    """On both servers; when it is gone, nobody takes what is published."""
    made = await js.add_stream(name="TWICE", subjects=["twice.*"])
    again = await js.add_stream(name="TWICE", subjects=["twice.*"])
    assert again.created == made.created
    assert await js.delete_stream("TWICE")
    with pytest.raises(NoStreamResponseError):
        await js.publish("twice.1", b"")
