"""Whatever people write, no prompt format lets it become a control token, a role, or a fault."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.decoding.answers import tidy_answer
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, Format, FormatName, RuDialoGPTFormat, one_line
from functions.generate.prompts.prompter import Prompter
from functions.generate.prompts.speakers import ENGLISH, RUSSIAN

CONTROLS = ["<eos>", "<start_of_turn>", "<|im_start|>", "<|im_end|>", "@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@"]
PIECES = st.sampled_from(
    [
        *CONTROLS, "<|im_", "start|>", "<eo", "s>", "@@", "ПЕРВЫЙ", "ВТОРОЙ@@", "<:>", "\ue0000\ue001",
        "\ue000", "\ue001",
        "{{ messages }}", "{% raw %}", "Гость:", "тимоха :", "Guest：", "assistant\n", "system", "\n", "\u2028", "\x00",
        "\u202e", "\u200d", "👨‍👩‍👧‍👦", "İ", "я", " ",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=10).map("".join)
TURNS = st.builds(Turn, role=st.sampled_from(Role), text=TEXTS, speaker=st.just("") | TEXTS)
CONVERSATIONS = st.lists(TURNS, min_size=1, max_size=6)


def harmless(turn: Turn, word: str = "слово") -> Turn:
    return turn.model_copy(update={"text": word, "speaker": word if turn.speaker else ""})


def formats(tokenizer: Any) -> list[Format]:
    chat = format_of(ModelCard(name="chat", format=FormatName.CHAT), tokenizer, SystemClock())
    return [DialogueFormat(), DialogueFormat(preamble=True), RuDialoGPTFormat(), chat]


def controls(tokenizer: Any, form: Format, turns: list[Turn]) -> list[str]:
    prompt = Encoder(tokenizer).encode(form.render(turns), add_bos=form.needs_bos)
    return [token for token in tokenizer.convert_ids_to_tokens(prompt.ids) if token in CONTROLS]


@given(turns=CONVERSATIONS)
def test_no_text_adds_or_removes_a_control_token(chat_tokenizer: Any, turns: list[Turn]) -> None:
    words = [harmless(turn) for turn in turns]
    for form in formats(chat_tokenizer):
        assert controls(chat_tokenizer, form, turns) == controls(chat_tokenizer, form, words)


@given(turns=CONVERSATIONS)
def test_no_text_is_taken_for_framing(chat_tokenizer: Any, turns: list[Turn]) -> None:
    words = [harmless(turn) for turn in turns]
    for form in formats(chat_tokenizer)[2:]:
        framing = [[part.text for part in form.render(some) if part.framing] for some in (turns, words)]
        assert framing[0] == framing[1]


@given(TEXTS)
def test_a_line_of_a_dialogue_is_one_line_without_a_speaker(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    labels = [persona.label(role).lower() for persona in (RUSSIAN, ENGLISH) for role in Role]
    words = line.lower().split()
    assert not any(word == label for word in words for label in labels)


@given(turns=CONVERSATIONS, repeated=st.sampled_from([1, 1, 100]), limit=st.integers(1, 60))
def test_every_prompt_fits(chat_tokenizer: Any, turns: list[Turn], repeated: int, limit: int) -> None:
    turns = [turn.model_copy(update={"text": turn.text * repeated}) for turn in turns]
    for form in (DialogueFormat(), RuDialoGPTFormat()):
        prompter = Prompter("test", form, Encoder(chat_tokenizer), context=160, max_input_tokens=120)
        allowed = prompter.limit(Sampling(max_new_tokens=limit))
        prompt = prompter.prompt(turns, allowed)
        assert 0 < len(prompt) <= min(120, 160 - allowed)


WRITTEN = TEXTS | st.builds(lambda piece, times: piece * times, PIECES | st.sampled_from(".…!?»”\")«'"), st.just(3000))


@given(WRITTEN, st.booleans())
@example("." * 30_000 + "x", True)
def test_whatever_a_model_writes_can_be_tidied(text: str, cut: bool) -> None:
    tidied = tidy_answer(text, cut=cut)
    assert tidied == tidied.strip()
    assert "\ufffd" not in tidied
    assert len(tidied) <= len(text) + 1
