"""`evaluation.json`: the scores before and after a training."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from events.errors import SettingsError
from training.evaluation.leaks import Leaks

EVALUATION = "evaluation.json"

Interval = tuple[float, float]
"""The ends of a 95 % interval."""


class Score(BaseModel):
    """A score `before` training, of the base model prompted as if served, and `after`."""

    model_config = ConfigDict(frozen=True)

    before: float
    after: float
    before_range: Interval | None = None
    """95 % interval for this number of dialogues; None if unknown."""
    after_range: Interval | None = None
    change_range: Interval | None = None
    """Interval of `after` minus `before` by dialogue, which is narrower than those of the two."""


class Distances(BaseModel):
    """Distances of draws of one length to the owner's held-out text; 0: the same style, 1: nothing in common."""

    model_config = ConfigDict(frozen=True)

    floor: float
    """Of other people's held-out text."""
    ceiling: float
    """Of the owner's own text to the rest of it."""
    before: float
    after: float


class Style(BaseModel):
    """The measurements behind `likeness`."""

    model_config = ConfigDict(frozen=True)

    letters: Distances
    """By sequences of three letters."""
    words: Distances
    """By the most frequent words."""
    letters_compared: int
    """The length of a draw."""
    told_apart: float
    """How often the owner's draw is nearer than other people's; 0.5 is chance."""
    answers_needed: int | None
    """Number of answers that tell the owner from others; None if half of the held-out text does not suffice."""


class Evaluation(BaseModel):
    """`evaluation.json`."""

    model_config = ConfigDict(frozen=True)

    data_sha256: str
    dialogues: int
    """Held-out dialogues, the base of `bits_per_byte`."""
    samples: int
    """Those of them that are the base of the other scores."""
    bits_per_byte: Score
    recall_at_1: Score | None = None
    """None if the test part has fewer than ten different answers."""
    recall_at_5: Score | None = None
    distinct_1: Score
    distinct_2: Score
    length_ratio: Score
    verbatim: Score
    """Share of held-out answers that repeat a long answer of the training data."""
    memorised: Score | None = None
    """Share of long training answers that the greedy model repeats word for word; None if none is long."""
    likeness: Score | None = None
    """Style of the answers, from 0 (other people's) to 1 (the owner's); None if the answers are too few."""
    style: Style | None = None
    true_distinct_1: float
    true_distinct_2: float
    canaries: Leaks | None = None
    """What the trained model leaks of its canaries; None if it learned none."""

    @property
    def scores(self) -> dict[str, Score]:
        return {name: value for name, value in self if isinstance(value, Score)}

    @classmethod
    def find(cls, run: Path) -> "Evaluation | None":
        """Return the evaluation in the directory `run`, if any. Raises SettingsError if it can't be read."""
        file = run / EVALUATION
        try:
            return cls.model_validate_json(file.read_bytes()) if file.is_file() else None
        except ValueError as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"TRAINING_RUN: {file} can't be read ({why}): run timokha train evaluate") from None
