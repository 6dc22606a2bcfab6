"""What it costs: amounts times prices. The prices are examples that nobody asks for; put in those of your provider."""

from dataclasses import dataclass

from benchmarks.sizes.needs import Needs

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Prices:
    """In any currency. A price that you don't pay apart is 0."""

    core_hour: float = 0.03
    gib_month: float = 3.0
    """Of memory."""
    disk_gib_month: float = 0.1
    sync_second_month: float = 0.005
    """Of one disk operation a second that is provided all the time (IOPS)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A month's."""

    cores: float
    memory: float
    disk: float
    operations: float

    @property
    def total(self) -> float:
        return self.cores + self.memory + self.disk + self.operations


def cost(needed: Needs, prices: Prices, worker_core_hours: float) -> Cost:
    """Edges, bridges and NATS as for the busiest hour all the time; workers by the core-hours that they run a day."""
    always = needed.cores - needed.worker_cores
    hours = always * HOURS_A_MONTH + worker_core_hours * HOURS_A_MONTH / 24
    return Cost(
        hours * prices.core_hour,
        needed.memory_gib * prices.gib_month,
        needed.disk_gib * prices.disk_gib_month,
        needed.syncs * prices.sync_second_month,
    )
