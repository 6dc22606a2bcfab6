"""The persona, who answers in the owner's words: what of it fits, and where it goes in a format without a place for it.

It is text like the conversation's: it never becomes a control token or a turn of its own.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

from events.schema import Role, Turn
from functions.generate.prompts.conversation import MAX_CHARACTERS_PER_TOKEN, fit_turns

Count = Callable[[Sequence[Turn], str], int]
"""The tokens of the prompt of turns and a persona."""


def fit_conversation(turns: Sequence[Turn], persona: str, budget: int, count: Count) -> tuple[list[Turn], str]:
    """Return the newest turns and the persona whose prompt has at most `budget` tokens by `count`.

    See `conversation.fit_turns`. The persona goes before earlier turns, but it is shortened, or left out, rather than
    the question, as long as that takes no more than half of what the frame leaves.
    """
    persona = _fit_persona(persona, turns[-1], budget, count)
    return fit_turns(turns, budget, lambda some: count(some, persona)), persona


def _fit_persona(persona: str, question: Turn, budget: int, count: Count) -> str:
    """Return the beginning of `persona`, in whole words, that fits beside `question`."""
    persona = persona[: budget * MAX_CHARACTERS_PER_TOKEN].strip()
    if not persona:
        return ""
    frame = count([Turn(role=Role.USER, text=".")], "")
    kept = fit_turns([question], (budget + frame) // 2, lambda some: count(some, ""))
    if count(kept, persona) <= budget:
        return persona
    ends = [word.end() for word in re.finditer(r"\S+", persona)]
    words = bisect_left(ends, True, key=lambda end: count(kept, persona[:end]) > budget)
    return persona[: ends[words - 1]] if words else ""


def persona_as_words(persona: str, turns: Sequence[Turn]) -> list[Turn]:
    """Return `turns` with the persona before the user's first words, as Gemma's chat template has it."""
    persona, first = persona.strip(), next((n for n, turn in enumerate(turns) if turn.role is Role.USER), None)
    if not persona or first is None:
        return list(turns)
    told = turns[first].model_copy(update={"text": f"{persona}\n\n{turns[first].text}"})
    return [*turns[:first], told, *turns[first + 1 :]]
