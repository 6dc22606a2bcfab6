"""The limit on answers in one chat: bots that set each other off come to an end."""

from datetime import datetime, timedelta

from edge.userbot.chat.record import Rate

MINUTE = timedelta(minutes=1)
SILENCE = timedelta(minutes=5)
"""After too many answers; commands are answered meanwhile."""


def counted(rate: Rate, now: datetime) -> Rate:
    """`rate` with one more answer."""
    return rate.having(since=now, answers=1) if _is_over(rate, now) else rate.having(answers=rate.answers + 1)


def is_reached(rate: Rate, limit: int, now: datetime) -> bool:
    """Whether the minute has had `limit` answers; a limit of 0 is none."""
    return 0 < limit <= rate.answers and not _is_over(rate, now)


def is_silent(rate: Rate, now: datetime) -> bool:
    return rate.silent_since is not None and not _passed(rate.silent_since, now, SILENCE)


def _is_over(rate: Rate, now: datetime) -> bool:
    return rate.since is None or _passed(rate.since, now, MINUTE)


def _passed(since: datetime, now: datetime, period: timedelta) -> bool:
    """A clock that was set back must not make a period longer."""
    return not timedelta(0) <= now - since < period
