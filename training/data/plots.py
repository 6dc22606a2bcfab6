"""Plots of prepared data: how long answers are, when people write, who writes how much."""

from collections import Counter
from pathlib import Path

from training import plots
from training.data.telegram.messages import Fate
from training.data.workspace import Workspace

_LENGTHS = (10, 20, 40, 80, 160, 320, 640)
_SPEAKERS = 15


def draw(workspace: Workspace, owner: frozenset[str], directory: Path) -> None:
    """Write lengths.png, hours.png and speakers.png."""
    plots.bars(directory / "lengths.png", _lengths(workspace), title="Answers by length", x="characters", y="dialogues")
    hours = workspace.counter("SELECT hour, count(*) FROM messages GROUP BY hour")
    plots.bars(
        directory / "hours.png",
        {str(hour): hours[str(hour)] for hour in range(24)},
        title="Messages by hour of the day",
        x="hour",
        y="messages",
    )
    plots.bars(directory / "speakers.png", _speakers(workspace, owner), title="Messages by speaker", x="", y="messages")


def _lengths(workspace: Workspace) -> dict[str, float]:
    query = "SELECT length(json_extract(messages, '$[#-1].content')) FROM dialogues WHERE part IS NOT NULL"
    found = Counter(
        next((f"≤ {limit}" for limit in _LENGTHS if length <= limit), f"> {_LENGTHS[-1]}")
        for (length,) in workspace.database.execute(query)
    )
    return {name: found[name] for name in [*(f"≤ {limit}" for limit in _LENGTHS), f"> {_LENGTHS[-1]}"]}


def _speakers(workspace: Workspace, owner: frozenset[str]) -> dict[str, float]:
    """The loudest speakers, the owner by that name and nobody else by any."""
    query = "SELECT author, count(*) FROM messages WHERE fate IS NOT ? GROUP BY author ORDER BY 2 DESC LIMIT ?"
    found = workspace.counter(query, Fate.NO_TEXT, _SPEAKERS)
    return {
        f"{'owner' if author in owner else 'speaker'} {place}": number
        for place, (author, number) in enumerate(found.items(), 1)
    }
