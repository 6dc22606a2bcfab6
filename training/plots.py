"""Pictures of the data and of the training, as PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure


def bars(file: Path, values: Mapping[str, float], *, title: str, x: str, y: str) -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(values)), list(values.values()))
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.set_xticks(range(len(values)), list(values), rotation=45)
    figure.savefig(file)


def curves(file: Path, series: Mapping[str, Sequence[tuple[float, float]]], *, title: str, x: str, y: str) -> None:
    """`series`: name → (x, y) points."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, points in series.items():
        axes.plot([point[0] for point in points], [point[1] for point in points], marker=".", label=name)
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.legend()
    figure.savefig(file)


def pairs(file: Path, values: Mapping[str, tuple[float, float]], *, labels: tuple[str, str], title: str) -> None:
    """Two bars beside each other for each name."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for side in range(len(labels)):
        axes.bar([place + 0.4 * side for place in range(len(values))], [pair[side] for pair in values.values()], 0.4)
    axes.set_xticks([place + 0.2 for place in range(len(values))], list(values), rotation=30)
    axes.set(title=title)
    axes.legend(labels)
    figure.savefig(file)
