"""Names on NATS: streams, subjects, consumers, buckets."""

from events.ids import RequestId
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
    """Return `REQUESTS`, `REPLIES` or `DEADLETTERS`."""
    return channel.name


def destination(channel: Channel) -> str:
    """Return `timokha.requests` and so on: the low-cardinality name, for traces and RabbitMQ queues."""
    return f"timokha.{channel.value}"


def subject(channel: Channel, request_id: RequestId) -> str:
    return f"{destination(channel)}.{request_id}"


def every_subject(channel: Channel) -> str:
    return f"{destination(channel)}.*.*.*.*"


def account_subjects(channel: Channel, account: str) -> str:
    return f"{destination(channel)}.{account}.*.*.*"


def chat_subjects(channel: Channel, account: str, chat: str) -> str:
    return f"{destination(channel)}.{account}.{chat}.*.*"


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
    """Return the part of a channel's subject behind its destination."""
    return ".".join(subject.split(".")[2:])
