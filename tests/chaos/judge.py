"""What became of every question, from what lies in the users' chats and in the streams."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from storm import Storm
from users import FAILURES, Crowd, Question, outcomes, thoughts
from world import World

from edge.userbot.chats import Chats
from edge.userbot.record import ChatRecord
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.transport import Channel

UNSETTLED = 60.0
"""Seconds for which a user may be busy after the outcome was seen: the edge may have died before it was stored."""


@dataclass
class Verdict:
    """Every question is exactly one of answered_once, answered_twice, failed_told, ignored_busy and lost."""

    answered_once: int = 0
    answered_twice: int = 0
    failed_told: int = 0
    ignored_busy: int = 0
    lost: int = 0
    thinking_twice: int = 0
    left_busy: int = 0
    faults: list[str] = field(default_factory=list)


async def judge(world: World, crowd: Crowd) -> Verdict:
    verdict = Verdict()
    async with world.looking() as (chats, log):
        records = {chat: await chats.load(chat) for chat in await chats.all()}
        for question in crowd.asked:
            kind = await _judge(world, crowd, question, records.get(str(question.user), ChatRecord()), log)
            setattr(verdict, kind, getattr(verdict, kind) + 1)
            if kind in ("lost", "answered_twice"):
                verdict.faults.append(f"{kind}: {world.owner.id}.{question.user}.{question.message_id} {question.text}")
            verdict.thinking_twice += thoughts(world, question) > 1
    busy = [chat for chat, record in records.items() if not rests(record)]
    verdict.left_busy = len(busy)
    verdict.faults += [f"left busy: {chat}" for chat in busy]
    return verdict


async def _judge(world: World, crowd: Crowd, question: Question, record: ChatRecord, log: JetStreamLog) -> str:
    ends = outcomes(world, question)
    if len(ends) > 1:
        return "answered_twice"
    if ends:
        return "failed_told" if ends[0].text in FAILURES else "answered_once"
    # One that was ignored is known to its chat, and was never published.
    request_id = RequestId(str(world.owner.id), str(question.user), str(question.message_id))
    published = await log.find(Channel.REQUESTS, request_id) is not None
    if question.message_id in record.seen and not published and _may_be_ignored(world, crowd, question):
        return "ignored_busy"
    return "lost"


def _may_be_ignored(world: World, crowd: Crowd, question: Question) -> bool:
    """It came while an earlier question of the same user was being answered, or had just been."""
    earlier = (other for other in crowd.asked if other.user == question.user and other.message_id < question.message_id)
    return any(end.date > question.date - UNSETTLED for other in earlier for end in outcomes(world, other))


def rests(record: ChatRecord) -> bool:
    return not (record.current or record.waiting or record.notices or record.erasing)


async def calm(chats: Chats, crowd: Crowd) -> bool:
    """Every question has arrived, and nobody is busy."""
    records = {user: await chats.load(str(user)) for user in {question.user for question in crowd.asked}}
    arrived = all(question.message_id in records[question.user].seen for question in crowd.asked)
    return arrived and all(rests(record) for record in records.values())


def recoveries(storm: Storm, crowd: Crowd) -> list[float]:
    """Seconds from each kill to the first outcome of a question that was asked after it."""
    found = []
    for killed_at in storm.killed_at:
        later = [q.answered_at for q in crowd.asked if q.asked_at > killed_at and q.answered_at is not None]
        if later:
            found.append(min(later) - killed_at)
    return found


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"p50": 0.0, "p99": 0.0}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 99
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}
