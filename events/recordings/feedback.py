"""Answers that readers have judged, as JSON Lines: the conversation, the answer and the votes.

    {"messages": [{"role": "user", "content": …}, …, {"role": "assistant", "content": …}], "votes": {…}, "time": 17956…}

`messages` is the form of the training's dialogues: the turns of the request, in a group with the speaker's `name`, and
the answer last. `votes`: 1, -1 or, if it was taken back, 0 by the reader's pseudonym. `time`: when it was asked, in
seconds since 1970.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.errors import MalformedEvent
from events.recordings.lines import BadRecording, RecordedEvent
from events.schema import EventData, FeedbackGiven, GenerationCompleted, GenerationRequested, Role, Turn


class JudgedMessage(BaseModel):
    """A turn of the conversation. `name`: who says it in a group."""

    model_config = ConfigDict(frozen=True)

    role: Role
    name: Annotated[str, Field(exclude_if=lambda name: not name)] = ""
    content: str


class JudgedAnswer(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(frozen=True)

    messages: Annotated[tuple[JudgedMessage, ...], Field(min_length=2)]
    votes: dict[str, Literal[1, 0, -1]]
    time: int

    @property
    def verdict(self) -> int:
        """Return 1 if more readers like the answer than not, -1 if fewer do, else 0."""
        total = sum(self.votes.values())
        return (total > 0) - (total < 0)

    def to_line(self) -> str:
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False)


def judged_answers(events: Iterable[RecordedEvent]) -> list[JudgedAnswer]:
    """Return the answers among `events` that have a vote, in the order in which they were asked.

    Those whose request or reply is not among them, or can't be read, are left out.
    """
    questions: dict[str, list[RecordedEvent]] = {}
    for recorded in events:
        questions.setdefault(recorded.event.subject, []).append(recorded)
    return sorted(filter(None, map(_judged, questions.values())), key=lambda answer: answer.time)


def _judged(events: Sequence[RecordedEvent]) -> JudgedAnswer | None:
    request = reply = asked_at = None
    votes: dict[str, Literal[1, 0, -1]] = {}
    for recorded in events:
        match _data(recorded):
            case GenerationRequested() as data:
                request, asked_at = data, recorded.published_at
            case GenerationCompleted() as data:
                reply = data
            case FeedbackGiven(reader=reader, vote=vote):
                votes[reader] = vote
    if not (request and asked_at and reply and votes):
        return None
    turns = (*request.turns, Turn(role=Role.ASSISTANT, text=reply.text))
    messages = tuple(JudgedMessage(role=turn.role, name=turn.speaker, content=turn.text) for turn in turns)
    return JudgedAnswer(messages=messages, votes=votes, time=int(asked_at.timestamp()))


def _data(recorded: RecordedEvent) -> EventData | None:
    try:
        return recorded.event.data()
    except MalformedEvent:
        return None


def read_judged(path: Path) -> Iterator[JudgedAnswer]:
    """Yield the lines of a file that `timokha record --feedback` wrote. Raises BadRecording."""
    try:
        # Not splitlines, which also splits at separators that a text may contain.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecording(
            f"{path} can't be read ({error}); name a file that `timokha record --feedback` wrote"
        ) from None
    for number, line in enumerate(lines, start=1):
        if line:
            yield _from_line(line, f"{path}, line {number}")


def _from_line(line: str, where: str) -> JudgedAnswer:
    try:
        answer = JudgedAnswer.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        problem = f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['type']}"
    else:
        if answer.messages[-1].role is Role.ASSISTANT:
            return answer
        problem = "its last message is no answer"
    raise BadRecording(f"{where} is no judged answer ({problem}); record it again with --feedback")
