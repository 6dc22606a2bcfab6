"""The ways that ours is compared with: llama.cpp on a file in 8 bits, and GenAI's own pipeline, on tiny models."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader
from transformers import AutoModelForCausalLM

from benchmarks import gpt2_gguf
from benchmarks.genai import Documented
from benchmarks.memory import peak_memory_mb
from benchmarks.speculation import Written, compared
from functions.generate.engines.openvino.export.transformers_export import export

PROMPTS = [[5, 6, 7, 8], [9, 10, 11]]


def model_of(directory: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(directory)


@pytest.fixture
def eight_bits(tmp_path: Path, random_model: Path, tokenizer: Any) -> Path:
    end = tokenizer.eos_token_id
    kind = GGMLQuantizationType.Q8_0
    return gpt2_gguf.write(tmp_path / "tiny.gguf", model_of(random_model), tokenizer, end=end, kind=kind)


def test_matrices_are_in_8_bits_positions_and_vectors_are_not(eight_bits: Path) -> None:
    kinds = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(eight_bits).tensors}
    assert kinds["token_embd.weight"] == kinds["blk.1.attn_qkv.weight"] == "Q8_0"
    assert kinds["position_embd.weight"] == kinds["blk.0.attn_qkv.bias"] == kinds["output_norm.weight"] == "F32"


def test_llama_cpp_answers_all_prompts_at_once(eight_bits: Path) -> None:
    pytest.importorskip("xllamacpp", reason="llama.cpp's server has no wheel here")
    from benchmarks.llama_cpp import LlamaCpp

    server = LlamaCpp(eight_bits, 64, threads=1)
    for asked in (PROMPTS, PROMPTS[:1]):
        answers = server.answers(asked, 3)
        assert [one.tokens for one in answers] == [3] * len(asked)
        assert all(0 < one.first <= one.last for one in answers)


def test_llama_cpp_tells_the_probability_of_each_token(tmp_path: Path, random_model: Path, tokenizer: Any) -> None:
    pytest.importorskip("xllamacpp", reason="llama.cpp's server has no wheel here")
    from benchmarks.llama_cpp import LlamaCpp

    model = model_of(random_model)
    server = LlamaCpp(gpt2_gguf.write(tmp_path / "tiny.gguf", model, tokenizer, end=tokenizer.eos_token_id), 64, 1)
    with torch.inference_mode():
        expected = torch.log_softmax(model(torch.tensor([PROMPTS[0]])).logits[0, -1], -1)
    told = [server.log_probability(PROMPTS[0], token) for token in (3, 300)]
    assert told == pytest.approx(expected[[3, 300]].tolist(), abs=0.01)


def test_genais_own_pipeline_answers_all_prompts_at_once(tmp_path: Path, random_model: Path) -> None:
    from events.runtime.clock import SystemClock

    export(str(random_model), tmp_path / "prepared", bits=8, clock=SystemClock())
    answers = Documented(tmp_path / "prepared").answers(PROMPTS, 3)
    assert [one.tokens for one in answers] == [3, 3]
    assert all(0 < one.first <= one.last for one in answers)


def test_a_process_has_had_some_memory() -> None:
    assert peak_memory_mb() > 10


def test_look_up_is_judged_by_its_rate_and_by_its_words() -> None:
    plain = [Written([1, 2, 3], 3.0, 1.0), Written([4, 5, 6], 3.0, 1.0)]
    looked_up = [Written([1, 2, 3], 2.0, 1.0), Written([4, 5, 7], 2.0, 1.0)]
    found = compared(plain, looked_up)
    assert (found["ratio"], found["ratio_after_the_first_token"]) == (1.5, 2)
    assert (found["same"], found["tokens"]) == (1, 6)
