"""The sides of default_model.py, each in a process of its own: ours, other engines, and an earlier commit of ours.

The earlier commit is BASELINE, a checkout's directory; without it a worktree of `COMMIT` is made under build/bench. It
keeps its prepared model apart, and needs what it needed then: torch and transformers.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.answering_others import GENAI, LLAMA_CPP
from benchmarks.helpers import ROOT, Helper, HelperEnded, helper, module
from benchmarks.progress import tell
from events.errors import TimokhaError
from functions.generate.models.default_model import default_gguf

COMMIT = "adbf2a3"
"""The last one that computed logits for the whole vocabulary, in float32."""
HERE = ROOT / "build" / "bench"
MANY = 32
"""Answers at once that every side has room for."""
NARROW, WHOLE, BASELINE = "narrow", "whole", "baseline"
OURS, OTHERS = (NARROW, WHOLE), (LLAMA_CPP, GENAI)
ALL = (*OURS, *OTHERS, BASELINE)
_SLOTS = {"GENERATE_SLOTS": str(MANY), "GENERATE_ENGINE": "openvino", "GENERATE_MODEL": ""}

About = Mapping[str, Any]
"""What a side has said of itself."""


@dataclass
class Sides:
    """Those that run, what each says of itself, and why each of the others does not run."""

    running: dict[str, Helper] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def opened(names: Sequence[str] = ALL) -> AsyncIterator[Sides]:
    """The sides with these names, loaded. Raises HelperEnded if ours can't be; others are skipped then."""
    sides = Sides()
    async with AsyncExitStack() as stack:
        for name in names:
            tell(f"the default model, {name}: preparing and loading")
            try:
                side = await stack.enter_async_context(_STARTS[name](sides.about))
                sides.about[name] = await side.heard()
                sides.running[name] = side
            except (HelperEnded, OSError, TimokhaError, subprocess.CalledProcessError) as error:
                if name in OURS:
                    raise
                sides.skipped[name] = f"skipped: {error}"
        yield sides


def _ours(checkout: Path = ROOT, **settings: str) -> AbstractAsyncContextManager[Helper]:
    script = str(Path(__file__).with_name("answering.py"))
    return helper(script, environment={**_SLOTS, **settings}, checkout=checkout)


def _llama_cpp(_: About) -> AbstractAsyncContextManager[Helper]:
    HERE.mkdir(parents=True, exist_ok=True)
    file = default_gguf(HERE, console=Console(stderr=True))
    return helper(*module("benchmarks.answering_others", LLAMA_CPP, str(file)))


def _genai(about: About) -> AbstractAsyncContextManager[Helper]:
    """With the whole vocabulary: a narrow head is ours."""
    return helper(*module("benchmarks.answering_others", GENAI, about[WHOLE]["directory"]))


@asynccontextmanager
async def _baseline(_: About) -> AsyncIterator[Helper]:
    checkout = checkout_of_baseline()
    async with _ours(checkout, TIMOKHA_CACHE=str(HERE / "baseline-cache")) as side:
        yield side


_STARTS: Mapping[str, Callable[[About], AbstractAsyncContextManager[Helper]]] = {
    NARROW: lambda _: _ours(),
    WHOLE: lambda _: _ours(GENERATE_VOCABULARY="all"),
    LLAMA_CPP: _llama_cpp,
    GENAI: _genai,
    BASELINE: _baseline,
}


def checkout_of_baseline() -> Path:
    """Raises OSError, or CalledProcessError where git has no such commit."""
    if given := os.environ.get("BASELINE"):
        return Path(given).resolve(strict=True)
    checkout = HERE / f"baseline-{COMMIT}"
    if not (checkout / "functions").is_dir():
        _git("worktree", "prune", checkout=ROOT)
        _git("worktree", "add", "--detach", str(checkout), COMMIT, checkout=ROOT)
    return checkout


def commit_of_baseline() -> str:
    return _git("rev-parse", "--short", "HEAD", checkout=checkout_of_baseline())


def _git(*arguments: str, checkout: Path) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    return done.stdout.strip()
