"""The tables of docs/scaling.md, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.sizes.day import Waiting
from benchmarks.sizes.needs import Assumed, Limit, Needs
from benchmarks.sizes.prices import Cost

Row = Sequence[object]
LEAST = 0.01


def table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(str(cell) for cell in cells)} |"


def limits(found: Sequence[Limit], assumed: Assumed) -> Iterator[str]:
    """What breaks first stands first."""
    rows = [
        [limit.what, number(limit.per_second), rounded(limit.users(assumed)), limit.more]
        for limit in sorted(found, key=lambda limit: limit.per_second)
    ]
    return table(["one of", "questions a second", "reached by users", "then"], rows)


def needs(sizes: Sequence[Needs], assumed: Assumed) -> Iterator[str]:
    head = ["users", "questions a second: mean, busiest hour", "accounts", f"clusters of {assumed.nodes}", "workers"]
    head += ["cores: edges, NATS, workers", "memory: edges, NATS, workers", "disk", "disk flushes a second"]
    rows = [
        [
            f"{one.users:,}",
            f"{number(one.mean)}, {number(one.peak)}",
            one.accounts,
            one.clusters,
            one.workers,
            f"{number(one.edge_cores)}, {number(one.nats_cores)}, {number(one.worker_cores)}",
            f"{number(one.edge_gib)}, {number(one.nats_gib)}, {number(one.worker_gib)} GiB",
            f"{number(one.disk_gib)} GiB",
            number(one.syncs),
        ]
        for one in sizes
    ]
    return table(head, rows)


def waits(days: Mapping[tuple[int, int], Waiting]) -> Iterator[str]:
    """By users and `lagThreshold`."""
    head = [
        "users",
        "`lagThreshold`",
        "questions of a cluster's day",
        "wait p50, p99",
        "answer p50, p99",
        "later than the deadline",
    ]
    head += ["workers at most", "worker-hours of a cluster's day"]
    rows = [
        [
            f"{users:,}",
            threshold,
            f"{one.questions:,}",
            f"{one.wait_p50:.2f}, {one.wait_p99:.2f} s",
            f"{one.answer_p50:.2f}, {one.answer_p99:.2f} s",
            f"{100 * one.late:.2g} %",
            one.most_workers,
            number(one.worker_hours),
        ]
        for (users, threshold), one in days.items()
    ]
    return table(head, rows)


def costs(found: Mapping[int, Cost]) -> Iterator[str]:
    head = ["users", "cores", "memory", "disk", "disk operations", "together", "a user"]
    rows = [
        [
            f"{users:,}",
            *map(number, (one.cores, one.memory, one.disk, one.operations, one.total)),
            f"{one.total / users:.2g}",
        ]
        for users, one in found.items()
    ]
    return table(head, rows)


def number(value: float) -> str:
    """Two digits that matter."""
    if 0 < value < LEAST:
        return f"< {LEAST}"
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004 - no exponent


def rounded(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.0f}"
