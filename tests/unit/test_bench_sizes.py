"""The model of queues against known results, and the formulas of sizes."""

from itertools import pairwise
from math import factorial
from random import Random
from statistics import fmean

import pytest

from benchmarks.autoscaler import Autoscaler, ScaledObject
from benchmarks.sizes import sections
from benchmarks.sizes.day import day
from benchmarks.sizes.figures import Measured
from benchmarks.sizes.needs import MAX_BYTES, Assumed, limits, needs
from benchmarks.sizes.prices import Prices, cost
from benchmarks.sizes.queues import DAY, HOUR, Pool, arrivals, day_shape, through
from benchmarks.sizes.tables import number

QUESTIONS = 200_000


def asked(rate: float, hours: int = 0) -> list[tuple[float, float]]:
    return [(at, at) for at in arrivals([rate] * (hours or round(QUESTIONS / rate / HOUR)), Random(1))]


def erlang_c(servers: int, offered: float) -> float:
    """The share of those who wait, with so many servers and so much work a second for them (in servers)."""
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**n / factorial(n) for n in range(servers)) + last)


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.5), (4, 3.2), (16, 14.0)])
def test_slots_that_do_not_slow_each_other_wait_as_erlang_c_says(servers, rate) -> None:
    found = Pool(float, servers, Random(2)).run(asked(rate))
    waiting = erlang_c(servers, rate)
    assert sum(wait > 0 for wait in found.waits) / len(found.waits) == pytest.approx(waiting, rel=0.05)
    assert fmean(found.waits) == pytest.approx(waiting / (servers - rate), rel=0.1)
    assert fmean(found.answers) == pytest.approx(1 + waiting / (servers - rate), rel=0.05)


def test_several_workers_of_one_slot_are_as_one_of_several_slots() -> None:
    found = Pool(float, 1, Random(2), workers=4).run(asked(3.2))
    assert fmean(found.waits) == pytest.approx(erlang_c(4, 3.2) / 0.8, rel=0.1)


def test_a_worker_whose_answers_share_its_rate_takes_as_long_as_processor_sharing_says() -> None:
    found = Pool(lambda _: 1.0, 1000, Random(2)).run(asked(0.7))
    assert max(found.waits) == 0
    assert fmean(found.answers) == pytest.approx(1 / (1 - 0.7), rel=0.05)


def test_a_station_of_one_length_waits_as_pollaczek_and_khinchine_say() -> None:
    waits = [left - at - 1 for (left, at) in through(asked(0.8), 1.0)]
    assert fmean(waits) == pytest.approx(0.8 / (2 * (1 - 0.8)), rel=0.1)
    assert all(later - earlier > 0.999 for (earlier, _), (later, _) in pairwise(through(asked(0.8), 1.0)))


@pytest.mark.parametrize("peak", [1.0, 1.5, 3.0, 10.0])
def test_a_day_has_its_mean_and_its_busiest_time(peak) -> None:
    shape = day_shape(peak)
    assert len(shape) == 288
    assert fmean(shape) == pytest.approx(1)
    assert max(shape) == shape[240] == pytest.approx(peak)


def test_as_many_ask_in_each_hour_as_its_rate_says() -> None:
    times = list(arrivals([1.0, 0.0, 3.0], Random(3)))
    counts = [sum(hour * HOUR <= at < (hour + 1) * HOUR for at in times) for hour in range(3)]
    assert counts[1] == 0
    assert counts[0] == pytest.approx(3600, rel=0.1)
    assert counts[2] == pytest.approx(3 * 3600, rel=0.1)
    assert times == sorted(times)


def test_more_workers_start_when_the_lag_grows_and_end_when_it_is_gone() -> None:
    autoscaler = Autoscaler(ScaledObject(max_replicas=4, lag_threshold=2), replicas=1)
    pool = Pool(float, 2, Random(2), start=60.0)
    pool.look(15.0, autoscaler.sync, 2 * HOUR)
    found = pool.run(asked(6.0, hours=1))
    assert found.most_workers == 4
    assert len(found.answers) == len(asked(6.0, hours=1))
    # Four until five minutes after the hour, then one, for it is looked for two hours.
    assert found.worker_seconds == pytest.approx((4 * 65 + 55) * 60, rel=0.02)


def test_a_worker_that_is_called_off_before_it_has_started_never_runs() -> None:
    wanted = {0.0: 1, 15.0: 3, 30.0: 1}
    pool = Pool(float, 1, Random(2), start=60.0)
    pool.look(15.0, lambda now, _: wanted.get(now, 1), HOUR)
    assert pool.run(asked(0.1, hours=1)).most_workers == 1


MEASURED = Measured.of(
    {
        "nats_1": {"per_second": 200, "servers_cpu_ms": 1.0, "disk_flushes_a_question": 8, "server_memory_mib": 50},
        "nats_3": {"per_second": 100, "servers_cpu_ms": 3.0, "disk_flushes_a_question": 20, "server_memory_mib": 80},
        "product": {
            "edge_cpu_ms": 10.0,
            "nats_cpu_ms": 2.0,
            "edge_memory_mib": 80.0,
            "edge_kib_a_chat": 2.0,
            "request_bytes": 1000,
            "reply_bytes": 500,
        },
        "store": {"disk_bytes_a_chat": 700, "nats_memory_bytes_a_chat": 150},
        "worker": {
            "cores": 2,
            "memory_mib": 1024,
            "cpu_seconds_1": 0.5,
            "cpu_seconds_4": 0.2,
            "cpu_seconds_16": 0.1,
        },
        "bridge": {"out_cpu_ms": 1.0},
    }
)


def test_one_of_each_is_enough_for_one_user() -> None:
    needed = needs(1, MEASURED, Assumed())
    assert (needed.accounts, needed.clusters, needed.workers) == (1, 1, 1)


def test_the_formulas_give_what_a_pencil_gives() -> None:
    needed = needs(864_000, MEASURED, Assumed())
    assert (needed.mean, needed.peak) == (100, 300)
    assert needed.accounts == 40  # 300 × 2 messages ÷ (25 × 0.6)
    assert needed.clusters == 5  # 300 ÷ (100 × 0.6)
    assert needed.workers == 25  # 300 ÷ (20 × 0.6)
    assert needed.edge_cores == pytest.approx(5)  # 300 × 10 ms ÷ 0.6
    assert needed.nats_cores == pytest.approx(3)  # 300 × 2 ms × 3 ÷ 0.6
    assert needed.syncs == 6000
    assert needed.disk_gib == pytest.approx(3 * 864_000 * (700 + 10 * 1500) / 2**30)


def test_what_breaks_first_is_named_with_the_users_that_it_lasts_for() -> None:
    found = {limit.what.split(",")[0]: limit for limit in limits(MEASURED, Assumed())}
    assert found["an account's messages to Telegram"].per_second == 12.5
    assert found["an account's messages to Telegram"].users(Assumed()) == 36_000
    bytes_ = next(limit for what, limit in found.items() if "SETUP_MAX_BYTES" in what)
    assert bytes_.users(Assumed()) == pytest.approx(MAX_BYTES / 1000 / 10)


@pytest.mark.parametrize(("at_once", "rate"), [(1, 4), (2, 6), (4, 10), (10, 15), (16, 20), (40, 20)])
def test_a_workers_rate_is_in_proportion_between_two_measured_crowds(at_once, rate) -> None:
    assert MEASURED.answers_per_second(at_once) == pytest.approx(rate)


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    rows = ["| `capacity.nats_1.per_second` | 200 |  |", "| `capacity.bridge.out_cpu_ms` | 1.5 | ≤ 2, met |"]
    page = "\n".join([*rows, "| `x.y` | 3 |  |"])
    assert Measured.published(page).values == {"nats_1.per_second": 200, "bridge.out_cpu_ms": 1.5}


def test_a_day_is_the_same_each_time_and_every_question_of_it_is_answered() -> None:
    needed = needs(2_000, MEASURED, Assumed())
    found = day(needed, MEASURED, Assumed())
    assert found == day(needed, MEASURED, Assumed())
    assert found != day(needed, MEASURED, Assumed(), seed=2)
    assert found.questions == pytest.approx(20_000, rel=0.05)
    assert 0 < found.wait_p50 <= found.wait_p99 <= found.answer_p99
    assert found.worker_hours >= DAY / HOUR - 1


def test_a_cost_is_amounts_times_prices() -> None:
    needed = needs(864_000, MEASURED, Assumed())
    found = cost(needed, Prices(core_hour=1, gib_month=2, disk_gib_month=3, sync_second_month=4), 48)
    assert found.cores == pytest.approx((5 + 3) * 730 + 2 * 730)
    assert found.memory == pytest.approx(2 * needed.memory_gib)
    assert found.operations == 4 * 6000
    assert found.total == pytest.approx(found.cores + found.memory + 3 * needed.disk_gib + found.operations)


def test_every_table_has_a_line_for_each_number_of_users() -> None:
    tables = sections.all_of(MEASURED, Assumed(), Prices(), [1, 100])
    assert set(tables) == {"limits", "sizes", "waits", "costs"}
    for name in ("sizes", "waits", "costs"):
        assert [line.split("|")[1].strip() for line in tables[name][2:]] == ["1", "100"]
    for lines in tables.values():
        assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "shown"), [(0.000123, "< 0.01"), (0.25, "0.25"), (1.0, "1"), (34.7, "35"), (347.2, "347"), (0, "0")]
)
def test_a_number_has_two_digits_that_matter(value, shown) -> None:
    assert number(value) == shown
