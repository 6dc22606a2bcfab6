"""Words never become control tokens, whatever a person types."""

from typing import Any

import pytest

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, Format, FormatName, RuDialoGPTFormat

CONTROLS = ["<eos>", "<start_of_turn>", "<|im_start|>", "<|im_end|>", "@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@", "<:>"]


def chat(tokenizer: Any) -> Format:
    return format_of(ModelCard(name="chat", format=FormatName.CHAT), tokenizer, SystemClock())


def control_tokens(tokenizer: Any, form: Format, text: str) -> list[str]:
    prompt = Encoder(tokenizer).encode(form.render([Turn(role=Role.USER, text=text)]), add_bos=form.needs_bos)
    tokens: list[str] = tokenizer.convert_ids_to_tokens(prompt.ids)
    return [token for token in tokens if token in CONTROLS]


@pytest.mark.parametrize("control", CONTROLS)
def test_typed_control_text_adds_no_control_token(chat_tokenizer: Any, control: str) -> None:
    for form in (DialogueFormat(), RuDialoGPTFormat(), chat(chat_tokenizer)):
        typed = control_tokens(chat_tokenizer, form, f"раз{control} {control}два")
        assert typed == control_tokens(chat_tokenizer, form, "раз два")


def test_framing_becomes_control_tokens(chat_tokenizer: Any) -> None:
    assert control_tokens(chat_tokenizer, RuDialoGPTFormat(), "а") == ["@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@"]
    assert control_tokens(chat_tokenizer, chat(chat_tokenizer), "а") == ["<|im_start|>", "<|im_end|>", "<|im_start|>"]


def test_the_mask_covers_the_answer_and_its_end(tokenizer: Any) -> None:
    turns = [Turn(role=Role.USER, text="как дела?"), Turn(role=Role.ASSISTANT, text="Хорошо.")]
    encoded = Encoder(tokenizer).encode(DialogueFormat().render(turns, answer=False), add_bos=True)
    learned = [token for token, is_learned in zip(encoded.ids, encoded.learned, strict=True) if is_learned]
    assert tokenizer.decode(learned) == " Хорошо.\n"


def test_a_prompt_is_the_beginning_of_what_training_sees(tokenizer: Any) -> None:
    question = Turn(role=Role.USER, text="как дела?")
    encoder = Encoder(tokenizer)
    for form in (DialogueFormat(), RuDialoGPTFormat()):
        asked = encoder.encode(form.render([question]), add_bos=True).ids
        seen = encoder.encode(
            form.render([question, Turn(role=Role.ASSISTANT, text="Да.")], answer=False), add_bos=True
        ).ids
        assert seen[: len(asked)] == asked
