"""A model of queues: people who ask over a day, stations that serve in turn, and workers that share their cores.

Everything follows from the seeds of the Randoms it is given, and nothing here knows the time of the machine.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from math import cos, pi
from random import Random

HOUR = 3600.0
DAY = 24 * HOUR
BUSIEST_HOUR = 20
STEPS = 288
"""Five minutes each."""

Question = tuple[float, float]
"""When it arrives somewhere, and when it was asked."""


def day_shape(peak: float) -> list[float]:
    """The rate of each step of a day by the day's mean rate; the busiest is `peak` times the mean, 1 to 20."""
    low, high = 0.0, 2000.0
    for _ in range(60):
        sharp = (low + high) / 2
        low, high = (sharp, high) if max(_shape(sharp)) < peak else (low, sharp)
    return _shape(low)


def _shape(sharp: float) -> list[float]:
    steps = [((1 + cos(2 * pi * (step / STEPS - BUSIEST_HOUR / 24))) / 2) ** sharp for step in range(STEPS)]
    return [step * STEPS / sum(steps) for step in steps]


def arrivals(rates: Iterable[float], random: Random, *, each: float = HOUR) -> Iterator[float]:
    """Times of a Poisson process; it has each of `rates`, by the second, for `each` seconds."""
    begin = 0.0
    for rate in rates:
        at = begin
        while rate and (at := at + random.expovariate(rate)) < begin + each:
            yield at
        begin += each


def through(questions: Iterable[Question], seconds: float) -> Iterator[Question]:
    """When each has been served by a station that takes `seconds` for everyone, in their order."""
    free = 0.0
    for at, asked in questions:
        free = max(at, free) + seconds
        yield free, asked


class Kind(IntEnum):
    """What happens; at one moment in this order."""

    FINISHED = 0
    READY = 1
    LOOKED = 2


Rate = Callable[[int], float]
"""Answers a second of a worker that writes so many at once."""
Wanted = Callable[[float, int], int]
"""How many workers are wanted, by the time and the lag."""


@dataclass(eq=False)
class Worker:
    """Gives every answer the same share of its rate; `attained` is how much each has had that is there since 0."""

    started: float
    answers: list[tuple[float, float]] = field(default_factory=list)
    """A heap of how much `attained` must be, and when the question was asked."""
    attained: float = 0.0
    counted: float = 0.0
    version: int = 0
    ending: bool = False

    def move(self, now: float, rate: Rate) -> None:
        if self.answers:
            self.attained += (now - self.counted) * rate(len(self.answers)) / len(self.answers)
        self.counted = now

    def next_end(self, rate: Rate) -> float:
        return self.counted + (self.answers[0][0] - self.attained) * len(self.answers) / rate(len(self.answers))


@dataclass
class Outcome:
    """Seconds from each question's asking until a worker took it, and until its answer was there."""

    waits: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    worker_seconds: float = 0.0
    """Of all workers together, from their starts to their ends."""
    most_workers: int = 0


class Pool:
    """Workers that take one question after the other as long as they have free slots, as from a shared consumer."""

    def __init__(self, rate: Rate, slots: int, random: Random, *, workers: int = 1, start: float = 0.0) -> None:
        self._rate = rate
        self._slots = slots
        self._random = random
        self._start = start
        self._waiting: deque[float] = deque()
        self._running = [Worker(0.0) for _ in range(workers)]
        self._free = deque(worker for _ in range(slots) for worker in self._running)
        self._starting = 0
        self._called_off = 0
        self._taken = 0
        self._events: list[tuple[float, Kind, int, Callable[[float], None]]] = []
        self._number = 0
        self._found = Outcome(most_workers=workers)

    def look(self, every: float, wanted: Wanted, until: float) -> None:
        """Have the autoscaler decide each `every` seconds."""

        def decide(now: float) -> None:
            self._scale(now, wanted(now, self._lag()))
            if now + every < until:
                self._at(now + every, Kind.LOOKED, decide)

        self._at(0.0, Kind.LOOKED, decide)

    def run(self, questions: Iterable[Question]) -> Outcome:
        """Answer all, which come in the order of their arrival."""
        now = 0.0
        for at, asked in questions:
            now = self._play(at)
            self._waiting.append(asked)
            self._take(at)
        now = max(now, self._play(float("inf")))
        for worker in self._running:
            self._found.worker_seconds += now - worker.started
        return self._found

    def _play(self, until: float) -> float:
        now = 0.0
        while self._events and self._events[0][0] <= until:
            now, _, _, happen = heapq.heappop(self._events)
            happen(now)
        return now

    def _at(self, at: float, kind: Kind, happen: Callable[[float], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, kind, self._number, happen))

    def _lag(self) -> int:
        return len(self._waiting) + self._taken

    def _take(self, now: float) -> None:
        while self._waiting and self._free:
            worker = self._free.popleft()
            if worker.ending:
                continue
            worker.move(now, self._rate)
            asked = self._waiting.popleft()
            self._taken += 1
            self._found.waits.append(now - asked)
            heapq.heappush(worker.answers, (worker.attained + self._random.expovariate(1.0), asked))
            self._plan(worker)

    def _plan(self, worker: Worker) -> None:
        worker.version += 1
        version = worker.version

        def finish(now: float) -> None:
            if worker.version == version:
                self._finish(worker, now)

        self._at(worker.next_end(self._rate), Kind.FINISHED, finish)

    def _finish(self, worker: Worker, now: float) -> None:
        worker.move(now, self._rate)
        _, asked = heapq.heappop(worker.answers)
        self._taken -= 1
        self._found.answers.append(now - asked)
        self._free.append(worker)
        self._take(now)
        if worker.answers:
            self._plan(worker)
        elif worker.ending:
            self._found.worker_seconds += now - worker.started

    def _scale(self, now: float, wanted: int) -> None:
        while len(self._running) + self._starting < wanted:
            self._starting += 1
            self._at(now + self._start, Kind.READY, self._ready)
        while len(self._running) + self._starting > wanted and self._starting:
            self._starting -= 1
            self._called_off += 1
        while len(self._running) > wanted:
            ending = self._running.pop()
            ending.ending = True
            if not ending.answers:
                self._found.worker_seconds += now - ending.started

    def _ready(self, now: float) -> None:
        if self._called_off:
            self._called_off -= 1
            return
        self._starting -= 1
        worker = Worker(now - self._start, counted=now)
        self._running.append(worker)
        self._free.extend([worker] * self._slots)
        self._found.most_workers = max(self._found.most_workers, len(self._running))
        self._take(now)
