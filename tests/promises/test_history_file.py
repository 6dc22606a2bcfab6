"""A history is the same when it is read back, and a line that is none is named."""

import pytest

from tests.promises.__main__ import main
from tests.promises.good_run import good, history
from tests.promises.jsonl import UnreadableHistory, read, write
from tests.promises.lines.disturbances import Break
from tests.promises.lines.owners import Draft


def test_a_history_reads_back_as_it_was_written(tmp_path) -> None:
    written = history([*good(), Break("bot", "5", 1, 2.5), Draft("bot", 7, "Черновик", ("1.5.6",), 3.0, (8, 9), True)])
    write(written, tmp_path / "history.jsonl")
    assert read(tmp_path / "history.jsonl") == written
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert len(lines) == len(written.lines)
    assert lines[-2] == '{"kind": "break", "account": "bot", "chat": "5", "own_id": 1, "at": 2.5}'


@pytest.mark.parametrize("line", ["no json", "[]", "{}", '{"kind": "asked"}', '{"kind": "flood", "much": 5}'])
def test_a_line_that_is_none_is_named(tmp_path, capsys, line) -> None:
    path = tmp_path / "history.jsonl"
    write(history(good()), path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UnreadableHistory, match=f"line {len(good()) + 1}:"):
        read(path)
    assert main([str(path)]) == 2
    assert "history.jsonl, line" in capsys.readouterr().err


def test_a_run_without_a_breach_ends_with_0(tmp_path, capsys) -> None:
    write(history(good()), tmp_path / "history.jsonl")
    assert main([str(tmp_path / "history.jsonl")]) == 0
    assert "no promise was broken" in capsys.readouterr().out
