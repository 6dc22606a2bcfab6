"""Where every event goes on NATS: streams, subjects, consumers, buckets."""

from events.ids import RequestId
from events.transport import Channel

GENERATE_CONSUMER = "generate"
"""Shared by every generate function and by the bridge: one elastic pool."""

CHATS_BUCKET = "chats"
TELEGRAM_BUCKET = "telegram"
MARKS_BUCKET = "marks"
BRIDGE_BUCKET = "bridge"
BUCKETS = (CHATS_BUCKET, TELEGRAM_BUCKET, MARKS_BUCKET, BRIDGE_BUCKET)

RABBITMQ_ACCOUNT = "rabbitmq"
"""The account of every request that came from RabbitMQ."""


def stream(channel: Channel) -> str:
    """`REQUESTS`, `REPLIES` or `DEADLETTERS`."""
    return channel.name


def destination(channel: Channel) -> str:
    """`timokha.requests` and so on: the low-cardinality name, as traces and RabbitMQ queues use it."""
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
    """Core NATS: tells the edge of an account that somebody else has changed a chat record."""
    return f"timokha.wake.{account}"


def progress(request_id: RequestId) -> str:
    """Core NATS, in no stream: what a worker has written so far."""
    return f"timokha.progress.{request_id}"


def account_progress(account: str) -> str:
    return f"timokha.progress.{account}.*.*.*"


def edge_consumer(account: str) -> str:
    """The durable consumer on REPLIES of one Telegram account (or `rabbitmq`)."""
    return f"edge-{account}"


def request_id_of(subject: str) -> str:
    """The last four tokens; what is too short is returned as it is."""
    return ".".join(subject.split(".")[2:])
