"""`timokha train memory`: which exchanges of an export are remembered, and with whom."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.exchanges import ExchangeFile
from events.schema import Exchange
from training.memory import remember
from training.settings import MemorySettings

ME, ANNA, BORIS, GUEST = 7, 42, 43, 44
START = 1_700_000_000
PLANTED = "planted-phrase-7f3a"


def chat(*lines: tuple[int, str] | dict[str, Any], type: str = "personal_chat", days: int = 0) -> dict[str, Any]:
    """A chat of lines an hour of each other's day; a dict adds fields to a line."""
    messages = []
    for number, line in enumerate(lines, 1):
        (who, text), more = ((line["from"], line["text"]), line) if isinstance(line, dict) else (line, {})
        message = {"id": number, "type": "message", "date_unixtime": str(START + days * 86400 + 300 * number)}
        message |= {**more, "from": f"Person {who}", "from_id": f"user{who}", "text": text}
        messages.append({"date": "2023-11-14T22:13:20", **message})
    return {"name": "Chat", "type": type, "id": 1, "messages": messages}


@pytest.fixture
def run(tmp_path: Path):
    """`run(chat, …)`: the exchanges of an account's export, by contact."""

    def run(*chats: dict[str, Any], **settings: Any):
        export = {"personal_information": {"user_id": ME}, "chats": {"list": list(chats)}}
        (tmp_path / "result.json").write_text(json.dumps(export, ensure_ascii=False))
        chosen = MemorySettings(export=tmp_path / "result.json", to=tmp_path / "memory.sqlite", **settings)
        return remember(chosen, console=Console(quiet=True))

    return run


def exchange(question: str, answer: str) -> Exchange:
    return Exchange(question=question, answer=answer)


def test_exchanges_are_remembered_by_contact_oldest_first(run, tmp_path) -> None:
    anna = chat(
        (ANNA, "ты придёшь?"), (ANNA, "в субботу"), (ME, "да"), (ME, "к семи"), (ANNA, "ура"), (ME, "до встречи")
    )
    boris = chat((ME, "привет"), (BORIS, "здорово"), (ME, "как дела?"))
    assert run(anna, boris, burst_gap="600") == {
        ANNA: [exchange("ты придёшь?\nв субботу", "да\nк семи"), exchange("ура", "до встречи")],
        BORIS: [exchange("здорово", "как дела?")],
    }
    file = ExchangeFile.open(tmp_path / "memory.sqlite")
    assert file.owners == {ME}
    assert file.most_alike(ANNA, "придёшь в субботу?", 1) == [exchange("ты придёшь?\nв субботу", "да\nк семи")]
    file.close()


@pytest.mark.parametrize(
    "kind", ["private_group", "private_supergroup", "bot_chat", "saved_messages", "public_channel"]
)
def test_only_private_chats_with_people_are(run, tmp_path, kind) -> None:
    other = chat((ANNA, PLANTED), (ME, PLANTED), type=kind)
    assert run(other, chat((BORIS, "ты где?"), (ME, "дома"))) == {BORIS: [exchange("ты где?", "дома")]}
    assert PLANTED.encode() not in b"".join(
        path.read_bytes() for path in tmp_path.iterdir() if path.name != "result.json"
    )


def test_lines_planted_in_another_chat_are_not_found(run, tmp_path) -> None:
    run(chat((ANNA, "какой код?"), (ME, PLANTED)), chat((BORIS, "какой код?"), (ME, "не скажу")))
    file = ExchangeFile.open(tmp_path / "memory.sqlite")
    assert file.most_alike(BORIS, "какой код?", 3) == [exchange("какой код?", "не скажу")]
    file.close()


def test_what_is_private_forwarded_or_blocked_is_not(run, tmp_path) -> None:
    (tmp_path / "blocked.txt").write_text("зарплата\n")
    found = run(
        chat(
            (ANNA, "почта?"),
            (ME, "пиши на anna@example.com или +7 999 123-45-67"),
            (ANNA, "а анекдот?"),
            {"from": ME, "text": PLANTED, "forwarded_from": "Somebody"},
            (ANNA, "какая у тебя зарплата"),
            (ME, "моя зарплата — тайна"),
        ),
        blocklist=tmp_path / "blocked.txt",
    )
    assert found == {ANNA: [exchange("почта?", "пиши на [почта] или [телефон]")]}


def test_of_equal_exchanges_the_newest_is(run) -> None:
    found = run(chat((ANNA, "ты где?"), (ME, "дома"), (ANNA, "скоро?"), (ME, "да"), (ANNA, "Ты где"), (ME, "Дома!")))
    assert found == {ANNA: [exchange("скоро?", "да"), exchange("Ты где", "Дома!")]}


def test_a_silence_ends_what_is_an_answer(run) -> None:
    later = chat((ANNA, "ты где?"), {"from": ME, "text": "купи хлеба", "date_unixtime": str(START + 86400)})
    assert run(later, chat((BORIS, "ты где?"), (ME, "дома"))) == {BORIS: [exchange("ты где?", "дома")]}


def test_without_an_answer_or_an_id_there_is_nothing_to_write(run, tmp_path) -> None:
    nameless = chat((ANNA, "ты где?"), (ME, "дома"))
    for message in nameless["messages"]:
        if message["from_id"] == f"user{ANNA}":
            del message["from_id"]
    for one in (chat((ANNA, "ты где?"), (ANNA, "ау"), (ME, " ")), nameless):
        with pytest.raises(TimokhaError, match="no private chat in which the owner answered somebody"):
            run(one, owner=f"user{ME if one is nameless else ANNA}")
    assert not (tmp_path / "memory.sqlite").exists()


def test_a_place_that_cant_be_written_is_said_in_one_line(run, tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"^TRAINING_TO: .*can't be written"):
        remember(
            MemorySettings(export=_export(tmp_path), to=tmp_path / "missing" / "memory.sqlite"),
            console=Console(quiet=True),
        )


def _export(place: Path) -> Path:
    export = {"personal_information": {"user_id": ME}, "chats": {"list": [chat((ANNA, "ты где?"), (ME, "дома"))]}}
    (place / "result.json").write_text(json.dumps(export))
    return place / "result.json"
