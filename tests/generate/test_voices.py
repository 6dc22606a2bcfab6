"""The default model's voice: merged without torch as with it, and named by what is in it; or one line says why not."""

import asyncio
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
import torch
from peft import LoraConfig, get_peft_model
from rich.console import Console
from safetensors.numpy import save_file

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.gguf import loading
from functions.generate.engines.gguf.adapters import Adapter, BadAdapter, read_weights
from functions.generate.engines.gguf.header import read_header
from functions.generate.engines.gguf.kinds import parameter_name
from functions.generate.engines.openvino.engine import OpenVINOEngine
from functions.generate.engines.openvino.export import gguf_export
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models import preparing, vocabulary, voices
from functions.generate.models.card import ModelCard, PreferredSampling
from functions.generate.models.prepared_copies import PreparedCopy
from functions.generate.models.preparing import default_checkpoint_directory, prepare_default_checkpoint
from functions.generate.models.voices import ADAPTER, CONFIG, NOTICE, Voice, find_voice
from functions.generate.settings import VoiceName
from tests.generate.gguf_files import tiny, write

CARD = ModelCard(
    name="tiny-voice",
    format="dialogue",
    scene=True,
    labels="asked",
    sampling=PreferredSampling(temperature=0.5, repetition_penalty=1.0),
)
WITHOUT_TORCH = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {"torch", "transformers", "safetensors", "peft"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from events.runtime.clock import SystemClock
from functions.generate.engines.openvino.export.gguf_export import export
gguf, made, adapter = map(Path, sys.argv[1:])
export(gguf, made, card=None, bits=8, adapter=adapter, clock=SystemClock())
"""


def train(folder: Path, *, seed: int = 1, config: dict[str, Any] | None = None) -> Any:
    """Write a tiny gemma3 as `m.gguf`, an adapter to `voice`; gives the model that both make, merged by peft."""
    made = write("gemma3", folder / "m.gguf", model=tiny("gemma3"))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted = get_peft_model(made.model, LoraConfig(r=2, lora_alpha=6, target_modules="all-linear"))
        with torch.no_grad():
            for name, weights in adapted.named_parameters():
                if "lora_" in name:
                    weights.normal_(std=0.3)
    adapted.save_pretrained(folder / "voice")
    if config:
        written = json.loads((folder / "voice" / CONFIG).read_text())
        (folder / "voice" / CONFIG).write_text(json.dumps({**written, **config}))
    CARD.write(folder / "voice")
    vocabulary.write_used_tokens(folder / "voice", [5])
    (folder / "voice" / NOTICE).write_text("under terms, modified\n")
    return adapted.merge_and_unload()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("voices")
    return folder, train(folder)


def voice(folder: Path) -> Voice:
    return Voice("timokha", folder / "voice")


def test_without_torch_it_is_merged_as_peft_merges_it(trained: tuple[Path, Any]) -> None:
    folder, merged = trained
    header = read_header(folder / "m.gguf")
    expected = {name: weights.detach().numpy() for name, weights in merged.named_parameters()}
    base, ours = (read_weights(folder / "m.gguf", header, adapter) for adapter in (None, folder / "voice"))
    changed = 0
    for name in ours:
        called = parameter_name(header, name)
        shift = 1 if name.endswith("norm.weight") else 0
        np.testing.assert_allclose(ours[name] - shift, expected[called], atol=1e-5)
        changed += not np.array_equal(ours[name], base[name])
    assert changed == 7 * merged.config.num_hidden_layers


def test_what_transformers_reads_is_merged_alike(trained: tuple[Path, Any]) -> None:
    folder, merged = trained
    model, _ = loading.load(folder / "m.gguf", folder / "voice")
    for name, weights in merged.named_parameters():
        torch.testing.assert_close(dict(model.named_parameters())[name], weights, atol=1e-5, rtol=0)


async def answered(directory: Path) -> str:
    engine = OpenVINOEngine(directory, slots=1, clock=SystemClock())
    try:
        greedy = Sampling(temperature=0.0, max_new_tokens=16, repetition_penalty=1.0)
        return (await engine.generate([Turn(role=Role.USER, text="Привет! Как дела?")], greedy)).text
    finally:
        await engine.close()


async def test_what_is_served_was_merged_without_torch(trained: tuple[Path, Any], tmp_path: Path) -> None:
    folder, merged = trained
    how = [sys.executable, "-c", WITHOUT_TORCH, *map(str, (folder / "m.gguf", tmp_path / "ours", folder / "voice"))]
    await asyncio.to_thread(subprocess.run, how, check=True, timeout=120)
    made = tiny("gemma3")
    made.model.load_state_dict(merged.state_dict())
    write("gemma3", tmp_path / "m.gguf", model=made)
    gguf_export.export(tmp_path / "m.gguf", tmp_path / "theirs", card=None, bits=8, clock=SystemClock())
    gguf_export.export(folder / "m.gguf", tmp_path / "base", card=None, bits=8, clock=SystemClock())
    ours, theirs, base = [await answered(tmp_path / name) for name in ("ours", "theirs", "base")]
    assert ours == theirs != base


def test_another_adapter_card_or_list_of_tokens_is_another_copy_and_none_the_base(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    folder, _ = trained
    other, livelier, wordier = (tmp_path / name for name in ("other", "livelier", "wordier"))
    for place in (other, livelier, wordier):
        place.mkdir()
        train(place, seed=2 if place == other else 1)
    CARD.model_copy(update={"sampling": PreferredSampling(temperature=1.0)}).write(livelier / "voice")
    vocabulary.write_used_tokens(wordier / "voice", [5, 6])
    spoken = [voice(place) for place in (folder, other, livelier, wordier)]
    copies = [PreparedCopy(None, 8, "talk2", one).directory(tmp_path).name for one in spoken]
    floats = [default_checkpoint_directory(tmp_path, one).name for one in spoken]
    assert len({*copies}) == len({*floats}) == 4
    assert all(name.startswith("gemma-3-270m-timokha-") for name in (*copies, *floats))
    assert PreparedCopy(None, 8, "talk2").directory(tmp_path).name.startswith("gemma-3-270m-a5fd3b62230a-")
    assert default_checkpoint_directory(tmp_path).name == "gemma-3-270m-float16"


def test_a_voice_takes_the_place_of_an_earlier_one_and_leaves_the_base(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    now = PreparedCopy(None, 8, "talk2", voice(trained[0]))
    base, earlier = PreparedCopy(None, 8, "talk2").directory(tmp_path), tmp_path / "earlier"
    earlier = tmp_path / now.directory(tmp_path).name.replace(now._content, "0123456789ab")
    for directory in (base, earlier):
        directory.mkdir()
        (directory / "serving.json").touch()
    assert [*now.superseded(tmp_path)] == [earlier]
    assert [*PreparedCopy(None, 8, "talk2").superseded(tmp_path)] == []


def damage(folder: Path, name: str, how: str) -> None:
    file = folder / "voice" / name
    if how == "missing":
        file.unlink()
    elif how == "cut off":
        file.write_bytes(file.read_bytes()[:-10])
    else:
        file.write_bytes(b"\xff" * 100)


@pytest.mark.parametrize("name", [ADAPTER, CONFIG])
@pytest.mark.parametrize("how", ["missing", "cut off", "garbage"])
def test_an_unreadable_adapter_says_so(tmp_path: Path, name: str, how: str) -> None:
    train(tmp_path)
    damage(tmp_path, name, how)
    with pytest.raises(BadAdapter, match=f"{name}.*{'No such file' if how == 'missing' else 'damaged'}"):
        Adapter.read(tmp_path / "voice")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"peft_type": "IA3"}, "no LoRA"),
        ({"use_rslora": True}, "use_rslora"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"r": 0}, "damaged"),
    ],
)
def test_an_adapter_of_another_kind_is_not_guessed_at(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    train(tmp_path, config=config)
    with pytest.raises(BadAdapter, match=why):
        Adapter.read(tmp_path / "voice")


PREFIX = "base_model.model.model.layers"


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [
        (f"{PREFIX}.0.self_attn.q_proj.lora_A.weight", (2, 3), "another model: .*q_proj.weight is"),
        (f"{PREFIX}.99.self_attn.q_proj.lora_A.weight", (2, 64), "one half of model.layers.99"),
        (f"{PREFIX}.0.self_attn.q_proj.lora_embedding_A", (2, 64), "which is not read here"),
    ],
)
def test_an_adapter_for_another_model_is_refused(tmp_path: Path, name: str, shape: tuple[int, int], why: str) -> None:
    train(tmp_path)
    from safetensors.numpy import load_file

    tensors = load_file(tmp_path / "voice" / ADAPTER)
    save_file({**tensors, name: np.zeros(shape, np.float32)}, tmp_path / "voice" / ADAPTER)
    with pytest.raises(BadAdapter, match=why):
        read_weights(tmp_path / "m.gguf", read_header(tmp_path / "m.gguf"), tmp_path / "voice")


@pytest.fixture
def default_is_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model is the tiny one, in `tmp_path`; gives a cache."""
    train(tmp_path)

    def assemble(folder: Path, **_: Any) -> Path:
        (folder / "copy.gguf").write_bytes((tmp_path / "m.gguf").read_bytes())
        return folder / "copy.gguf"

    monkeypatch.setattr(preparing, "default_gguf", assemble)
    return tmp_path / "cache"


QUIET = Console(quiet=True)


def test_the_default_model_is_prepared_with_the_card_and_the_notice_of_its_voice(
    default_is_tiny: Path, tmp_path: Path
) -> None:
    directory = preparing.prepare_model(None, default_is_tiny, bits=8, voice=voice(tmp_path), console=QUIET)
    assert ServingInfo.read(directory).card == CARD
    floats = prepare_default_checkpoint(default_is_tiny, voice=voice(tmp_path), console=QUIET)
    assert ModelCard.read(floats) == CARD
    for made in (directory, floats):
        assert "Merged with the voice timokha:\n\nunder terms, modified\n" in (made / NOTICE).read_text()


def test_a_voice_that_can_not_be_read_is_one_line(default_is_tiny: Path, tmp_path: Path) -> None:
    damage(tmp_path, ADAPTER, "cut off")
    for prepare in (
        lambda: preparing.prepare_model(None, default_is_tiny, bits=8, voice=voice(tmp_path), console=QUIET),
        lambda: prepare_default_checkpoint(default_is_tiny, voice=voice(tmp_path), console=QUIET),
    ):
        with pytest.raises(SettingsError, match=r"the voice timokha .* damaged.* or set GENERATE_VOICE=none") as raised:
            prepare()
        assert len(str(raised.value).splitlines()) == 1


def test_a_voice_is_for_the_default_model_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "DIRECTORY", tmp_path / "voice")
    assert find_voice(VoiceName.TIMOKHA) is None, "none is shipped"
    train(tmp_path)
    assert find_voice(VoiceName.TIMOKHA) == voice(tmp_path)
    assert find_voice(VoiceName.NONE) is None
    assert find_voice(VoiceName.TIMOKHA, "some/model") is None


def test_a_notice_that_can_not_be_read_is_the_voices_fault(tmp_path: Path) -> None:
    assert voice(tmp_path).notice() == ""
    (tmp_path / "voice").mkdir(exist_ok=True)
    (tmp_path / "voice" / NOTICE).write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"the voice timokha .*NOTICE.*set GENERATE_VOICE=none"):
        voice(tmp_path).notice()
