"""What many chats cost: the product on a store of 1,000 chat records and on one of 1,000,000, in turns.

`python -m benchmarks.chats --sizes 1000,150000 --rounds 3` measures other sizes, and prints what it finds.
"""

import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click

from benchmarks.many_chats import ManyChats, Round, Start, many_chats
from benchmarks.progress import tell

SIZES = (1_000, 1_000_000)
ROUNDS = 6

Figures = dict[str, object]

TIMES: Mapping[str, Callable[[Round], float]] = {
    "ready_seconds": lambda one: one.ready,
    "first_answer_seconds": lambda one: one.first_answer,
    "answer_seconds": lambda one: one.answer,
    "delete_seconds": lambda one: one.delete,
    "doctor_seconds": lambda one: one.doctor,
}


async def measure(sizes: Sequence[int] = SIZES, rounds: int = ROUNDS) -> Figures:
    """Medians of the rounds for each size, and how many times the smallest size's those of the largest are."""
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with AsyncExitStack() as stack:
            sides: dict[int, ManyChats] = {}
            for chats in sizes:
                tell(f"storing {chats:,} chats")
                making = many_chats(Path(directory, str(chats)), chats, rounds=rounds)
                sides[chats] = await stack.enter_async_context(making)
            return await _measured(sides, rounds)


async def _measured(sides: Mapping[int, ManyChats], rounds: int) -> Figures:
    first: dict[int, Start] = {}
    for chats, side in sides.items():
        tell(f"{chats:,} chats, the first start")
        first[chats] = await side.first_start()
    found: dict[int, list[Round]] = {chats: [] for chats in sides}
    for number in range(1, rounds + 1):
        # Who comes first in a round changes, too.
        for chats in sorted(sides, reverse=bool(number % 2)):
            tell(f"{chats:,} chats, round {number} of {rounds}")
            found[chats].append(await sides[chats].round())
    return figures(first, found)


def figures(first: Mapping[int, Start], rounds: Mapping[int, Sequence[Round]]) -> Figures:
    """The keys of `chats` in build/bench.json."""
    least, most = rounds[min(rounds)], rounds[max(rounds)]
    starts = [*first.values(), *(start for starts in rounds.values() for start in starts)]
    return {
        **{f"{name.removesuffix('_seconds')}_ratio": _ratio(least, most, time) for name, time in TIMES.items()},
        "forgotten": sum(start.forgotten for start in starts),
        **{f"first_start_seconds_{chats}": round(start.ready, 2) for chats, start in first.items()},
        **{
            f"{name}_{chats}": round(statistics.median(map(time, rounds[chats])), 3)
            for name, time in TIMES.items()
            for chats in rounds
        },
        **{f"log_lines_{chats}": statistics.median(start.lines for start in rounds[chats]) for chats in rounds},
    }


def _ratio(least: Sequence[Round], most: Sequence[Round], time: Callable[[Round], float]) -> float:
    return round(statistics.median(time(much) / time(little) for little, much in zip(least, most, strict=True)), 2)


@click.command()
@click.option("--sizes", default=",".join(map(str, SIZES)), help="Numbers of chats, comma-separated.")
@click.option("--rounds", default=ROUNDS, help="Starts of each.")
def main(sizes: str, rounds: int) -> None:
    """Measure and print."""
    click.echo(json.dumps(asyncio.run(measure([int(size) for size in sizes.split(",")], rounds)), indent=2))


if __name__ == "__main__":
    main()
