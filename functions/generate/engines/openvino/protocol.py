"""What the engine and the process that steps its model say to each other."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """First: what to serve, and how. Answered with True, or with Failed."""

    directory: str
    slots: int
    max_input_tokens: int
    longest: int
    """Tokens of a prompt and all that may follow it."""
    properties: dict[str, str]
    """For OpenVINO's CPU plugin."""


@dataclass(frozen=True, slots=True)
class Job:
    """Then: what to write on. `temperature` 0 is greedy, `top_k` 0 keeps every token. Answered by `number`."""

    number: int
    prompt: list[int]
    limit: int
    ends: frozenset[int]
    presence_penalty: float = 0.0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    earlier: tuple[tuple[int, int], ...] = ()
    """Of the jobs whose prompt and answer this prompt goes on with: their numbers, and the lengths of their prompts."""
    may_be_empty: bool = False
    """Whether one of `ends` may come first."""
    told_every: float | None = None
    """Seconds between two `Wrote`; None where nobody wants to know what is written meanwhile."""


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Nobody waits for it any more: no answer either."""

    number: int


@dataclass(frozen=True, slots=True)
class PartialResult:
    """What the model has written so far; it goes on."""

    number: int
    tokens: list[int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What the model wrote, the token that ended it included; `cut` by the limit. Times in seconds."""

    number: int
    tokens: list[int] = field(repr=False)
    cut: bool
    prompt_seconds: float
    generation_seconds: float


@dataclass(frozen=True, slots=True)
class JobFailure:
    """`number` 0 is the model itself. `ever`: trying again will not help."""

    number: int
    why: str
    ever: bool = False
