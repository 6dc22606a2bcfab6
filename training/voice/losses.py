"""What `timokha train prepare` did not take of the talks: nothing is to be lost without a word."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from events.schema import Role
from training.data.manifest import Manifest
from training.data.splits import Part
from training.examples import read_examples
from training.voice.talks import Talk


@dataclass(frozen=True, slots=True)
class Losses:
    exchanges: int
    parts: dict[str, int]
    """Exchanges that each part shows."""
    lost: list[str]
    """Answers of the talks that no part shows."""
    replaced: dict[str, int]
    """Words that were taken for private data."""
    dropped: dict[str, int]
    """Dialogues that no part has, by the reason. Their answers may be shown all the same, within longer ones."""

    def lines(self) -> list[str]:
        shown = ", ".join(f"{part} {count}" for part, count in self.parts.items())
        said = [f"{self.exchanges} exchanges: {shown}; lost: {len(self.lost)}"]
        said += [f"lost: {answer}" for answer in self.lost]
        if self.dropped:
            said.append("dropped as the end of a dialogue: " + _counted(self.dropped))
        if self.replaced:
            said.append("taken for private data and replaced: " + _counted(self.replaced) + "; write it otherwise")
        return said


def find_losses(talks: Iterable[Talk], data: Path) -> Losses:
    """Compare `talks` with what was prepared of them in `data`. Raises SettingsError."""
    manifest = Manifest.read(data)
    wanted = Counter(exchange.answer for talk in talks for exchange in talk.exchanges)
    shown: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for part in Part:
        rows = {
            row: turn.text
            for example in read_examples(data, part)
            for turn, (row, *_) in zip(example.turns, example.rows, strict=True)
            if turn.role is Role.ASSISTANT
        }
        shown[part.value] = len(rows)
        seen.update(rows.values())
    return Losses(
        exchanges=wanted.total(),
        parts=shown,
        lost=sorted((wanted - seen).elements()),
        replaced=manifest.private_data_replaced,
        dropped=manifest.dropped_dialogues,
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
