"""Fit a conversation into a prompt: its newest turns, alternating."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import groupby

from events.schema import Role, Turn
from functions.generate.decoding.thoughts import without_thoughts
from functions.generate.prompts.speaker_names import with_name

SHARE_OF_NAME = 4
"""A name that takes more than a part in so many of a prompt is left out if the question is too long."""
MAX_CHARACTERS_PER_TOKEN = 32
"""Text beyond this is not even tokenised, which bounds the work that a long message can cause."""


def alternating_turns(turns: Sequence[Turn]) -> list[Turn]:
    """Join neighbouring turns of one role, and drop an assistant's turn before the first of the user.

    Speakers' names become part of the text.
    """
    merged = [
        Turn(role=role, text="\n".join(map(with_name, group)))
        for role, group in groupby(turns, key=lambda turn: turn.role)
    ]
    return merged[1:] if len(merged) > 1 and merged[0].role is Role.ASSISTANT else merged


def fit_turns(turns: Sequence[Turn], budget: int, count: Callable[[Sequence[Turn]], int]) -> list[Turn]:
    """Return the newest turns whose prompt has at most `budget` tokens by `count`, without the assistant's thoughts.

    Drop the oldest turns first; if the question alone is too long, drop its start, but its speaker's name only if that
    is long, too. At least one character of it stays, even if the frame alone exceeds the budget.
    """
    recent = _recent([*without_thoughts(turns[:-1]), turns[-1]], budget * MAX_CHARACTERS_PER_TOKEN)
    kept = bisect_left(range(len(recent)), True, key=lambda n: count(recent[-n - 1 :]) > budget)
    if kept:
        return recent[-kept:]
    question = _without_long_name(recent[-1], budget, count)

    def end(length: int) -> Turn:
        return question.model_copy(update={"text": question.text[-length:]})

    length = bisect_left(range(len(question.text)), True, key=lambda n: count([end(n + 1)]) > budget)
    return [end(max(length, 1))]


def _without_long_name(question: Turn, budget: int, count: Callable[[Sequence[Turn]], int]) -> Turn:
    named = question.model_copy(update={"text": question.text[-1:]})
    bare = named.model_copy(update={"speaker": ""})
    is_long = (count([named]) - count([bare])) * SHARE_OF_NAME > budget
    return question.model_copy(update={"speaker": ""}) if question.speaker and is_long else question


def _recent(turns: Sequence[Turn], characters: int) -> list[Turn]:
    """Return the newest turns of about `characters` in all; at least the last, without its start if it is longer."""
    question = turns[-1].model_copy(update={"text": turns[-1].text[-characters:]})
    recent, left = [question], characters - len(question.text)
    for turn in reversed(turns[:-1]):
        left -= len(turn.speaker) + len(turn.text) + 1
        if left < 0:
            break
        recent.insert(0, turn)
    return recent
