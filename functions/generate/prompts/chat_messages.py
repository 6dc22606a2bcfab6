"""A conversation as messages of a chat API, as much of it as fits."""

import re
from collections.abc import Mapping, Sequence

from events.schema import Turn
from functions.generate.prompts.conversation import alternating_turns
from functions.generate.prompts.persona import fit_conversation, persona_as_words
from functions.generate.prompts.speaker_names import with_name

SYSTEM = "system"
"""The role of the persona's message."""
_BYTES_PER_TOKEN = 3
"""A cautious first estimate: with tokenizers of current models Russian has about 5, English 4."""
_TOKENS_PER_MESSAGE = 8
"""At least what a chat template adds to a message."""

_CONTROL_TOKEN = re.compile(r"<(?=[^<>\s]{1,64}>)|\[(?=/?[A-Za-z_][A-Za-z_0-9]{1,31}\])")
"""The start of something like `<|im_end|>`, `</s>`, `<start_of_turn>` or `[INST]`."""


def chat_messages(
    turns: Sequence[Turn], max_input_tokens: int, *, persona: str = "", system_role: bool = True
) -> list[dict[str, str]]:
    """Return the newest of `turns` that fit as {role, content}, alternating, the user's first.

    The persona is the system message before them or, without a `system_role`, precedes the user's first words. A
    speaker's name precedes the words: as the API's `name` it might have Latin letters alone, and templates ignore it.
    Tokens are estimated from UTF-8 bytes. A space breaks up control tokens that a person wrote: a server would take
    them for real ones.
    """
    fitting, persona = fit_conversation(turns, persona, max_input_tokens, _estimate)
    said = alternating_turns(fitting)
    if not system_role:
        said = persona_as_words(persona, said)
    system = [(SYSTEM, persona)] if persona and system_role else []
    messages = [*system, *((turn.role.value, turn.text) for turn in said)]
    return [{"role": role, "content": _CONTROL_TOKEN.sub(r"\g<0> ", text.strip())} for role, text in messages]


def has_system(messages: Sequence[Mapping[str, str]]) -> bool:
    """Return whether the persona is a message of its own."""
    return messages[0]["role"] == SYSTEM


def estimate_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """Estimate how many tokens a server counts in `messages`."""
    return _estimate_texts([message["content"] for message in messages])


def _estimate(turns: Sequence[Turn], persona: str) -> int:
    return _estimate_texts([*([persona] if persona else []), *map(with_name, turns)])


def _estimate_texts(texts: Sequence[str]) -> int:
    size = sum(len(text.encode()) for text in texts)
    return -(-size // _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(texts)
