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
MAX_SENT = 64
MAX_UNCONFIRMED = 8
MAX_WITHDRAWN = 64
MAX_ORDERS = 20
MAX_HEARD = 16
MAX_DRAFTS = 200
MAX_ANSWERS = 32
MAX_HISTORY = 50
MAX_HISTORY_BYTES = 256 * 1024
MAX_QUESTION_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
"""These limits keep a record below NATS' 1 MiB a message, even if JSON escapes every second character."""

SCHEMA = 2
"""Raise it in a release that writes anything that the release before does not know."""
PLAIN_SCHEMA = 1
"""The schema number of a record that loses nothing if the release before reads and saves it."""
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


NEW = Field(exclude_if=lambda value: not value)
"""Marks a field that came with schema 2: its default is not written, so that a rollback stays possible."""


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
    `live`: its answer is shown while it is written. `doubtful`: it may have been answered before the records were lost.
    `asker`: what the owner knows its sender by. `approve`: its answer is sent only if the owner approves it.
    `persona`: who answers, for the model. `sign`: what shows that it was taken up, if it is not the thinking line.
    `max_new_tokens`: of its answer, None for the owner's sampling. `speaker`: who asks in a group, for the model.
    """

    message_id: int
    text: str
    locale: str
    asked_at: Moment
    trace: dict[str, str] = {}
    revision: Annotated[int, Field(ge=0, lt=10**9)] = 0
    live: bool = False
    doubtful: bool = False
    asker: Annotated[str, NEW] = ""
    approve: Annotated[bool, NEW] = False
    persona: Annotated[str, NEW] = ""
    sign: Annotated[Literal["", "reaction", "typing"], NEW] = ""
    max_new_tokens: Annotated[int | None, NEW] = None
    speaker: Annotated[str, NEW] = ""


class AnswerText(_StoredModel):
    """`text` as the model wrote it, or, with `by_owner`, the owner. `formatted`: show its Markdown as formatting."""

    kind: Literal["answer"] = "answer"
    text: str
    formatted: bool = False
    by_owner: Annotated[bool, NEW] = False


class Failure(_StoredModel):
    """`reason` is a `FailureReason` or one of the userbot's own, e.g. `phrases.DEADLINE`."""

    kind: Literal["failure"] = "failure"
    reason: str


Outcome = Annotated[AnswerText | Failure, Field(discriminator="kind")]


class Current(_StoredModel):
    """The question being answered: it waits for an `outcome`, decided at `settled_at`, whose messages are then sent.

    If it needs approval, the outcome waits for the owner's decision first, until `approve_until`. `submitted`: the
    owner's chat has its draft. `approved`: it may be sent. `thinking_id`: the thinking line, `NO_MESSAGE` if there is
    none; that of a live question becomes the answer.
    """

    question: Question
    request_id: Annotated[str, AfterValidator(_request_id)]
    deadline: Moment
    thinking_id: int | None = None
    outcome: Outcome | None = None
    settled_at: Moment | None = None
    parts_sent: Annotated[int, Field(ge=0)] = 0
    submitted: Annotated[bool, NEW] = False
    approve_until: Annotated[Moment | None, NEW] = None
    approved: Annotated[bool, NEW] = False

    @property
    def state(self) -> Literal["asking", "awaiting_approval", "delivering"]:
        if self.outcome is None:
            return "asking"
        return "awaiting_approval" if self.question.approve and not self.approved else "delivering"

    def is_over(self, now: datetime) -> bool:
        """Return whether its outcome is decided, or will be at the next step because its deadline has passed."""
        return self.outcome is not None or now >= self.deadline


class Notice(_StoredModel):
    """A text that replies to a command, or, with `key`, one of our own accord that has no `message_id`."""

    message_id: int
    text: str
    key: Annotated[str, NEW] = ""

    @property
    def name(self) -> tuple[int, str]:
        """Return what tells notices of a chat apart."""
        return self.message_id, self.key


class Unconfirmed(_StoredModel):
    """A message that was being sent when its question was dropped: if it is seen in the chat, it is ours.

    `digest`: of its text. `withdraw`: it is to be deleted then.
    """

    digest: str
    reply_to: int
    withdraw: bool = False


class Order(_StoredModel):
    """A message of the owner's in their own chat, to be carried out on other records.

    `date`: by this machine's clock; what the order says of time counts from there, so that repeating it changes
    nothing. `reply_to`: the message that it replies to, e.g. a draft's.
    """

    message_id: int
    text: str
    date: Moment
    reply_to: int = NO_MESSAGE


class Draft(_StoredModel):
    """An answer that waits for the owner's approval; its text is in the record of `chat`.

    `asker`: what the owner knows the person there by. `digests`: of the messages that show it, as in `Unconfirmed`;
    `message_ids`: of those that were sent; `shown`: all of them were. `closed`: it no longer waits.
    """

    chat: str
    request_id: str
    asker: str = ""
    digests: tuple[str, ...] = ()
    message_ids: tuple[int, ...] = ()
    shown: bool = False
    closed: bool = False


class Burst(_StoredModel):
    """Messages of one person without the prefix that become one question at `due_at`, unless more follow.

    `sender`: the person's id. `pieces`: the messages, each as the question that it would be alone; only the last one
    has the persona. `not_before`: when the owner's delay ends. `close_by`: it is not due later than this.
    """

    sender: str
    pieces: Annotated[tuple[Question, ...], Field(min_length=1)]
    due_at: Moment
    not_before: Moment
    close_by: Moment


class Heard(_StoredModel):
    """A text that was answered at `at`, as `digest`, which also covers who wrote it."""

    digest: str
    at: Moment


class Rate(_StoredModel):
    """`answers` were given in the minute that began at `since`; `silent_since`: when they exceeded the limit.

    `today`: answers given on `day`, a date in the owner's time zone such as 2026-11-27. `without_prefix`: answers to
    messages without the prefix in the hour that began at `hour_since`.
    """

    since: Moment | None = None
    answers: int = 0
    silent_since: Moment | None = None
    day: Annotated[str, NEW] = ""
    today: Annotated[int, NEW] = 0
    hour_since: Annotated[Moment | None, NEW] = None
    without_prefix: Annotated[int, NEW] = 0


class Answered(_StoredModel):
    """An answer of which feedback is kept. `message_ids`: of its parts. `trace`: as of its `Question`."""

    request_id: Annotated[str, AfterValidator(_request_id)]
    message_ids: tuple[MessageId, ...]
    trace: dict[str, str] = {}


class ChatRecord(_StoredModel):
    """Everything known of one chat. `ChatRecord()` is that of a chat that never wrote.

    `deleted_to` is the message of the last `/delete_history`: nothing asked up to it may stay anywhere.
    `sent`: our newest messages. `unconfirmed`: messages that may have been sent. `withdrawn`: our messages to delete.
    `paused_since`, `paused_until`: there are no answers in between. `resumed_at`: when the owner last
    ended that. `refused_at`: when a person last got a line that
    they get no answer. `wrote_first`: whether the first message of the chat is the other person's, None if that was
    not looked up. `recalled`: requests whose drafts must disappear from the owner's chat. `decided_by`: the owner's
    message that last decided about a draft of this chat. `heard`: the newest texts without the prefix. `answers`: our
    newest ones, while feedback is kept. Only the owner's own chat has `orders` and `drafts`.
    """

    settings: ChatSettings = ChatSettings()
    history: tuple[Turn, ...] = ()
    seen: Annotated[tuple[int, ...], Field(max_length=MAX_SEEN)] = ()
    current: Current | None = None
    waiting: tuple[Question, ...] = ()
    bursts: Annotated[tuple[Burst, ...], NEW] = ()
    notices: tuple[Notice, ...] = ()
    erasing: bool = False
    deleted_to: MessageId = 0
    helped_at: Moment | None = None
    rate: Rate = Rate()
    sent: Annotated[tuple[MessageId, ...], Field(max_length=MAX_SENT), NEW] = ()
    unconfirmed: Annotated[tuple[Unconfirmed, ...], NEW] = ()
    withdrawn: Annotated[tuple[MessageId, ...], NEW] = ()
    paused_since: Annotated[Moment | None, NEW] = None
    paused_until: Annotated[Moment | None, NEW] = None
    resumed_at: Annotated[Moment | None, NEW] = None
    refused_at: Annotated[Moment | None, NEW] = None
    wrote_first: Annotated[bool | None, Field(exclude_if=lambda value: value is None)] = None
    recalled: Annotated[tuple[str, ...], NEW] = ()
    decided_by: Annotated[MessageId, NEW] = NO_MESSAGE
    heard: Annotated[tuple[Heard, ...], NEW] = ()
    answers: Annotated[tuple[Answered, ...], NEW] = ()
    orders: Annotated[tuple[Order, ...], NEW] = ()
    drafts: Annotated[tuple[Draft, ...], NEW] = ()

    def to_json(self) -> bytes:
        return with_schema(self.model_dump_json(), SCHEMA if self._needs_this_version else PLAIN_SCHEMA)

    @property
    def _needs_this_version(self) -> bool:
        """Return whether the release before would answer what needs approval, or drop what is to be done."""
        questions = (*self.waiting, *([self.current.question] if self.current else []))
        return bool(
            self.withdrawn
            or self.recalled
            or self.orders
            or self.bursts
            or self.drafts
            or any(question.approve for question in questions)
        )


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
