"""A model that looks back at few tokens is served as far as that goes, or one line says what helps."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from events.errors import SettingsError
from events.schema import Role, Sampling, Turn
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat
from functions.generate.prompts.prompter import Prompter

QUESTION = [Turn(role=Role.USER, text="Какая столица Франции?")]
LONG = Sampling(max_new_tokens=1000)


class Signs:
    """A tokenizer with a token for each sign."""

    bos_token_id = unk_token_id = None
    all_special_ids: Sequence[int] = ()
    all_special_tokens: Sequence[str] = ()
    added_tokens_decoder: Mapping[int, Any] = {}

    def convert_tokens_to_ids(self, tokens: str) -> int | None:
        return None

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        return [ord(sign) for sign in text]


def prompter(context: int, *, preamble: bool = True, max_input_tokens: int = 100_000) -> Prompter:
    form = DialogueFormat(preamble=preamble)
    return Prompter("small", form, Encoder(Signs()), context=context, max_input_tokens=max_input_tokens)


def frame(*, preamble: bool) -> int:
    return sum(len(part.text) for part in DialogueFormat(preamble=preamble).render([Turn(role=Role.USER, text=".")]))


def test_examples_that_take_more_than_half_of_the_context_leave_a_shorter_answer():
    context = frame(preamble=True) + 100
    made = prompter(context)
    limit = made.limit(LONG)
    assert 32 <= limit < context // 2
    assert len(made.prompt(QUESTION, limit)) + limit <= context


def test_a_usual_context_keeps_half_for_the_answer():
    assert prompter(10_000).limit(LONG) == 1000
    assert prompter(10_000).limit(Sampling(max_new_tokens=1024)) == 1024


def test_a_context_too_small_for_the_examples_says_how_to_leave_them_out():
    with pytest.raises(SettingsError, match=r"context of 256 .*timokha.json.* longer context") as raised:
        prompter(256)
    assert "GENERATE_MAX_INPUT_TOKENS" not in str(raised.value)
    prompter(256, preamble=False)


def test_a_context_too_small_for_anything_says_so():
    with pytest.raises(
        SettingsError, match=r"context of 40 tokens leaves no room .*: serve a model with a longer context$"
    ):
        prompter(40)


def test_a_setting_too_small_says_how_large_it_has_to_be():
    least = frame(preamble=True) + 16
    with pytest.raises(
        SettingsError, match=rf"GENERATE_MAX_INPUT_TOKENS=64 leaves no room .*: raise it to {least} or more"
    ):
        prompter(10_000, max_input_tokens=64)
    prompter(10_000, max_input_tokens=least)
