"""The benchmarks' limits, helpers and comparison with a baseline, without their measurements."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import engines, rivals
from benchmarks.default_model import figures
from benchmarks.helpers import HelperEnded, helper
from benchmarks.limits import Machine, Work
from benchmarks.ways import ONLY_BY_NAME, WAYS
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ops, ov

WIDTH, ROWS = 64, 256


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A model of one body matrix and a head, in 8 bits; its embedding is read a row at a time."""
    random = np.random.default_rng(0)

    def matrix(rows: int) -> Any:
        return ops.constant(random.standard_normal((rows, WIDTH), dtype=np.float32))

    tokens = ops.parameter([-1, -1], ov.Type.i64, name="input_ids")
    hidden = ops.matmul(ops.gather(matrix(ROWS), tokens, ops.constant(0)), matrix(WIDTH), False, True)
    logits = ops.matmul(hidden, matrix(ROWS), False, True)
    logits.output(0).get_tensor().set_names({"logits"})
    model = ov.Model([logits], [tokens], "model")
    quantize(model, 8)
    ov.save_model(model, tmp_path / "openvino_model.xml", compress_to_fp16=False)
    return tmp_path


def test_a_step_reads_the_matrices_that_it_multiplies_with(prepared: Path) -> None:
    work = Work.of(prepared)
    numbers = (ROWS + WIDTH) * WIDTH
    assert numbers <= work.bytes <= numbers * 1.1, "8 bits each, and the scales"
    assert (work.body, work.head) == (2 * WIDTH * WIDTH, 2 * ROWS * WIDTH)
    assert work.operations(3, prompt=5, new=2) == 3 * (7 * work.body + 2 * work.head)


def test_the_limit_is_what_takes_longer() -> None:
    work = Work(bytes=1000, body=10, head=10)
    nobody: Any = None
    machine = Machine(nobody, nobody, bandwidths=[50.0, 100.0, 200.0], peaks=[500.0, 1000.0])
    assert machine.limit(work, crowd=1, prompt=10, new=10) == (100.0, "memory")
    assert machine.limit(work, crowd=1000, prompt=10, new=10) == (300.0, "arithmetic")


def test_a_speed_up_is_the_median_of_the_rounds() -> None:
    def rounds(*seconds: float) -> list[dict[str, float]]:
        return [{"seconds": each, "tokens": 60, "first": 0.1} for each in seconds]

    found = figures({"narrow": rounds(1, 2, 1), "whole": rounds(2, 2, 2), "baseline": rounds(2, 8, 3)}, 1)
    assert found["narrow_tokens_per_second_1"] == 60
    assert (found["narrow_speedup_1"], found["whole_speedup_1"]) == (3, 1.5)
    assert "baseline_speedup_1" not in found
    assert "narrow_speedup_1" not in figures({"narrow": rounds(1)}, 1)


def test_others_are_compared_with_the_default_round_by_round() -> None:
    def rounds(*seconds: float) -> list[dict[str, float]]:
        return [{"seconds": each, "tokens": 60, "first": 0.1} for each in seconds]

    found = figures({"narrow": rounds(1, 2, 4), "llamacpp": rounds(2, 2, 6), "genai": rounds(1, 1, 1)}, 32)
    assert (found["ahead_of_llamacpp_32"], found["ahead_of_genai_32"]) == (1.5, 0.5)
    assert found["llamacpp_tokens_per_second_32"] == 30
    assert "llamacpp_speedup_32" not in found


async def test_a_helper_answers_until_it_ends_and_its_last_words_are_told() -> None:
    code = "import sys; [print(line, end='', flush=True) for line in [input() + chr(10)]]; sys.exit('no model')"
    async with helper("-c", code) as one:
        assert await one.ask(crowd=3) == json.loads('{"crowd": 3}')
        with pytest.raises(HelperEnded, match="no model"):
            await one.ask(crowd=4)


def test_the_default_is_one_of_the_ways_that_are_measured() -> None:
    assert engines.DEFAULT in WAYS.keys() - ONLY_BY_NAME


def test_ahead_of_a_rival_is_the_median_of_its_seconds_divided_by_ours_round_by_round() -> None:
    seconds = {"ours": [1.0, 2.0, 4.0], "llamacpp-q8_0": [3.0, 4.0, 4.0]}
    assert rivals.ratios(seconds, "ours", 32) == {"llamacpp-q8_0_32": 2}
    assert set(rivals.RIVALS) <= WAYS.keys()


async def test_a_rival_that_cant_be_loaded_says_why() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(HelperEnded, match="no such way"):
            await rivals.loaded(stack, "no such way")
