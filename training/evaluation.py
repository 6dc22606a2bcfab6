"""`evaluation.json`: what a training changed."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from training.intervals import Interval
from training.leaks import Leaks

EVALUATION = "evaluation.json"


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
    true_distinct_1: float
    true_distinct_2: float
    canaries: Leaks | None = None
    """What the trained model gives away of the invented secrets that it has learned; None if there were none."""

    @property
    def scores(self) -> dict[str, Score]:
        return {name: value for name, value in self if isinstance(value, Score)}

    @classmethod
    def find(cls, run: Path) -> "Evaluation | None":
        """What was evaluated in the directory `run`, if it was."""
        file = run / EVALUATION
        return cls.model_validate_json(file.read_bytes()) if file.is_file() else None
