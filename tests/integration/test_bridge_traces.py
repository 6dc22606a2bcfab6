"""One trace a question, also where it went through RabbitMQ."""

import json
from pathlib import Path

import pytest

TRACE, PARENT = "1" * 32, "2" * 16
EDGE = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@pytest.fixture
def tracing(tmp_path: Path) -> dict[str, str]:
    return {"OTEL_SDK_DISABLED": "false", "TIMOKHA_TRACE_FILE": str(tmp_path / "spans.jsonl")}


def read(tracing: dict[str, str]) -> list[dict]:
    path = Path(tracing["TIMOKHA_TRACE_FILE"])
    lines = path.read_text().splitlines() if path.exists() else []
    return sorted(map(json.loads, lines), key=lambda span: span["start_time"])


async def spans_of_all(tracing, processes) -> list[dict]:
    """What the processes have recorded, once they have ended and thereby flushed."""
    for process in processes:
        await process.stop()
    return [span for span in read(tracing) if not span["name"].startswith("queue ")]


def shape(spans: list[dict]) -> list[tuple[str, str, str, str | None]]:
    """Service, broker, span, parent."""
    names = {span["context"]["span_id"]: span["name"] for span in spans}
    return [
        (
            span["resource"]["attributes"]["service.name"].removeprefix("timokha-"),
            span["attributes"].get("messaging.system", ""),
            span["name"],
            names.get(span["parent_id"], "edge" if span["parent_id"] == f"0x{PARENT}" else span["parent_id"]),
        )
        for span in spans
    ]


def one_trace(spans: list[dict]) -> str:
    [trace] = {span["context"]["trace_id"] for span in spans}
    return trace


async def test_a_question_through_rabbitmq_keeps_its_trace(world, tracing) -> None:
    processes = [await world.worker("rabbitmq", **tracing), await world.bridge(**tracing)]
    await world.edge.answers(await world.edge.ask([1], headers=EDGE))
    spans = await spans_of_all(tracing, processes)

    assert one_trace(spans) == f"0x{TRACE}"
    assert sorted(shape(spans)) == sorted([
        ("bridge", "nats", "process timokha.requests", "edge"),
        ("bridge", "rabbitmq", "send timokha.requests", "process timokha.requests"),
        ("generate", "rabbitmq", "process timokha.requests", "send timokha.requests"),
        ("generate", "", "chat echo", "process timokha.requests"),
        ("generate", "rabbitmq", "send timokha.replies", "process timokha.requests"),
        ("bridge", "rabbitmq", "process timokha.replies", "send timokha.replies"),
        ("bridge", "nats", "send timokha.replies", "process timokha.replies"),
    ])  # fmt: skip
    reply = next(iter(world.edge.replies.values()))
    assert reply.headers["traceparent"].startswith(f"00-{TRACE}-")


async def test_a_question_of_the_originals_bot_starts_a_trace_at_the_bridge(world, tracing) -> None:
    processes = [
        await world.worker("jetstream", **tracing),
        await world.bridge(BRIDGE_DIRECTION="in", BRIDGE_CODEC="original", **tracing),
    ]
    requester = await world.program("original_requester.py", "rpc_queue", "привет")
    assert (await requester.stdout.read()).decode() == "привет\n"
    spans = await spans_of_all(tracing, processes)

    one_trace(spans)
    assert sorted(shape(spans), key=str) == sorted([
        ("bridge", "rabbitmq", "process rpc_queue", None),
        ("bridge", "nats", "send timokha.requests", "process rpc_queue"),
        ("generate", "nats", "process timokha.requests", "send timokha.requests"),
        ("generate", "", "chat echo", "process timokha.requests"),
        ("generate", "nats", "send timokha.replies", "process timokha.requests"),
        ("bridge", "nats", "process timokha.replies", "send timokha.replies"),
        ("bridge", "rabbitmq", "send (anonymous)", "process timokha.replies"),
    ], key=str)  # fmt: skip
    assert "привет" not in json.dumps(spans, ensure_ascii=False)


async def test_an_answer_of_the_originals_model_server_joins_the_trace_of_its_question(world, tracing) -> None:
    """It sends no trace context back, so what was noted about the request stands in."""
    server = await world.program("original_model_server.py", "rpc_queue", "0.2")
    assert await server.stdout.readline() == b"ready\n"
    bridge = await world.bridge(BRIDGE_CODEC="original", **tracing)
    await world.edge.answers(await world.edge.ask([1], headers=EDGE))
    spans = await spans_of_all(tracing, [bridge])

    assert one_trace(spans) == f"0x{TRACE}"
    assert sorted(shape(spans)) == [
        ("bridge", "nats", "process timokha.requests", "edge"),
        ("bridge", "nats", "send timokha.replies", "process timokha.replies.original"),
        ("bridge", "rabbitmq", "process timokha.replies.original", "send rpc_queue"),
        ("bridge", "rabbitmq", "send rpc_queue", "process timokha.requests"),
    ]
