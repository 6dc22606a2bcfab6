"""`timokha trace` on a file that three processes have written."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from cli import trace as command
from cli.settings import TraceSettings
from events.errors import SettingsError
from events.event import Event
from events.ids import RequestId
from events.schema import FinishReason, GenerationCompleted, Usage
from events.transport import Channel
from observability import names, setup, trace_reader
from observability.telemetry import noop_telemetry


@pytest.fixture
def trace_file(tmp_path, question, event, request_data, in_hand):
    """A question that a killed worker had first, and then a command."""
    path = tmp_path / "traces.jsonl"
    edge, worker = (setup.start(name, trace_file=path) for name in ("userbot", "generate"))
    with edge.spans.receive_telegram(question), edge.spans.send(Channel.REQUESTS, event) as asked:
        pass
    published = datetime.now(UTC)
    first, second = (in_hand(asked, attempt, published) for attempt in (1, 2))
    with pytest.raises(TimeoutError), worker.spans.process(Channel.REQUESTS, first, group="generate"):
        raise TimeoutError
    with worker.spans.process(Channel.REQUESTS, second, group="generate"):
        with worker.spans.chat("gemma", "openvino", request_data) as chat:
            chat.record_answer("ответ", finish_reason=FinishReason.STOP, usage=Usage())
        completed = GenerationCompleted(
            request_id=str(question), text="ответ", finish_reason=FinishReason.STOP, model="gemma"
        )
        with worker.spans.send(Channel.REPLIES, Event.of(completed, source="/test", time=datetime.now(UTC))):
            pass
    for telemetry in (edge, worker):
        telemetry.shutdown()
    again = setup.start("userbot", trace_file=path)
    with again.spans.receive_telegram(RequestId("acc", "42", "8")):
        pass
    again.shutdown()
    return path


def trace(path, **given) -> None:
    asyncio.run(command.main(TraceSettings.read(trace_file=path, **given), noop_telemetry(), asyncio.Event()))


def test_a_question_is_drawn_as_a_tree_across_services_with_attempts_and_errors(
    trace_file, capsys, question, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "140")
    trace(trace_file, id=str(question))
    written = capsys.readouterr().out
    assert str(question) in written.splitlines()[0]
    labels = [line[:42].rstrip() for line in written.splitlines()[3:]]
    assert labels == [
        "receive telegram",
        " send timokha.requests",
        "  queue timokha.requests",
        "  queue timokha.requests #2",
        "  process timokha.requests ✗ TimeoutError",
        "  process timokha.requests #2",
        "   chat gemma",
        "   send timokha.replies",
    ]
    assert [("userbot" in line, "generate" in line) for line in written.splitlines()[3:]] == [(True, False)] * 2 + [
        (False, True)
    ] * 6
    assert all("█" in line or any(eighth in line for eighth in "▏▎▍▌▋▊▉") for line in written.splitlines()[3:])


def test_the_newest_trace_is_the_last_question(trace_file, capsys):
    trace(trace_file, last=True)
    assert "acc.42.8.0" in capsys.readouterr().out


def test_a_trace_is_found_by_the_start_of_its_id_too(trace_file, capsys, question):
    [first, _] = trace_reader.read(trace_file).traces
    trace(trace_file, id=first.trace_id[:12])
    assert str(question) in capsys.readouterr().out


def test_without_an_id_the_newest_traces_are_listed(trace_file, capsys, question):
    trace(trace_file)
    heading, first, second = capsys.readouterr().out.splitlines()
    assert "attempts" in heading
    assert str(question) in first
    assert "TimeoutError" in first
    assert "acc.42.8.0" in second


def test_a_span_whose_parent_never_came_and_half_a_line_do_not_hide_the_rest(trace_file, question):
    lines = trace_file.read_text().splitlines()
    orphaned = [line for line in lines if json.loads(line)["name"] != "send timokha.requests"]
    trace_file.write_text("\n".join([*orphaned, lines[0][:40], "[]", "null"]))
    [first, _] = trace_reader.read(trace_file).traces
    assert [(depth, span.name) for depth, span in first.tree()][:3] == [
        (0, "receive telegram"),
        (0, "queue timokha.requests"),
        (0, "queue timokha.requests"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "can't be read"),
        (lambda path: path.write_text(""), "has no spans; ask something"),
    ],
)
def test_nothing_to_show_says_what_to_do(trace_file, change, message):
    change(trace_file)
    with pytest.raises((SettingsError, command.NoSuchTrace), match=message):
        trace(trace_file, last=True)


def test_an_unknown_id_and_a_missing_file_say_so(trace_file):
    with pytest.raises(command.NoSuchTrace, match=r"no trace of '1.2.3.0'; `timokha trace` lists the newest"):
        trace(trace_file, id="1.2.3.0")
    with pytest.raises(SettingsError, match="TIMOKHA_TRACE_FILE is missing"):
        trace(None)


def altered(line: bytes, **changed: object) -> bytes:
    return json.dumps({**json.loads(line), **changed}).encode()


def test_lines_that_are_no_spans_are_skipped_and_counted_in_one_note(trace_file, capsys):
    good = trace_file.read_bytes()
    span = good.splitlines()[0]
    garbage = [
        b"\xff\xfe\x00 no UTF-8",
        b"{",
        b"null",
        b"[" * 100_000,
        altered(span, name="\ud800"),
        altered(span, name=5),
        altered(span, attributes=[]),
        altered(span, attributes={"messaging.message.delivery_attempt": "x", names.ATTEMPT: "x"}),
        altered(span, start_time="2026-11-25T00:00:00"),
        altered(span, end_time="0001-01-01T00:00:00+14:00"),
    ]
    trace_file.write_bytes(b"".join(line + b"\n" for line in garbage) + good + b"\n" + span[: len(span) // 2])
    trace(trace_file)
    said = capsys.readouterr()
    assert said.err == f"timokha: {trace_file}: {len(garbage)} lines are no spans and were skipped\n"
    assert len(trace_reader.read(trace_file).traces) == 2
    trace(trace_file, last=True)
