"""How far ahead of others' ways the default one is, on the weights of weights.py: `python -m benchmarks.rivals [WAY…]`.

Each way in a process of its own, in turns with the default one, 32 requests at once and one; a ratio is the median of
the rounds' ratios. The 32 come first, so that one request finds memory that the process has used before: with a
prefix cache each of the first hundred requests would use new one. `python -m benchmarks.rivals --answer WAY` is such a
process: it says when it is loaded, and then for each line of JSON, `{"count": 32, "seed": 1}`, how many seconds so many
requests took.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import click

from benchmarks.answering_others import say
from benchmarks.default_model import ratio
from benchmarks.helpers import Helper, HelperEnded, helper, module
from benchmarks.progress import tell
from benchmarks.ways import WAYS

RIVALS = ("ctranslate2-int8", "llamacpp-q8_0", "genai-documented")
"""Others' ways that answer many at once."""
ROUNDS = {32: 5, 1: 9}
"""How often so many ask at once."""
_ANSWER = "--answer"


async def measure(ours: str, rivals: Sequence[str] = RIVALS) -> dict[str, Any]:
    """So many times sooner than each rival the way `ours` has done one request, and 32 at once."""
    found: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        sides = {ours: await loaded(stack, ours)}
        for name in rivals:
            try:
                sides[name] = await loaded(stack, name)
            except HelperEnded as error:
                found[name] = f"skipped: {error}"
        for crowd, rounds in ROUNDS.items():
            found |= ratios(await _in_turns(sides, crowd, rounds), ours, crowd)
    return found


async def loaded(stack: AsyncExitStack, way: str) -> Helper:
    """Return a process that has loaded `way`. Raises HelperEnded if it can't be."""
    side = await stack.enter_async_context(helper(*module("benchmarks.rivals", _ANSWER, way)))
    await side.heard()
    return side


async def _in_turns(sides: Mapping[str, Helper], crowd: int, rounds: int) -> dict[str, list[float]]:
    """Who comes first in a round changes, too."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name in sorted(sides, reverse=bool(number % 2)):
            tell(f"{name}: {crowd} at once, round {number} of {rounds}")
            took = await sides[name].ask(count=crowd, seed=10 * crowd + number)
            if number:
                seconds[name].append(took)
    return seconds


def ratios(seconds: Mapping[str, Sequence[float]], ours: str, crowd: int) -> dict[str, float]:
    return {f"{name}_{crowd}": ratio(took, seconds[ours]) for name, took in seconds.items() if name != ours}


def answer(way: str) -> None:
    run = WAYS[way][0]()
    run(1, 1)
    say({})
    for line in sys.stdin:
        asked = json.loads(line)
        _, last = run(asked["count"], asked["seed"])
        say(max(last))


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == [_ANSWER]:
        answer(arguments[1])
        return
    from benchmarks.engines import DEFAULT  # noqa: PLC0415 -- it imports this module

    click.echo(json.dumps(asyncio.run(measure(DEFAULT, arguments or RIVALS)), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
