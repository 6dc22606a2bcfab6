"""A storm as a history: from its chats, streams and logs, and from what it did."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping

from events.errors import TransportError
from events.ids import RequestId
from events.transport import Channel
from tests.chaos import logbook
from tests.chaos.edges import EXPIRED, PRODUCT, Edge
from tests.chaos.owner import Owner
from tests.chaos.storm import Storm
from tests.chaos.users import Crowd, Question, about, of_edge, outcomes, received
from tests.chaos.world import World, records_of
from tests.promises.history import Line
from tests.promises.in_chats import record_line, sent
from tests.promises.lines import USER
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Malformed, Refused
from tests.promises.lines.messages import Sent
from tests.promises.lines.stored import REQUESTS, Acknowledged, NoRecords


async def lines(world: World, crowd: Crowd, storm: Storm, owners: Mapping[str, Owner], hourly: int) -> list[Line]:
    """All but the ends of processes that still run."""
    found: list[Line] = [PRODUCT, *world.chronicle.disturbances, *crowd.erased]
    found += [Malformed(request_id) for request_id in sorted(storm.faults.malformed)]
    found += [broken.line for broken in crowd.breaks]
    for edge in world.edges:
        found += [_account(edge, owners.get(edge.kind), hourly), Refused(edge.kind, storm.faults.refused[edge.caller])]
        found += [question.line for question in of_edge(crowd, edge)]
        found += [*_sent(world, crowd, edge), *logbook.read(edge.log, edge.kind)]
        found += [line async for line in _stored(world, crowd, edge)]
    return [*found, *(line for owner in owners.values() for line in _owners(owner))]


def _account(edge: Edge, owner: Owner | None, hourly: int) -> Account:
    known = Account(edge.kind, hourly=hourly, sees_deletions=edge.kind == USER)
    if not owner:
        return known
    approving = tuple(sorted(str(user) for user in owner.approving))
    return Account(edge.kind, True, owner.limit, approving, EXPIRED[edge.kind], hourly, known.sees_deletions)


def _owners(owner: Owner) -> Iterator[Line]:
    yield from (act.line(owner.edge) for act in owner.acts)
    yield from (draft.line(owner.edge) for draft in owner.drafts)


def _sent(world: World, crowd: Crowd, edge: Edge) -> Iterator[Sent]:
    """What its users got."""
    ahead, chats = time.time() - time.monotonic(), dict[str, list[Question]]()
    for question in of_edge(crowd, edge):
        chats.setdefault(question.chat, []).append(question)
    for chat, asked in chats.items():
        got = received(world, asked[0], 0)
        yield from sent(edge.kind, chat, got, about(world, asked), ahead=ahead)


async def _stored(world: World, crowd: Crowd, edge: Edge) -> AsyncIterator[Line]:
    """The chat records, and the questions without an outcome that were asked of a model: one ignored never was."""
    silent = [question.request_id for question in of_edge(crowd, edge) if not outcomes(world, question)]
    try:
        async with world.looking() as (stored, log):
            records = await records_of(stored, edge)
            asked = [one for one in silent if await log.find(Channel.REQUESTS, RequestId.parse(one))]
    except TransportError as error:
        yield NoRecords(edge.kind, str(error))
        return
    for chat, record in records.items():
        yield record_line(edge.kind, chat, record)
    for request_id in asked:
        yield Acknowledged(REQUESTS, request_id)
