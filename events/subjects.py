"""Names on NATS: streams, subjects, consumers, buckets."""

from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.schema import FeedbackGiven
from events.transport import Channel

GENERATE_CONSUMER = "generate"
"""The consumer that all generate functions and the bridge share."""

CHATS_BUCKET = "chats"
TELEGRAM_BUCKET = "telegram"
MARKS_BUCKET = "marks"
BRIDGE_BUCKET = "bridge"
BUCKETS = (CHATS_BUCKET, TELEGRAM_BUCKET, MARKS_BUCKET, BRIDGE_BUCKET)

INDEX_MARK = "built."
"""Before an account in the bucket of marks: its index of unfinished chats is complete."""

RABBITMQ_ACCOUNT = "rabbitmq"
"""The account of all requests from RabbitMQ."""


def stream(channel: Channel) -> str:
    """Return `REQUESTS`, `REPLIES`, `DEADLETTERS` or `FEEDBACK`."""
    return channel.name


def destination(channel: Channel) -> str:
    """Return `timokha.requests` and so on: the low-cardinality name, for traces and RabbitMQ queues."""
    return f"timokha.{channel.value}"


def subject_of(channel: Channel, event: Event) -> str:
    """Return where an event is stored. Raises MalformedEvent."""
    if channel is not Channel.FEEDBACK:
        return subject(channel, event.request_id)
    data = event.data()
    if not isinstance(data, FeedbackGiven):
        raise MalformedEvent(f"{event.type} does not belong into {stream(channel)}")
    return f"{destination(channel)}.{event.request_id}.{data.reader}"


def subject(channel: Channel, request_id: RequestId) -> str:
    """Return where a request's event is stored; in FEEDBACK the subjects of all its readers' events."""
    return _subjects(channel, str(request_id))


def every_subject(channel: Channel) -> str:
    return _subjects(channel, "*.*.*.*")


def account_subjects(channel: Channel, account: str) -> str:
    return _subjects(channel, f"{account}.*.*.*")


def chat_subjects(channel: Channel, account: str, chat: str) -> str:
    return _subjects(channel, f"{account}.{chat}.*.*")


def _subjects(channel: Channel, request_ids: str) -> str:
    readers = ".*" if channel is Channel.FEEDBACK else ""
    return f"{destination(channel)}.{request_ids}{readers}"


def wake(account: str) -> str:
    """Return the core NATS subject of hints that another process has changed a chat record of the account."""
    return f"timokha.wake.{account}"


def progress(request_id: RequestId) -> str:
    """Return the core NATS subject of partial answers, which no stream stores."""
    return f"timokha.progress.{request_id}"


def account_progress(account: str) -> str:
    return f"timokha.progress.{account}.*.*.*"


def edge_consumer(account: str) -> str:
    """Return the durable consumer on REPLIES of one Telegram account (or `rabbitmq`)."""
    return f"edge-{account}"


def request_id_of(subject: str) -> str:
    """Return the part of a channel's subject behind its destination, without a reader."""
    return ".".join(subject.split(".")[2:6])
