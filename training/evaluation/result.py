"""`evaluation.json`: what a training changed."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from events.errors import SettingsError
from training.evaluation.leaks import Leaks

EVALUATION = "evaluation.json"

Interval = tuple[float, float]
"""The ends of a 95 % interval."""


class Score(BaseModel):
    """`before` training, the base model prompted as it would be served, and `after`."""

    model_config = ConfigDict(frozen=True)

    before: float
    after: float
    before_range: Interval | None = None
    """95 % of it, as far as the number of dialogues goes; None where that is not known."""
    after_range: Interval | None = None
    change_range: Interval | None = None
    """Of `after` less `before`, dialogue by dialogue: narrower than either's own."""


class Distances(BaseModel):
    """Of draws of one length to the owner's held-out text; 0 is the same style, 1 has nothing of it."""

    model_config = ConfigDict(frozen=True)

    floor: float
    """Of what other people say in the held-out dialogues."""
    ceiling: float
    """Of the owner's own text, which the rest of it is compared with."""
    before: float
    after: float


class Style(BaseModel):
    """What `likeness` is made of."""

    model_config = ConfigDict(frozen=True)

    letters: Distances
    """By sequences of three letters."""
    words: Distances
    """By the most frequent words."""
    letters_compared: int
    """The length of a draw."""
    told_apart: float
    """How often a draw of the owner's text is nearer than one of other people's; 0.5 is chance."""
    answers_needed: int | None
    """How many tell the owner from others; None if even half of the held-out text does not."""


class Evaluation(BaseModel):
    """`evaluation.json`."""

    model_config = ConfigDict(frozen=True)

    data_sha256: str
    dialogues: int
    """Held-out ones, the base of `bits_per_byte`."""
    samples: int
    """Of them, the base of the other scores."""
    bits_per_byte: Score
    recall_at_1: Score | None = None
    """None where the test part has no ten different answers."""
    recall_at_5: Score | None = None
    distinct_1: Score
    distinct_2: Score
    length_ratio: Score
    verbatim: Score
    """Share of held-out answers that repeat a long answer of the training data."""
    memorised: Score | None = None
    """Share of long training answers that the model, decoding greedily, gives word for word; None if none is long."""
    likeness: Score | None = None
    """How far the answers' style is from other people's (0) to the owner's (1); None where they are too few to say."""
    style: Style | None = None
    true_distinct_1: float
    true_distinct_2: float
    canaries: Leaks | None = None
    """What the trained model gives away of the invented secrets that it has learned; None if there were none."""

    @property
    def scores(self) -> dict[str, Score]:
        return {name: value for name, value in self if isinstance(value, Score)}

    @classmethod
    def find(cls, run: Path) -> "Evaluation | None":
        """What was evaluated in the directory `run`, if it was. Raises SettingsError if it can't be read."""
        file = run / EVALUATION
        try:
            return cls.model_validate_json(file.read_bytes()) if file.is_file() else None
        except ValueError as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"TRAINING_RUN: {file} can't be read ({why}): run timokha train evaluate") from None
