"""A model that brings code of its own: it is not run, and nobody at the terminal is asked whether it may be."""

import json

import pytest

from events.errors import SettingsError
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from tests.generate import tiny_models

CODE = """
from pathlib import Path
from transformers import PreTrainedConfig

Path({mark!r}).touch()


class OwnConfig(PreTrainedConfig):
    model_type = "own"
"""


def test_it_is_refused_in_one_line(tmp_path, monkeypatch):
    source, mark, asked = tiny_models.save("qwen3", tmp_path / "model"), tmp_path / "ran", []
    config = json.loads((source / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (source / "config.json").write_text(json.dumps(config))
    (source / "own.py").write_text(CODE.format(mark=str(mark)))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "y")
    with pytest.raises(SettingsError) as refused:
        load_checkpoint(str(source))
    assert "GENERATE_MODEL" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (asked, mark.exists()) == ([], False)
