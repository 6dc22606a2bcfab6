"""The default model as it is served by default and with all its vocabulary, by others, and by an earlier commit.

`python -m benchmarks.default_model [SIDE…]`, all by default (sides.py). The sides take turns; a ratio is the median of
the rounds' ratios. The others are llama.cpp, on the GGUF file that ours is made from, and OpenVINO GenAI as documented
(genai.py).
"""

import asyncio
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.helpers import Helper
from benchmarks.limits import Machine, Work, machine
from benchmarks.progress import tell
from benchmarks.sides import ALL, BASELINE, MANY, NARROW, OTHERS, OURS, Sides, commit_of_baseline, opened

PROMPT, NEW = 58, 60
_TOKENS = (300, 20_000)
"""Those of a prompt: words, in the default model."""
ROUNDS = {1: 7, MANY: 3}
"""How often so many ask at once, in each turn."""

Answers = dict[str, list[dict[str, float]]]
"""Of each side, a round after the other."""


async def measure(names: Sequence[str] = ALL, rounds: Mapping[int, int] = ROUNDS, new: int = NEW) -> dict[str, Any]:
    """Tokens a second of each side with one user and with 32, and ratios of ours to the others and the baseline."""
    async with opened(names) as sides:
        ours = sides.about[NARROW]
        work = Work.of(Path(ours["directory"]))
        found: dict[str, Any] = {"rounds": {str(crowd): count for crowd, count in rounds.items()}}
        async with machine(ours["properties"], ours["environment"]) as looks:
            for crowd, count in rounds.items():
                answers = await _in_turns(sides.running, looks, [prompts(crowd, n) for n in range(1, count + 1)], new)
                found |= figures(answers, crowd) | _beside_the_limit(
                    answers, looks.limit(work, crowd, PROMPT, new), crowd
                )
            return {**found, **looks.figures(), **_memory(sides.running), **_named(sides)}


def prompts(crowd: int, number: int) -> list[list[int]]:
    random = np.random.default_rng(1000 * crowd + number)
    return [random.integers(*_TOKENS, PROMPT).tolist() for _ in range(crowd)]


def figures(answers: Answers, crowd: int) -> dict[str, float]:
    """What one number of users gives: tokens a second of each side, and ours divided by others'."""
    rates = {side: [one["tokens"] / one["seconds"] for one in rounds] for side, rounds in answers.items()}
    found = {f"{side}_tokens_per_second_{crowd}": round(statistics.median(some), 1) for side, some in rates.items()}
    if BASELINE in rates:
        found |= {f"{side}_speedup_{crowd}": ratio(rates[side], rates[BASELINE]) for side in OURS if side in rates}
    found |= {f"ahead_of_{side}_{crowd}": ratio(rates[NARROW], rates[side]) for side in OTHERS if side in rates}
    return found | {
        f"{side}_first_token_seconds_{crowd}": round(statistics.median(one["first"] for one in rounds), 3)
        for side, rounds in answers.items()
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 2)


async def _in_turns(
    sides: Mapping[str, Helper], looks: Machine, asked: Sequence[Sequence[Sequence[int]]], new: int
) -> Answers:
    answers: Answers = {name: [] for name in sides}
    for number, some in enumerate(asked, 1):
        for name, side in sides.items():
            tell(f"the default model, {name}: {len(some)} at once, round {number} of {len(asked)}")
            answers[name].append(await side.ask(prompts=some, new=new))
        await looks.look()
    return answers


def _beside_the_limit(answers: Answers, limited: tuple[float, str], crowd: int) -> dict[str, Any]:
    limit, by = limited
    took = statistics.median(one["seconds"] for one in answers[NARROW])
    return {f"limit_ratio_{crowd}": round(took / limit, 2), f"limited_by_{crowd}": by}


def _memory(sides: Mapping[str, Helper]) -> dict[str, int]:
    return {f"{name}_peak_memory_mb": side.peak_memory_mb() for name, side in sides.items()}


def _named(sides: Sides) -> dict[str, str]:
    """The baseline's commit, and why there are no figures of a side."""
    return {**sides.skipped, **({BASELINE: commit_of_baseline()} if BASELINE in sides.running else {})}


if __name__ == "__main__":
    click.echo(json.dumps(asyncio.run(measure(sys.argv[1:] or ALL)), indent=2))
