"""An export of English people, from the file to what is served."""

import json
from random import Random

import pytest
from rich.console import Console

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.models.card import ModelCard
from training.data.command import prepare
from training.evaluation.command import evaluate
from training.export import export as export_model
from training.fit.command import fit
from training.settings import EvaluateSettings, ExportSettings, FitSettings, PrepareSettings

QUIET = Console(quiet=True)
THINGS = [
    "pie",
    "milk",
    "bread",
    "book",
    "bicycle",
    "letter",
    "garden",
    "ticket",
    "jacket",
    "camera",
    "piano",
    "kettle",
]


@pytest.fixture
def data(export, tmp_path):
    draw = Random(0)
    for number in range(30):
        words = " ".join(draw.choices(THINGS, k=6))
        export.say("ann", f"did you remember the {words} for tonight? call 020 7946 0958", after=9999 * (number % 3))
        export.say("me", f"yes, and I have put the {' and the '.join(draw.choices(THINGS, k=6))} there, see bbc.co.uk")
    file = tmp_path / "result.json"
    file.write_text(json.dumps(export.chat()))
    settings = PrepareSettings(export=file, owner="Me", out=tmp_path / "data", test_share=0.3)
    prepare(settings, console=QUIET)
    return settings.out


def prompt(card):
    return "".join(
        segment.text for segment in card.prompt_format(lambda: None).render([Turn(role=Role.USER, text="hi")])
    )


def test_from_an_english_export_to_an_english_model(data, base, tmp_path):
    assert "[phone]" in (data / "train.jsonl").read_text()
    assert "[link]" in (data / "train.jsonl").read_text()
    settings = FitSettings.read(data=data, model=str(base), out=tmp_path / "run", steps=1, precision="fp32")
    fit(settings, console=QUIET, clock=SystemClock())
    evaluate(EvaluateSettings.read(run=settings.out, samples=1), console=QUIET, clock=SystemClock())
    served = tmp_path / "served"
    export_model(ExportSettings.read(run=settings.out, to=served), console=QUIET, clock=SystemClock())
    assert prompt(ModelCard.read(served)) == "Guest: hi\nTimokha:"
    written = "".join(file.read_text() for file in (served / "README.md", settings.out / "evaluation.md"))
    assert 'language: ["en"]' in written
    assert not any("а" <= letter <= "я" for letter in (served / "README.md").read_text().lower())


def test_a_card_of_before_has_the_labels_it_was_trained_with():
    assert prompt(ModelCard.model_validate({"name": "x", "format": "dialogue"})) == "Гость: hi\nТимоха:"
