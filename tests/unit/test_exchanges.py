"""The file of the owner's earlier exchanges: what is found in it, what never is, and what is no such file."""

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import exchanges
from events.exchanges import MAX_TEXT, ExchangeFile, UnusableExchanges, write_exchanges
from events.schema import Exchange

OWNER, ANNA, BORIS = 1, 42, 43
PLANTED = "planted-phrase-7f3a"


def exchange(question: str, answer: str = "да") -> Exchange:
    return Exchange(question=question, answer=answer)


@pytest.fixture
def file(tmp_path: Path):
    """`file({contact: exchanges})`: an open file with them."""
    opened = []

    def made(found) -> ExchangeFile:
        write_exchanges(tmp_path / "memory.sqlite", [OWNER], found)
        opened.append(ExchangeFile.open(tmp_path / "memory.sqlite"))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def test_the_most_alike_comes_last_and_what_is_unlike_not_at_all(file) -> None:
    said = ["ты придёшь на дачу?", "во сколько ты придёшь в субботу?", "какой пароль от роутера?", "придёшь в субботу?"]
    found = file({ANNA: [exchange(text, str(number)) for number, text in enumerate(said)]})
    assert [one.answer for one in found.most_alike(ANNA, "Придешь в СУББОТУ?!", 3)] == ["0", "1", "3"]
    assert [one.answer for one in found.most_alike(ANNA, "Придешь в СУББОТУ?!", 1)] == ["3"]
    assert found.most_alike(ANNA, "hello there", 3) == []


def test_other_forms_of_a_word_and_typos_are_alike(file) -> None:
    found = file({ANNA: [exchange("где лежат ключи от машины", "в ящике"), exchange("купи молока", "ок")]})
    assert [one.answer for one in found.most_alike(ANNA, "ключ от машыны", 1)] == ["в ящике"]


def test_of_equally_alike_ones_the_newest_wins(file) -> None:
    found = file({ANNA: [exchange("когда ужин?", "в шесть"), exchange("Когда ужин", "в семь")]})
    assert [one.answer for one in found.most_alike(ANNA, "когда ужин", 1)] == ["в семь"]


@pytest.mark.parametrize(
    "text", ["", "  ", "?!", "😀", '"', '" OR words MATCH "a', "NEAR(a b)", "a" * 100_000, "\0", "*"]
)
def test_any_text_can_be_searched_for(file, text) -> None:
    file({ANNA: [exchange("когда ужин?")]}).most_alike(ANNA, text, 3)


def test_a_contact_without_exchanges_has_none(file) -> None:
    assert file({ANNA: [exchange("когда ужин?")]}).most_alike(BORIS, "когда ужин?", 3) == []


def test_what_is_long_is_left_out_and_of_many_the_newest_stay(file, monkeypatch) -> None:
    monkeypatch.setattr(exchanges, "MAX_EXCHANGES", 2)
    long = [exchange("ужин " * 101, "вопрос"), exchange("ужин", "ответ " * 100), exchange("ужин", "я" * MAX_TEXT)]
    found = file({ANNA: [exchange("ужин", "1"), exchange("ужин", "2"), *long]})
    assert [one.answer for one in found.most_alike(ANNA, "ужин", 9)] == ["2", "я" * MAX_TEXT]


texts = st.text(st.sampled_from("абв где ужин?"), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@given(st.lists(texts, max_size=8), st.lists(texts, max_size=8), texts)
def test_nothing_of_another_contact_is_ever_found(tmp_path_factory, own, others, question) -> None:
    path = tmp_path_factory.mktemp("memory") / "memory.sqlite"
    mine = [exchange(text, f"ответ {number}") for number, text in enumerate(own)]
    planted = [exchange(text, PLANTED) for text in (*others, question)]
    write_exchanges(path, [OWNER], {ANNA: mine, BORIS: planted, 4: planted})
    file = ExchangeFile.open(path)
    found = file.most_alike(ANNA, question, 3)
    assert all(one in mine for one in found)
    assert len(found) <= 3
    file.close()
    # Nor do the others' words change what is found.
    write_exchanges(path, [OWNER], {ANNA: mine})
    alone = ExchangeFile.open(path)
    assert alone.most_alike(ANNA, question, 3) == found
    alone.close()


def test_what_is_forgotten_is_gone_from_the_disk_and_the_others_stay(file, tmp_path) -> None:
    found = file(
        {ANNA: [exchange(f"{PLANTED} {n}", f"секрет {n}") for n in range(300)], BORIS: [exchange("ужин?", "в 7")]}
    )
    assert PLANTED.encode() in (tmp_path / "memory.sqlite").read_bytes()
    for _ in range(2):
        found.forget(ANNA)
        assert found.most_alike(ANNA, PLANTED, 3) == []
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PLANTED.encode() not in left
    assert "секрет".encode() not in left
    assert [one.answer for one in found.most_alike(BORIS, "ужин", 3)] == ["в 7"]


def test_only_its_owner_can_read_it(file, tmp_path) -> None:
    (tmp_path / "memory.sqlite").write_text("open to all")
    (tmp_path / "memory.sqlite").chmod(0o666)
    assert file({ANNA: [exchange("ужин?")]}).owners == {OWNER}
    assert [path.name for path in tmp_path.iterdir()] == ["memory.sqlite"]
    assert stat.S_IMODE((tmp_path / "memory.sqlite").stat().st_mode) == 0o600


def no_file(path: Path) -> None: ...


def a_directory(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text(f"{PLANTED}\n" * 1000)


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE planted (text DEFAULT '{PLANTED}')")


def newer(path: Path) -> None:
    write_exchanges(path, [OWNER], {})
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")


def cut(path: Path) -> None:
    write_exchanges(path, [OWNER], {ANNA: [exchange(PLANTED)]})
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize("spoilt", [no_file, a_directory, empty, text, other_database, newer, cut])
def test_what_is_no_such_file_is_refused_in_one_line(tmp_path, spoilt) -> None:
    spoilt(tmp_path / "memory.sqlite")
    with pytest.raises(UnusableExchanges, match=r"memory\.sqlite") as refused:
        ExchangeFile.open(tmp_path / "memory.sqlite")
    assert "\n" not in str(refused.value)
    assert PLANTED not in str(refused.value)


def test_a_damaged_table_is_an_error_that_quotes_nothing(file, tmp_path) -> None:
    found = file({ANNA: [exchange(PLANTED)]})
    with sqlite3.connect(tmp_path / "memory.sqlite") as database:
        database.execute(f"DELETE FROM contact_{ANNA}_data")
    with pytest.raises(UnusableExchanges) as refused:
        found.most_alike(ANNA, PLANTED, 3)
    assert PLANTED not in str(refused.value)


def test_where_it_cant_be_written_is_said_in_one_line(tmp_path) -> None:
    with pytest.raises(
        UnusableExchanges, match=r"missing/memory\.sqlite can't be written \(No such file or directory\)"
    ):
        write_exchanges(tmp_path / "missing/memory.sqlite", [OWNER], {})
