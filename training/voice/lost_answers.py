"""Report which answers of the talks `timokha train prepare` dropped or changed, so that nothing is lost silently."""

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
class LostAnswers:
    """How the prepared data differ from the talks."""

    exchanges: int
    parts: dict[str, int]
    """Number of exchanges in each part."""
    lost: list[str]
    """Answers of the talks that are in no part."""
    replaced: dict[str, int]
    """Number of words that were mistaken for private data, by kind."""
    dropped: dict[str, int]
    """Number of dialogues in no part, by reason. Their answers may still be in longer dialogues."""

    def lines(self) -> list[str]:
        shown = ", ".join(f"{part} {count}" for part, count in self.parts.items())
        lines = [f"{self.exchanges} exchanges: {shown}; lost: {len(self.lost)}"]
        lines += [f"lost: {answer}" for answer in self.lost]
        if self.dropped:
            lines.append("dropped as the end of a dialogue: " + _counted(self.dropped))
        if self.replaced:
            lines.append("taken for private data and replaced: " + _counted(self.replaced) + "; write it otherwise")
        return lines


def find_lost_answers(talks: Iterable[Talk], data: Path) -> LostAnswers:
    """Compare `talks` with the data prepared from them in the directory `data`. Raises SettingsError."""
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
    return LostAnswers(
        exchanges=wanted.total(),
        parts=shown,
        lost=sorted((wanted - seen).elements()),
        replaced=manifest.private_data_replaced,
        dropped=manifest.dropped_dialogues,
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
