"""A GGUF file is made ready and served without torch and transformers, as conversion would have made it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("openvino_genai")
import numpy as np
from rich.console import Console

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.openvino.engine import OpenVINOEngine
from functions.generate.engines.openvino.export import transformers_export
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.preparing import prepare_model
from tests.generate.gguf_files import ARCHITECTURES, write

QUESTION = [Turn(role=Role.USER, text="Привет! Как дела?")]
GREEDY = Sampling(temperature=0.0, max_new_tokens=16, repetition_penalty=1.0)
WITHOUT = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {"torch", "transformers", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from events.runtime.clock import SystemClock
from functions.generate.engines import openvino
from functions.generate.engines.openvino.export.gguf_export import export
export(Path(sys.argv[1]), Path(sys.argv[2]), card=None, bits=8, clock=SystemClock())
"""


def prepared(path: Path, cache: Path, bits: int = 8) -> Path:
    return prepare_model(str(path), cache, bits=bits, console=Console(quiet=True))


async def answered(directory: Path) -> Any:
    engine = OpenVINOEngine(directory, slots=1, clock=SystemClock())
    try:
        return await engine.generate(QUESTION, GREEDY)
    finally:
        await engine.close()


@pytest.mark.parametrize("name", ["llama", "gemma3"])
async def test_it_answers_as_what_conversion_makes(name: str, tmp_path: Path) -> None:
    write(name, tmp_path / "m.gguf")
    converted = tmp_path / "converted"
    transformers_export.export(str(tmp_path / "m.gguf"), converted, bits=8, clock=SystemClock())
    answers = [await answered(directory) for directory in (prepared(tmp_path / "m.gguf", tmp_path), converted)]
    assert answers[0].text == answers[1].text
    assert answers[0].usage == answers[1].usage
    ours, theirs = (ServingInfo.read(directory) for directory in (prepared(tmp_path / "m.gguf", tmp_path), converted))
    assert (ours.card, ours.context, ours.chat_template) == (theirs.card, theirs.context, theirs.chat_template)
    assert {*ours.ends} == {*theirs.ends}


def test_it_takes_neither_torch_nor_transformers(tmp_path: Path) -> None:
    write("qwen3", tmp_path / "m.gguf")
    how = [sys.executable, "-c", WITHOUT, str(tmp_path / "m.gguf"), str(tmp_path / "made")]
    subprocess.run(how, check=True, timeout=120)
    assert ServingInfo.read(tmp_path / "made").card.name == "m"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_its_configuration_is_that_of_the_model(name: str, tmp_path: Path) -> None:
    config = write(name, tmp_path / "m.gguf").model.config
    directory = prepared(tmp_path / "m.gguf", tmp_path, bits=4)
    said: dict[str, Any] = json.loads((directory / "config.json").read_text())
    for key, value in said.items():
        if key not in {"model_type", "eos_token_id"}:
            assert value == getattr(config, key, config.hidden_size // config.num_attention_heads), key
    assert said["eos_token_id"] in ServingInfo.read(directory).ends
    assert ServingInfo.read(directory).context == config.max_position_embeddings


def test_a_shape_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    write("qwen3", tmp_path / "m.gguf", tensors={"blk.0.ffn_up.weight": np.zeros((4, 64), np.float32)})
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*: has blk.0.ffn_up.weight in the shape") as raised:
        prepared(tmp_path / "m.gguf", tmp_path)
    assert len(str(raised.value).splitlines()) == 1
