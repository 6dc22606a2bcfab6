"""A simulated day of the users of one cluster: how long they wait while the autoscaler's formulas decide the workers.

A question passes its account's edge, the cluster, and a worker. Edge and cluster are charged at once for all that they
do for it, before and after the answer; an account's pace to Telegram counts as its edge's time. Clusters share nothing.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from random import Random
from statistics import quantiles

from benchmarks.autoscaler import Autoscaler, ScaledObject
from benchmarks.sizes.figures import Measured
from benchmarks.sizes.needs import Assumed, Needs
from benchmarks.sizes.queues import DAY, HOUR, STEPS, Outcome, Pool, Question, Wanted, arrivals, day_shape, through

START = 90.0
"""Seconds from when a worker is wanted until it takes questions: a pod, and about a minute for the model."""
DEADLINE = 120.0
SPARE = 2
"""`maxReplicas` is so many times the workers that the busiest hour needs."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Seconds until a worker takes a question, and until its answer; of the users of one cluster."""

    questions: int
    wait_p50: float
    wait_p99: float
    answer_p50: float
    answer_p99: float
    late: float
    """The share of answers after the deadline, which users don't get."""
    most_workers: int
    worker_hours: float


def day(needed: Needs, measured: Measured, assumed: Assumed, seed: int = 1) -> Waiting:
    """One day of one of its clusters, with at least one worker at any time."""
    rates = [needed.mean / needed.clusters * step for step in day_shape(assumed.peak)]
    times = arrivals(rates, Random(f"arrivals {seed}"), each=DAY / STEPS)  # noqa: S311 - a simulation
    asked = ((at, at) for at in times)
    workers = ceil(needed.workers / needed.clusters)
    # What goes over the bridge keeps other workers busy, elsewhere.
    pool = Pool(measured.answers_per_second, assumed.slots, Random(f"answers {seed}"), start=START)  # noqa: S311
    given = ScaledObject(max_replicas=SPARE * workers, lag_threshold=assumed.lag_threshold)
    pool.look(given.sync_period, _autoscaled(given), DAY)
    arrived = _through_edges(asked, ceil(needed.accounts / needed.clusters), measured, assumed, seed)
    return _waiting(pool.run(through(arrived, 1 / measured[f"nats_{assumed.nodes}.per_second"])))


def _autoscaled(given: ScaledObject) -> Wanted:
    autoscaler = Autoscaler(given, replicas=1)

    def wanted(now: float, lag: int) -> int:
        autoscaler.poll(now, lag)
        return max(1, autoscaler.sync(now, lag))

    return wanted


def _through_edges(
    asked: Iterable[Question], accounts: int, measured: Measured, assumed: Assumed, seed: int
) -> Iterable[Question]:
    random = Random(f"accounts {seed}")  # noqa: S311 - a simulation
    of: list[list[Question]] = [[] for _ in range(accounts)]
    for question in asked:
        random.choice(of).append(question)
    seconds = max(measured["product.edge_cpu_ms"] / 1000, assumed.messages / assumed.sends_a_second)
    return heapq.merge(*(through(questions, seconds) for questions in of))


def _waiting(found: Outcome) -> Waiting:
    wait, answer = _percentiles(found.waits), _percentiles(found.answers)
    late = sum(seconds > DEADLINE for seconds in found.answers) / max(1, len(found.answers))
    return Waiting(
        len(found.answers), *wait, *answer, late, found.most_workers, worker_hours=found.worker_seconds / HOUR
    )


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    if len(seconds) < 2:  # noqa: PLR2004 - no quantiles of fewer
        return (seconds[0], seconds[0]) if seconds else (0.0, 0.0)
    hundredths = quantiles(seconds, n=100, method="inclusive")
    return hundredths[49], hundredths[98]
