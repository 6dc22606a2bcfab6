"""The data of every event. Unknown fields are ignored; a breaking change is a new `.v2` type."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import dropwhile
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from events.ids import RequestId
from events.speakers import speaker_name

MAX_NEW_TOKENS = 4096


RequestIdText = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, RequestId) else value),
    AfterValidator(lambda text: str(RequestId.parse(text))),
]


class Data(BaseModel):
    """Base of all event data: frozen, and ignores fields that newer versions add."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Role(StrEnum):
    """Who wrote a turn."""

    USER = "user"
    ASSISTANT = "assistant"


class Turn(Data):
    """One message of the conversation."""

    role: Role
    text: str
    speaker: Annotated[str, AfterValidator(speaker_name)] = Field(
        default="", exclude_if=lambda speaker: not speaker, description="who says it in a group, by name"
    )


class Exchange(Data):
    """What somebody once asked the owner, and what the owner answered."""

    question: str
    answer: str

    @property
    def turns(self) -> tuple[Turn, Turn]:
        return Turn(role=Role.USER, text=self.question), Turn(role=Role.ASSISTANT, text=self.answer)


class Sampling(Data):
    """How the model samples tokens. The defaults give short, coherent answers."""

    max_new_tokens: int = Field(default=60, ge=1, le=MAX_NEW_TOKENS)
    temperature: float = Field(default=0.2, ge=0, le=5, description="0 decodes greedily")
    top_k: int = Field(default=20, ge=0, description="0 keeps every token")
    top_p: float = Field(default=0.9, gt=0, le=1)
    repetition_penalty: float = Field(default=1.1, ge=1, le=5)
    seed: int = Field(default=0, ge=0, lt=2**32)
    by_default: tuple[str, ...] = Field(
        default=(), description="the fields that nobody chose: where the model knows better, its own values count"
    )

    def naming_defaults(self) -> "Sampling":
        """Return a copy, as a request carries it, that names the fields that were not given."""
        left = type(self).model_fields.keys() - self.model_fields_set - {"seed", "by_default"}
        return self.model_copy(update={"by_default": tuple(sorted(left))})

    def with_own(self, values: Mapping[str, float]) -> "Sampling":
        """Return a copy with a model's own `values` in the fields named by `by_default`."""
        own = {name: value for name, value in values.items() if name in self.by_default}
        return self.model_copy(update=own) if own else self

    @property
    def is_greedy(self) -> bool:
        """Whether every seed gives the same answer."""
        return self.temperature == 0 or self.top_k == 1


class Usage(Data):
    """Tokens read and written, 0 where the engine does not count."""

    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)


class Timings(Data):
    """Seconds spent in each phase of a request."""

    queued: float = 0.0
    prompt: float = 0.0
    generation: float = 0.0


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"


class FailureReason(StrEnum):
    """Why a request failed: a fixed set, so that it can be counted and translated."""

    MALFORMED = "malformed"
    REJECTED = "rejected"
    EMPTY = "empty"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"


class EventData(Data):
    """Data with an event type and the id of its request."""

    TYPE: ClassVar[str]
    request_id: RequestIdText


class GenerationRequested(EventData):
    """A question was asked. The event has all that a worker needs to answer it."""

    TYPE = "timokha.generation.requested.v1"
    account_id: str
    chat_id: str
    message_id: str
    revision: int = Field(default=0, ge=0)
    turns: tuple[Turn, ...] = Field(min_length=1, description="oldest first; the last one is the question")
    sampling: Sampling = Sampling()
    deadline: AwareDatetime
    locale: str = "ru"
    live: bool = Field(default=False, description="the asker wants to see the answer while it is written")
    persona: str = Field(
        default="", exclude_if=lambda persona: not persona, description="who answers, in the owner's words"
    )
    memory: tuple[Exchange, ...] = Field(
        default=(),
        exclude_if=lambda memory: not memory,
        description="the owner's earlier exchanges in this chat that are like the question, the most alike last",
    )

    @property
    def turns_with_memory(self) -> tuple[Turn, ...]:
        """Return what a model reads: the earlier exchanges, then the conversation from its first question on."""
        if not self.memory:
            return self.turns
        conversation = dropwhile(lambda turn: turn.role is Role.ASSISTANT, self.turns)
        return *(turn for exchange in self.memory for turn in exchange.turns), *conversation


class GenerationCompleted(EventData):
    """An answer was generated."""

    TYPE = "timokha.generation.completed.v1"
    text: str = Field(min_length=1)
    finish_reason: FinishReason
    model: str
    usage: Usage = Usage()
    timings: Timings = Timings()


class GenerationFailed(EventData):
    """The request failed for good."""

    TYPE = "timokha.generation.failed.v1"
    reason: FailureReason
    detail: str = ""
    attempts: int = Field(default=1, ge=0)


class GenerationProgressed(EventData):
    """The text so far, in whole words; the event may be lost. `sequence` counts a request's events."""

    TYPE = "timokha.generation.progressed.v1"
    text: str = Field(min_length=1)
    sequence: int = Field(ge=0)


class FeedbackGiven(EventData):
    """A reader has judged the answer to the request. Of several events of one reader the newest counts."""

    TYPE = "timokha.feedback.v1"
    reader: str = Field(pattern=r"^[0-9a-f]{12}$", description="a pseudonym: never an id or a name")
    vote: Literal[1, 0, -1] = Field(description="1: a thumb up; -1: a thumb down; 0: it was taken back")


TYPES: dict[str, type[EventData]] = {
    data.TYPE: data
    for data in (GenerationRequested, GenerationCompleted, GenerationFailed, GenerationProgressed, FeedbackGiven)
}
