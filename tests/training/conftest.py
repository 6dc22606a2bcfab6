"""Synthetic exports that carry every trap, and a small part of rusdracor (CC0)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from training.prepare import prepare
from training.settings import PrepareSettings

FIXTURES = Path(__file__).parent / "fixtures"
START = 1_700_000_000


class ExportBuilder:
    """Messages of one chat, a minute apart unless told otherwise; `me` is the owner."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.time = START

    def say(self, who: str, text: Any, *, after: int = 60, **fields: Any) -> int:
        """Add a message, `after` seconds from the last one; returns its id."""
        self.time += after
        number = len(self.items) + 1
        item = {
            "id": number,
            "type": "message",
            "date": "2023-11-14T22:13:20",
            "date_unixtime": str(self.time),
            "from": who.title(),
            "from_id": f"user_{who}",
            "text": text,
        }
        self.items.append({key: value for key, value in {**item, **fields}.items() if value is not ...})
        return number

    def chat(self, **fields: Any) -> dict[str, Any]:
        return {"name": "Chat", "type": "personal_chat", "id": 1, **fields, "messages": self.items}


@pytest.fixture
def export() -> ExportBuilder:
    return ExportBuilder()


@pytest.fixture
def run_prepare(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], dict[str, list[Any]]]]:
    """`run_prepare(content, owner=…)`: prepares it; gives the manifest and part → dialogues."""

    def run(content: Any, **settings: Any) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        file, out = tmp_path / "result.json", tmp_path / "data"
        if isinstance(content, Path):
            file = content
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
        chosen = {"owner": "user_me", "validation_share": 0, "test_share": 0, **settings}
        prepare(PrepareSettings(export=file, out=out, **chosen), console=Console(quiet=True))
        parts = {
            part: [json.loads(line) for line in (out / f"{part}.jsonl").read_text().splitlines()]
            for part in ("train", "validation", "test")
        }
        return json.loads((out / "manifest.json").read_text()), parts

    return run


@pytest.fixture
def rusdracor() -> Path:
    return FIXTURES / "rusdracor.json"
