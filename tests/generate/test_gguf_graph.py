"""A graph that is built from a GGUF file without torch computes what the model computes."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("openvino")
import numpy as np
import torch

from functions.generate.engines.gguf.header import read_header
from functions.generate.engines.gguf.kinds import head_size
from functions.generate.engines.gguf.weights import Weights
from functions.generate.engines.openvino.export.gguf_graph import build_graph
from functions.generate.engines.openvino.export.graph_passes import LIFT
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ov
from functions.generate.engines.openvino.model_spec import EXACT
from tests.generate.gguf_files import ARCHITECTURES, Q8, tiny, write
from tests.generate.tiny_models import Tiny

PARTS = (40, 1, 9)
"""Tokens that are read at once: more than the window sees, one, and a few."""


def built(path: Path) -> ov.Model:
    header = read_header(path)
    return build_graph(header, Weights(path, header))


def computed(model: ov.Model, tokens: list[list[int]]) -> Any:
    """The logits of each step of `PARTS`, of several texts."""
    request = ov.Core().compile_model(model, "CPU", EXACT).create_infer_request()
    ids, found, first = np.array(tokens), [], 0
    for size in PARTS:
        last = first + size
        request.infer(
            {
                "input_ids": ids[:, first:last],
                "attention_mask": np.ones((len(tokens), last), dtype=np.int64),
                "position_ids": np.tile(np.arange(first, last), (len(tokens), 1)),
                "beam_idx": np.arange(len(tokens), dtype=np.int32),
            }
        )
        found.append(request.get_tensor("logits").data.copy())
        first = last
    return torch.from_numpy(np.concatenate(found, 1)) - LIFT


def agrees(path: Path, made: Tiny) -> None:
    count = sum(PARTS)
    tokens = [[(7 + 13 * number + start) % len(made.tokenizer) for number in range(count)] for start in (0, 3)]
    with torch.inference_mode():
        wanted = made.model(torch.tensor(tokens)).logits
    torch.testing.assert_close(computed(built(path), tokens), wanted, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    made = write(name, tmp_path / "m.gguf")
    agrees(tmp_path / "m.gguf", made)


@pytest.mark.parametrize(("kind", "more"), [("linear", {}), ("yarn", {"original_max_position_embeddings": 64})])
def test_scaled_positions_turn_as_in_torch(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    positions = {"rope_type": kind, "rope_theta": 10000.0, "factor": 4.0, **more}
    made = tiny("qwen2", rope_parameters=positions)
    scaling: dict[str, Any] = {
        "rope.scaling.type": kind,
        "rope.scaling.factor": 4.0,
        "rope.scaling.original_context_length": 64,
    }
    write("qwen2", tmp_path / "m.gguf", model=made, **scaling)
    agrees(tmp_path / "m.gguf", made)


def test_scaled_positions_of_gemma_are_those_of_its_far_layers(tmp_path: Path) -> None:
    near = {"rope_type": "default", "rope_theta": 10000.0}
    far = {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0}
    made = tiny("gemma3", rope_parameters={"full_attention": far, "sliding_attention": near})
    scaling: dict[str, Any] = {"rope.scaling.type": "linear", "rope.scaling.factor": 8.0}
    write("gemma3", tmp_path / "m.gguf", model=made, **scaling)
    agrees(tmp_path / "m.gguf", made)


def test_a_head_of_its_own_and_capped_logits_are_read(tmp_path: Path) -> None:
    made = write("qwen3", tmp_path / "own.gguf", model=tiny("qwen3", tie_word_embeddings=False))
    agrees(tmp_path / "own.gguf", made)
    capped = tiny("gemma3", final_logit_softcapping=1.5)
    write("gemma3", tmp_path / "capped.gguf", model=capped, final_logit_softcapping=1.5)
    agrees(tmp_path / "capped.gguf", capped)


def test_the_output_has_the_name_by_which_it_is_asked_for(tmp_path: Path) -> None:
    write("qwen3", tmp_path / "m.gguf", kind=Q8)
    model = built(tmp_path / "m.gguf")
    assert {name for port in model.inputs for name in port.names} == {
        "input_ids",
        "attention_mask",
        "position_ids",
        "beam_idx",
    }
    assert [port.names for port in model.outputs] == [{"logits"}]


def test_what_is_no_matrix_keeps_all_its_bits(tmp_path: Path) -> None:
    """Positions in the thousands are multiplied with the frequencies."""
    write("gemma3", tmp_path / "m.gguf")
    model = built(tmp_path / "m.gguf")
    quantize(model, 8)
    size = head_size(read_header(tmp_path / "m.gguf"))
    found = [node.data.reshape(-1) for node in model.get_ops() if node.get_type_name() == "Constant"]
    wanted = (10000.0 ** -(np.arange(0, size, 2) / size)).astype(np.float32)
    assert any(values.dtype == np.float32 and np.array_equal(values, wanted) for values in found)
