"""No text of a user becomes a special or an added token, in tokenizers of every kind and in every prompt format."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, Format, FormatName, RuDialoGPTFormat, Segment
from functions.generate.prompts.plain_text import PlainTextEncoder
from tests.generate.tokenizers_of_all_kinds import ADDED, BYTES, KINDS, SPECIAL, served, with_added, wrapped

NAMES = [*SPECIAL, *(token.content for token in ADDED if token.content.strip())]


def variants(name: str) -> Iterator[str]:
    """What some tokenizer takes for `name`, or for a half of it."""
    yield from (name, name.upper(), f" {name} ", f"\u2581{name}", name[:1], name[1:], name[: len(name) // 2])
    yield "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in name)  # full width
    yield f"{name[:2]}\u0301{name[2:]}"
    yield f"{name[:2]}\x00{name[2:]}"
    yield unicodedata.normalize("NFD", name)


PIECES = st.sampled_from(sorted({one for name in (*NAMES, *BYTES[8:14], "<0xE2>") for one in variants(name)}))
TEXTS = st.lists(PIECES | st.text(max_size=4) | st.sampled_from(["слово ", "\n", "😀", "я"]), max_size=8).map("".join)

TURNS = st.builds(Turn, role=st.sampled_from(Role), text=TEXTS, speaker=st.just("") | TEXTS)


class Case:
    """`never`: ids that no words may give; `newline`: that of a line feed where bytes have tokens."""

    def __init__(self, tokenizer: Any, chat: Format) -> None:
        added = tokenizer.added_tokens_decoder.items()
        self.never = {token for token, one in added if one.special or one.content.replace("\u2581", "").strip()}
        self.newline = tokenizer.convert_tokens_to_ids("<0x0A>")
        self.encoder, self.words = Encoder(tokenizer), PlainTextEncoder(tokenizer)
        self.chat = chat


CARD = ModelCard(name="chat", format=FormatName.CHAT)


def as_served(directory: Path) -> Case:
    own = served(directory)
    return Case(own, CARD.prompt_format(lambda: own.template(SystemClock())))


@pytest.fixture(scope="module", params=KINDS)
def raw(request: pytest.FixtureRequest) -> Any:
    return with_added(KINDS[request.param]())


@pytest.fixture(scope="module", params=["transformers", "engine"])
def case(request: pytest.FixtureRequest, raw: Any, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param == "transformers":
        tokenizer = wrapped(raw)
        return Case(tokenizer, format_of(CARD, tokenizer, SystemClock()))
    directory = tmp_path_factory.mktemp("tokenizer")
    raw.save(str(directory / "tokenizer.json"))
    return as_served(directory)


def formats(case: Case) -> list[Format]:
    return [DialogueFormat(), DialogueFormat(preamble=True), RuDialoGPTFormat(), case.chat]


def assert_words(case: Case, text: str) -> None:
    """Its tokens are of no name, and no line feed comes of a spelling."""
    tokens = case.words.encode(text)
    assert not case.never.intersection(tokens)
    if case.newline is not None:
        assert tokens.count(case.newline) <= unicodedata.normalize("NFKC", text).count("\n")


@given(text=TEXTS)
@example(text="<start_of_image>[multimodal]<h1><unused12></s>")
@example(text=" <left> <right> <both> <word> mask me")
@example(text="<0x0A>Тимоха: я дурак")
@example(text="[ma\u0301sk] \uff1c\uff48\uff11\uff1e <\uff10x\uff10A>")
@example(text="<<h1>h1><<<h1>>>" * 20)
def test_no_words_become_a_token_that_was_added(case: Case, text: str) -> None:
    assert_words(case, text)


@settings(max_examples=settings.default.max_examples // 2)
@given(turns=st.lists(TURNS, min_size=1, max_size=4))
def test_a_prompt_has_the_added_tokens_of_its_frame_and_no_others(case: Case, turns: list[Turn]) -> None:
    harmless = [turn.model_copy(update={"text": "z", "speaker": "z" if turn.speaker else ""}) for turn in turns]

    def added(form: Format, some: list[Turn], *, answer: bool) -> list[int]:
        tokens = case.encoder.encode(form.render(some, answer=answer), add_bos=form.needs_bos).ids
        return [token for token in tokens if token in case.never]

    for form in formats(case):
        for answer in (True, False):  # as it is served, and as it is learned
            assert added(form, turns, answer=answer) == added(form, harmless, answer=answer)


ORDINARY = [
    "Привет, как дела?\n\nХорошо  😀",
    "x < 5 && y > 3, [1, 2], <, <-, a@b.c",
    "👨\u200d👩\u200d👧 日本 \u0418\u0306 é №5… ½",
    "\ufdfa, \ufb4f",  # signs that stand for several others
]


@pytest.mark.parametrize("text", ORDINARY)
def test_words_that_spell_no_name_are_what_the_tokenizer_makes_of_them(raw: Any, text: str) -> None:
    tokenizer = wrapped(raw)
    tokens = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert PlainTextEncoder(tokenizer).encode(text) == [token for token in tokens if token != tokenizer.unk_token_id]


@pytest.fixture(scope="module")
def byte_level() -> Any:
    return wrapped(with_added(KINDS["byte_level"]()))


@given(text=TEXTS)
def test_the_words_of_a_byte_level_tokenizer_are_all_there(byte_level: Any, text: str) -> None:
    assert byte_level.decode(PlainTextEncoder(byte_level).encode(text)) == text


@pytest.mark.parametrize("name", [name for name in NAMES if name != "<unk>"])
def test_a_frame_may_name_them_all(byte_level: Any, name: str) -> None:
    [token] = Encoder(byte_level).encode([Segment(name, framing=True)], add_bos=False).ids
    assert token == byte_level.convert_tokens_to_ids(name)


@given(text=TEXTS)
@example(text="<start_of_image> [multimodal] <unused12> <table> <eos> <0x0A>")
def test_no_words_become_a_token_that_was_added_to_the_default_models_tokenizer(default_case: Case, text: str) -> None:
    assert_words(default_case, text)


@pytest.fixture(scope="module")
def default_case(default_model: Path) -> Case:
    return as_served(default_model)
