"""When an answer of another engine came."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds since all prompts were given, to its first token and to its last."""

    first: float
    last: float
    tokens: int
