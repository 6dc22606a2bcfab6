"""A GGUF file that this machine clearly can't prepare is one line before anything is loaded."""

import pytest

from events.errors import TimokhaError
from functions.generate.engines.gguf.header import Header, Tensor
from functions.generate.models import preparing

BIG = Header({}, (Tensor("x", (4_000_000_000,), 8, 0),))


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing.header, "read_header", lambda path: BIG)
    (tmp_path / "m.gguf").touch()
    return tmp_path / "m.gguf"


def test_too_little_memory(file, monkeypatch):
    monkeypatch.setattr(preparing, "_memory", lambda: 16_000_000_000)
    with pytest.raises(TimokhaError, match=r"4.0 billion parameters takes 23 GB of memory, and this machine has 16"):
        preparing.check_resources(str(file), file.parent, bits=8)


def test_too_little_room(file, monkeypatch):
    monkeypatch.setattr(preparing, "_memory", lambda: 64_000_000_000)
    monkeypatch.setattr(preparing, "disk_usage", lambda place: type("", (), {"free": 1_000_000_000}))
    with pytest.raises(TimokhaError, match=r"prepared it takes 4.2 GB in .*, where 1.0 are free"):
        preparing.check_resources(str(file), file.parent, bits=8)


def test_enough_and_what_is_no_file(file, monkeypatch):
    monkeypatch.setattr(preparing, "_memory", lambda: 64_000_000_000)
    monkeypatch.setattr(preparing, "disk_usage", lambda place: type("", (), {"free": 9_000_000_000}))
    preparing.check_resources(str(file), file.parent, bits=8)
    preparing.check_resources("some/model", file.parent, bits=8)
