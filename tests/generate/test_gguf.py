"""A GGUF file given straight: the model is the one that was written, or one line says why it is not read."""

import struct
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
import gguf as vendor
import numpy as np
import torch

from events.errors import SettingsError
from functions.generate.engines.gguf.header import BLOCKS
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.models.sources import model_path
from functions.generate.prompts.formats import FormatName
from tests.generate.gguf_files import ARCHITECTURES, Q8, tiny, write
from tests.generate.tiny_models import Tiny

TEXTS = [
    "Привет! Как дела?",
    "In 2024 there were 12345 of them.",
    "a  b\n\nc don't",
    " начало",
    "日本 🙂",
    "<think>да</think>",
]
QUESTION = [{"role": "user", "content": "Какая столица Франции?"}]


def logits(model: Any, tokens: list[int]) -> Any:
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits


def agrees(found: Tiny | Any, made: Tiny, *, within: float = 1e-4) -> None:
    prompt = [token % len(made.tokenizer) for token in range(7, 300, 7)]  # beyond the sliding window
    torch.testing.assert_close(logits(found.model, prompt), logits(made.model, prompt), atol=within, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_tokens_template_and_ends_are_those_that_were_written(name, tmp_path):
    made = write(name, tmp_path / f"Tiny-{name}.F32.gguf")
    found = load_checkpoint(str(tmp_path / f"Tiny-{name}.F32.gguf"))
    agrees(found, made)
    assert (found.card.name, found.card.format) == (f"Tiny-{name}.F32", FormatName.CHAT)
    for text in TEXTS:
        assert found.tokenizer.encode(text) == made.tokenizer.encode(text), text
    rendered = (
        one.tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"] for one in (found, made)
    )
    assert next(rendered) == next(rendered)
    ends = found.model.generation_config.eos_token_id
    assert made.tokenizer.eos_token_id in ends
    names = set(made.tokenizer.convert_ids_to_tokens(ends))
    assert names >= {"<end_of_turn>"} & set(made.tokenizer.get_vocab())  # the file calls <eos> its end


@pytest.mark.parametrize("kind", [vendor.GGMLQuantizationType.F16, vendor.GGMLQuantizationType.BF16, Q8])
def test_few_bits_are_what_they_unpack_to(kind, tmp_path):
    made = write("qwen3", tmp_path / "m.gguf", kind=kind)
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.dim() > 1:
                packed = vendor.quantize(parameter.numpy(), kind)
                parameter.copy_(torch.from_numpy(np.array(vendor.dequantize(packed, kind))))
    agrees(load_checkpoint(str(tmp_path / "m.gguf")), made)


def test_the_sizes_of_all_kinds_are_known():
    for kind, size in BLOCKS.items():
        assert vendor.GGML_QUANT_SIZES[vendor.GGMLQuantizationType(kind)] == size


@pytest.mark.parametrize(
    ("kind", "more"),
    [("linear", {}), ("yarn", {"original_max_position_embeddings": 64})],
)
def test_scaled_positions_are_not_forgotten(kind, more, tmp_path):
    positions = {"rope_type": kind, "rope_theta": 10000.0, "factor": 4.0, **more}
    made = tiny("qwen2", rope_parameters=positions)
    write(
        "qwen2",
        tmp_path / "m.gguf",
        model=made,
        **{"rope.scaling.type": kind, "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64},
    )
    agrees(load_checkpoint(str(tmp_path / "m.gguf")), made)


def test_scaled_positions_of_gemma_are_those_of_its_far_layers(tmp_path):
    near = {"rope_type": "default", "rope_theta": 10000.0}
    far = {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0}
    made = tiny("gemma3", rope_parameters={"full_attention": far, "sliding_attention": near})
    write("gemma3", tmp_path / "m.gguf", model=made, **{"rope.scaling.type": "linear", "rope.scaling.factor": 8.0})
    agrees(load_checkpoint(str(tmp_path / "m.gguf")), made)


def test_an_output_of_its_own_is_read(tmp_path):
    made = write("qwen3", tmp_path / "m.gguf", model=tiny("qwen3", tie_word_embeddings=False))
    agrees(load_checkpoint(str(tmp_path / "m.gguf")), made)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an adapter": ({"general.type": "adapter"}, "is an adapter (LoRA), not a model: merge it"),
    "an mmproj": ({"general.type": "mmproj"}, "is only the part of a model that sees or hears"),
    "a part": ({"split.count": 3}, "is one of 3 parts: join them with `llama-gguf-split --merge"),
    "experts": ({"expert_count": 8}, "has qwen3.expert_count = 8, which is not read here"),
    "something new": ({"attention.scale": 0.5}, "has qwen3.attention.scale = 0.5, which is not read here"),
    "positions of another kind": ({"rope.scaling.type": "longrope"}, "positions of the kind longrope"),
    "a head turned in part": ({"rope.dimension_count": 8}, "has qwen3.rope.dimension_count = 8 beside heads of 32"),
    "heads by layer": ({"attention.head_count": [4, 4, 2]}, "has no single qwen3.attention.head_count"),
    "a tensor more": ({"tensors": {"blk.0.attn_q.bias": np.zeros(128, np.float32)}}, "has blk.0.attn_q.bias"),
    "a tensor less": ({"without": "blk.1.ffn_up.weight"}, "is without blk.1.ffn_up.weight"),
    "four billion layers": ({"block_count": 2**32 - 1}, "is without blk."),
    "no heads": ({"attention.key_length": 0, "attention.head_count": 0}, "has numbers that no model has"),
    "an alignment that is none": ({"general.alignment": [1, 2]}, "is cut off or damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_another_model_is_one_line_with_the_way_out(case, tmp_path):
    how, says = REFUSED[case]
    path = tmp_path / "m.gguf"
    write("qwen3", path, **how)
    for judge in (model_path, load_checkpoint):
        with pytest.raises(SettingsError, match=r"^GENERATE_MODEL='.*m\.gguf': ") as raised:
            judge(str(path))
        assert says in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1


def test_a_shape_that_does_not_fit_is_one_line(tmp_path):
    write("qwen3", tmp_path / "m.gguf", tensors={"blk.0.ffn_up.weight": np.zeros((4, 64), np.float32)})
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*: has blk.0.ffn_up.weight in the shape"):
        load_checkpoint(str(tmp_path / "m.gguf"))


def test_llama_3s_positions_of_another_rule_are_one_line(tmp_path):
    write("llama", tmp_path / "m.gguf", tensors={"rope_freqs.weight": np.full(8, 3, np.float32)})
    with pytest.raises(SettingsError, match=r"scales its positions \(rope_freqs.weight\) in a way of its own"):
        load_checkpoint(str(tmp_path / "m.gguf"))


def test_another_architecture_names_the_ways_out(tmp_path):
    writer = vendor.GGUFWriter(tmp_path / "m.gguf", "mamba")
    writer.add_tensor("x", np.zeros(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(SettingsError, match=r"architecture 'mamba'.* GENERATE_ENGINE=openai"):
        model_path(str(tmp_path / "m.gguf"))


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.999])
def test_a_download_that_broke_off_is_told_before_anything_is_loaded(share, tmp_path):
    path = tmp_path / "m.gguf"
    write("qwen3", path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SettingsError, match="is cut off"):
        model_path(str(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no GGUF file"),
        (b"GGUF", "a version that can't be read"),
        (b"GGUF" + struct.pack(">I", 3), "a version that can't be read"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60), "is cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**63), "is cut off or damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 7\n", "run `git lfs pull`"),
        (b"<html>", "is no GGUF file"),
    ],
)
def test_what_is_no_gguf_file_is_one_line(content, says, tmp_path):
    path: Path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        model_path(str(path))
    assert says in str(raised.value)
