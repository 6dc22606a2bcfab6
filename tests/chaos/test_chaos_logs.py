"""A flood of log lines is counted."""

from tests.chaos.logbook import busiest


def test_a_flood_of_log_lines_is_seen_in_its_ten_seconds(tmp_path) -> None:
    log = tmp_path / "userbot.log"
    lines = [f'{{"event": "x", "time": "2026-11-25T12:00:{second:02}Z"}}\n' for second in [1, 9, 10, 11, 12, 25]]
    log.write_text("".join(lines) + "no json\n")
    assert busiest(log) == 3
