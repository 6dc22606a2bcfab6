"""What the userbot has logged, with its times on the monotonic clock of this process."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass
class Logbook:
    """By chat and message: what was asked of a model, when it was ignored as busy, and when it was settled.

    `joined`: with questions whose draft waits; `first`: in a chat without any. `collected`: when, and whether it began
    a burst (`collecting`) or went on with one. `doubtful`: what may have been answered before the store was lost.
    `outcomes`: how those were settled. By chat: when Telegram refused an answer for good. `owner_wrote`: when which
    message was taken for the owner's. A killed process takes the lines with it that it had not written.
    """

    asked: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    ignored: dict[tuple[str, str], float] = field(default_factory=dict)
    settled: dict[tuple[str, str], float] = field(default_factory=dict)
    joined: set[tuple[str, str]] = field(default_factory=set)
    first: set[tuple[str, str]] = field(default_factory=set)
    outcomes: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    owner_wrote: dict[int, float] = field(default_factory=dict)
    collected: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    undeliverable: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def read(path: Path) -> Logbook:
    book, ahead = Logbook(), time.time() - time.monotonic()
    for line in _lines(path):
        at = datetime.fromisoformat(line["time"]).timestamp() - ahead
        match line["event"]:
            case "message.received" if line["effect"] in ("asked", "queued", "joined"):
                book.asked[line["chat"], str(line["message"])].append(at)
                found = {"joined": book.joined, "asked": book.first}.get(line["effect"], set())
                found.add((line["chat"], str(line["message"])))
            case "message.received" if line["effect"] in ("owner_wrote", "owner_took_over"):
                book.owner_wrote.setdefault(int(line["message"]), at)
            case "message.received" if line["effect"] == "doubtful":
                book.doubtful.add((line["chat"], str(line["message"])))
            case "message.received" if line["effect"] in ("collecting", "collected"):
                book.collected.setdefault((line["chat"], str(line["message"])), (at, line["effect"]))
            case "message.received" if line["effect"] == "ignored_busy":
                book.ignored.setdefault((line["chat"], str(line["message"])), at)
            case "question.settled":
                _, chat, message, _ = line["request_id"].split(".")
                book.settled.setdefault((chat, message), at)
                book.outcomes[chat, message].add(line["outcome"])
                book.doubtful.update([(chat, message)] if line["outcome"] == "doubtful" else [])
            case "message.undeliverable" if line["part"] != "thinking":
                book.undeliverable[line["chat"]].append(at)
    return book


def tracebacks(path: Path) -> int:
    """How often an error had no line of its own."""
    return path.read_text(errors="replace").count("Traceback (most recent call last)") if path.exists() else 0


def busiest(path: Path) -> int:
    """How many lines were written in the ten seconds that had the most."""
    tens = Counter(int(datetime.fromisoformat(line["time"]).timestamp()) // 10 for line in _lines(path))
    return max(tens.values(), default=0)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(errors="replace").splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and {"time", "event"} <= found.keys():
            yield found
