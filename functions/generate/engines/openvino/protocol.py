"""The messages between the engine and the model's process."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The first message: what to serve, and how. Its reply is True or a JobFailure."""

    directory: str
    slots: int
    max_input_tokens: int
    longest: int
    """Tokens of a prompt and its answer, at most."""
    properties: dict[str, str]
    """For OpenVINO's CPU plugin."""


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt to continue. `temperature` 0 is greedy; `top_k` 0 keeps all tokens. Replies have its `number`."""

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
    """Numbers and prompt lengths of the jobs whose prompts and answers this prompt begins with."""
    may_be_empty: bool = False
    """Whether one of `ends` may come first."""
    partial_interval: float | None = None
    """Seconds between two `PartialResult`; None for no partial results."""


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Cancels a job; there is no reply."""

    number: int


@dataclass(frozen=True, slots=True)
class PartialResult:
    """The tokens of a job so far."""

    number: int
    tokens: list[int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobResult:
    """All tokens, including the one that ended the answer; `cut`: by the limit. Times are in seconds."""

    number: int
    tokens: list[int] = field(repr=False)
    cut: bool
    prompt_seconds: float
    generation_seconds: float


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A job failed, or the model if `number` is 0. `ever`: whether retrying is useless."""

    number: int
    why: str
    ever: bool = False
