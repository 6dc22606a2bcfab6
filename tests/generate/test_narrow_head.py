"""A model with a narrow head writes what the whole one would, were the other tokens forbidden, and bit for bit so."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from functions.generate.engines.openvino import renumbering
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.engine import OpenVINOEngine
from functions.generate.engines.openvino.export import transformers_export
from functions.generate.engines.openvino.export.head import OtherHead, narrow_head
from functions.generate.engines.openvino.export.transformers_export import export
from functions.generate.engines.openvino.export.transformers_graph import trace_graph
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ops, ov
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import Job
from functions.generate.engines.openvino.renumbering import Renumbering
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models import vocabulary
from functions.generate.settings import Arithmetic, Vocabulary
from tests.generate import tiny_models
from tests.generate.served import stepping

EXACT, FAST = (model_spec(Path(), 1, 1, 1, word).properties for word in (Arithmetic.EXACT, Arithmetic.FAST))
NEW = 16


def third(size: int) -> Any:
    return np.arange(1, size, 3, dtype=np.int32)


def logits(model: ov.Model, tokens: Sequence[int], how: Any = EXACT) -> Any:
    request = ov.Core().compile_model(model, "CPU", how).create_infer_request()
    ids = np.array([tokens], dtype=np.int64)
    given = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "position_ids": np.arange(ids.size)[None],
        "beam_idx": np.zeros(1, np.int32),
    }
    return request.infer(given)["logits"][0].copy()


@pytest.mark.parametrize(
    ("kind", "bits", "how"),
    [
        ("gpt2", None, EXACT),
        ("gemma3", 4, EXACT),
        *((kind, 8, EXACT) for kind in tiny_models.KINDS),
        *((kind, 8, FAST) for kind in ("gpt2", "gemma3")),
    ],
)
def test_the_logits_are_those_of_the_whole_model_to_the_bit(kind: str, bits: int | None, how: Any) -> None:
    tiny = tiny_models.make(kind)
    whole = trace_graph(tiny.model)
    narrowed = whole.clone()
    size = tiny.model.config.vocab_size
    kept = third(size)
    order = narrow_head(narrowed, kept)
    if bits:
        quantize(whole, bits)
        quantize(narrowed, bits)
    read = np.random.default_rng(0).integers(0, size, 40)
    assert sorted(order) == list(range(size))
    found = logits(narrowed, Renumbering(order, len(kept)).to_model_ids(read.tolist()).tolist(), how)
    assert found.shape == (40, len(kept))
    assert np.array_equal(found, logits(whole, read.tolist(), how)[:, kept])


def test_a_head_of_its_own_and_one_with_a_bias_are_narrowed_too() -> None:
    tiny = tiny_models.make("qwen2", tie_word_embeddings=False)
    with torch.no_grad():
        tiny.model.lm_head.bias = torch.nn.Parameter(torch.randn(tiny.model.config.vocab_size))
    whole = trace_graph(tiny.model)
    narrowed = whole.clone()
    kept = third(tiny.model.config.vocab_size)
    order = narrow_head(narrowed, kept)
    read = [5, 300, 7]
    found = logits(narrowed, Renumbering(order, len(kept)).to_model_ids(read).tolist())
    assert np.array_equal(found, logits(whole, read)[:, kept])


def unusual(head: Callable[[Any], Any]) -> ov.Model:
    tokens = ops.parameter([-1, -1], ov.Type.i64, name="input_ids")
    tokens.output(0).get_tensor().set_names({"input_ids"})
    table = ops.constant(np.ones((50, 32), dtype=np.float32))
    result = ops.result(head(ops.gather(table, tokens, ops.constant(0))))
    result.output(0).get_tensor().set_names({"logits"})
    return ov.Model([result], [tokens], "unusual")


@pytest.mark.parametrize(
    "head",
    [
        lambda hidden: ops.softmax(ops.matmul(hidden, ops.constant(np.ones((50, 32), np.float32)), False, True), -1),
        lambda hidden: ops.add(hidden, hidden),
        lambda hidden: ops.matmul(hidden, ops.add(ops.constant(np.ones((50, 32), np.float32)), hidden), False, True),
    ],
    ids=["softmax", "no product", "computed weights"],
)
def test_a_head_that_is_not_known_is_left_alone(head: Callable[[Any], Any]) -> None:
    model = unusual(head)
    before = [node.get_friendly_name() for node in model.get_ordered_ops()]
    with pytest.raises(OtherHead):
        narrow_head(model, np.arange(10, dtype=np.int32))
    assert [node.get_friendly_name() for node in model.get_ordered_ops()] == before


def words(tokenizer: Any, always: Sequence[int]) -> list[int]:
    """The tokens of single bytes, and every third of the others."""
    singles = [token for piece, token in tokenizer.get_vocab().items() if len(piece) == 1 or piece.startswith("<0x")]
    return sorted({*singles, *always, *range(1, tokenizer.get_vocab_size(), 3)})


@pytest.fixture
def some_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "tokens_to_keep", lambda tokenizer, *, always, size: words(tokenizer, always))


@pytest.fixture
def narrowed(tmp_path: Path, request: pytest.FixtureRequest, some_words: None) -> tuple[Any, Path]:
    """A tiny model, and where it is prepared, unquantized."""
    tiny = tiny_models.make(request.param)
    source = tiny_models.save(request.param, tmp_path / request.param)
    assert export(str(source), tmp_path / "prepared", bits=None, clock=SystemClock()) is None
    return tiny, tmp_path / "prepared"


@pytest.mark.parametrize("narrowed", ["gpt2", "gemma3", "qwen3"], indirect=True)
def test_what_is_written_is_what_torch_writes_without_the_other_tokens(narrowed: tuple[Any, Path]) -> None:
    """Of prompts that have all tokens, twice, so that the cache of prefixes is read too."""
    tiny, directory = narrowed
    described = ServingInfo.read(directory)
    size = tiny.model.config.vocab_size
    order = np.load(directory / renumbering.FILE_NAME)
    forbidden = order[described.rows :].tolist()
    assert forbidden
    prompts = [np.random.default_rng(n).integers(0, size, length).tolist() for n, length in enumerate((3, 33, 70))]
    expected = [tiny_models.greedy(tiny.model, prompt, described.ends, NEW, forbidden=forbidden) for prompt in prompts]
    jobs = [Job(number, prompt, NEW, frozenset(described.ends)) for number, prompt in enumerate(prompts * 2, 1)]
    assert run(directory, jobs) == expected * 2


def run(directory: Path, jobs: Sequence[Job]) -> list[list[int]]:
    batch = Batch(model_spec(directory, len(jobs), tiny_models.CONTEXT, tiny_models.CONTEXT, Arithmetic.EXACT))
    try:
        batch.wait()
        return [future.result().tokens for future in [batch.submit(job) for job in jobs]]
    finally:
        batch.close()


@pytest.mark.parametrize("narrowed", ["gemma3"], indirect=True)
def test_penalties_and_ends_that_cannot_be_written_do_no_harm(narrowed: tuple[Any, Path]) -> None:
    """GenAI sets the logit of each end without looking how many there are."""
    _, directory = narrowed
    described = ServingInfo.read(directory)
    order = np.load(directory / renumbering.FILE_NAME).tolist()
    ends = frozenset([*described.ends, *order[described.rows :], 10**6])
    wild = [
        Job(n, order, NEW, ends, presence_penalty=2.0, temperature=3.0, seed=n, partial_interval=0.0)
        for n in range(1, 5)
    ]
    first, again = run(directory, wild), run(directory, wild)
    assert first == again
    assert {token for tokens in first for token in tokens} <= set(order[: described.rows])


@pytest.mark.parametrize("narrowed", ["gemma3"], indirect=True)
def test_a_directory_without_its_order_of_tokens_is_not_served(narrowed: tuple[Any, Path]) -> None:
    _, directory = narrowed
    file = directory / renumbering.FILE_NAME
    whole = file.read_bytes()
    for damage in (whole[:-4] + b"\xff" * 4, None):
        file.write_bytes(damage) if damage is not None else file.unlink()
        with pytest.raises(SettingsError, match=r"can't be loaded .* delete it") as caught:
            OpenVINOEngine(directory, slots=1, clock=SystemClock())
        assert "\n" not in str(caught.value)
    assert stepping() == []


def test_a_model_whose_head_is_not_known_keeps_its_vocabulary_and_says_so(
    tmp_path: Path, some_words: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any) -> Any:
        raise OtherHead

    monkeypatch.setattr("functions.generate.engines.openvino.export.head.narrow_head", unknown)
    source = tiny_models.save("qwen2", tmp_path / "source")
    remark = export(str(source), tmp_path / "prepared", bits=8, clock=SystemClock())
    assert remark == "source keeps its whole vocabulary: how it computes logits is not known here"
    assert ServingInfo.read(tmp_path / "prepared").rows is None
    assert not (tmp_path / "prepared" / renumbering.FILE_NAME).exists()


def test_all_keeps_everything(tmp_path: Path, some_words: None) -> None:
    source = tiny_models.save("qwen2", tmp_path / "source")
    transformers_export.export(str(source), tmp_path / "all", bits=8, vocabulary=Vocabulary.ALL, clock=SystemClock())
    assert ServingInfo.read(tmp_path / "all").rows is None
    assert not (tmp_path / "all" / renumbering.FILE_NAME).exists()
