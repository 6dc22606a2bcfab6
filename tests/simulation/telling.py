"""What happened in a seed as a history, for the judge of the storm and of the simulation."""

from collections.abc import Iterator
from dataclasses import replace

from edge.sandbox.message_box import StoredMessage
from edge.userbot.chat.record import ChatRecord, UnreadableRecord, from_json
from edge.userbot.chat_tokens import ChatToken
from edge.userbot.driving.outbox import random_id
from edge.userbot.rules import DEFAULTS
from events import subjects
from tests.promises.history import History, Line
from tests.promises.in_chats import open_drafts, record_line, rests
from tests.promises.lines import BUSINESS, USER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Refused
from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.lines.processes import Process
from tests.promises.lines.stored import REQUESTS, Acknowledged
from tests.promises.logbook import line_of
from tests.promises.outcomes import ABOUT, outcomes
from tests.promises.skips import RECALL
from tests.simulation.blows import Blows, kind_of
from tests.simulation.connections import process_of
from tests.simulation.owners import QUESTION
from tests.simulation.people import Asked as AskedThere
from tests.simulation.people import People
from tests.simulation.plan import Plan
from tests.simulation.requests import text_of
from tests.simulation.world import World

OWNER_PAUSE = DEFAULTS.owner_pause.total_seconds()
PLENTY = 1000
"""Answers, of which nobody gets so many."""
WITHIN = 30.0
"""Seconds in which a process ends that was told to; the longest grace is 20 s."""


def history_of(plan: Plan, world: World, people: People, blows: Blows) -> History:
    given = dict(plan.settings)
    approve_for = float(given.get("approve_for", 0))
    lines: list[Line] = [
        Settings(float(given["deadline"]), OWNER_PAUSE, approve_for),
        *blows.disturbances(),
        *blows.floods,
        *blows.at_edges.replies.lines(),
    ]
    for edge in plan.edges:
        asked = [_asked(one, world, people) for one in people.asked if one.edge == edge]
        lines += [
            _account(edge, plan, people),
            Refused(edge, blows.at_edges.refused(edge)),
            *asked,
            *(people.talk.lines() if people.talk and people.talk.edge == edge else ()),
        ]
        lines += blows.at_edges.records.lines(edge)
        lines += [*_sent(world, people, edge, asked), *_erased(people, edge), *_owners(people, edge, asked)]
        lines += people.votes[edge].lines()
        lines += [*_logged(world, people, edge), *_records(world, edge), *_published(world, edge)]
    lines += _spoilt(people, blows, lines)
    return History((*lines, *(people.program.lines() if people.program else ()), *_processes(world)))


def _sees(edge: str) -> dict[str, bool]:
    """Of messages that users delete."""
    is_business = process_of(edge) == BUSINESS
    return {"sees_deletions": edge == USER or is_business, "drops_deleted": is_business}


def _spoilt(people: People, blows: Blows, lines: list[Line]) -> Iterator[Line]:
    asked = [line for line in lines if isinstance(line, Asked)]
    ids = {name: one.request_id for one in asked for name in QUESTION.findall(one.text)}
    ids |= {text_of(one.number): one.id for one in people.program.requests} if people.program else {}
    yield from blows.at_rabbitmq.spoilt
    yield from blows.workers.lines(ids)
    yield from people.foreign.lines() if people.foreign else ()


def _account(edge: str, plan: Plan, people: People) -> Account:
    approving = tuple(str(user.id) for user in people.approving) if edge in people.owners else ()
    known = Account(edge, owned=True, limit=PLENTY, approving=approving, hourly=PLENTY, **_sees(edge))
    limit = dict(plan.settings).get("max_answers_per_day_for_all", 0)
    if edge != USER:
        return replace(known, limit_for_all=limit)
    kept_out = tuple(str(user.id) for user in people.kept_out)
    return replace(known, kept_out=kept_out, looks_up=bool(plan.first_writers), limit_for_all=limit)


def all_rest(world: World, people: People, blows: Blows) -> bool:
    """Whether nothing is left to be done: each question has arrived or was lost with a store, and each record rests."""
    emptied = {line.account: line.ended for line in blows.disturbances() if line.what == "emptied"}
    for edge in world.accounts:
        records = dict(_read_records(world, edge))
        seen = {(chat, message) for chat, record in records.items() for message in (record.seen if record else ())}
        asked = [one for one in people.asked if one.edge == edge and one.at > emptied.get(edge, 0.0)]
        asked = [one for one in asked if not people.was_absent(edge, one.at)]
        asked = [one for one in asked if not blows.at_edges.records.hid(edge, one.chat, one.at)]
        seen |= _dropped(world, edge)
        if any((one.chat, one.message_id) not in seen for one in asked if one.deleted_at is None):
            return False
        if not _rest(list(records.values()), world, edge):
            return False
    if people.program and not people.program.rests():
        return False
    if not all(votes.rest for votes in people.votes.values()):
        return False
    if blows.is_under_way or not (blows.at_edges.records.rest and blows.refusals.rests):
        return False
    return all(owner.rests for owner in people.owners.values())


def _dropped(world: World, edge: str) -> set[tuple[str, int]]:
    """What could not be stored."""
    lines = (line for line in world.log.lines if (line["process"], line["event"]) == (edge, "message.dropped"))
    return {(str(line["chat"]), line["message"]) for line in lines}


def _rest(records: list[ChatRecord | None], world: World, edge: str) -> bool:
    """Whether all do, but for a draft for each recall that was given up."""
    readable = [record for record in records if record]
    if len(readable) < len(records) or not all(rests(record) for record in readable):
        return False
    drafts = sum(open_drafts(record) for record in readable)
    return not drafts or drafts <= _recalls_given_up(world, edge)


def _recalls_given_up(world: World, edge: str) -> int:
    given_up = (line for line in world.log.lines if (line["process"], line["event"]) == (edge, "driver.gave_up"))
    return sum(line["step"] == RECALL for line in given_up)


def _asked(one: AskedThere, world: World, people: People) -> Asked:
    account = world.accounts[one.edge].id
    request_id = f"{account}.{one.chat}.{one.message_id}.0"
    known = Asked(one.edge, one.chat, one.message_id, one.own_id, request_id, one.text, one.at)
    known = replace(known, writer=str(one.user) if one.group else "")
    known = replace(known, is_piece=one.piece, changed=one.edited, deleted_at=one.deleted_at)
    if owner := people.owners.get(one.edge):
        (text,) = QUESTION.findall(one.text)
        known = replace(known, replacements=tuple(owner.replacements.get(text, ())))
    got = _got(world, people, one.edge, one.chat, _about(world, known))
    ends = outcomes(known, [message for message in got if message.id > one.own_id])
    return replace(known, answered_at=min((end.edited_at or end.at for end in ends), default=None))


def _sent(world: World, people: People, edge: str, asked: list[Asked]) -> Iterator[Line]:
    about = {place: name for question in asked for place, name in _about(world, question).items()}
    talked = people.talk.chats if people.talk and people.talk.edge == edge else ()
    for chat in dict.fromkeys((*(question.chat for question in asked), *talked)):
        yield from _got(world, people, edge, chat, about)


def _about(world: World, question: Asked) -> dict[tuple[str, int], str]:
    """The request id by chat and id of what was sent for the question, as far as random ids say so."""
    own = (world.sent(question.account, random_id(question.request_id, part)) for part in ABOUT)
    copies = [_copy(world, question.account, question, sent) for sent in own]
    return {(question.chat, copy.id): question.request_id for copy in copies if copy}


def _copy(world: World, edge: str, question: Asked, sent: int) -> StoredMessage | None:
    """The message for who asks that was sent by the account."""
    state, peer = world.telegram.state, ChatToken.parse(question.chat).peer
    mine = state.chat_box(world.accounts[edge], peer).messages.get(sent)
    return state.chat_box(state.accounts[int(question.writer or question.chat)], peer).copy_of(mine)


def _got(world: World, people: People, edge: str, chat: str, about: dict[tuple[str, int], str]) -> list[Sent]:
    """What there is from the account, for a user or in a group, oldest first."""
    came, changed, owner = world.watching.came, world.watching.changed, ChatToken.parse(chat).peer
    if people.talk and chat in people.talk.chats:
        found = people.talk.got(chat)
    else:
        found = [one for one in world.telegram.messages(owner, world.accounts[edge].id) if not one.out]
    return [
        Sent(edge, chat, m.id, m.text, came[key], m.reply_to, changed.get(key), about.get((chat, m.id), ""))
        for m in found
        if (key := (owner, m.id))
    ]


def _erased(people: People, edge: str) -> Iterator[Line]:
    for one in people.wiped:
        if one.edge == edge:
            yield Erased(edge, one.chat, one.message_id, one.own_id, one.at)


def _owners(people: People, edge: str, asked: list[Asked]) -> Iterator[Line]:
    if owner := people.owners.get(edge):
        yield from owner.lines({name: question.name for question in asked for name in QUESTION.findall(question.text)})


def _logged(world: World, people: People, edge: str) -> Iterator[Line]:
    """Of the chats of the edge, if its process has others as well."""
    process = process_of(edge)
    for line in world.log.lines:
        found = line_of(edge, line, line["time"]) if line["process"] == process else None
        if found and (process == edge or people.has_chat(edge, getattr(found, "chat", ""))):
            yield found


def _read_records(world: World, edge: str) -> Iterator[tuple[str, ChatRecord | None]]:
    """The chat records of the account in the store; None: unreadable."""
    prefix = f"$KV.{subjects.CHATS_BUCKET}.{world.accounts[edge].id}."
    for subject, payload in world.stored(f"KV_{subjects.CHATS_BUCKET}", prefix):
        if (chat := subject.removeprefix(prefix)) != "policy":
            try:
                yield chat, from_json(payload)
            except UnreadableRecord:
                yield chat, None


def _records(world: World, edge: str) -> Iterator[Line]:
    for chat, record in _read_records(world, edge):
        yield record_line(edge, chat, record)


def _published(world: World, edge: str) -> Iterator[Line]:
    prefix = f"timokha.requests.{world.accounts[edge].id}."
    for subject, _ in world.stored("REQUESTS", prefix):
        yield Acknowledged(REQUESTS, subject.removeprefix("timokha.requests."))


def _processes(world: World) -> Iterator[Line]:
    for name, supervised in world.processes.items():
        for life in supervised.lives:
            yield Process(kind_of(name), life.how, 0, life.told_at, life.ended_at, WITHIN)
