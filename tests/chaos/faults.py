"""The faults besides kills, freezes and cuts: each is one method, named as it is counted."""

import asyncio
import contextlib
import random
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from edge.sandbox.faults import SEND
from edge.sandbox.server import Sandbox
from events import subjects
from events.errors import TransportError
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.transport import Channel
from tests.chaos.edges import Edge
from tests.chaos.groups import Groups
from tests.chaos.users import Break, Crowd, Question, box_of, outcomes
from tests.chaos.world import World
from tests.promises.lines import EDGES, FOR_EVER
from tests.promises.lines.disturbances import Disturbance
from tests.retrying import RETRYING
from tests.simulation.nonsense import HINTS, RECORDS, reply

EDIT = "messages.EditMessage"
DIFFERENCE = "updates.GetDifference"
HISTORY = "messages.GetHistory"
NOT_TAKEN = (16, 17, 32, 33)
"""Codes of bad_msg_notification: the clock, twice each way, and the sequence number."""
PASSING = ((500, "WORKER_BUSY_TOO_LONG_RETRY"), (-503, "Timeout"), (500, "RPC_CALL_FAIL"))
REPLY_GONE = ("REPLY_MESSAGE_ID_INVALID", "REPLY_TO_INVALID")
RECENT = 1.0
"""Seconds in which a question is likely being answered."""
ANSWERED = 10.0
"""Seconds in which somebody is answered."""
OUTAGE = (20.0, 60.0)
"""Seconds; likewise:"""
STARTING = (0.0, 3.0)
DOWN = (0.0, 1.0)
COMES_BACK = 60.0
"""Seconds after which what was deleted must be there again."""
KEPT_FOR_QUESTIONS = (subjects.CHATS_BUCKET, subjects.TELEGRAM_BUCKET)
"""Buckets without which a question may be lost."""

SHARES = {
    "terminations": 3,
    "bad_messages": 4,
    "refused_replies": 6,
    "passing_refusals": 6,
    "stuck_slices": 10,
    "refused_sends": 20,
    "deleted_consumers": 12,
    "deleted_streams": 30,
    "deleted_buckets": 30,
    "emptied_stores": 30,
    "outages": 30,
    "unrecorded_answers": 6,
    "unreadable_records": 10,
    "malformed_replies": 10,
    "odd_hints": 20,
    "deleted_marks": 20,
}
"""How many kills there are to one of these; of each there is one at least, of an outage none below 12 kills."""
DEAR = ("outages", "deleted_streams", "deleted_buckets")
OF_BUSINESS = {"changed_connections": 8}
"""Likewise, where there are business connections; and where there is a group:"""
OF_GROUPS = {"group_gaps": 2}
NOT_WITH_ACCOUNTS = (
    "deleted_consumers",
    "deleted_streams",
    "deleted_buckets",
    "deleted_marks",
    "emptied_stores",
    "odd_hints",
)
"""What no process may make anew there, and hints that only the account of the owner's commands can send."""


def planned(
    kills: int,
    chosen: str | None,
    chance: random.Random,
    *,
    accounts: bool = False,
    business: bool = False,
    grouped: bool = False,
) -> list[str]:
    """What is to happen, in order. `chosen` is `name` or `name=count`, with commas between, instead of all."""
    shares = {**SHARES, **(OF_BUSINESS if business else {}), **(OF_GROUPS if grouped else {})}
    if chosen is None:
        counts = {name: max(1, round(kills / share)) for name, share in shares.items()}
        counts |= {name: 0 for name in DEAR if kills < 12}
        counts |= {name: 0 for name in NOT_WITH_ACCOUNTS if accounts}
    else:
        pairs = [part.partition("=") for part in chosen.split(",") if part]
        counts = {name: int(count or 1) for name, _, count in pairs}
    if unknown := counts.keys() - shares.keys():
        raise SystemExit(f"CHAOS_FAULTS names {', '.join(unknown)}; it takes {', '.join(shares)}")
    order = [name for name, count in counts.items() for _ in range(count)]
    chance.shuffle(order)
    return order


@dataclass
class Faults:
    """`done` counts by name; what went wrong with the storm itself is in `broken`."""

    world: World
    crowd: Crowd
    chance: random.Random
    groups: Groups | None = None
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    """Messages that Telegram refuses for good, by the account that sends them."""
    malformed: set[str] = field(default_factory=set)
    """The request ids of questions whose reply was taken by nonsense."""
    broken: list[str] = field(default_factory=list)
    _watching: set[asyncio.Task[None]] = field(default_factory=set)

    async def strike(self, name: str) -> None:
        act: Callable[[], Awaitable[None]] = getattr(self, f"_{name}")
        await act()
        self.done[name] += 1

    async def watched(self) -> None:
        """Return when everything that was deleted has come back, or was waited for long enough."""
        await asyncio.gather(*self._watching)

    # --- Telegram

    async def _bad_messages(self) -> None:
        edge, method = self._edge(), self.chance.choice((SEND, SEND, EDIT, DIFFERENCE))
        code = self.chance.choice(NOT_TAKEN)
        self._telegram.faults.notify_bad_message(edge.caller, code, method=method, times=1)
        self._noted("bad_messages", edge)
        if method == DIFFERENCE:
            self._telegram.drop_connections(edge.caller)

    async def _refused_replies(self) -> None:
        caller, error = self._edge().caller, self.chance.choice(REPLY_GONE)
        # Of two that wait, the second would refuse the same message without the reply.
        if not self._telegram.faults.refuses(caller, *REPLY_GONE):
            self._telegram.faults.refuse(caller, 400, error)

    async def _refused_sends(self) -> None:
        edge = self._edge()
        self.refused[edge.caller] += 1
        # In a group other refusals may mean that nothing can be written there: it would be left alone for an hour.
        error = "PRIVACY_PREMIUM_REQUIRED" if edge.group else "TOPIC_DELETED"
        self._telegram.faults.refuse(edge.caller, 406, error)

    async def _passing_refusals(self) -> None:
        edge, (code, name) = self._edge(), self.chance.choice(PASSING)
        method = self.chance.choice((SEND, SEND, EDIT, DIFFERENCE))
        self._telegram.faults.refuse(edge.caller, code, name, method=method, times=self.chance.randint(1, 3))
        self._noted("passing_refusals", edge)
        if method == DIFFERENCE:
            self._telegram.drop_connections(edge.caller)

    async def _stuck_slices(self) -> None:
        edge = self._edge()
        self._telegram.faults.stuck_slices(edge.caller, self.chance.randint(2, 5))
        self._noted("stuck_slices", edge)
        self._telegram.drop_connections(edge.caller)

    async def _outages(self) -> None:
        """With a call in flight: its result is lost, and Telegram stays away."""
        account = self._edge().caller
        async with self.world.telegram_lock:
            self._telegram.faults.lose_answers(account)
            with contextlib.suppress(TimeoutError):
                await self._telegram.wait_for(lambda: not self._telegram.sessions(account), 3)
            with self.world.chronicle.during("outage", "telegram"):
                await self._telegram.refuse_connections()
                await asyncio.sleep(self.chance.uniform(*OUTAGE))
                await self._telegram.accept_connections()

    async def _group_gaps(self) -> None:
        assert self.groups
        self._noted("group_gaps", self.groups.edge)
        await self.groups.gap()

    async def _changed_connections(self) -> None:
        """A person changes what the bot may do: from now on Telegram takes another connection id only."""
        edge = self._edge()
        assert edge.bot
        self._telegram.connect_business(edge.account.id, edge.bot.id)
        self._noted("changed_connections", edge)

    # --- processes

    async def _terminations(self) -> None:
        """SIGTERM while it runs, or soon after its start."""
        victim, starting = self.chance.choice(self.world.ours), self.chance.random() < 0.4
        assert victim.program
        async with victim.lock:
            with self.world.chronicle.during("term", victim.kind, victim.account):
                if starting:
                    await victim.kill()
                    await victim.start()
                    await asyncio.sleep(self.chance.uniform(*STARTING))
                await victim.program.terminate()
                await asyncio.sleep(self.chance.uniform(*DOWN))
                await victim.start()

    async def _unrecorded_answers(self) -> None:
        """A userbot is killed as soon as an answer of its is in the chat: its record does not say so yet.

        Its user asks again, and the next userbot finds out about the answer later than about that question.
        """
        victim = self.chance.choice(self.world.of(*EDGES))
        edge = self.chance.choice(victim.edges)
        self.crowd.stir(edge)
        async with victim.lock:
            users = await self._until_answered(edge)
            with self.world.chronicle.during("unrecorded_answer", victim.kind, victim.account):
                await victim.kill()
                self.crowd.eager |= users
                for method in (SEND, HISTORY):
                    account, times = edge.caller, len(users) + 4
                    self._telegram.faults.refuse(account, *PASSING[0], method=method, times=times)
                await asyncio.sleep(self.chance.uniform(*DOWN))
                await victim.start()

    async def _until_answered(self, edge: Edge) -> set[int]:
        """The users who have just got an outcome; none if that takes too long."""
        before = {q.name for q in self.crowd.waiting if outcomes(self.world, q)}

        def answered() -> set[int]:
            waiting = [q for q in self.crowd.waiting if q.edge is edge and q.name not in before]
            return {q.user for q in waiting if outcomes(self.world, q)}

        try:
            return await self._telegram.wait_for(answered, ANSWERED)
        except TimeoutError:
            return set()

    # --- what NATS holds

    async def _unreadable_records(self) -> None:
        """The user is told, and starts the chat afresh."""
        broken = {broken.chat for broken in self.crowd.breaks if broken.afresh_at == FOR_EVER}
        question = self.chance.choice([question for question in self.crowd.asked if question.chat not in broken])
        last = list(box_of(self.world, question).messages)[-1]
        broken = Break(question.edge, question.user, last, time.monotonic(), group=question.group)
        self.crowd.breaks.append(broken)
        key, value = f"{question.edge.account.id}.{question.chat}", self.chance.choice(RECORDS)
        with self.world.chronicle.during("unreadable_record", key, question.edge.kind):
            await self._persistently(lambda js: js.publish(f"$KV.{subjects.CHATS_BUCKET}.{key}", value))
        broken.is_made = True

    async def _malformed_replies(self) -> None:
        """Nonsense comes in the place of a reply that is waited for."""
        until, edge = time.monotonic() + COMES_BACK, self._edge()
        while time.monotonic() < until:
            self.crowd.stir(edge)
            recent = [question for question in self.crowd.waiting if question.asked_at > time.monotonic() - RECENT]
            if len(recent) > 1 and await self._take_place(*self.chance.sample(recent, 2)):
                return
            if self.crowd.complete and not recent:
                return
            await asyncio.sleep(0.2)

    async def _take_place(self, asked: Question, other: Question) -> bool:
        """Whether a model was asked, and the nonsense came first."""
        request_id = RequestId.parse(asked.request_id)
        headers, body = reply(request_id, RequestId.parse(other.request_id), self.chance)
        self.malformed.add(asked.request_id)
        try:
            async with self.world.connected() as js:
                if not await JetStreamLog(js).find(Channel.REQUESTS, request_id):
                    return False
                await js.publish(subjects.subject(Channel.REPLIES, request_id), body, headers=headers)
        except APIError:
            self.malformed.discard(asked.request_id)
            return False
        except (NatsError, TransportError, OSError, TimeoutError):
            return False
        self.world.chronicle.disturbances.append(
            Disturbance("malformed_reply", asked.request_id, now := time.monotonic(), now, asked.edge.kind)
        )
        return True

    async def _odd_hints(self) -> None:
        """To wake chats that are none, while others have something to do."""
        edge = self._edge()
        subject, until = subjects.wake(str(edge.account.id)), time.monotonic() + ANSWERED
        self.crowd.stir(edge)
        while time.monotonic() < until and not any(q.edge is edge for q in self.crowd.waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        with self.world.chronicle.during("odd_hints", subject):
            await self._persistently(partial(_publish, subject=subject, bodies=HINTS))

    async def _deleted_marks(self) -> None:
        """The index of unfinished chats, and perhaps a userbot in the moment after."""
        with self.world.chronicle.during("deleted_bucket", subjects.MARKS_BUCKET):
            await self._persistently(lambda js: js.delete_key_value(subjects.MARKS_BUCKET))
        victim = self.chance.choice(self.world.of(*EDGES))
        if self.chance.random() < 0.5:
            async with victim.lock:
                with self.world.chronicle.during("kill", victim.kind, victim.account):
                    await victim.kill()
                    await victim.start()

    # --- NATS

    async def _emptied_stores(self) -> None:
        (nats,) = self.world.of("nats")
        async with nats.lock:
            emptied = self._emptied("nats")
            await nats.kill()
            shutil.rmtree(self.world.directory / "nats" / "store", ignore_errors=True)
            await nats.start()
        self._watch(emptied)

    async def _deleted_consumers(self) -> None:
        replies = subjects.edge_consumer(str(self._edge().account.id))
        stream, consumer = self.chance.choice((("REQUESTS", subjects.GENERATE_CONSUMER), ("REPLIES", replies)))
        with self.world.chronicle.during("deleted_consumer", consumer):
            await self._persistently(lambda js: js.delete_consumer(stream, consumer))

    async def _deleted_streams(self) -> None:
        stream = self.chance.choice([subjects.stream(channel) for channel in Channel])
        with self.world.chronicle.during("deleted_stream", stream):
            await self._persistently(lambda js: js.delete_stream(stream))

    async def _deleted_buckets(self) -> None:
        bucket = self.chance.choice(subjects.BUCKETS)
        if bucket not in KEPT_FOR_QUESTIONS:
            with self.world.chronicle.during("deleted_bucket", bucket):
                await self._persistently(lambda js: js.delete_key_value(bucket))
            return
        emptied = self._emptied(bucket)
        await self._persistently(lambda js: js.delete_key_value(bucket))
        self._watch(emptied)

    def _emptied(self, whom: str) -> list[Disturbance]:
        """For each edge by itself: one may take up the new store before the other does."""
        now = time.monotonic()
        emptied = [Disturbance("emptied", whom, now, account=edge.kind) for edge in self.world.edges]
        self.world.chronicle.disturbances += emptied
        return emptied

    def _watch(self, emptied: list[Disturbance]) -> None:
        for edge, noted in zip(self.world.edges, emptied, strict=True):
            self._watching.add(asyncio.create_task(self._until_taken_up(edge, noted)))

    async def _until_taken_up(self, edge: Edge, emptied: Disturbance) -> None:
        """It has ended when the buckets of the userbot are there again, and its watermarks in them.

        While Telegram is away the userbot can't know its state.
        """
        until = time.monotonic() + COMES_BACK
        while time.monotonic() < until:
            if any(outage.ended == FOR_EVER for outage in self.world.chronicle.of("outage")):
                until = time.monotonic() + COMES_BACK
            with contextlib.suppress(TransportError, TimeoutError):
                async with self.world.connected() as js:
                    await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
                    marks = await JetStreamRecords.open(js, subjects.TELEGRAM_BUCKET, retrying=RETRYING)
                    if all([await marks.load(key) for key in edge.watermarks]):
                        self.world.chronicle.end(emptied)
                        return
            await asyncio.sleep(0.3)
        self.world.chronicle.end(emptied)
        self.broken.append(f"{edge.kind}: the userbot had not taken up an emptied store after {COMES_BACK:.0f} s")

    async def _persistently(self, delete: Callable[..., Awaitable[object]]) -> None:
        """Whatever else happens to NATS meanwhile."""
        until = time.monotonic() + COMES_BACK
        while time.monotonic() < until:
            try:
                async with self.world.connected() as js:
                    await delete(js)
                return
            except NotFoundError:
                return
            except (NatsError, TransportError, OSError, TimeoutError):
                await asyncio.sleep(0.3)

    @property
    def _telegram(self) -> Sandbox:
        return self.world.telegram

    def _edge(self) -> Edge:
        return self.chance.choice(self.world.edges)

    def _noted(self, what: str, edge: Edge) -> None:
        """Telegram does not do what this edge asks for."""
        now = time.monotonic()
        self.world.chronicle.disturbances.append(Disturbance(what, "telegram", now, now, edge.kind))


async def _publish(js: JetStreamContext, *, subject: str, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        await js._nc.publish(subject, body)
    await js._nc.flush()
