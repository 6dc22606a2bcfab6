"""What a training of version 1 has stored is read, and the same is written (see `tests/unit/test_stored.py`)."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from events.errors import SettingsError
from events.schema import Role, Turn
from functions.generate.models import vocabulary
from functions.generate.prompts import near_examples
from training.data.command import prepare
from training.data.manifest import Manifest
from training.data.splits import Part
from training.data.telegram.json_reader import ByteRange
from training.evaluation.leaks import Leak, Leaks
from training.evaluation.result import Distances, Evaluation, Score, Style
from training.examples import read_examples
from training.fit import resuming
from training.fit.command import FitResult
from training.settings import FitSettings, PrepareSettings

STORED = Path(__file__).parents[1] / "stored/training"
RUN = STORED / "run"
SHA = "cba019e23b5ccc02a79765e266d8ff38412f2ee986a8cf5ef65b6f3bfd88b78a"


def pretty(model: FitResult | Evaluation) -> bytes:
    return f"{model.model_dump_json(indent=2)}\n".encode()


def test_an_export_becomes_the_same_data_as_it_did(tmp_path: Path) -> None:
    made = prepare(
        PrepareSettings(export=STORED / "result.json", owner="user_me", out=tmp_path), console=Console(quiet=True)
    )
    for file in (STORED / "data").iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
    assert Manifest.read(STORED / "data") == made


def test_a_manifest_is_read() -> None:
    manifest = Manifest.read(STORED / "data")
    assert (manifest.data_sha256, manifest.language, manifest.damaged) == (
        SHA,
        "ru",
        [ByteRange(start=9799, end=10050)],
    )
    assert (manifest.train, manifest.validation, manifest.test) == (19, 2, 2)


def test_dialogues_are_read() -> None:
    examples = read_examples(STORED / "data", Part.TRAIN)
    assert examples[0].turns == (
        Turn(role=Role.USER, text="Вопрос номер 0 о погоде и кино?"),
        Turn(role=Role.ASSISTANT, text="Ответ 0: ну конечно, приходи."),
    )
    assert examples[0].rows == ((1,), (3,))
    assert [len(read_examples(STORED / "data", part)) for part in Part] == [19, 2, 2]


def test_what_a_training_came_to_is_read_and_written_as_it_was() -> None:
    result = FitResult(
        steps=40,
        train_loss=2.5,
        best_loss=2.25,
        data_sha256=SHA,
        history=[{"step": 20, "loss": 2.75, "grad_norm": None}, {"step": 40, "eval_loss": 2.25}],
        canaries=3,
        canary_language="ru",
    )
    assert FitResult.find(RUN) == result
    assert pretty(result) == (RUN / "fit.json").read_bytes()


def test_what_a_training_began_with_is_read_and_written_as_it_was(tmp_path: Path) -> None:
    settings = FitSettings(
        data="/srv/data", out=tmp_path, rank=8, targets="q_proj,v_proj", frame="near", canaries=3, seed=7
    )
    resuming.record_settings(settings, SHA)
    for name in ("config.toml", "data.sha256"):
        assert (tmp_path / name).read_bytes() == (RUN / name).read_bytes()
    (tmp_path / "model").mkdir()
    resuming.check_unchanged(settings, SHA)
    with pytest.raises(SettingsError, match="seed"):
        resuming.check_unchanged(settings.model_copy(update={"seed": 8}), SHA)
    given = FitSettings.from_file(RUN / "config.toml")
    assert FitSettings(**given, out=tmp_path) == settings


def test_an_evaluation_is_read_and_written_as_it_was() -> None:
    score = Score(before=1.5, after=1.25, before_range=(1.25, 1.75), after_range=(1.0, 1.5), change_range=(-0.5, 0.0))
    distances = Distances(floor=0.5, ceiling=0.125, before=0.625, after=0.25)
    leak = Leak(canaries=1, exposure=1.5, highest_exposure=2.5, extracted=0.0, extracted_in_attempts=0.125, drawn_out=0)
    evaluation = Evaluation(
        data_sha256=SHA,
        dialogues=2,
        samples=2,
        bits_per_byte=score,
        distinct_1=score,
        distinct_2=score,
        length_ratio=score,
        verbatim=Score(before=0, after=0),
        likeness=score,
        style=Style(letters=distances, words=distances, letters_compared=900, told_apart=0.75, answers_needed=None),
        true_distinct_1=0.5,
        true_distinct_2=0.75,
        canaries=Leaks(most_exposure=6.0, attempts=100, overall=leak, by_repeats={1: leak, 4: leak}),
    )
    assert Evaluation.find(RUN) == evaluation
    assert pretty(evaluation) == (RUN / "evaluation.json").read_bytes()
    assert json.loads(pretty(evaluation))["canaries"]["by_repeats"].keys() == {"1", "4"}


def test_what_lies_beside_a_models_card_is_read_and_written_as_it_was(tmp_path: Path) -> None:
    model, talks = STORED / "model", [["Как дела?", "Ну как, живу.", "А кот?", "Кот ест."], ["How are you?", "Fine."]]
    assert near_examples.read_talks(model) == talks
    assert vocabulary.read_used_tokens(model) == [3, 5, 599]
    near_examples.write_talks(tmp_path, talks)
    vocabulary.write_used_tokens(tmp_path, [5, 3, 3, 599])
    for file in model.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
