"""A model whose configuration names no end token: its tokenizer does, and that is enough."""

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.openvino.engine import OpenVINOEngine
from functions.generate.engines.openvino.export.transformers_export import export
from tests.generate import tiny_models


async def test_it_answers(tmp_path):
    source = tiny_models.save("qwen3", tmp_path / "model", eos_token_id=None)
    export(str(source), tmp_path / "prepared", bits=8, clock=SystemClock())
    engine = OpenVINOEngine(tmp_path / "prepared", slots=1, clock=SystemClock())
    try:
        answer = await engine.generate(
            [Turn(role=Role.USER, text="Как дела?")], Sampling(temperature=0, max_new_tokens=5)
        )
    finally:
        await engine.close()
    assert 0 < answer.usage.output_tokens <= 5
