import json
import os
from pathlib import Path

import pytest

from events.errors import SettingsError
from observability import setup
from observability.trace.recorded import read
from observability.trace_file import TraceFile


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
        with pytest.raises(SettingsError, match="is no file"):
            read(path)
