"""Questions at sign-in: a stop ends them at once, and leaves the terminal as it was."""

import asyncio
import os
import termios
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from edge.userbot.telegram import terminal_input
from edge.userbot.telegram.terminal_input import read_line


@pytest.fixture(autouse=True)
def _nothing_typed() -> None:
    terminal_input._typed.clear()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Where a person types, and what the program reads."""
    person, program = os.openpty()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: program, isatty=lambda: True))
    yield person, program
    os.close(person)
    os.close(program)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    program, person = os.pipe()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: program, isatty=lambda: False))
    yield person
    os.close(program)


def echoes(fd: int) -> bool:
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


async def test_lines_that_come_at_once_answer_one_question_each(pipe) -> None:
    os.write(pipe, "+7999\nда\n".encode())
    assert [await read_line("phone: "), await read_line("code: ")] == ["+7999", "да"]
    os.write(pipe, b"the end")
    os.close(pipe)
    assert await read_line() == "the end"
    with pytest.raises(EOFError):
        await read_line()


async def test_bytes_that_are_no_text_are_asked_for_again(pipe, capsys) -> None:
    os.write(pipe, b"\xff\xfe\n+7999\n")
    assert await read_line("phone: ") == "+7999"
    assert capsys.readouterr().out.count("phone: ") == 2
    os.close(pipe)


async def test_a_file_answers_as_well(tmp_path, monkeypatch) -> None:
    (tmp_path / "answers").write_text("one\ntwo\n")
    with (tmp_path / "answers").open() as answers:
        monkeypatch.setattr("sys.stdin", answers)
        assert [await read_line(), await read_line()] == ["one", "two"]


async def test_a_password_is_not_shown(terminal) -> None:
    person, program = terminal
    asked = asyncio.ensure_future(read_line("password: ", hide=True))
    await asyncio.sleep(0)
    assert not echoes(program)
    os.write(person, b"secret\n")
    assert await asked == "secret"
    assert echoes(program)


@pytest.mark.parametrize("hide", [True, False])
async def test_a_question_that_is_broken_off_leaves_the_terminal_as_it_was(terminal, hide) -> None:
    asked = asyncio.ensure_future(read_line("password: ", hide=hide))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert echoes(terminal[1])
