"""Conversations as the messages of a chat API, whose server has the prompt format and the tokenizer."""

import re
from collections.abc import Mapping, Sequence

from events.schema import Role, Turn
from functions.generate.prompts.formats import alternating, fit

_BYTES_PER_TOKEN = 3
"""A first guess, on the safe side: Russian has about 5 in the tokenizers of today's models, English 4."""
_TOKENS_PER_MESSAGE = 8
"""What a chat template puts around one, or more."""

_CONTROL_TOKEN = re.compile(r"<(?=[^<>\s]{1,64}>)|\[(?=/?[A-Za-z_][A-Za-z_0-9]{1,31}\])")
"""Where something like `<|im_end|>`, `</s>`, `<start_of_turn>` or `[INST]` begins."""


def messages(turns: Sequence[Turn], max_input_tokens: int) -> list[dict[str, str]]:
    """The newest of `turns` that fit, as {role, content}; the user first, then by turns.

    Tokens are estimated from UTF-8 bytes. A server turns control tokens that a person wrote into real ones, so they are
    broken up with a space.
    """
    kept = fit(turns, max_input_tokens, _estimate)
    return [
        {"role": turn.role.value, "content": _CONTROL_TOKEN.sub(r"\g<0> ", turn.text.strip())}
        for turn in alternating(kept)
    ]


def estimate(sent: Sequence[Mapping[str, str]]) -> int:
    """About how many tokens a server sees in what `messages` gave."""
    return _estimate([Turn(role=Role(message["role"]), text=message["content"]) for message in sent])


def _estimate(turns: Sequence[Turn]) -> int:
    size = sum(len(turn.text.encode()) for turn in turns)
    return -(-size // _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(turns)
