"""The chat record is the desired state of one chat: facts change it here, purely, and a driver makes the world match.

Every transition returns a new record, or the very same object when the fact changes nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

import structlog
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge.userbot.chat.versions import UnreadableRecord, numbered, schema_of
from edge.userbot.phrases import DEADLINE, INTERNAL, failure
from edge.userbot.splitting import clean, is_blank
from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.schema import FailureReason, GenerationCompleted, GenerationFailed, Role, Turn

MAX_SEEN = 256
"""A record with more can't be read: never lower it, and raise `SCHEMA` with it."""
MAX_WAITING = 5
MAX_NOTICES = 20
MAX_HISTORY = 50
MAX_HISTORY_BYTES = 256 * 1024
MAX_QUESTION_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
"""The bounds keep a record, even with every second character escaped in JSON, under NATS' 1 MiB a message."""

SCHEMA = 1
"""Higher than in the release before if this one writes anything that that one does not know."""
WRITTEN = {"settings", "history", "seen", "current", "waiting", "notices", "erasing"}
"""The fields that every version has written, defaults too: what lacks one was not written by us."""

NO_MESSAGE = 0
"""The id of a message that could not be sent, or is gone."""


MessageId = Annotated[int, Field(ge=0, lt=2**31)]
"""Telegram's. One that is out of range was not written by us: as `deleted_to` it would silence the chat for ever."""
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC))]
"""No clock shows an earlier time, and what is reckoned back from it would be none."""


class _StoredModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def having(self, **changes: object) -> Self:
        """A copy with other values, which are not validated."""
        return self.model_copy(update=changes)


def _request_id(text: str) -> str:
    try:
        RequestId.parse(text)
    except MalformedEvent:
        raise ValueError("it is no request id") from None
    return text


class ChatSettings(_StoredModel):
    """What the user has set; `context_length` counts earlier messages."""

    context_length: int = 2


class Question(_StoredModel):
    """A message that asks; `text` without the prefix, `trace` its W3C trace context; a re-sent one has a `revision`.

    `live`: its thinking line becomes the answer. `doubtful`: its user may have the answer already, from before the
    records were lost.
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
    """`text` as the model wrote it; `formatted`: its Markdown is shown as formatting."""

    kind: Literal["answer"] = "answer"
    text: str
    formatted: bool = False


class Failure(_StoredModel):
    """`reason` is a `FailureReason` or `phrases.DEADLINE`."""

    kind: Literal["failure"] = "failure"
    reason: str


Outcome = Annotated[AnswerText | Failure, Field(discriminator="kind")]


class Current(_StoredModel):
    """The question being answered: asking until it has an `outcome`, decided at `settled_at`, then delivering."""

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
        """Whether there is nothing more to wait for but messages and their record."""
        return self.outcome is not None or now >= self.deadline


class Notice(_StoredModel):
    """What a command is answered with, as a reply to its message."""

    message_id: int
    text: str


class Rate(_StoredModel):
    """`answers` in the minute `since`; more than allowed, and the bot has been silent `silent_since`."""

    since: Moment | None = None
    answers: int = 0
    silent_since: Moment | None = None


class ChatRecord(_StoredModel):
    """Everything known of one chat; `ChatRecord()` is a chat that never wrote.

    `deleted_to` is the message of the last `/delete_history`: of what was asked up to it nothing may stay anywhere.
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
        return numbered(self.model_dump_json(), SCHEMA)


def from_json(value: bytes) -> ChatRecord:
    """Read what `to_json` writes. Raises UnreadableRecord."""
    schema_of(value, known=SCHEMA, what="chat record")
    try:
        record = ChatRecord.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "record"
        raise unreadable(f"{where}: {first['type']}") from None
    if missing := WRITTEN - record.model_fields_set:
        # E.g. the answer of a NATS server whose publisher had it sent here.
        raise unreadable(f"{min(missing)}: missing, so it is not ours")
    return record


def unreadable(why: str) -> UnreadableRecord:
    """A chat's record is not one."""
    return UnreadableRecord(f"chat record can't be read ({why}): /delete_history in this chat starts it afresh")


def ask(question: Question, request_id: RequestId, deadline: datetime) -> Current:
    """`question` as the one being answered."""
    return Current(question=question, request_id=str(request_id), deadline=deadline)


def answered(record: ChatRecord, request_id: str, text: str, now: datetime, *, formatted: bool = False) -> ChatRecord:
    """The model's reply is in. One that shows nothing counts as a failure."""
    text = shortened(clean(text).strip(), MAX_ANSWER_BYTES)
    answer = Failure(reason=FailureReason.EMPTY) if is_blank(text) else AnswerText(text=text, formatted=formatted)
    return _settled(record, request_id, answer, now)


def failed(record: ChatRecord, request_id: str, reason: str, now: datetime) -> ChatRecord:
    """There will be no reply."""
    return _settled(record, request_id, Failure(reason=str(reason)), now)


def expired(record: ChatRecord, now: datetime) -> ChatRecord:
    """Fail the current question if its deadline has passed without a reply."""
    current = record.current
    if current is None or now < current.deadline:
        return record
    return _settled(record, current.request_id, Failure(reason=DEADLINE), now)


def brought_forward(record: ChatRecord, latest: datetime) -> ChatRecord:
    """A deadline after `latest` is from a clock that was wrong then: nobody waits so long."""
    current = record.current
    if current is None or current.outcome or current.deadline <= latest:
        return record
    return record.having(current=current.having(deadline=latest))


def thought(record: ChatRecord, request_id: str, thinking_id: int) -> ChatRecord:
    """The thinking line was sent as message `thinking_id`."""
    current = _current(record, request_id)
    if current is None or current.thinking_id is not None:
        return record
    return record.having(current=current.having(thinking_id=thinking_id))


def line_lost(record: ChatRecord, request_id: str) -> ChatRecord:
    """The thinking line can't be edited, e.g. because the user has deleted it: the outcome needs another message."""
    current = _current(record, request_id)
    return record if current is None else record.having(current=current.having(thinking_id=NO_MESSAGE))


def traced(record: ChatRecord, trace: dict[str, str]) -> ChatRecord:
    """What happens to the current question from now on belongs below `trace`."""
    if record.current is None:
        return record
    question = record.current.question.having(trace=trace)
    return record.having(current=record.current.having(question=question))


def part_sent(record: ChatRecord, request_id: str, parts_sent: int) -> ChatRecord:
    """The first `parts_sent` messages of the outcome are out."""
    current = _current(record, request_id)
    if current is None or current.state != "delivering" or parts_sent <= current.parts_sent:
        return record
    return record.having(current=current.having(parts_sent=parts_sent))


def finished(record: ChatRecord, request_id: str, now: datetime, deadline: timedelta) -> ChatRecord:
    """The outcome is out: remember an answer, and take up the next question, which then has `deadline` from now."""
    current = _current(record, request_id)
    if current is None or current.state != "delivering":
        return record
    previous = RequestId.parse(request_id)
    record = record.having(history=_remembered(record.history, current), current=None)
    return taken_up(record, previous.account, previous.chat, now + deadline)


def taken_up(record: ChatRecord, account: str, chat: str, deadline: datetime) -> ChatRecord:
    """The question that has waited longest is being answered now."""
    if record.current or not record.waiting:
        return record
    question = record.waiting[0]
    request_id = RequestId(account, chat, str(question.message_id), question.revision)
    return record.having(current=ask(question, request_id, deadline), waiting=record.waiting[1:])


def given_up(record: ChatRecord, request_id: str, now: datetime, deadline: datetime) -> ChatRecord:
    """Fail a question that can't be answered here; drop it if its failure can't be told either."""
    current = _current(record, request_id)
    if current is None:
        return record
    if isinstance(current.outcome, Failure):
        previous = RequestId.parse(request_id)
        return taken_up(record.having(current=None), previous.account, previous.chat, deadline)
    failure = Failure(reason=INTERNAL)
    changes = {"outcome": failure, "settled_at": now, "thinking_id": NO_MESSAGE, "parts_sent": 0}
    return record.having(current=current.having(**changes))


def answered_before(record: ChatRecord, request_id: str, deadline: datetime) -> ChatRecord:
    """The chat has the outcome of the current question, from a store that is further on than this one: drop it."""
    if _current(record, request_id) is None:
        return record
    previous = RequestId.parse(request_id)
    return taken_up(record.having(current=None), previous.account, previous.chat, deadline)


def passed_over(record: ChatRecord) -> ChatRecord:
    """Drop the question that has waited longest: it can't be taken up, as one line says."""
    if not record.waiting:
        return record
    question = record.waiting[0]
    notice = Notice(message_id=question.message_id, text=failure(question.locale, INTERNAL))
    return record.having(waiting=record.waiting[1:], notices=(*record.notices, notice)[-MAX_NOTICES:])


def notified(record: ChatRecord, message_id: int) -> ChatRecord:
    """The notice to `message_id` was sent."""
    left = tuple(notice for notice in record.notices if notice.message_id != message_id)
    return record if len(left) == len(record.notices) else record.having(notices=left)


def erased(record: ChatRecord, up_to: int) -> ChatRecord:
    """The chat's events up to message `up_to` are gone from the streams."""
    return record.having(erasing=False) if record.erasing and record.deleted_to <= up_to else record


def shortened(text: str, max_bytes: int) -> str:
    """As much of the start of `text` as fits into `max_bytes` of UTF-8."""
    return text.encode()[:max_bytes].decode(errors="ignore")


def _current(record: ChatRecord, request_id: str) -> Current | None:
    return record.current if record.current and record.current.request_id == request_id else None


def _settled(record: ChatRecord, request_id: str, outcome: AnswerText | Failure, now: datetime) -> ChatRecord:
    """The first outcome wins; whatever comes later, or for another question, changes nothing."""
    current = _current(record, request_id)
    if current is None or current.state != "asking":
        return record
    return record.having(current=current.having(outcome=outcome, settled_at=now))


def _remembered(history: tuple[Turn, ...], current: Current) -> tuple[Turn, ...]:
    if not isinstance(current.outcome, AnswerText):
        return history
    question = Turn(role=Role.USER, text=current.question.text)
    answer = Turn(role=Role.ASSISTANT, text=current.outcome.text)
    return _bounded((*history, question, answer))


def _bounded(history: tuple[Turn, ...]) -> tuple[Turn, ...]:
    history = history[-MAX_HISTORY:]
    while sum(len(turn.text.encode()) for turn in history) > MAX_HISTORY_BYTES:
        history = history[2:]
    return history


_MALFORMED = Failure(reason=FailureReason.MALFORMED)

log = structlog.get_logger(__name__)


def settled(record: ChatRecord, reply: Event, now: datetime, *, formatted: bool) -> ChatRecord:
    """The outcome that `reply` brings, if it is the first for the current question; one that can't be read fails it.

    `formatted`: its Markdown is to be shown as formatting.
    """
    try:
        data = reply.data()
    except MalformedEvent:
        return failed(record, reply.subject, FailureReason.MALFORMED, now)
    match data:
        case GenerationCompleted(request_id=request_id, text=text):
            return answered(record, request_id, text, now, formatted=formatted)
        case GenerationFailed(request_id=request_id, reason=reason):
            return failed(record, request_id, reason, now)
    return failed(record, data.request_id, FailureReason.MALFORMED, now)


def report(record: ChatRecord, reply: Event) -> None:
    """Log that `reply` can't be read, if that failed the question of `record`: nobody waits for any other."""
    current = record.current
    if current is None or current.request_id != reply.subject or current.outcome != _MALFORMED:
        return
    try:
        reply.data()
    except MalformedEvent as error:
        log.error("reply.malformed", request_id=reply.subject, error=str(error))
