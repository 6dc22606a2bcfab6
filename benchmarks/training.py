"""How many tokens a second `timokha train fit` learns, beside a plain loop with transformers and peft.

`make bench PART=training`. Both train the default model's adapter on the same packs of a committed play, in turns. The
plain loop takes the model's own loss, over its whole vocabulary, one pack after the other.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from transformers import TrainerCallback

from benchmarks.helpers import ROOT
from benchmarks.progress import tell
from events.runtime.clock import SystemClock
from training.data.command import prepare
from training.data.splits import Part
from training.fit.monitor import Monitor
from training.fit.packing import Pack
from training.fit.preparing import encode_packs, prepare_model, quickened
from training.fit.torch_tuning import keep_freed_memory
from training.fit.trainer import make_trainer, uses_bf16
from training.progress import progress_bars
from training.settings import FitSettings, PrepareSettings
from training.weights import load_base_model

PLAYS = ROOT / "tests/training/fixtures/rusdracor.json"
ROUNDS, STEPS = 3, 3
"""Rounds of both in turns, and steps of a round; the first step is not counted."""
QUIET = Console(quiet=True)


def measure() -> dict[str, Any]:
    keep_freed_memory()
    rates: dict[str, list[float]] = {"plain": [], "fit": []}
    with TemporaryDirectory() as place:
        settings, packs = _prepare(Path(place))
        for number in range(1, ROUNDS + 1):
            for name, learn in (("plain", _plain), ("fit", _fit)):
                tell(f"{name}, round {number} of {ROUNDS}")
                rates[name].append(_rate(learn, settings, packs))
    ratios = [ours / plain for plain, ours in zip(rates["plain"], rates["fit"], strict=True)]
    return {
        "tokens_a_second": {name: round(statistics.median(found)) for name, found in rates.items()},
        "speedup": round(statistics.median(ratios), 2),
    }


def _prepare(place: Path) -> tuple[FitSettings, list[Pack]]:
    tell("preparing the play")
    prepare(PrepareSettings.read(export=PLAYS, owner="Смирнов", out=place / "data"), console=QUIET)
    settings = FitSettings.read(data=place / "data", out=place / "run", steps=STEPS, canaries=0)
    with progress_bars(QUIET, SystemClock(), lambda: None) as bars:
        checkpoint = load_base_model(settings, QUIET)
        packs = encode_packs(checkpoint, settings, Part.TRAIN, SystemClock(), bars)
    needed = STEPS * settings.packs
    return settings, (packs * needed)[:needed]


Learn = Callable[[FitSettings, list[Pack]], list[float]]


def _rate(learn: Learn, settings: FitSettings, packs: list[Pack]) -> float:
    """Return the tokens a second of all steps but the first; `learn` returns when each step ended."""
    torch.manual_seed(0)
    ends = learn(settings, packs)
    tokens: int = sum(pack["input_ids"].numel() for pack in packs)
    return tokens * (STEPS - 1) / STEPS / (ends[-1] - ends[0])


def _plain(settings: FitSettings, packs: list[Pack]) -> list[float]:
    model = prepare_model(load_base_model(settings, QUIET), settings).train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=3e-4)
    ends = []
    for start in range(0, len(packs), settings.packs):
        for pack in packs[start : start + settings.packs]:
            with torch.autocast("cpu", torch.bfloat16, enabled=uses_bf16(settings)):
                loss = model(**pack, use_cache=False).loss
            (loss / settings.packs).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ends.append(time.monotonic())
    return ends


class _Ends(TrainerCallback):  # type: ignore[misc]  # transformers exports it untyped
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.monotonic())


def _fit(settings: FitSettings, packs: list[Pack]) -> list[float]:
    checkpoint, ends = load_base_model(settings, QUIET), _Ends()
    model = prepare_model(checkpoint, settings)
    with progress_bars(QUIET, SystemClock(), lambda: None) as bars, ExitStack() as stack:
        narrowed = stack.enter_context(quickened(model, checkpoint, {Part.TRAIN: packs}, settings))
        stage = stack.enter_context(bars.stage("Training"))
        trainer = make_trainer(model, narrowed[Part.TRAIN], [], settings, Monitor(bars, stage, lambda: False))
        trainer.add_callback(ends)
        trainer.train()
    return ends.ends
