"""Whether a storm has come to rest: everything has arrived, and nobody is busy."""

from events.jetstream.records import JetStreamRecords
from tests.chaos.edges import Edge
from tests.chaos.users import Crowd, of_edge
from tests.chaos.world import World, records_of
from tests.promises.in_chats import open_drafts, rests


async def calm(world: World, stored: JetStreamRecords, crowd: Crowd) -> bool:
    """Every question has arrived, or was lost with a store, and nobody is busy."""
    return all([await _calm(world, stored, crowd, edge) for edge in world.edges])


async def _calm(world: World, stored: JetStreamRecords, crowd: Crowd, edge: Edge) -> bool:
    asked = of_edge(crowd, edge)
    records = await records_of(stored, edge)
    seen = {(chat, message) for chat, record in records.items() for message in (record.seen if record else ())}
    emptied = max((noted.ended for noted in world.chronicle.concerning(edge.kind).of("emptied")), default=0.0)
    afresh = {broken.chat: broken.afresh_at for broken in crowd.breaks}
    missing = [q for q in asked if (q.chat, q.message_id) not in seen and q.deleted_at is None]
    arrived = all(q.asked_at <= max(emptied, afresh.get(q.chat, 0)) for q in missing)
    return arrived and all(record and rests(record) and not open_drafts(record) for record in records.values())
