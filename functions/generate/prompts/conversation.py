"""Conversations as the messages of a chat API, whose server has the prompt format and the tokenizer."""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from events.schema import Role, Turn
from functions.generate.decoding.thoughts import without_thoughts

MAX_CHARACTERS_PER_TOKEN = 32
"""No more text than this is tokenised for a place in the prompt: bounds the work that one long message can cause."""
_BYTES_PER_TOKEN = 3
"""A first guess, on the safe side: Russian has about 5 in the tokenizers of today's models, English 4."""
_TOKENS_PER_MESSAGE = 8
"""What a chat template puts around one, or more."""

_CONTROL_TOKEN = re.compile(r"<(?=[^<>\s]{1,64}>)|\[(?=/?[A-Za-z_][A-Za-z_0-9]{1,31}\])")
"""Where something like `<|im_end|>`, `</s>`, `<start_of_turn>` or `[INST]` begins."""


def alternating_turns(turns: Sequence[Turn]) -> list[Turn]:
    """The user speaks first, then by turns: neighbours of one role become one turn."""
    merged = [
        Turn(role=role, text="\n".join(turn.text for turn in group))
        for role, group in groupby(turns, key=lambda turn: turn.role)
    ]
    return merged[1:] if len(merged) > 1 and merged[0].role is Role.ASSISTANT else merged


def fit_turns(turns: Sequence[Turn], budget: int, count: Callable[[Sequence[Turn]], int]) -> list[Turn]:
    """The newest turns whose prompt has at most `budget` tokens, by `count`, without thoughts of the assistant.

    The oldest turns go first; a question too long by itself loses its start, never its end. Where the frame alone
    takes more than the budget, one character of the question is left.
    """
    recent = _recent([*without_thoughts(turns[:-1]), turns[-1]], budget * MAX_CHARACTERS_PER_TOKEN)
    kept = bisect_left(range(len(recent)), True, key=lambda n: count(recent[-n - 1 :]) > budget)
    if kept:
        return recent[-kept:]
    question = recent[-1]

    def end(length: int) -> Turn:
        return question.model_copy(update={"text": question.text[-length:]})

    length = bisect_left(range(len(question.text)), True, key=lambda n: count([end(n + 1)]) > budget)
    return [end(max(length, 1))]


def _recent(turns: Sequence[Turn], characters: int) -> list[Turn]:
    """The newest turns of about `characters` in all, at least the last one, cut from its start."""
    question = turns[-1].model_copy(update={"text": turns[-1].text[-characters:]})
    recent, left = [question], characters - len(question.text)
    for turn in reversed(turns[:-1]):
        left -= len(turn.text) + 1
        if left < 0:
            break
        recent.insert(0, turn)
    return recent


def chat_messages(turns: Sequence[Turn], max_input_tokens: int) -> list[dict[str, str]]:
    """The newest of `turns` that fit, as {role, content}; the user first, then by turns.

    Tokens are estimated from UTF-8 bytes. A server turns control tokens that a person wrote into real ones, so they are
    broken up with a space.
    """
    kept = fit_turns(turns, max_input_tokens, _estimate)
    return [
        {"role": turn.role.value, "content": _CONTROL_TOKEN.sub(r"\g<0> ", turn.text.strip())}
        for turn in alternating_turns(kept)
    ]


def estimate_tokens(sent: Sequence[Mapping[str, str]]) -> int:
    """About how many tokens a server sees in what `messages` gave."""
    return _estimate([Turn(role=Role(message["role"]), text=message["content"]) for message in sent])


def _estimate(turns: Sequence[Turn]) -> int:
    size = sum(len(turn.text.encode()) for turn in turns)
    return -(-size // _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(turns)
