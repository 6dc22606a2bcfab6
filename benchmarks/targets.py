"""What is asked of the figures, and a table of both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.results import RUNS


@dataclass(frozen=True, slots=True)
class Target:
    limit: float
    most: bool
    """Whether the figure may be at most `limit`; else at least."""

    def met(self, figure: float) -> bool:
        return figure <= self.limit if self.most else figure >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.limit:g}"


def at_most(limit: float) -> Target:
    return Target(limit, most=True)


def at_least(limit: float) -> Target:
    return Target(limit, most=False)


TARGETS: Mapping[str, Target] = {
    "engines.speedup_one_user": at_least(22),
    "engines.speedup_32_users": at_least(134),
    "engines.default_model.narrow_speedup_1": at_least(2),
    "engines.default_model.narrow_speedup_32": at_least(2.3),
    "engines.default_model.ahead_of_llamacpp_1": at_least(1),
    "engines.default_model.ahead_of_llamacpp_32": at_least(1),
    "engines.default_model.ahead_of_genai_1": at_least(1),
    "engines.default_model.ahead_of_genai_32": at_least(1),
    "engines.ahead.ctranslate2-int8_1": at_least(1),
    "engines.ahead.ctranslate2-int8_32": at_least(1),
    "engines.ahead.llamacpp-q8_0_1": at_least(1),
    "engines.ahead.llamacpp-q8_0_32": at_least(1),
    "engines.ahead.genai-documented_1": at_least(1),
    "engines.ahead.genai-documented_32": at_least(1),
    "engines.path_efficiency_32": at_least(0.9),
    "engines.first_words_seconds": at_most(0.1),
    "engines.bandwidth_limit_ratio": at_most(2),
    "engines.bits_per_byte_ratio.plays": at_most(1.005),
    "engines.bits_per_byte_ratio.english": at_most(1.005),
    "engines.bits_per_byte_ratio.ukrainian": at_most(1.005),
    "engines.bits_per_byte_ratio.emoji": at_most(1.005),
    "engines.recall_difference": at_most(0.01),
    "messaging.overhead_p50_ratio": at_most(1.15),
    "messaging.rate_ratio_64": at_least(0.85),
    "bridge.overhead_p50_ratio": at_most(1.15),
    "bridge.schedule_ratio": at_most(1.15),
    "elastic.lost": at_most(0),
    "capacity.nats_1.busiest_cpu_ms": at_most(2),
    "capacity.nats_3.busiest_cpu_ms": at_most(2),
    "capacity.product.edge_cpu_ms": at_most(12),
    "capacity.bridge.out_cpu_ms": at_most(2),
    "scaling.efficiency_16": at_least(0.95),
    "start.first_answer_seconds": at_most(1.5),
    "chats.ready_ratio": at_most(2),
    "chats.first_answer_ratio": at_most(2),
    "chats.answer_ratio": at_most(2),
    "chats.delete_ratio": at_most(2),
    "chats.doctor_ratio": at_most(2),
    "chats.forgotten": at_most(0),
    "bursts.question_waits_longer_seconds": at_most(1.1),
    "voice.test.trained.sensible": at_least(75),
    "voice.test.trained.broken": at_most(5),
    "past.talks.recall_at_1_gain": at_least(0),
    "past.plays.recall_at_1_gain": at_least(0),
    "training.speedup": at_least(2),
}


SERIES = ("elastic.points",)
"""Figures for a plot, too long for a table."""


def flat(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`messaging.p50_ms_1` and so on with their figures; what `runs` has is none."""
    for part, figures in results.items():
        if part == RUNS:
            continue
        for name, figure in figures.items():
            if isinstance(figure, Mapping):
                yield from flat({f"{part}.{name}": figure})
            else:
                yield f"{part}.{name}", figure


def verdict(key: str, figure: Any) -> str:
    """`met`, `missed`, or nothing for a figure without a target."""
    if key not in TARGETS:
        return ""
    return "met" if isinstance(figure, int | float) and TARGETS[key].met(figure) else "missed"


def table(results: Mapping[str, Any]) -> Table:
    """Every figure but the series; those with a target first in their part."""
    made = Table("figure", "measured", "target", "")
    rows = (row for row in flat(results) if not row[0].startswith(SERIES))
    for key, figure in sorted(rows, key=lambda row: (row[0].partition(".")[0], row[0] not in TARGETS)):
        judged = verdict(key, figure)
        made.add_row(key, str(figure), str(TARGETS.get(key, "")), judged, style="red" if judged == "missed" else None)
    return made
