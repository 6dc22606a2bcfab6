"""What is written byte by byte is read character by character, whatever comes before or after it."""

from itertools import pairwise
from typing import Any

import pytest

from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.tokens import FastTokenizer
from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FormatName
from tests.generate import tiny_models


@pytest.fixture(scope="module", params=["gemma3", "mistral"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FastTokenizer:
    directory = tmp_path_factory.mktemp("tokenizer")
    tiny_models.KINDS[request.param].tokenizer().backend_tokenizer.save(str(directory / "tokenizer.json"))
    return FastTokenizer(
        directory, ServingInfo(card=ModelCard(name="x", format=FormatName.DIALOGUE), context=9, ends=())
    )


def spelled(tokenizer: FastTokenizer, text: str | bytes) -> list[int]:
    data = text if isinstance(text, bytes) else text.encode()
    return [token for byte in data if (token := tokenizer.convert_tokens_to_ids(f"<0x{byte:02X}>")) is not None]


def test_each_byte_token_adds_to_what_was_written(tokenizer: FastTokenizer) -> None:
    """The library gives up all bytes in a row for one that is missing."""
    text = "你好 😀"
    tokens = spelled(tokenizer, text)
    shown = [tokenizer.decode(tokens[:count]).replace("\ufffd", "") for count in range(len(tokens) + 1)]
    assert shown[-1] == text
    assert all(later.startswith(earlier) for earlier, later in pairwise(shown))


@pytest.mark.parametrize("stray", [b"\xff", b"\xe4\xbd", b"\xa0\xa0", b"\xed\xa0\x80", b"\xf0\x9f"])
def test_a_byte_astray_harms_only_itself(tokenizer: FastTokenizer, stray: bytes) -> None:
    tokens = [*spelled(tokenizer, "你"), *spelled(tokenizer, stray), *spelled(tokenizer, "好")]
    assert tokenizer.decode(tokens).replace("\ufffd", "") == "你好"


def test_other_text_is_left_as_it_is(tokenizer: FastTokenizer) -> None:
    words: Any = tokenizer.backend_tokenizer.encode("Привет, как дела?", add_special_tokens=False).ids
    raw = tokenizer.backend_tokenizer
    assert tokenizer.decode(words) == raw.decode(words, skip_special_tokens=False)
    both = [*words, *spelled(tokenizer, "你"), *words, *spelled(tokenizer, b"\xe4")]
    assert tokenizer.decode(both) == raw.decode(both[:-1], skip_special_tokens=False)
