"""The voice that ships: made of a training in the same bytes each time, small, and without this machine's paths."""

import json
import os
import shutil

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file, save_file

from events.errors import TimokhaError
from events.runtime.clock import SystemClock
from functions.generate.engines.gguf.adapters import Adapter, BadAdapter
from functions.generate.models import vocabulary
from functions.generate.models.card import ModelCard
from functions.generate.models.default_model import CARD
from functions.generate.models.voices import ADAPTER, CONFIG, NOTICE, Voice, find_voice
from functions.generate.prompts import near_examples
from functions.generate.settings import VoiceName
from training.fit.command import fit
from training.settings import FitSettings
from training.voice import shipping
from training.voice.__main__ import main
from training.voice.shipping import CHOICES, ship
from training.voice.talks import Exchange, Talk, talk_texts

TALKS = [Talk((Exchange("Раз?", "Один."), Exchange("Два?", "Два.")), "ru", "somewhere:1")]


def train(data, model, out, **chosen):
    """A training with the settings that are committed, as small as can be."""
    config = CHOICES.with_name("fit.toml")
    tiny = {"steps": 2, "rank": 2, "precision": "fp32", "pack_tokens": 128, "context_tokens": 128, **chosen}
    settings = FitSettings.read(config=config, data=data, model=str(model), out=out, **tiny)
    fit(settings, console=Console(quiet=True), clock=SystemClock())
    return out


@pytest.fixture(scope="module")
def place(data, base, tmp_path_factory):
    """A directory with a model called the default one, two trainings of it alike, and what was exported."""
    folder = tmp_path_factory.mktemp("shipping")
    shutil.copytree(base, folder / "base")
    CARD.write(folder / "base")
    shutil.copytree(data, folder / "data")
    near_examples.write_talks(folder / "data", map(talk_texts, TALKS))
    for run in ("run", "again"):
        train(folder / "data", folder / "base", folder / run)
    (folder / "exported").mkdir()
    vocabulary.write_used_tokens(folder / "exported", [5, 7])
    return folder


def content(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_the_same_training_ships_the_same_bytes(place, tmp_path):
    first, again = (
        content(ship(place / run, place / "exported", tmp_path / run, talks=TALKS)) for run in ("run", "again")
    )
    assert first == again
    assert {*first} == {ADAPTER, CONFIG, NOTICE, "examples.jsonl", "timokha.json", "used_tokens.json"}
    assert near_examples.read_talks(tmp_path / "run") == [talk_texts(TALKS[0])]
    assert str(place).encode() not in b"".join(first.values())


def test_what_ships_is_the_adapter_in_half_the_bytes(place, tmp_path):
    voice = ship(place / "run", place / "exported", tmp_path / "voice")
    trained, shipped = load_file(place / "run/model" / ADAPTER), load_file(voice / ADAPTER)
    assert trained.keys() == shipped.keys()
    for name, values in shipped.items():
        assert values.dtype == np.float16
        np.testing.assert_allclose(values, trained[name], atol=1e-3)
    config = json.loads((voice / CONFIG).read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (2, 4, sorted(config["target_modules"]))
    assert vocabulary.read_used_tokens(voice) == [5, 7]
    assert "Gemma Terms of Use found at https://ai.google.dev/gemma/terms" in (voice / NOTICE).read_text()
    assert "Modified: " in (voice / NOTICE).read_text()


def test_other_numbers_are_another_voice_though_only_the_head_is_looked_at(place, tmp_path):
    voices = [Voice("one", ship(place / "run", place / "exported", tmp_path / name)) for name in ("one", "same")]
    other = shutil.copytree(place / "run", tmp_path / "run")
    file = other / "model" / ADAPTER
    changed = {name: values + 1 for name, values in load_file(file).items()}
    save_file(changed, file)
    voices.append(Voice("one", ship(other, place / "exported", tmp_path / "other")))
    one, same, third = [voice.digest for voice in voices]
    assert one == same != third
    by_hand = shutil.copytree(tmp_path / "one", tmp_path / "by_hand")
    plain = load_file(by_hand / ADAPTER)
    digests = []
    for shift in (0, 1):
        save_file({name: values + np.float16(shift) for name, values in plain.items()}, by_hand / ADAPTER)
        os.utime(by_hand / ADAPTER, (shift, shift))
        digests.append(Voice("one", by_hand).digest)
    assert digests[0] != digests[1]


def test_numbers_that_are_not_those_that_the_head_speaks_of_are_not_merged(place, tmp_path):
    """Prepared once they would be served under the right voice's name."""
    voice = ship(place / "run", place / "exported", tmp_path / "voice")
    assert Adapter.read(voice).matrices
    data = bytearray((voice / ADAPTER).read_bytes())
    data[-2] ^= 1
    (voice / ADAPTER).write_bytes(data)
    with pytest.raises(BadAdapter, match=f"^{ADAPTER} is cut off or damaged$"):
        Adapter.read(voice)


def test_the_card_has_the_frame_of_the_training_and_the_sampling_that_was_chosen(place, tmp_path):
    choices = tmp_path / "card.toml"
    choices.write_text('name = "spoken"\n[sampling]\ntemperature = 0.6\n')
    voice = ship(place / "run", place / "exported", tmp_path / "voice", choices)
    card = ModelCard.read(voice)
    trained = ModelCard.read(place / "run/model")
    assert card == trained.model_copy(update={"name": "spoken", "sampling": card.sampling})
    assert card.sampling.values == {"temperature": 0.6}


def test_what_can_not_ship_is_one_line(place, base, tmp_path, capsys):
    nothing = ["ship", "--run", str(tmp_path), "--model", str(tmp_path), "--to", str(tmp_path / "voice")]
    assert main(nothing) == 1
    assert "do not hold an adapter's training" in capsys.readouterr().err
    other = train(place / "data", base, tmp_path / "other", steps=1)
    with pytest.raises(TimokhaError, match="the trained model is not the default model"):
        ship(other, place / "exported", tmp_path / "voice")


def test_an_adapter_that_is_too_large_does_not_ship(place, tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(TimokhaError, match=r"takes \d+ bytes, more than 1000: lower its rank"):
        ship(place / "run", place / "exported", tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


def test_the_committed_choices_are_those_of_a_card(place, tmp_path):
    card = ModelCard.read(ship(place / "run", place / "exported", tmp_path / "voice", CHOICES))
    assert card.name.startswith(CARD.name)
    assert card.sampling.values


def test_what_is_in_the_package_can_be_merged_and_says_what_it_is():
    if voice := find_voice(VoiceName.TIMOKHA):
        assert Adapter.read(voice.directory).matrices
        assert voice.card.licence == CARD.licence
        assert CARD.licence_url in voice.notice()
        assert (voice.directory / ADAPTER).stat().st_size < shipping.LARGEST
