"""The commands of docs/training.md are typed as they stand there, with a small export and a tiny model."""

import json
import shutil
from pathlib import Path

import pytest

from events.exchanges import ExchangeFile
from tests.docs.typing import Shell, shown
from training.voice.talks import read_talks
from training.voice.telegram import write_export

FIXTURES = Path(__file__).parent / "fixtures"
FIRST = 'make venv EXTRAS="userbot sandbox openvino training"'
TINY = {
    "STEPS": "2",
    "PACK_TOKENS": "256",
    "CONTEXT_TOKENS": "128",
    "METHOD": "full",
    "PRECISION": "fp32",
    "CANARIES": "0",
}
SMALL = {"DIALOGUES": "4", "SAMPLES": "1"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "timokha")


def with_an_export(shell: Shell, place: str, owner: str = "Смирнов") -> Shell:
    """rusdracor's, in which `owner` is called as the documents call the reader."""
    text = (FIXTURES / "rusdracor.json").read_text()
    (shell.directory / place).parent.mkdir(exist_ok=True)
    (shell.directory / place).write_text(text.replace(f'"{owner}"', '"Your name"'))
    return shell


def prepared(shell: Shell) -> int:
    return len((shell.directory / "data/train.jsonl").read_text().splitlines())


@pytest.mark.timeout(300)
def test_an_export_becomes_dialogues(shell: Shell) -> None:
    with_an_export(shell, "result.json")
    [command] = shown("docs/training.md", FIRST, only=lambda command: "train prepare" in command)
    shell.type(command)
    assert prepared(shell) > 10
    shutil.rmtree(shell.directory / "data")
    with_an_export(shell, "rusdracor-ru/result.json")
    shell.type(*shown("docs/training.md", "export=rusdracor-ru/result.json")[:2])
    assert prepared(shell) > 10


def test_private_chats_become_a_memory(shell: Shell) -> None:
    write_export(read_talks()[:20], shell.directory)
    shell.type(shown("docs/userbot.md", "timokha train memory --export result.json --to memory.sqlite")[0])
    file = ExchangeFile.open(shell.directory / "memory.sqlite")
    assert file.owners == {1}
    file.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_is_trained_and_exported(shell: Shell, base: Path) -> None:
    with_an_export(shell, "result.json")
    shell.settings |= {
        "TRAINING_MODEL": str(base),
        **{f"TRAINING_{name}": value for name, value in {**TINY, **SMALL}.items()},
    }
    for command in shown("docs/training.md", FIRST)[2:-1]:
        shell.type(". .venv/bin/activate", command)
    assert (shell.directory / "voice/config.json").exists()
    (shell.directory / "models").mkdir()
    shell.type(*shown("docs/models.md", "timokha train export --run run --to models/mine"))
    assert json.loads((shell.directory / "models/mine/config.json").read_text())["model_type"] == "gpt2"
