"""The benchmark of quality scores the product's graph and transformers by the same texts."""

import numpy as np
import pytest

from benchmarks.reading import MODEL, Prepared, Reference
from functions.generate.engines.openvino import renumbering
from functions.generate.engines.openvino.export.head import narrow_head
from functions.generate.engines.openvino.export.transformers_graph import trace_graph
from functions.generate.engines.openvino.library import ov
from functions.generate.engines.openvino.model_spec import EXACT
from tests.generate import tiny_models

BEFORE, TEXTS = [3, 14, 15, 9, 26], [[5, 35, 8], [9, 7, 9, 3, 2, 38], [46]]


@pytest.fixture(scope="module")
def tiny():
    return tiny_models.make("gemma3")


@pytest.fixture(scope="module")
def pieces(tiny):
    return {f"<{token}>": token for token in range(tiny.model.config.vocab_size)}


@pytest.fixture
def prepared(tiny, pieces, tmp_path):
    def prepare(kept=None) -> Prepared:
        model = trace_graph(tiny.model)
        if kept is not None:
            renumbering.write(tmp_path, narrow_head(model, np.array(kept, dtype=np.int32)))
        ov.save_model(model, tmp_path / MODEL, compress_to_fp16=False)
        return Prepared(tmp_path, EXACT, pieces)

    return prepare


@pytest.mark.parametrize("before", [BEFORE, BEFORE[:1]])
def test_a_text_takes_the_same_bits_alone_and_beside_longer_ones(tiny, prepared, before) -> None:
    reference, ours = Reference(tiny.model).bits(before, TEXTS), prepared()
    assert ours.bits(before, TEXTS) == pytest.approx(reference, rel=1e-4)
    assert [ours.bits(before, [text])[0] for text in TEXTS] == pytest.approx(reference, rel=1e-4)


def test_a_narrow_head_takes_fewer_bits_for_what_it_has_kept(tiny, prepared) -> None:
    kept = sorted({token for text in TEXTS for token in text})
    reference, ours = Reference(tiny.model).bits(BEFORE, TEXTS), prepared(kept).bits(BEFORE, TEXTS)
    assert all(0 < few < many for few, many in zip(ours, reference, strict=True))
