"""What counts as growth without bound, on made-up samples."""

import random

import pytest

from tests.soak.growth import faults, kept, leaks, long_lives
from tests.soak.slopes import slope, thirds

MIB = 1024 * 1024
SPAN = 1800


def series(value, every: int = 10) -> list[tuple[float, float]]:
    chance = random.Random(1)
    return [(float(at), value(at) + chance.uniform(-0.5, 0.5)) for at in range(0, SPAN, every)]


def test_the_slope_is_an_hours_whatever_a_quarter_of_the_samples_say() -> None:
    assert slope([(0.0, 1.0), (1800.0, 2.0), (3600.0, 3.0)]) == 2.0
    wild = [(float(at), 1e9 if at % 4 == 1 else at / 3600 * 7) for at in range(200)]
    assert slope(wild) == pytest.approx(7, abs=0.5)
    assert slope([(0.0, 1.0)]) == 0.0


def test_the_levels_are_those_of_the_thirds() -> None:
    assert thirds([(float(at), float(at)) for at in range(9)]) == [1, 4, 7]


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("tasks", lambda at: 30 + at / 300),
        ("handles", lambda at: 15 + at / 300),
        ("private", lambda at: 80 * MIB + at * 10_000),
    ],
)
def test_what_grows_steadily_is_named(measure, value) -> None:
    lives = long_lives({("userbot", 1): {"rss": series(lambda _: 0), measure: series(value)}}, 0, SPAN)
    (fault,) = faults(lives)
    assert fault.startswith(f"userbot: {measure} grow by")


def test_what_fills_up_in_the_first_half_is_no_leak_and_neither_is_what_the_sandbox_keeps() -> None:
    filling = {"rss": series(lambda _: 0), "private": series(lambda at: min(at, 800) * 1_000_000)}
    kept = {"rss": series(lambda _: 0), "private": series(lambda at: at * 1_000_000)}
    assert faults(long_lives({("bridge", 1): filling, ("sandbox", 2): kept}, 0, SPAN)) == []


def test_a_life_that_a_kill_cut_short_is_not_measured() -> None:
    short = {"rss": series(lambda _: 0)[:90]}
    assert long_lives({("bot", 1): short}, 0, SPAN) == {}


def test_a_block_that_each_question_leaves_is_named() -> None:
    assert kept({"userbot": 7000, "bot": 700}, 7000) == ["userbot: 7000 blocks more after 7000 questions"]


def rounds(added: float) -> list[tuple[int, dict[str, object]]]:
    """By a round of 500 questions, of which each leaves so many objects."""
    same = {"tasks": 33, "handles": 15, "threads": 3, "private": 80 * MIB}
    noise = (0, 250, -100, 50, 200, -200, 100)
    return [
        (500 * n, {**same, "blocks": 600_000 + 500 * n * added + noise[n], "types": {"builtins.dict": 100 + n}})
        for n in range(7)
    ]


def test_one_object_that_each_question_leaves_is_a_leak() -> None:
    (line,) = leaks("userbot", rounds(1.0))
    assert line.startswith("userbot: a question leaves")
    assert "'builtins.dict': 6" in line
    assert leaks("userbot", rounds(0.0)) == []
