import json
import logging
from datetime import datetime

import pytest
import structlog

from edge.userbot.formatting.markdown import read_markdown
from events.errors import SettingsError
from observability import logs


def lines(capsys) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_time_level_service_and_event(capsys):
    logs.configure("userbot", json=True)
    structlog.get_logger().info("asked", chat=42)
    [line] = lines(capsys)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {"level": "info", "service": "userbot", "event": "asked", "chat": 42}


def test_a_line_inside_a_span_carries_its_trace(capsys, observed, question):
    logs.configure("userbot", json=True)
    with observed.telemetry.spans.receive_telegram(question):
        structlog.get_logger().info("ours")
        logging.getLogger("some.library").warning("theirs")
    context = observed.finished["receive telegram"].context
    assert [(line["event"], line["trace_id"], line["span_id"]) for line in lines(capsys)] == [
        ("ours", f"{context.trace_id:032x}", f"{context.span_id:016x}"),
        ("theirs", f"{context.trace_id:032x}", f"{context.span_id:016x}"),
    ]


def test_libraries_are_heard_only_when_they_warn(capsys):
    logs.configure("userbot", json=True, level="debug")
    for name in ("pyrogram.session", "nats.aio", "httpx", "opentelemetry.sdk"):
        logging.getLogger(name).info("noise")
        logging.getLogger(name).warning("heard")
    structlog.get_logger().debug("ours")
    assert [line["event"] for line in lines(capsys)] == ["heard"] * 4 + ["ours"]


def test_reading_an_answer_logs_nothing_even_when_all_is_asked_for(capsys):
    logs.configure("userbot", level="debug")
    read_markdown("> - *a*\n```py\nb\n```\n# c")
    assert capsys.readouterr().err == ""


def test_the_level_is_obeyed(capsys):
    logs.configure("userbot", json=True, level="warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("heard")
    assert [line["event"] for line in lines(capsys)] == ["heard"]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variables(capsys, as_json):
    logs.configure("userbot", json=as_json)
    text = "".join(["се", "крет"])  # in no line of the source, which a traceback shows
    try:
        raise KeyError("where")
    except KeyError:
        structlog.get_logger().exception("failed")
    written = capsys.readouterr().err
    assert "KeyError" in written
    assert text not in written


def test_lines_are_json_when_stderr_is_no_terminal_and_readable_when_it_is(capsys, monkeypatch):
    logs.configure("userbot")
    structlog.get_logger().info("asked", chat=42)
    assert lines(capsys)[0]["chat"] == 42

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    logs.configure("userbot")
    structlog.get_logger().info("asked", chat=42)
    written = capsys.readouterr().err
    assert "asked" in written
    assert not written.lstrip().startswith("{")


def test_an_unknown_level_stops_the_process():
    with pytest.raises(SettingsError, match="log level is 'loud'; it takes debug, info, warning or error"):
        logs.configure("userbot", level="loud")


def test_a_line_that_cant_be_written_stops_nothing():
    full = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115 - it can't be closed either
    logs.Writer(full).info("a line")
    with pytest.raises(OSError, match="No space left"):
        full.close()
