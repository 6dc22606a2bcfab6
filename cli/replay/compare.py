"""Whether a replayed reply agrees with the recorded one, and where it does not."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import ndiff

from cli.replay.cases import Case, Reply
from events.schema import GenerationCompleted, Timings

LENGTH_FACTOR, LENGTH_SLACK = 4, 40
"""A sampled reply may be so many times longer or shorter than the recorded one, and so many characters more."""
SLOWER_FACTOR, SLOWER_SLACK = 3.0, 1.0
"""And its generation so many times slower, and so many seconds more."""


@dataclass(frozen=True, slots=True)
class ReplyDifference:
    """`lines`: what was recorded and what came, to be read by a person."""

    what: str
    lines: tuple[str, ...]


def differences(case: Case, reply: Reply | None) -> list[ReplyDifference]:
    """Exact where decoding was greedy; otherwise the reply's shape, its length and its timing. None: it agrees."""
    if case.reply is None:
        return []
    if reply is None:
        return [ReplyDifference("no reply", (f"- {_kind(case.reply)}", "+ nothing until the deadline"))]
    if _kind(case.reply) != _kind(reply):
        return [_between("outcome", _kind(case.reply), _kind(reply))]
    if not isinstance(case.reply, GenerationCompleted) or not isinstance(reply, GenerationCompleted):
        return []
    exact = case.request.sampling.is_greedy
    return list(_exact(case.reply, reply) if exact else _alike(case.reply, reply))


def _exact(recorded: GenerationCompleted, replayed: GenerationCompleted) -> Iterator[ReplyDifference]:
    if recorded.text != replayed.text:
        yield _between("text", recorded.text, replayed.text)
    if recorded.finish_reason != replayed.finish_reason:
        yield _between("finish_reason", recorded.finish_reason, replayed.finish_reason)
    if recorded.usage != replayed.usage:
        yield _between("usage", recorded.usage, replayed.usage)


def _alike(recorded: GenerationCompleted, replayed: GenerationCompleted) -> Iterator[ReplyDifference]:
    if _shape(recorded) != _shape(replayed):
        yield _between("shape", _shape(recorded), _shape(replayed))
    shorter, longer = sorted((len(recorded.text), len(replayed.text)))
    if longer > shorter * LENGTH_FACTOR + LENGTH_SLACK:
        yield _between("length", f"{len(recorded.text)} characters", f"{len(replayed.text)} characters")
    was, is_now = _seconds(recorded.timings), _seconds(replayed.timings)
    if was and is_now > was * SLOWER_FACTOR + SLOWER_SLACK:
        yield _between("timing", f"{was:.2f} s", f"{is_now:.2f} s")


def _kind(reply: Reply) -> str:
    return "answered" if isinstance(reply, GenerationCompleted) else f"failed ({reply.reason})"


def _shape(reply: GenerationCompleted) -> str:
    lines = len(reply.text.splitlines())
    return f"{reply.finish_reason}, {'one line' if lines == 1 else 'several lines'}"


def _seconds(timings: Timings) -> float:
    return timings.prompt + timings.generation


def _between(what: str, recorded: object, replayed: object) -> ReplyDifference:
    lines = ndiff(str(recorded).splitlines(), str(replayed).splitlines())
    return ReplyDifference(what, tuple(line.rstrip("\n") for line in lines if not line.startswith("?")))
