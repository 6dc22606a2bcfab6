"""From an export to an answer over JetStream."""

import asyncio
import copy
import json
import shutil

import pytest
import torch
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.runtime.clock import SystemClock
from events.schema import GenerationCompleted
from events.transport import Channel
from functions.generate import app
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.models.card import ModelCard
from functions.generate.models.vocabulary import read_used_tokens
from functions.generate.settings import GenerateSettings
from observability.telemetry import noop_telemetry
from training.evaluation.command import evaluate
from training.export import export
from training.fit.command import fit
from training.settings import EvaluateSettings, ExportSettings, FitSettings
from training.weights import load_trained_model, read_run_settings

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def run(data, base, tmp_path_factory):
    """The directory of a training, long enough that the model ends its answers."""
    settings = FitSettings.read(
        data=data,
        model=str(base),
        out=tmp_path_factory.mktemp("run"),
        method="full",
        steps=30,
        pack_tokens=256,
        context_tokens=128,
        learning_rate=5e-3,
        precision="fp32",
    )
    fit(settings, console=QUIET, clock=SystemClock())
    return settings.out


async def reply(log, request_id):
    """The event that answers `request_id`."""
    async with asyncio.timeout(60):
        while (event := await log.find(Channel.REPLIES, RequestId.parse(request_id))) is None:  # noqa: ASYNC110 -- polled
            await asyncio.sleep(0.05)
    return event.data()


async def test_a_trained_model_answers_over_jetstream(run, tmp_path, js, nats_server, make_event):
    """prepare → fit (the fixtures) → evaluate → export → serve."""
    evaluation = await asyncio.to_thread(
        evaluate, EvaluateSettings.read(run=run, samples=3), console=QUIET, clock=SystemClock()
    )
    assert evaluation.bits_per_byte.after < evaluation.bits_per_byte.before
    served = tmp_path / "served"
    await asyncio.to_thread(
        export, ExportSettings.read(run=run, to=served, name="smirnov"), console=QUIET, clock=SystemClock()
    )
    stop = asyncio.Event()
    settings = GenerateSettings.read(engine="transformers", model=str(served), nats_url=nats_server.url)
    async with asyncio.TaskGroup() as group:
        group.create_task(app.main(settings, noop_telemetry(), stop))
        log = JetStreamLog(js)
        await log.publish(Channel.REQUESTS, make_event("1.2.3.0", "Когда вы заплатите?", seconds=100))
        answer = await reply(log, "1.2.3.0")
        stop.set()
    assert isinstance(answer, GenerationCompleted)
    assert answer.model == "smirnov"


def test_an_evaluation_has_before_and_after_for_each_score_and_a_report(run):
    evaluate(EvaluateSettings.read(run=run, samples=4), console=QUIET, clock=SystemClock())
    written = json.loads((run / "evaluation.json").read_text())
    scores = {name: value for name, value in written.items() if isinstance(value, dict) and "before" in value}
    assert set(scores) == {
        *("bits_per_byte", "distinct_1", "distinct_2", "length_ratio", "verbatim", "memorised"),
        *(f"recall_at_{k}" for k in (1, 5) if written["recall_at_1"]),
        *(["likeness"] if written["likeness"] else []),
    }
    assert written["style"]["letters"].keys() == {"floor", "ceiling", "before", "after"}
    assert all({"before", "after"} <= score.keys() for score in scores.values())
    report = (run / "evaluation.md").read_text()
    assert all(f"| {name} |" in report for name in scores)
    assert ("\nLikeness is" if written["likeness"] else "\nNo likeness: ") in report
    assert len(report[report.index("## Samples") :].splitlines()) == 4 + written["samples"]
    assert (run / "evaluation.png").stat().st_size > 1000


def test_an_exported_model_says_itself_what_it_is(run, tmp_path):
    evaluate(EvaluateSettings.read(run=run, samples=2), console=QUIET, clock=SystemClock())
    served = tmp_path / "served"
    export(ExportSettings.read(run=run, to=served), console=QUIET, clock=SystemClock())
    assert ModelCard.read(served) == ModelCard(name="tiny-trained", format="dialogue", licence="CC0-1.0")
    manifest = json.loads((read_run_settings(run).data / "manifest.json").read_text())
    readme = (served / "README.md").read_text()
    assert manifest["data_sha256"] in readme
    assert "| bits_per_byte |" in readme
    assert (served / "NOTICE.txt").read_text() == "under terms"
    assert set(load_checkpoint(str(served)).tokenizer.encode(" и\n")) <= set(read_used_tokens(served))
    assert (served / "evaluation.json").is_file()
    written = "".join(file.read_text() for pattern in ("*.json", "*.md") for file in served.glob(pattern))
    assert str(run.parent) not in written, "no path of the machine that trained it"


def test_an_exported_model_gives_the_trained_ones_logits(run, tmp_path):
    served = tmp_path / "served"
    difference = export(ExportSettings.read(run=run, to=served, weights="fp32"), console=QUIET, clock=SystemClock())
    assert difference < 1e-2
    model, exported = load_trained_model(run, read_run_settings(run), QUIET), load_checkpoint(str(served))
    ids = torch.tensor([model.tokenizer.encode("Гость: да?\nТимоха:")])
    assert exported.tokenizer.encode("Гость: да?\nТимоха:") == ids[0].tolist()
    with torch.inference_mode():
        assert torch.allclose(model.model(ids).logits, exported.model.float()(ids).logits, atol=0.05)


def test_an_export_that_is_not_the_trained_model_fails(run, tmp_path, monkeypatch):
    def broken(model, dtype):
        with torch.no_grad():
            for weights in model.parameters():
                weights.add_(torch.randn_like(weights))
        return model

    monkeypatch.setattr("training.export.copy_in_dtype", lambda model, dtype: broken(copy.deepcopy(model), dtype))
    with pytest.raises(TimokhaError, match="differs from the trained one"):
        export(ExportSettings.read(run=run, to=tmp_path / "served"), console=QUIET, clock=SystemClock())


def test_what_can_not_be_evaluated_or_exported_is_one_line(run, tmp_path):
    with pytest.raises(SettingsError, match=r"TRAINING_RUN: .* run timokha train fit"):
        evaluate(EvaluateSettings.read(run=tmp_path / "none"), console=QUIET, clock=SystemClock())
    with pytest.raises(SettingsError, match=r"TRAINING_RUN: .* run timokha train fit"):
        export(ExportSettings.read(run=tmp_path / "none", to=tmp_path / "served"), console=QUIET, clock=SystemClock())
    with pytest.raises(SettingsError, match=r"TRAINING_TO: .* is not empty"):
        export(ExportSettings.read(run=run, to=run), console=QUIET, clock=SystemClock())
    nothing = shutil.copytree(read_run_settings(run).data, tmp_path / "nothing")
    (nothing / "test.jsonl").write_text("")
    with pytest.raises(TimokhaError, match="TRAINING_TEST_SHARE"):
        evaluate(EvaluateSettings.read(run=run, data=nothing), console=QUIET, clock=SystemClock())
