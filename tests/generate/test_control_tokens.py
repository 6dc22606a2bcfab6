"""No control token that a model wrote is shown; what only looks like one is."""

from typing import Any

import pytest
from tokenizers import AddedToken

from functions.generate.decoding.control_tokens import ControlTokens
from functions.generate.prompts.formats import DialogueFormat, RuDialoGPTFormat
from tests.generate.conftest import make_tokenizer


@pytest.mark.parametrize(
    "token",
    ["<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "[/INST]", "<unused12>", "<｜User｜>", "@@ВТОРОЙ@@"],
)
def test_what_every_engine_knows_goes(token: str) -> None:
    assert ControlTokens().remove_from(f"Да{token}, нет.") == "Да, нет."


@pytest.mark.parametrize("text", ["a <| b |> c", "<table>", "[1]", "if x <|y", "`<|begin_of_thought|>`", "</s> < s>"])
def test_words_stay(text: str) -> None:
    assert ControlTokens().remove_from(text) == text


@pytest.fixture
def tokenizer() -> Any:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([AddedToken("<table>"), AddedToken("Гость"), AddedToken("  ", special=True)])
    tokenizer.add_tokens([AddedToken("<s:1>", special=True)], special_tokens=True)
    return tokenizer


def test_of_a_tokenizers_added_tokens_the_special_ones_go(tokenizer: Any) -> None:
    assert (
        ControlTokens.of_model(tokenizer, DialogueFormat()).remove_from("<s:1>Гость  и <table><eos>")
        == "Гость  и <table>"
    )


def test_those_that_the_prompt_names_go(tokenizer: Any) -> None:
    class Named(RuDialoGPTFormat):
        def render(self, *args: Any, **more: Any) -> Any:
            [first, *rest] = super().render(*args, **more)
            return [type(first)("Гость <table>", framing=True), *rest]

    assert ControlTokens.of_model(tokenizer, Named()).remove_from("Гость, <table>!") == "Гость, !"
