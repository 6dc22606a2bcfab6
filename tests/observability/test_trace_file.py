import json
import os
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from events.errors import SettingsError
from observability import setup
from observability.trace_reader import read
from observability.trace_writer import TraceFile


def test_spans_are_appended_to_a_file_that_only_its_owner_reads(tmp_path, question):
    path = tmp_path / "spans.jsonl"
    for service in ("userbot", "generate"):
        telemetry = setup.start(service, trace_file=path)
        with telemetry.spans.receive_telegram(question), telemetry.spans.send_telegram(question):
            pass
        telemetry.shutdown()

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["resource"]["attributes"]["service.name"], line["name"]) for line in lines] == [
        ("timokha-userbot", "send telegram"),
        ("timokha-userbot", "receive telegram"),
        ("timokha-generate", "send telegram"),
        ("timokha-generate", "receive telegram"),
    ]
    assert lines[0]["parent_id"] == lines[1]["context"]["span_id"]
    assert lines[0]["attributes"]["timokha.request_id"] == "acc.42.7.0"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_stops_the_process(tmp_path):
    with pytest.raises(SettingsError, match=r"can't write spans to .*: No such file or directory"):
        setup.start("userbot", trace_file=tmp_path / "missing" / "spans.jsonl")


def test_a_pipe_that_nobody_reads_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="can't write spans"):
        TraceFile(tmp_path / "pipe")


def test_a_pipe_or_a_device_is_no_trace_file_to_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SettingsError, match="is not a file"):
            read(path)


def a_span(name: str) -> ReadableSpan:
    context = SpanContext(trace_id=1, span_id=2, is_remote=False)
    resource = Resource({"service.name": "timokha-userbot"})
    return ReadableSpan(name, context, resource=resource, attributes={}, start_time=1, end_time=2)


def test_a_full_disk_is_told_in_one_line(caplog):
    assert TraceFile(Path("/dev/full")).export([a_span("one")]) is SpanExportResult.FAILURE
    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("can't write spans to /dev/full: No space left on device", None)
    ]


def test_spans_after_one_that_had_no_room_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "spans.jsonl"
    file = TraceFile(path)
    with monkeypatch.context() as patch:
        write = os.write
        patch.setattr(os, "write", lambda number, data: write(number, data[:100]))
        assert file.export([a_span("one")]) is SpanExportResult.FAILURE
    assert file.export([a_span("two")]) is SpanExportResult.SUCCESS
    assert file.export([a_span("three")]) is SpanExportResult.SUCCESS
    recorded = read(path)
    assert [span.name for trace in recorded.traces for span in trace.spans] == ["two", "three"]
    assert recorded.garbage == 1
