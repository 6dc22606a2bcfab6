"""The formulas: from users and measured figures to accounts, clusters, workers, memory and disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from benchmarks.sizes.figures import Measured
from events.jetstream.configs import Retention

DAY = 86_400
GIB = 2**30
KEPT_DAYS = Retention().max_age.total_seconds() / DAY
MAX_BYTES = Retention().max_bytes


@dataclass(frozen=True)
class Assumed:
    """What a reader knows better. A user is a person who writes to an account, in a chat of their own."""

    questions_a_day: float = 10.0
    """Of each user."""
    peak: float = 3.0
    """The busiest hour's questions by the mean hour's."""
    nodes: int = 3
    """NATS nodes of a cluster, each with all data."""
    used: float = 0.6
    """The share of its limit up to which something is used; the rest is for bursts and failures."""
    sends_a_second: float = 25.0
    """USERBOT_SENDS_PER_SECOND: messages of an account."""
    messages: float = 2.0
    """Sent for an answer: a thinking line, and the answer in its place or after it."""
    slots: int = 16
    """GENERATE_SLOTS: how many answers a worker writes at once."""
    lag_threshold: int = 8
    """KEDA's: questions a worker."""
    bridged: float = 0.0
    """The share of questions that workers on RabbitMQ answer."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What one of something can do, in questions a second (in the busiest hour) or a day."""

    what: str
    per_second: float
    more: str
    """What to do when it is reached."""

    def users(self, assumed: Assumed) -> float:
        return self.per_second * DAY / (assumed.questions_a_day * assumed.peak)


@dataclass(frozen=True, slots=True)
class Needs:
    """What so many users need in the busiest hour."""

    users: int
    mean: float
    """Questions a second."""
    peak: float
    accounts: int
    clusters: int
    workers: int
    edge_cores: float
    nats_cores: float
    worker_cores: float
    bridge_cores: float
    edge_gib: float
    nats_gib: float
    worker_gib: float
    disk_gib: float
    syncs: float
    """Disk flushes a second of all nodes."""

    @property
    def cores(self) -> float:
        return self.edge_cores + self.nats_cores + self.worker_cores + self.bridge_cores

    @property
    def memory_gib(self) -> float:
        return self.edge_gib + self.nats_gib + self.worker_gib


def limits(measured: Measured, assumed: Assumed) -> Iterator[Limit]:
    """Of one worker, one account, one edge's core, one cluster and a stream's default size; not times `used`."""
    cores = measured["worker.cores"]
    yield Limit(
        f"a worker of {cores:g} cores (default model)", measured.answers_per_second(assumed.slots), "more workers: KEDA"
    )
    yield Limit(
        "an account's messages to Telegram",
        assumed.sends_a_second / assumed.messages,
        "`USERBOT_THINKING=typing` (one message an answer); more accounts",
    )
    yield Limit(
        "`SETUP_MAX_BYTES` of REQUESTS, 256 MiB, in a day",
        assumed.peak * MAX_BYTES / measured["product.request_bytes"] / (KEPT_DAYS * DAY),
        "raise it, or shorten `SETUP_MAX_AGE`",
    )
    yield Limit("an edge's event loop, one core", 1000 / measured["product.edge_cpu_ms"], "more accounts")
    yield Limit(
        f"a cluster of {assumed.nodes} nodes, as measured here"
        if assumed.nodes > 1
        else "a NATS node, as measured here",
        measured[f"nats_{assumed.nodes}.per_second"],
        "faster disks; then a second cluster with accounts of its own",
    )
    yield Limit("a bridge's event loop, one core", 1000 / measured["bridge.out_cpu_ms"], "more bridges")


def needs(users: int, measured: Measured, assumed: Assumed) -> Needs:
    """At least one of each."""
    mean = users * assumed.questions_a_day / DAY
    peak = mean * assumed.peak
    accounts = ceil_of(peak * assumed.messages / (assumed.sends_a_second * assumed.used))
    clusters = ceil_of(peak / (measured[f"nats_{assumed.nodes}.per_second"] * assumed.used))
    own = peak * (1 - assumed.bridged)
    workers = ceil_of(own / (measured.answers_per_second(assumed.slots) * assumed.used))
    return Needs(
        users,
        mean,
        peak,
        accounts,
        clusters,
        workers,
        edge_cores=peak * measured["product.edge_cpu_ms"] / 1000 / assumed.used,
        nats_cores=peak * _nats_cpu_ms(measured, assumed) / 1000 / assumed.used,
        worker_cores=workers * measured["worker.cores"],
        bridge_cores=peak * assumed.bridged * measured["bridge.out_cpu_ms"] / 1000 / assumed.used,
        edge_gib=(accounts * measured["product.edge_memory_mib"] + users * measured["product.edge_kib_a_chat"] / 1024)
        / 1024,
        nats_gib=_nats_gib(users, clusters, measured, assumed),
        worker_gib=workers * measured["worker.memory_mib"] / 1024,
        disk_gib=disk_bytes(users, measured, assumed) * assumed.nodes / GIB,
        syncs=peak * measured[f"nats_{assumed.nodes}.disk_flushes_a_question"],
    )


def disk_bytes(users: int, measured: Measured, assumed: Assumed) -> float:
    """One copy: a record for each chat, and the events of `KEPT_DAYS`."""
    events = measured["product.request_bytes"] + measured["product.reply_bytes"]
    return users * (measured["store.disk_bytes_a_chat"] + assumed.questions_a_day * KEPT_DAYS * events)


def ceil_of(amount: float) -> int:
    return max(1, ceil(amount))


def _nats_cpu_ms(measured: Measured, assumed: Assumed) -> float:
    """All nodes' for a question at a moderate load, when less is done in one go than in a flood."""
    more = measured[f"nats_{assumed.nodes}.servers_cpu_ms"] / measured["nats_1.servers_cpu_ms"]
    return measured["product.nats_cpu_ms"] * more


def _nats_gib(users: int, clusters: int, measured: Measured, assumed: Assumed) -> float:
    each = clusters * measured[f"nats_{assumed.nodes}.server_memory_mib"] * 2**20
    return assumed.nodes * (each + users * measured["store.nats_memory_bytes_a_chat"]) / GIB
