"""Channels are equalized before weights and activations are rounded to 8 bits."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from functions.generate.engines.openvino.export.equalizing import equalize
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ops, ov
from functions.generate.engines.openvino.model_spec import EXACT, FAST

WIDTH, WORDS = 128, 256
LOUD = 5
"""The channel that is far larger than the others."""
SAMPLE = list(range(100))
Floats = NDArray[np.float32]


def numbers(*shape: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def model(*, bias: bool = False, tied: bool = False, normed: bool = True, watched: bool = True) -> ov.Model:
    """An embedding, a norm with a loud channel, and logits. `watched`: the norm's result is a result, too."""
    inputs = {name: ops.parameter([-1, -1], ov.Type.i64, name=name) for name in ("input_ids", "attention_mask")}
    inputs |= {"position_ids": ops.parameter([-1, -1], ov.Type.i64, name="position_ids")}
    inputs |= {"beam_idx": ops.parameter([-1], ov.Type.i32, name="beam_idx")}
    for name, node in inputs.items():
        node.output(0).get_tensor().set_names({name})
    embedding = ops.constant(numbers(WORDS, WIDTH, seed=1))
    hidden = ops.gather(embedding, inputs["input_ids"], ops.constant(0))
    if normed:
        loud = np.ones(WIDTH, dtype=np.float32)
        loud[LOUD] = 200
        hidden = ops.multiply(hidden, ops.constant(loud))
    if bias:
        hidden = ops.add(hidden, ops.constant(numbers(WIDTH, seed=2)))
    head = embedding if tied else ops.constant(numbers(WORDS, WIDTH, seed=3))
    logits = ops.matmul(hidden, head, False, True)
    results = [ops.result(logits), *([ops.result(hidden)] if watched else [])]
    return ov.Model(results, list(inputs.values()), "some")


def outputs(made: ov.Model, properties: dict[str, str]) -> list[Floats]:
    run = ov.Core().compile_model(made, "CPU", properties)
    ids = np.arange(100, 110)[None]
    given = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "position_ids": ids,
        "beam_idx": np.zeros(1, dtype=np.int32),
    }
    return [np.asarray(found) for found in run(given).values()]


def error(made: ov.Model, properties: dict[str, str], **how: bool) -> float:
    """Of the logits in 8 bits, as a share of their spread."""
    exact, rounded = outputs(model(**how), EXACT)[0], outputs(made, properties)[0]
    return float(np.std(rounded - exact) / np.std(exact))


def kinds(made: ov.Model) -> Counter[str]:
    return Counter(node.get_type_name() for node in made.get_ops() if node.get_type_name() in {"Multiply", "Add"})


def prepared(*, equalized: bool, **how: bool) -> ov.Model:
    made = model(**how)
    quantize(made, 8, equalize(made, SAMPLE) if equalized else None)
    return made


@pytest.mark.parametrize("how", [{}, {"watched": False}, {"bias": True}, {"bias": True, "watched": False}])
def test_a_loud_channel_no_longer_costs_the_others_their_bits(how: dict[str, bool]) -> None:
    plain, equal = (error(prepared(equalized=each, **how), FAST, **how) for each in (False, True))
    assert equal < 0.01
    assert equal < plain / 2


@pytest.mark.parametrize("how", [{}, {"watched": False}, {"bias": True}, {"bias": True, "watched": False}])
def test_what_float32_computes_stays_the_same_but_for_the_rounding_of_weights(how: dict[str, bool]) -> None:
    assert error(prepared(equalized=True, **how), EXACT, **how) < 0.01


@pytest.mark.parametrize("bias", [False, True])
def test_a_norm_that_only_products_read_takes_the_division_over(bias: bool) -> None:
    made = model(bias=bias, watched=False)
    before = kinds(made)
    assert equalize(made, SAMPLE)
    assert kinds(made) == before


def test_what_others_read_too_stays_as_it_was() -> None:
    equal, plain = (outputs(prepared(equalized=each), EXACT)[1] for each in (True, False))
    np.testing.assert_array_equal(equal, plain)


def test_an_embedding_that_is_the_head_as_well_stays_as_it_was() -> None:
    made = prepared(equalized=True, tied=True)
    exact, rounded = outputs(model(tied=True), EXACT), outputs(made, EXACT)
    np.testing.assert_allclose(rounded[1][..., :LOUD], exact[1][..., :LOUD], atol=0.02)
    assert error(made, FAST, tied=True) < 0.01


def test_attention_s_results_are_not_divided() -> None:
    made = model(normed=False)
    [logits] = [node for node in made.get_ops() if node.get_type_name() == "MatMul"]
    shaped = ops.reshape(logits.input_value(0), ops.constant([1, -1, WIDTH]), False)
    logits.input(0).replace_source_output(shaped.output(0))
    assert equalize(made, SAMPLE) == {}


@pytest.mark.parametrize("sample", [[], [1]])
def test_without_a_sample_nothing_changes(sample: list[int]) -> None:
    made = model()
    assert equalize(made, sample) == {}
    np.testing.assert_array_equal(outputs(made, EXACT)[0], outputs(model(), EXACT)[0])


@pytest.mark.parametrize(("bits", "width", "group"), [(8, 128, "128"), (8, 192, "64"), (8, 40, "64"), (4, 128, "64")])
def test_a_model_says_how_its_activations_are_to_be_rounded(bits: int, width: int, group: str) -> None:
    hidden = ops.parameter([-1, width], ov.Type.f32, name="hidden")
    made = ov.Model([ops.matmul(hidden, ops.constant(numbers(64, width, seed=4)), False, True)], [hidden], "some")
    quantize(made, bits)
    used = ov.Core().compile_model(made, "CPU", FAST).get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE")
    assert str(used) == group


def test_channels_that_are_never_used_do_no_harm() -> None:
    made: Any = model()
    [product] = [node for node in made.get_ops() if node.get_type_name() == "MatMul"]
    silent = np.ones(WIDTH, dtype=np.float32)
    silent[: WIDTH // 4] = 0
    product.input(0).replace_source_output(ops.multiply(product.input_value(0), ops.constant(silent)).output(0))
    [factors] = equalize(made, SAMPLE).values()
    assert np.isfinite(factors).all()
    assert np.isfinite(outputs(made, EXACT)[0]).all()
