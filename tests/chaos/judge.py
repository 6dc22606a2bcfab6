"""What became of every question, from what lies in the users' chats, in the streams, and in the userbot's log."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from edge.userbot.chat.record import ChatRecord
from events import subjects
from events.errors import TransportError
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.transport import Channel
from tests.chaos.chronicle import Disturbance
from tests.chaos.edges import BOT, BUSINESS, EDGES, Edge
from tests.chaos.logbook import Logbook
from tests.chaos.owned import AT_ONCE, Owned
from tests.chaos.owner import Owner
from tests.chaos.pieces import Pieces
from tests.chaos.storm import Storm
from tests.chaos.users import FAILURES, Break, Crowd, Question, outcomes, thoughts, told_unreadable
from tests.chaos.world import World, records_of

DEADLINE = 120.0
"""USERBOT_DEADLINE, in seconds; likewise:"""
SLACK = 5.0
"""Until everybody has noticed that a broker is there again."""
STARTING = 8.0
"""Until a userbot that is started has fetched what it missed."""
MOST_FAILED = 0.01
"""Of all questions."""
ALONE = (*EDGES, "nats", "telegram", subjects.CHATS_BUCKET)
"""For an edge there is one of each, and no question gets past it; of the others there are more."""


@dataclass
class Verdict:
    """Every question is exactly one of those down to `lost`."""

    answered_once: int = 0
    answered_twice: int = 0
    failed_told: int = 0
    ignored_busy: int = 0
    taken_over: int = 0
    paused: int = 0
    denied: int = 0
    cancelled: int = 0
    rejected: int = 0
    expired: int = 0
    joined: int = 0
    day_limit: int = 0
    hour_limit: int = 0
    deleted: int = 0
    doubtful: int = 0
    lost_with_store: int = 0
    unreadable: int = 0
    undeliverable: int = 0
    lost: int = 0
    thinking_twice: int = 0
    left_busy: int = 0
    asked_again: int = 0
    faults: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name != "faults"}


@dataclass
class Case:
    """All that is known of one question; times of the monotonic clock, None: not seen."""

    question: Question
    ends: list[str]
    seen: bool
    asked: list[float]
    ignored_at: float | None
    settled_at: float | None
    silenced_at: float | None = None
    """When its store was emptied, its outcome refused, or its owner against it."""

    @property
    def over_at(self) -> float | None:
        """When its outcome was there for the user, or never would be."""
        return self.question.answered_at or self.settled_at or self.silenced_at


class Judge:
    """Of what one edge was asked."""

    def __init__(  # noqa: PLR0917 - all that a storm leaves
        self,
        world: World,
        crowd: Crowd,
        storm: Storm,
        book: Logbook,
        edge: Edge,
        owner: Owner | None = None,
        hourly: int = 0,
    ) -> None:
        self._world = world
        self._storm = storm
        self._book = book
        self._edge = edge
        self._asked = of_edge(crowd, edge)
        self._breaks = [broken for broken in crowd.breaks if broken.edge is edge]
        self._chronicle = world.chronicle.concerning(edge.kind)
        self._owner = owner
        self._owned = Owned(owner, self._asked, book, self._chronicle, self._breaks) if owner else None
        self.pieces = Pieces(world, self._asked, book, self._chronicle, self._breaks, hourly)
        self._counted: Counter[int] = Counter()
        self._verdict = Verdict()
        self._busy: dict[int, list[Case]] = {}
        self.kinds: list[tuple[Question, str]] = []
        """What became of each."""

    async def judge(self) -> Verdict:
        verdict = self._verdict
        try:
            async with self._world.looking() as (stored, log):
                records = await records_of(stored, self._edge)
                published = await self._published(log)
        except TransportError as error:
            verdict.faults.append(f"no records: {error}")
            records, published = {}, set()
        for question in self._asked:
            case = self._case(question, records.get(str(question.user)) or ChatRecord())
            kind, why = self._kind(case, published)
            setattr(verdict, kind, getattr(verdict, kind) + 1)
            self.kinds.append((question, kind))
            if why or kind in ("lost", "answered_twice"):
                verdict.faults.append(f"{kind}: {question.name} {question.text}{why and ': '}{why}")
            if kind not in {"ignored_busy", *AT_ONCE}:
                self._counted[question.user] += 1
                self._busy.setdefault(question.user, []).append(case)
            verdict.asked_again += len(case.asked) > 1
            verdict.thinking_twice += thoughts(self._world, question) > 1
        busy = [chat for chat, record in records.items() if record is None or not rests(record)]
        verdict.left_busy = len(busy)
        verdict.faults += [f"left busy: {chat}" for chat in busy]
        verdict.faults += self._totals(verdict)
        return verdict

    async def _published(self, log: JetStreamLog) -> set[str]:
        """The questions without an outcome that were asked of a model: one that was ignored never was."""
        silent = [question for question in self._asked if not outcomes(self._world, question)]
        names = [question.name for question in silent]
        return {name for name in names if await log.find(Channel.REQUESTS, RequestId.parse(f"{name}.0"))}

    def _case(self, question: Question, record: ChatRecord) -> Case:
        key = str(question.user), str(question.message_id)
        return Case(
            question,
            [end.text for end in outcomes(self._world, question)],
            question.message_id in record.seen,
            self._book.asked.get(key, []),
            self._book.ignored.get(key),
            self._book.settled.get(key),
        )

    def _kind(self, case: Case, published: set[str]) -> tuple[str, str]:
        """And what is wrong with that, if anything is."""
        if len(case.ends) > 1 and not self.pieces.may_repeat(case.question):
            return "answered_twice", ""
        if not case.ends:
            return self._silence(case, published)
        if case.ends[0] in FAILURES:
            return "failed_told", "" if self._may_fail(case) else "no fault was longer than the deadline"
        return "answered_once", ""

    def _silence(self, case: Case, published: set[str]) -> tuple[str, str]:
        if kind := self.pieces.explain(case.question):
            case.silenced_at = case.question.asked_at if kind == "hour_limit" else case.settled_at
            return kind, ""
        if case.question.is_piece or self.pieces.is_collected(case.question):
            left_behind = self.pieces.was_left_behind(case.question)
            return "lost" if left_behind else self._faults_silence(case) or "lost", ""
        never_asked = case.seen and not case.asked and case.question.name not in published
        # An emptied store may have taken along that it was seen.
        untaken = not case.asked and case.question.name not in published
        if kind := self._owners_silence(case, untaken):
            return kind, ""
        if never_asked or (case.ignored_at and case.ignored_at > max(case.asked, default=0.0)):
            why_not = self._busy_or_why_not(case)
            kind = self._owners_silence(case, never_asked, unlogged=True) if why_not else ""
            return (kind, "") if kind else ("ignored_busy", why_not)
        kind = self._faults_silence(case) or self._owners_silence(case, never_asked, unlogged=True)
        return kind or "lost", ""

    def _faults_silence(self, case: Case) -> str:
        """What the silence is called if a fault explains it."""
        if self._is_unreadable(case):
            return "unreadable"
        if self._is_lost_with_store(case):
            return "lost_with_store"
        return "undeliverable" if self._is_undeliverable(case) else ""

    def _owners_silence(self, case: Case, never_asked: bool, *, unlogged: bool = False) -> str:
        """What the silence is called if its owner explains it."""
        if not self._owned:
            return ""
        counted = self._counted[case.question.user]
        explained = self._owned.explain(case.question, never_asked=never_asked, counted=counted, unlogged=unlogged)
        kind, case.silenced_at = explained or ("", None)
        return kind

    def _busy_or_why_not(self, case: Case) -> str:
        """An earlier question had no outcome when it was asked."""
        asked, earlier = case.question.asked_at, self._busy.get(case.question.user, [])
        if any(other.over_at is None or other.over_at > asked for other in earlier):
            return ""
        return "its chat was not busy"

    def _may_fail(self, case: Case) -> bool:
        """Something was out of order for as long as the deadline, or has taken its request or its reply away.

        A question that a lost store has forgotten is asked again, while its reply was erased as nobody's.
        """
        begin = case.question.asked_at
        end = case.over_at or begin + DEADLINE
        if self._chronicle.longest(begin, end, whom=ALONE, slack=SLACK) >= DEADLINE - 2 * SLACK:
            return True
        if case.question.request_id in self._storm.faults.malformed:
            return True
        if len(case.asked) > 1 and any(noted.touches(begin, end) for noted in self._noted("emptied")):
            return True
        return any(noted.touches(begin, end) for noted in self._noted("deleted_stream"))

    def _is_lost_with_store(self, case: Case) -> bool:
        """Without its watermark a store costs what arrives meanwhile; without its records also what is in flight."""
        if case.settled_at is not None:
            return False
        for noted in reversed(self._chronicle.of("emptied")):  # the last one that it can have been lost with
            telegram = noted.whom == subjects.TELEGRAM_BUCKET
            since = self._last_up(noted.began) if telegram else noted.began - 1.5 * DEADLINE
            if since < case.question.asked_at <= noted.ended:
                case.silenced_at = noted.ended
                return True
        return False

    def _last_up(self, at: float) -> float:
        """Since when the userbot had not fetched what it missed, if it was away `at` that time.

        A user account reads that back from its chats, which Telegram shows no bot.
        """
        away = [noted for noted in self._chronicle.disturbances if noted.whom in (BOT, BUSINESS)]
        return min((noted.began for noted in away if noted.touches(at, at, slack=STARTING)), default=at)

    def _is_unreadable(self, case: Case) -> bool:
        """Its chat's record could not be read, before or after it was asked, until the user started it afresh."""
        for broken in self._breaks:
            begin = broken.at - 1.5 * DEADLINE
            if broken.user == case.question.user and begin < case.question.asked_at <= broken.afresh_at:
                case.silenced_at = broken.afresh_at
                return case.settled_at is None
        return False

    def _is_undeliverable(self, case: Case) -> bool:
        """Each refusal in the log accounts for one question."""
        refused = self._book.undeliverable.get(str(case.question.user), [])
        later = [at for at in refused if at > case.question.asked_at]
        if not later:
            return False
        case.silenced_at = later[0]
        refused.remove(later[0])
        return True

    def _totals(self, verdict: Verdict) -> list[str]:
        wrong = []
        planned = self._storm.faults.refused[self._edge.caller]
        if verdict.undeliverable > planned:
            wrong.append(f"undeliverable: {verdict.undeliverable}, but Telegram refused {planned} messages")
        failed = verdict.failed_told - sum(q.request_id in self._storm.faults.malformed for q in self._asked)
        if failed > MOST_FAILED * len(self._asked):
            wrong.append(f"failed told: {failed} of {len(self._asked)} are too many")
        wrong += [text for broken in self._breaks if (text := self._telling(broken))]
        written = self._owner.written if self._owner else set()
        if strangers := self._book.owner_wrote.keys() - written:
            wrong.append(f"took its own messages for the owner's: {sorted(strangers)}")
        wrong += self._owned.wrongs() if self._owned else []
        wrong += self.pieces.wrongs()
        return [f"{self._edge.kind}: {text}" for text in wrong]

    def _telling(self, broken: Break) -> str:
        """What was wrong with telling the user that the record can't be read."""
        later = (other for other in self._breaks if other.user == broken.user and other.at > broken.at)
        again = next(later, None)
        times = told_unreadable(self._world, broken) - (told_unreadable(self._world, again) if again else 0)
        if times > 1:
            return f"chat {broken.user} was told {times} times that its record can't be read"
        asked = any(broken.at < q.asked_at < broken.afresh_at for q in self._asked if q.user == broken.user)
        gone = any(noted.touches(broken.at, broken.afresh_at) for noted in self._noted("emptied"))
        if not times and asked and not (broken.hasty or gone or self._storm.faults.refused[self._edge.caller]):
            return f"chat {broken.user} was not told that its record can't be read"
        return ""

    def _noted(self, *what: str) -> list[Disturbance]:
        return self._chronicle.of(*what)


def rests(record: ChatRecord) -> bool:
    to_do = record.current or record.waiting or record.bursts or record.notices or record.erasing
    owners = record.orders or record.recalled or record.withdrawn or any(not one.closed for one in record.drafts)
    return not (to_do or owners)


def of_edge(crowd: Crowd, edge: Edge) -> list[Question]:
    return [question for question in crowd.asked if question.edge is edge]


async def calm(world: World, stored: JetStreamRecords, crowd: Crowd) -> bool:
    """Every question has arrived, or was lost with a store, and nobody is busy."""
    return all([await _calm(world, stored, crowd, edge) for edge in world.edges])


async def _calm(world: World, stored: JetStreamRecords, crowd: Crowd, edge: Edge) -> bool:
    asked = of_edge(crowd, edge)
    records = await records_of(stored, edge)
    seen = {(int(chat), message) for chat, record in records.items() for message in (record.seen if record else ())}
    emptied = max((noted.ended for noted in world.chronicle.concerning(edge.kind).of("emptied")), default=0.0)
    afresh = {broken.user: broken.afresh_at for broken in crowd.breaks}
    missing = [q for q in asked if (q.user, q.message_id) not in seen and q.deleted_at is None]
    arrived = all(q.asked_at <= max(emptied, afresh.get(q.user, 0)) for q in missing)
    return arrived and all(record and rests(record) for record in records.values())


def recoveries(storm: Storm, crowd: Crowd, edge: Edge) -> list[float]:
    """Seconds from each kill that concerned the edge to the first outcome of a question that it was asked later."""
    asked, found = of_edge(crowd, edge), []
    for killed_at, account in storm.killed_at:
        if account not in ("", edge.kind):
            continue
        later = [q.answered_at for q in asked if q.asked_at > killed_at and q.answered_at is not None]
        if later:
            found.append(min(later) - killed_at)
    return found


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"p50": 0.0, "p99": 0.0}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 99
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}
