"""The chat record: the stored state of one chat, and its JSON.

A record with a higher schema number than this version knows can't be read: this version would drop the fields that it
does not know as soon as it saves.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from events.errors import MalformedEvent, TimokhaError
from events.ids import RequestId
from events.schema import Turn

MAX_SEEN = 256
"""A record with more can't be read. Never lower this limit; if you raise it, raise `SCHEMA` too."""
MAX_WAITING = 5
MAX_NOTICES = 20
MAX_HISTORY = 50
MAX_HISTORY_BYTES = 256 * 1024
MAX_QUESTION_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
"""These limits keep a record below NATS' 1 MiB a message, even if JSON escapes every second character."""

SCHEMA = 1
"""Raise it in a release that writes anything that the release before does not know."""
NO_SCHEMA = 0
"""The schema number of records from versions that wrote none."""
ALWAYS_WRITTEN = {"settings", "history", "seen", "current", "waiting", "notices", "erasing"}
"""The fields that every version writes, defaults included. A record without one of them is not ours."""

NO_MESSAGE = 0
"""The id of a message that could not be sent or no longer exists."""

MessageId = Annotated[int, Field(ge=0, lt=2**31)]
"""Telegram's. An id out of range is not ours; as `deleted_to` it would silence the chat for ever."""
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC))]
"""No clock shows an earlier time, and subtracting from one could leave the range of dates."""


class UnreadableRecord(TimokhaError):
    """This version can't read a stored record. `version` is the record's version in the store, 0 if unknown."""

    version = 0


class _Numbered(BaseModel):
    model_config = ConfigDict(extra="ignore")

    number: int = Field(default=NO_SCHEMA, alias="schema")


class _StoredModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def having(self, **changes: object) -> Self:
        """Return a copy with other values, without validating them."""
        return self.model_copy(update=changes)


def _request_id(text: str) -> str:
    try:
        RequestId.parse(text)
    except MalformedEvent:
        raise ValueError("it is not a request id") from None
    return text


class ChatSettings(_StoredModel):
    """What the user has set. `context_length`: how many earlier messages a request contains."""

    context_length: int = 2


class Question(_StoredModel):
    """A message that asks for an answer.

    `text`: without the prefix. `trace`: its W3C trace context. `revision`: above 0 if the owner has re-sent it.
    `live`: its thinking line becomes the answer. `doubtful`: it may have been answered before the records were lost.
    """

    message_id: int
    text: str
    locale: str
    asked_at: Moment
    trace: dict[str, str] = {}
    revision: Annotated[int, Field(ge=0, lt=10**9)] = 0
    live: bool = False
    doubtful: bool = False


class AnswerText(_StoredModel):
    """`text` as the model wrote it. `formatted`: show its Markdown as formatting."""

    kind: Literal["answer"] = "answer"
    text: str
    formatted: bool = False


class Failure(_StoredModel):
    """`reason` is a `FailureReason` or one of the userbot's own, e.g. `phrases.DEADLINE`."""

    kind: Literal["failure"] = "failure"
    reason: str


Outcome = Annotated[AnswerText | Failure, Field(discriminator="kind")]


class Current(_StoredModel):
    """The question being answered: it waits for an `outcome`, decided at `settled_at`, whose messages are then sent."""

    question: Question
    request_id: Annotated[str, AfterValidator(_request_id)]
    deadline: Moment
    thinking_id: int | None = None
    outcome: Outcome | None = None
    settled_at: Moment | None = None
    parts_sent: Annotated[int, Field(ge=0)] = 0

    @property
    def state(self) -> Literal["asking", "delivering"]:
        return "delivering" if self.outcome else "asking"

    def is_over(self, now: datetime) -> bool:
        """Return whether its outcome is decided, or will be at the next step because its deadline has passed."""
        return self.outcome is not None or now >= self.deadline


class Notice(_StoredModel):
    """A text that replies to a command."""

    message_id: int
    text: str


class Rate(_StoredModel):
    """`answers` were given in the minute that began at `since`; `silent_since`: when they exceeded the limit."""

    since: Moment | None = None
    answers: int = 0
    silent_since: Moment | None = None


class ChatRecord(_StoredModel):
    """Everything known of one chat. `ChatRecord()` is that of a chat that never wrote.

    `deleted_to` is the message of the last `/delete_history`: nothing asked up to it may stay anywhere.
    """

    settings: ChatSettings = ChatSettings()
    history: tuple[Turn, ...] = ()
    seen: Annotated[tuple[int, ...], Field(max_length=MAX_SEEN)] = ()
    current: Current | None = None
    waiting: tuple[Question, ...] = ()
    notices: tuple[Notice, ...] = ()
    erasing: bool = False
    deleted_to: MessageId = 0
    helped_at: Moment | None = None
    rate: Rate = Rate()

    def to_json(self) -> bytes:
        return with_schema(self.model_dump_json(), SCHEMA)


def schema_of(value: bytes, *, known: int, what: str) -> int:
    """Return the schema number of a stored record, `NO_SCHEMA` if it has none or is no record at all.

    Raises UnreadableRecord if the number is higher than `known`.
    """
    try:
        number = _Numbered.model_validate_json(value).number
    except ValidationError:
        return NO_SCHEMA
    if number > known:
        raise UnreadableRecord(
            f"{what} was written by a newer version of Timokha (schema {number}, this version knows {known}): run that"
            " version"
        )
    return number


def with_schema(json: str, number: int) -> bytes:
    """Return a JSON object with its schema number added."""
    return f'{{"schema":{number},{json.removeprefix("{")}'.encode()


def from_json(value: bytes) -> ChatRecord:
    """Read what `to_json` writes. Raises UnreadableRecord."""
    schema_of(value, known=SCHEMA, what="chat record")
    try:
        record = ChatRecord.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "record"
        raise unreadable(f"{where}: {first['type']}") from None
    if missing := ALWAYS_WRITTEN - record.model_fields_set:
        # For example a reply of NATS that some publisher has directed to this subject.
        raise unreadable(f"{min(missing)}: missing, so it is not ours")
    return record


def unreadable(why: str) -> UnreadableRecord:
    """Return the error for a value that is no chat record."""
    return UnreadableRecord(f"chat record can't be read ({why}): /delete_history in this chat starts it afresh")


def ask(question: Question, request_id: RequestId, deadline: datetime) -> Current:
    """Return `question` as the current one."""
    return Current(question=question, request_id=str(request_id), deadline=deadline)


def truncate(text: str, max_bytes: int) -> str:
    """Return the start of `text` that fits into `max_bytes` of UTF-8."""
    return text.encode()[:max_bytes].decode(errors="ignore")
