"""Compare a replayed reply with the recorded one."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import ndiff

from cli.replay.cases import Case, Reply
from events.schema import GenerationCompleted, Timings

LENGTH_FACTOR, LENGTH_SLACK = 4, 40
"""A sampled reply may be longer or shorter than the recorded one by this factor plus this many characters."""
SLOWER_FACTOR, SLOWER_SLACK = 3.0, 1.0
"""Its generation may be slower by this factor plus this many seconds."""


@dataclass(frozen=True, slots=True)
class ReplyDifference:
    """`what` differs; `lines` show the recorded and the replayed value."""

    what: str
    lines: tuple[str, ...]


def differences(case: Case, reply: Reply | None) -> list[ReplyDifference]:
    """Return the differences: exact ones if decoding was greedy, otherwise in shape, length and timing."""
    if case.reply is None:
        return []
    if reply is None:
        return [ReplyDifference("no reply", (f"- {_kind(case.reply)}", "+ nothing until the deadline"))]
    if _kind(case.reply) != _kind(reply):
        return [_difference("outcome", _kind(case.reply), _kind(reply))]
    if not isinstance(case.reply, GenerationCompleted) or not isinstance(reply, GenerationCompleted):
        return []
    exact = case.request.sampling.is_greedy
    return list(_greedy_differences(case.reply, reply) if exact else _sampled_differences(case.reply, reply))


def _greedy_differences(recorded: GenerationCompleted, replayed: GenerationCompleted) -> Iterator[ReplyDifference]:
    if recorded.text != replayed.text:
        yield _difference("text", recorded.text, replayed.text)
    if recorded.finish_reason != replayed.finish_reason:
        yield _difference("finish_reason", recorded.finish_reason, replayed.finish_reason)
    if recorded.usage != replayed.usage:
        yield _difference("usage", recorded.usage, replayed.usage)


def _sampled_differences(recorded: GenerationCompleted, replayed: GenerationCompleted) -> Iterator[ReplyDifference]:
    if _shape(recorded) != _shape(replayed):
        yield _difference("shape", _shape(recorded), _shape(replayed))
    shorter, longer = sorted((len(recorded.text), len(replayed.text)))
    if longer > shorter * LENGTH_FACTOR + LENGTH_SLACK:
        yield _difference("length", f"{len(recorded.text)} characters", f"{len(replayed.text)} characters")
    was, is_now = _seconds(recorded.timings), _seconds(replayed.timings)
    if was and is_now > was * SLOWER_FACTOR + SLOWER_SLACK:
        yield _difference("timing", f"{was:.2f} s", f"{is_now:.2f} s")


def _kind(reply: Reply) -> str:
    return "answered" if isinstance(reply, GenerationCompleted) else f"failed ({reply.reason})"


def _shape(reply: GenerationCompleted) -> str:
    lines = len(reply.text.splitlines())
    return f"{reply.finish_reason}, {'one line' if lines == 1 else 'several lines'}"


def _seconds(timings: Timings) -> float:
    return timings.prompt + timings.generation


def _difference(what: str, recorded: object, replayed: object) -> ReplyDifference:
    lines = ndiff(str(recorded).splitlines(), str(replayed).splitlines())
    return ReplyDifference(what, tuple(line.rstrip("\n") for line in lines if not line.startswith("?")))
