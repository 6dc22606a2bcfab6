"""What people write, and the owner's persona, is in no span, metric or log unless asked for; of real processes."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(180)

PLANTED = "planted-phrase-7f3a"


async def everything_said(product, collector, directory: Path, **settings: str) -> dict[str, bytes]:
    """A question, commands and idle talk that carry the phrase; all outputs of the processes, by where they went."""
    await product.start_userbot(USERBOT_PERSONA=f"Ты {PLANTED}.", **settings)
    await product.start("generate", **settings)
    product.say(f"/set_context_length {PLANTED}")
    product.say(PLANTED)
    product.ask(PLANTED)
    assert (await product.replies(3))[2] == PLANTED
    await collector.arrived("process timokha.requests", "deliver answer")
    # Metrics are sent at the latest now.
    await product.stop()
    posted = {path: b"".join(bodies) for path, bodies in collector.bodies.items()}
    return {**posted, **written(directory)}


def written(directory: Path) -> dict[str, bytes]:
    logs = {str(path): path.read_bytes() for path in directory.glob("*/*.log") if path.name != "nats.log"}
    return {**logs, "file": (directory / "traces.jsonl").read_bytes()}


async def test_no_message_text_is_in_any_span_metric_or_log(product, collector, tmp_path):
    outputs = await everything_said(product, collector, tmp_path, LOG_LEVEL="debug")
    assert {"/v1/traces", "/v1/metrics", "file"} < set(outputs)
    assert sum(name.endswith(".log") for name in outputs) == 2
    assert all(outputs.values())
    assert [name for name, output in outputs.items() if PLANTED.encode() in output] == []


async def test_message_text_is_in_the_spans_and_only_there_where_it_was_asked_for(product, collector, tmp_path):
    asked = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
    outputs = await everything_said(product, collector, tmp_path, **asked)
    assert {name for name, output in outputs.items() if PLANTED.encode() in output} == {"/v1/traces", "file"}
