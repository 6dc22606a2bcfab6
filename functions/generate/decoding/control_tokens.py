"""Remove control tokens from a model's output, so that none is shown."""

import re
from collections.abc import Iterable, Iterator

from events.schema import Role, Turn
from functions.generate.decoding.thoughts import THOUGHT_MARKS
from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER, Format
from functions.generate.prompts.plain_text import is_white_space
from functions.generate.prompts.tokenizer import Tokenizer

_KNOWN = (
    r"<\|[^<>|\s]{1,64}\|>",
    r"<｜[^<>｜\s]{1,64}｜>",
    r"<(?:start|end)_of_turn>",
    r"<unused\d+>",
    r"\[/?INST\]",
    re.escape(FIRST_SPEAKER),
    re.escape(SECOND_SPEAKER),
)
"""Recognised by spelling with every engine: a server does not say which tokens it has."""
_BRACKETED = re.compile(r"\W.*\w.*\W", re.DOTALL)
"""Only an added token in brackets counts: another may be an ordinary word."""
_MARKS = {spelling for mark in THOUGHT_MARKS for spelling in (mark.opening, mark.closing)}
"""Marks of thoughts are hidden before; those that are left are code in the answer."""
_TURNS = [Turn(role=role, text=".") for role in (Role.USER, Role.ASSISTANT, Role.USER)]


class ControlTokens:
    """The control tokens of one model: `names`, and those recognised with every engine."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        longest_first = sorted({*names} - _MARKS, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, longest_first), *_KNOWN]))

    @classmethod
    def of_model(cls, tokenizer: Tokenizer, form: Format) -> "ControlTokens":
        return cls(_names(tokenizer, form))

    def remove_from(self, text: str) -> str:
        """Return `text` without control tokens."""
        return self._pattern.sub(lambda found: found[0] if found[0] in _MARKS else "", text)


def _names(tokenizer: Tokenizer, form: Format) -> Iterator[str]:
    """Yield the special tokens, and those added tokens that the frame of a prompt contains.

    Other added tokens are text: Gemma's tokenizer has HTML tags among them.
    """
    yield from tokenizer.all_special_tokens
    frame = "".join(segment.text for segment in form.render(_TURNS, persona=".") if segment.framing)
    for token in tokenizer.added_tokens_decoder.values():
        name = str(token.content)
        if not is_white_space(name) and (token.special or (name in frame and _BRACKETED.fullmatch(name))):
            yield name
