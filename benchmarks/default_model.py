"""The default model as it is served by default, with all its vocabulary, and by an earlier commit, all in one run.

`python -m benchmarks.default_model`. The sides take turns; a speed-up is the median of the rounds' ratios. The earlier
commit is BASELINE, a checkout's directory; without it a worktree of `COMMIT` is made under build/bench. It keeps its
prepared model apart, and needs what it needed then: torch and transformers.
"""

import asyncio
import json
import os
import statistics
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.answering import NEW, PROMPT
from benchmarks.helpers import ROOT, Helper, HelperEnded, helper
from benchmarks.limits import Machine, Work, machine
from benchmarks.progress import tell

COMMIT = "adbf2a3"
"""The last one that computed logits for the whole vocabulary, in float32."""
HERE = ROOT / "build" / "bench"
MANY = 32
ROUNDS = {1: 7, MANY: 3}
"""How often so many ask at once, in each turn."""

NARROW, WHOLE, BASELINE = "narrow", "whole", "baseline"
_SLOTS = {"GENERATE_SLOTS": str(MANY), "GENERATE_ENGINE": "openvino", "GENERATE_MODEL": ""}

Answers = dict[str, list[dict[str, float]]]
"""Of each side, a round after the other."""


async def measure() -> dict[str, Any]:
    """Tokens a second of each side with one user and with 32, and their ratios to the baseline's."""
    async with AsyncExitStack() as stack:
        sides, about, skipped = await _opened(stack)
        looks = await stack.enter_async_context(machine(about[NARROW]["properties"], about[NARROW]["environment"]))
        found: dict[str, Any] = {"rounds": dict(map(_named, ROUNDS.items()))}
        for crowd, rounds in ROUNDS.items():
            answers = await _in_turns(sides, looks, crowd, rounds)
            found |= figures(answers, crowd)
            found |= _beside_the_limit(answers, looks, Work.of(Path(about[NARROW]["directory"])), crowd)
        return {**found, **looks.figures(), "baseline": skipped or about[BASELINE]["commit"]}


def figures(answers: Answers, crowd: int) -> dict[str, float]:
    """What one number of users gives: tokens a second of each side, and so many times the baseline's."""
    rates = {side: [one["tokens"] / one["seconds"] for one in rounds] for side, rounds in answers.items()}
    found = {f"{side}_tokens_per_second_{crowd}": round(statistics.median(some), 1) for side, some in rates.items()}
    for side in rates.keys() - {BASELINE}:
        if BASELINE in rates:
            ratios = [ours / theirs for ours, theirs in zip(rates[side], rates[BASELINE], strict=True)]
            found[f"{side}_speedup_{crowd}"] = round(statistics.median(ratios), 2)
    return found | {
        f"{side}_first_token_seconds_{crowd}": round(statistics.median(one["first"] for one in rounds), 3)
        for side, rounds in answers.items()
    }


async def _opened(stack: AsyncExitStack) -> tuple[dict[str, Helper], dict[str, Any], str]:
    """The sides that can be measured, what they say of themselves, and why there is no baseline if there is none."""
    sides = {
        NARROW: await stack.enter_async_context(_side()),
        WHOLE: await stack.enter_async_context(_side(GENERATE_VOCABULARY="all")),
    }
    skipped = ""
    try:
        checkout = _baseline()
        sides[BASELINE] = await stack.enter_async_context(_side(checkout, TIMOKHA_CACHE=str(HERE / "baseline-cache")))
    except (OSError, subprocess.CalledProcessError) as error:
        skipped = f"skipped, there is no checkout of it: {error}"
    about = {}
    for name, side in list(sides.items()):
        tell(f"the default model, {name}: preparing and loading")
        try:
            about[name] = await side.heard()
        except HelperEnded as error:
            if name == NARROW:
                raise
            del sides[name]
            skipped = skipped or (f"skipped: {error}" if name == BASELINE else "")
    if BASELINE in about:
        about[BASELINE]["commit"] = _git("rev-parse", "--short", "HEAD", checkout=checkout)
    return sides, about, skipped


@asynccontextmanager
async def _side(checkout: Path = ROOT, **settings: str) -> AsyncIterator[Helper]:
    script = str(Path(__file__).with_name("answering.py"))
    async with helper(script, environment={**_SLOTS, **settings}, checkout=checkout) as side:
        yield side


def _baseline() -> Path:
    """Raises OSError, or CalledProcessError where git has no such commit."""
    if given := os.environ.get("BASELINE"):
        return Path(given).resolve(strict=True)
    checkout = HERE / f"baseline-{COMMIT}"
    if not (checkout / "functions").is_dir():
        _git("worktree", "prune", checkout=ROOT)
        _git("worktree", "add", "--detach", str(checkout), COMMIT, checkout=ROOT)
    return checkout


def _git(*arguments: str, checkout: Path) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    return done.stdout.strip()


async def _in_turns(sides: Mapping[str, Helper], looks: Machine, crowd: int, rounds: int) -> Answers:
    answers: Answers = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, side in sides.items():
            tell(f"the default model, {name}: {crowd} at once, round {number} of {rounds}")
            answers[name].append(await side.ask(crowd=crowd, seed=1000 * crowd + number))
        await looks.look()
    return answers


def _beside_the_limit(answers: Answers, looks: Machine, work: Work, crowd: int) -> dict[str, Any]:
    limit, by = looks.limit(work, crowd, PROMPT, NEW)
    took = statistics.median(one["seconds"] for one in answers[NARROW])
    return {f"limit_ratio_{crowd}": round(took / limit, 2), f"limited_by_{crowd}": by}


def _named(rounds: tuple[int, int]) -> tuple[str, int]:
    return str(rounds[0]), rounds[1]


if __name__ == "__main__":
    click.echo(json.dumps(asyncio.run(measure()), indent=2))
