"""The chat records of an account as they lie in JetStream."""

from edge.userbot.storage.chats import Chats
from events import subjects
from events.jetstream.connection import JetStream
from events.jetstream.marks import JetStreamMarks
from events.jetstream.records import JetStreamRecords
from events.runtime.retrying import Retrying


async def open_chats(js: JetStream, account: str, *, retrying: Retrying) -> Chats:
    """The buckets must exist (topology). Raises TransportError."""
    records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET)
    return Chats(records, await JetStreamMarks.open(js, subjects.MARKS_BUCKET), account, retrying=retrying)
