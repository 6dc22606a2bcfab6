"""Plot the data and the training as PNG files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.data.telegram.messages import DropReason
from training.data.workspace import Workspace


def draw_bars(file: Path, values: Mapping[str, float], *, title: str, x: str, y: str) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(values)), list(values.values()))
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.set_xticks(range(len(values)), list(values), rotation=45)
    figure.savefig(file)


def draw_curves(file: Path, series: Mapping[str, Sequence[tuple[float, float]]], *, title: str, x: str, y: str) -> None:
    """Draw lines; `series`: name → (x, y) points."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, points in series.items():
        axes.plot([point[0] for point in points], [point[1] for point in points], marker=".", label=name)
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.legend()
    figure.savefig(file)


def draw_pairs(file: Path, values: Mapping[str, tuple[float, float]], *, labels: tuple[str, str], title: str) -> None:
    """Draw two bars beside each other for each name."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for side in range(len(labels)):
        axes.bar([place + 0.4 * side for place in range(len(values))], [pair[side] for pair in values.values()], 0.4)
    axes.set_xticks([place + 0.2 for place in range(len(values))], list(values), rotation=30)
    axes.set(title=title)
    axes.legend(labels)
    figure.savefig(file)


_LENGTHS = (10, 20, 40, 80, 160, 320, 640)
_SPEAKERS = 15


def draw_data(workspace: Workspace, owner: frozenset[str], directory: Path) -> None:
    """Write lengths.png, hours.png and speakers.png."""
    draw_bars(directory / "lengths.png", _lengths(workspace), title="Answers by length", x="characters", y="dialogues")
    hours = workspace.count_by_name("SELECT hour, count(*) FROM messages GROUP BY hour")
    draw_bars(
        directory / "hours.png",
        {str(hour): hours[str(hour)] for hour in range(24)},
        title="Messages by hour of the day",
        x="hour",
        y="messages",
    )
    draw_bars(directory / "speakers.png", _speakers(workspace, owner), title="Messages by speaker", x="", y="messages")


def _lengths(workspace: Workspace) -> dict[str, float]:
    query = "SELECT length(json_extract(messages, '$[#-1].content')) FROM dialogues WHERE part IS NOT NULL"
    found = Counter(
        next((f"≤ {limit}" for limit in _LENGTHS if length <= limit), f"> {_LENGTHS[-1]}")
        for (length,) in workspace.database.execute(query)
    )
    return {name: found[name] for name in [*(f"≤ {limit}" for limit in _LENGTHS), f"> {_LENGTHS[-1]}"]}


def _speakers(workspace: Workspace, owner: frozenset[str]) -> dict[str, float]:
    """Return the most active speakers' numbers of messages; only the owner is named, as `owner`."""
    query = "SELECT author, count(*) FROM messages WHERE drop_reason IS NOT ? GROUP BY author ORDER BY 2 DESC LIMIT ?"
    found = workspace.count_by_name(query, DropReason.NO_TEXT, _SPEAKERS)
    return {
        f"{'owner' if author in owner else 'speaker'} {place}": number
        for place, (author, number) in enumerate(found.items(), 1)
    }
