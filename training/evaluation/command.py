"""`timokha train evaluate`: measure what a training changed, on held-out dialogues."""

import asyncio
from functools import partial
from pathlib import Path

from rich.console import Console

from events.files import write_whole
from events.runtime.clock import Clock, SystemClock
from observability.telemetry import Telemetry
from training.data.manifest import Manifest
from training.evaluation.comparison import compare
from training.evaluation.exposure import measure_exposures
from training.evaluation.leaks import CanaryExposure, summarize_leaks
from training.evaluation.likeness import measure_style
from training.evaluation.measurement import HeldOut, Measurements, StartStep, hold_out, measure, measuring_cost
from training.evaluation.report import REPORT, describe_style, write_report
from training.evaluation.result import EVALUATION, Evaluation
from training.evaluation.shared_prefix import CountDone
from training.fit.canaries import Canary, make_canaries
from training.fit.command import FitResult
from training.fit.torch_tuning import keep_freed_memory
from training.progress import ProgressStage, Stopped, check, progress_bars, say
from training.settings import EvaluateSettings, FitSettings
from training.weights import base_model_source, data_directory, load_base_model, load_trained_model, read_run_settings

_CANARY = 3.0
"""The time per canary, in units of reading a dialogue."""


async def main(settings: EvaluateSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Evaluate in a thread, so that signals are handled."""
    console = Console(stderr=True)
    # Before the thread starts: a new thread gets an allocator arena of its own.
    keep_freed_memory()
    evaluation = await asyncio.to_thread(evaluate, settings, console=console, clock=SystemClock(), stopped=stop.is_set)
    bits = evaluation.bits_per_byte
    say(
        console,
        f"bits per byte {bits.before:.3f} → {bits.after:.3f}; all scores and samples: {settings.run / REPORT}",
    )
    if evaluation.likeness is None:
        say(console, describe_style(evaluation))
    if evaluation.canaries and (warning := evaluation.canaries.warning):
        say(console, warning)


def evaluate(
    settings: EvaluateSettings, *, console: Console, clock: Clock, stopped: Stopped = lambda: False
) -> Evaluation:
    """Write evaluation.json, evaluation.md and its plot to `settings.run`.

    Raises
    ------
    SettingsError
        One line: there is no such training or data.
    TimokhaError
        One line: no dialogues are held out, or it was `stopped`.
    """
    fit_settings = read_run_settings(settings.run)
    data = data_directory(settings.run, settings.data, fit_settings)
    manifest = Manifest.read(data)
    held_out = hold_out(data, dialogues=settings.dialogues, samples=settings.samples, seed=settings.seed)
    base_model_source(fit_settings, console)  # prepares it with a progress bar of its own
    with progress_bars(console, clock, partial(check, stopped)) as bars, bars.stage("Evaluating", 100) as stage:
        before, after, exposures = _measure(settings, fit_settings, held_out, console=console, clock=clock, stage=stage)
    evaluation = Evaluation(
        data_sha256=manifest.data_sha256,
        dialogues=len(held_out.examples),
        samples=len(held_out.samples),
        canaries=summarize_leaks(exposures),
        **compare(before, after, held_out, seed=settings.seed),
        **measure_style(data, before.answers, after.answers, seed=settings.seed),
    )
    write_whole(settings.run / EVALUATION, evaluation.model_dump_json(indent=2) + "\n")
    write_report(settings.run, evaluation, held_out.samples, before.answers, after.answers)
    return evaluation


def _measure(
    settings: EvaluateSettings,
    fit_settings: FitSettings,
    held_out: HeldOut,
    *,
    console: Console,
    clock: Clock,
    stage: ProgressStage,
) -> tuple[Measurements, Measurements, list[CanaryExposure]]:
    """Measure the base model and the trained one, and the trained one's exposure of canaries."""
    canaries = _canaries(settings.run, fit_settings)
    total = 2 * measuring_cost(held_out) + _CANARY * len(canaries)
    base = load_base_model(fit_settings, console)
    before = measure(
        base, held_out, seed=settings.seed, clock=clock, start_step=_make_start_step(stage, "before", total)
    )
    del base  # memory may not suffice for two models
    model = load_trained_model(settings.run, fit_settings, console)
    start_step = _make_start_step(stage, "after", total)
    after = measure(model, held_out, seed=settings.seed, clock=clock, start_step=start_step)
    done = start_step("canaries", _CANARY)
    exposures = measure_exposures(model, canaries, seed=settings.seed, clock=clock, tick=lambda: done(1))
    stage.show(100)
    return before, after, exposures


def _canaries(run: Path, fit_settings: FitSettings) -> list[Canary]:
    """Return the canaries that the training in `run` learned."""
    result = FitResult.find(run)
    return make_canaries(result.canaries, seed=fit_settings.seed, language=result.canary_language) if result else []


def _make_start_step(stage: ProgressStage, when: str, total: float) -> StartStep:
    """Return a StartStep that shows progress on `stage`, in percent of `total`. `when`: before or after training."""
    percent = stage.done

    def start_step(what: str, each: float) -> CountDone:
        stage.update(stage.done, f"{when}: {what}")

        def done(more: int) -> None:
            nonlocal percent
            percent += 100 * each * more / total
            stage.update(round(percent))

        return done

    return start_step
