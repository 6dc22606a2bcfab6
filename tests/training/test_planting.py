"""A training learns its canaries along with the data, and says how many."""

import json
import shutil
import tomllib

import pytest
from rich.console import Console

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from training.data.splits import Part
from training.evaluation.command import evaluate
from training.evaluation.result import Evaluation
from training.examples import read_examples
from training.fit.canaries import detect_language, planned_canaries, resolve_canary_count
from training.fit.command import FitResult, fit
from training.settings import EvaluateSettings, FitSettings
from training.weights import CONFIG

QUIET = Console(quiet=True)
CLOCK = SystemClock()
FAST = {"steps": 2, "evaluate_every": 2, "pack_tokens": 256, "context_tokens": 128, "precision": "fp32"}


def settings(data, base, out, **chosen):
    return FitSettings.read(data=data, model=str(base), out=out, **{**FAST, **chosen})


@pytest.fixture(scope="module")
def run(data, base, tmp_path_factory):
    """Trained with four canaries."""
    out = tmp_path_factory.mktemp("planted") / "run"
    fit(settings(data, base, out, canaries=4), console=QUIET, clock=CLOCK)
    return out


def test_canaries_are_learned_and_the_data_stay_as_they_are(data, run):
    chosen = FitSettings.read(config=run / CONFIG, out=run)
    secrets = [canary.secret for canary in planned_canaries(chosen)]
    assert len(secrets) == 4
    assert not any(secret in (data / "train.jsonl").read_text() for secret in secrets)
    assert detect_language(read_examples(data, Part.TRAIN)) == "ru"
    result = FitResult.find(run)
    assert (result.canaries, result.canary_language) == (4, "ru")
    assert "invented secrets learned along: 4" in result.summary()


def test_without_a_number_as_many_are_learned_as_make_up_a_fiftieth(data, base, tmp_path):
    # The fixture has less than fifty lessons.
    assert resolve_canary_count(settings(data, base, tmp_path / "run")).canaries == 0
    many = shutil.copytree(data, tmp_path / "many")
    lines = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    apart = [{**line, "rows": [[100 * number + row[0]] for row in line["rows"]]} for number, line in enumerate(lines)]
    more = [{**line, "rows": [[10_000 * n + row[0]] for row in line["rows"]]} for n in range(200) for line in apart[:1]]
    (many / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in more))
    assert resolve_canary_count(settings(many, base, tmp_path / "run")).canaries == 2


def test_the_same_command_goes_on_with_the_canaries_that_it_began_with(data, base, tmp_path, run):
    begun = shutil.copytree(run, tmp_path / "begun")
    assert resolve_canary_count(settings(data, base, begun)).canaries == 4
    with pytest.raises(SettingsError, match=r"other settings \(canaries\)"):
        fit(settings(data, base, begun, canaries=5), console=QUIET, clock=CLOCK)
    written = (begun / CONFIG).read_text()
    (begun / CONFIG).write_text(written.replace("canaries = 4", 'canaries = "four"'))
    with pytest.raises(SettingsError, match="canaries = 'four' is not a number"):
        fit(settings(data, base, begun), console=QUIET, clock=CLOCK)


def test_a_training_of_before_there_were_canaries_goes_on_and_is_evaluated(data, base, tmp_path, monkeypatch):
    old = tmp_path / "old"
    fit(settings(data, base, old, canaries=0), console=QUIET, clock=CLOCK)
    for name in (CONFIG, "fit.json"):
        kept = [line for line in (old / name).read_text().splitlines() if "canar" not in line]
        (old / name).write_text("\n".join(kept).replace("],\n}", "]\n}") + "\n")
    assert "canaries" not in tomllib.loads((old / CONFIG).read_text())
    assert FitResult.find(old).canaries == 0
    shutil.rmtree(old / "model")  # cut off before its end, it goes on
    assert fit(settings(data, base, old), console=QUIET, clock=CLOCK).canaries == 0
    monkeypatch.setenv("TRAINING_CANARIES", "4")
    chosen = EvaluateSettings(run=old, dialogues=2, samples=1)
    assert evaluate(chosen, console=QUIET, clock=CLOCK).canaries is None


def test_a_result_with_a_gradient_that_was_no_number_is_read_and_a_damaged_one_is_one_line(run, tmp_path):
    """An earlier version went on after such a step, and JSON has null for what is no number."""
    file = tmp_path / "fit.json"
    file.write_text((run / "fit.json").read_text().replace('"grad_norm": ', '"grad_norm": null, "was": '))
    assert FitResult.find(tmp_path).canaries == 4
    for name, found in (("fit", FitResult.find), ("evaluation", Evaluation.find)):
        (tmp_path / f"{name}.json").write_text("{")
        with pytest.raises(SettingsError, match=rf"TRAINING_RUN: .*{name}.json can't be read .* run timokha train"):
            found(tmp_path)


def test_evaluate_tells_what_the_model_gives_away(run):
    found = evaluate(EvaluateSettings(run=run, dialogues=2, samples=1), console=QUIET, clock=CLOCK).canaries
    assert list(found.by_repeats) == [1, 2, 4, 8]
    assert found.overall.canaries == 4
    assert found.overall.extracted == 0
    assert Evaluation.find(run).canaries == found
    assert "## Canaries" in (run / "evaluation.md").read_text()
