"""Models that can't be loaded: one line for the usual reasons, which says what to do."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

pytest.importorskip("torch")
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from events.errors import SettingsError
from functions.generate.engines.transformers import checkpoints
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from tests.generate.tiny_models import save


def refused(source: str) -> str:
    with pytest.raises(SettingsError, match=r"^GENERATE_MODEL=") as raised:
        load_checkpoint(source)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return save("qwen3", tmp_path / "model")


def changed(directory: Path, **config: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))


def test_without_weights(directory):
    (directory / "model.safetensors").unlink()
    assert "(its directory has no weights, such as model.safetensors)" in refused(str(directory))


def test_without_a_tokenizer(directory):
    for file in directory.glob("token*"):
        file.unlink()
    assert "(its directory has no tokenizer that can be read, such as tokenizer.json)" in refused(str(directory))


def test_code_of_its_own(directory):
    changed(directory, model_type="chatglm", auto_map={"AutoConfig": "its.Config", "AutoModelForCausalLM": "its.Model"})
    assert "(it brings code of its own, which is not run here: run it in a server" in refused(str(directory))


def test_an_architecture_that_is_not_known(directory):
    changed(directory, model_type="qwen9000")
    assert "(this version of transformers does not know its architecture: run it in a server" in refused(str(directory))


def test_no_model_of_language(directory):
    changed(directory, model_type="vit")
    assert "(it is no model that goes on writing a text)" in refused(str(directory))


def test_weights_in_a_way_that_needs_another_library(directory):
    changed(directory, quantization_config={"quant_method": "gptq", "bits": 4})
    assert "quantized in a way that is not read here" in refused(str(directory))


@pytest.mark.parametrize(
    ("error", "says"),
    [(GatedRepoError, "accept its terms"), (RepositoryNotFoundError, "the hub has no such model, or keeps it private")],
)
def test_what_the_hub_answers(error, says, monkeypatch):
    def found(*_: object) -> str:
        raise error("40x", response=Mock(headers={}))

    monkeypatch.setattr(checkpoints, "_found", found)
    assert says in refused("some/model")


def test_a_hub_that_can_not_be_reached(monkeypatch):
    monkeypatch.setattr(checkpoints, "HfApi", lambda: HfApi(endpoint="http://127.0.0.1:9"))
    assert "the hub can't be reached: download the model elsewhere" in refused("some/model")
