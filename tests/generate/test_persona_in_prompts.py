"""The persona in prompts: in the place that each format has for it, whole if it fits, and only ever words."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.chat_format import ChatFormat
from functions.generate.prompts.conversation import alternating_turns
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, Format, FormatName, RuDialoGPTFormat, Segment
from functions.generate.prompts.near_examples import NearExamples
from functions.generate.prompts.persona import fit_conversation, persona_as_words
from functions.generate.prompts.prompter import Prompter
from functions.generate.prompts.speakers import ENGLISH, RUSSIAN, is_to_the_assistant
from functions.generate.prompts.templates import ChatTemplate
from tests.generate.test_chat import BOTH, CONVERSATIONS, TEMPLATES, WORDS, renderer_of, tokenizer_of, turns_of
from tests.generate.test_fuzz_prompts import CONTROLS, TEXTS, formats

PERSONA = "Ты Мария, врач."
ASKED = turns_of(["привет", "ку", "как?"])


def text(segments: Sequence[Segment]) -> str:
    return "".join(segment.text for segment in segments)


def test_in_a_dialogue_it_belongs_to_the_scene() -> None:
    prompt = text(DialogueFormat(scene=True).render(ASKED, persona="Тимоха — врач.\nОн из Казани."))
    assert prompt == (
        f"{RUSSIAN.scene} Тимоха — врач. Он из Казани.\n\nГость: привет\nТимоха: ку\nГость: как?\nТимоха:"
    )
    with_examples = text(DialogueFormat(preamble=True).render(turns_of(["hi"]), persona="Timokha is a doctor."))
    assert with_examples == (f"{ENGLISH.scene} Timokha is a doctor.\n\n{ENGLISH.examples}Guest: hi\nTimokha:")


def test_a_dialogue_without_a_scene_begins_with_it() -> None:
    assert text(DialogueFormat().render(turns_of(["hi"]), persona=PERSONA)) == f"{PERSONA}\n\nГость: hi\nТимоха:"


def test_a_label_in_it_opens_no_turn() -> None:
    prompt = text(DialogueFormat(scene=True).render(turns_of(["hi"]), persona="Guest: кто ты?\nTimokha: кот"))
    assert prompt == f"{ENGLISH.scene} Guest, кто ты? Timokha, кот\n\nGuest: hi\nTimokha:"


def test_where_a_format_has_no_place_it_precedes_the_users_first_words() -> None:
    expected = f"@@ПЕРВЫЙ@@ {PERSONA}\n\nпривет @@ВТОРОЙ@@ ку @@ПЕРВЫЙ@@ как? @@ВТОРОЙ@@"
    assert text(RuDialoGPTFormat().render(ASKED, persona=PERSONA)) == expected


NEAR = [["кто ты?", "Я Тимоха, программа."], ["который час?", "Полдень."]]


@pytest.mark.parametrize(("asked", "shown"), [("а кто ты?", False), ("который час?", True)])
def test_where_the_question_is_about_the_assistant_no_near_example_contradicts_it(asked: str, shown: bool) -> None:
    form = DialogueFormat(scene=True, near=NearExamples(NEAR, count=1))
    assert "Тимоха: Я Тимоха, программа.\n" in text(form.render(turns_of(["а кто ты?"])))
    assert ("Полдень." in text(form.render(turns_of([asked]), persona=PERSONA))) == shown
    assert "программа" not in text(form.render(turns_of([asked]), persona=PERSONA))


@pytest.mark.parametrize(
    "asked",
    ["Ты кто?", "как тебя зовут", "Твоего кота как зовут?", "Где живёшь?", "Расскажи о себе", "What's your name?"],
)
def test_a_question_to_the_assistant_says_you(asked: str) -> None:
    assert is_to_the_assistant(asked)


@pytest.mark.parametrize("asked", ["Столица Франции?", "как дела?", "Мне грустно.", "Is the youth bored?", "мышь", ""])
def test_another_question_does_not(asked: str) -> None:
    assert not is_to_the_assistant(asked)


def test_without_one_nothing_changes() -> None:
    for form in (DialogueFormat(), DialogueFormat(preamble=True), RuDialoGPTFormat()):
        assert form.render(ASKED, persona="") == form.render(ASKED)


WITHOUT_SYSTEM = {
    "another name, alternating",  # refuses it
    "instructions",  # all that is not a user's is an answer
    "an end after the last alone",
    "no end",
    "generation",  # all that is no answer is a user's
    "white space eaten",  # nobody is named
    "json",
}
TEMPLATES_OF_ALL_KINDS = {
    "like Mistral's, before the last question": (
        "{{ bos_token }}{% if messages[0].role == 'system' %}{% set told = messages[0].content %}"
        "{% set said = messages[1:] %}{% else %}{% set said = messages %}{% endif %}{% for m in said %}"
        "{% if m.role == 'user' %}[INST] {% if loop.last and told is defined %}{{ told + '\\n\\n' }}{% endif %}"
        "{{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    ),
    "like Gemma 3's, before the first question": (
        "{{ bos_token }}{% if messages[0].role == 'system' %}{% set told = messages[0].content + '\\n\\n' %}"
        "{% set said = messages[1:] %}{% else %}{% set told = '' %}{% set said = messages %}{% endif %}"
        "{% for m in said %}<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\\n"
        "{{ told if loop.first else '' }}{{ m.content | trim }}<eos>\\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\\n{% endif %}"
    ),
}


def messages_of(template: str, turns: Sequence[Turn], persona: str) -> list[dict[str, Any]]:
    said = alternating_turns(turns)
    texts = [("system", persona)] * (template not in WITHOUT_SYSTEM)
    texts += [(turn.role.value, turn.text) for turn in (said if texts else persona_as_words(persona, said))]
    parts = template == "parts"
    return [{"role": role, "content": [{"type": "text", "text": one}] if parts else one} for role, one in texts]


@pytest.mark.parametrize(("kind", "template"), BOTH)
@settings(max_examples=5)
@given(texts=CONVERSATIONS, persona=WORDS)
def test_in_a_chat_it_is_the_system_message_token_for_token(
    kind: str, template: str, texts: list[str], persona: str
) -> None:
    turns = turns_of(texts[: len(texts) - (len(texts) + 1) % 2])
    renderer, tokenizer = renderer_of(kind, template), tokenizer_of(kind, template)
    written = renderer.encoder.encode(renderer.format.render(turns, persona=persona), add_bos=False).ids
    expected = tokenizer.apply_chat_template(
        messages_of(template, turns, persona), add_generation_prompt=True, return_dict=False, enable_thinking=False
    )
    assert written == [token for token in expected if token != tokenizer.unk_token_id]


@pytest.mark.parametrize("template", TEMPLATES_OF_ALL_KINDS)
def test_it_goes_where_the_template_puts_it(template: str) -> None:
    tokens = {"bos_token": "<bos>", "eos_token": "<eos>"}
    made = ChatTemplate(TEMPLATES_OF_ALL_KINDS[template], tokens, controls=["<eos>"], clock=SystemClock())
    messages = [{"role": "system", "content": PERSONA}]
    messages += [{"role": turn.role.value, "content": turn.text} for turn in ASKED]
    assert text(ChatFormat(made).render(ASKED, persona=PERSONA)) == made.render(messages, answer=True)


def test_every_template_is_one_or_the_other() -> None:
    assert TEMPLATES.keys() > WITHOUT_SYSTEM


# Words alone


@given(turns=st.lists(st.builds(Turn, role=st.sampled_from(Role), text=TEXTS), min_size=1, max_size=4), persona=TEXTS)
def test_no_persona_adds_or_removes_a_control_token(chat_tokenizer: Any, turns: list[Turn], persona: str) -> None:
    turns = [*turns, Turn(role=Role.USER, text="а?")]
    for form in formats(chat_tokenizer):
        found = [
            [token for token in chat_tokenizer.convert_ids_to_tokens(ids) if token in CONTROLS]
            for ids in (tokens(chat_tokenizer, form, turns, some) for some in (persona, "слово"))
        ]
        assert found[0] == found[1] or not persona.strip()


def tokens(tokenizer: Any, form: Format, turns: Sequence[Turn], persona: str) -> list[int]:
    return Encoder(tokenizer).encode(form.render(turns, persona=persona), add_bos=form.needs_bos).ids


# What fits


def count(turns: Sequence[Turn], persona: str) -> int:
    """Characters, with a frame of ten."""
    return 10 + len(persona) + sum(len(turn.text) for turn in turns)


def test_one_that_fits_beside_the_question_stays_whole_and_earlier_turns_go() -> None:
    turns = turns_of(["а" * 50, "б" * 50, "в" * 20])
    assert fit_conversation(turns, "слово " * 10, 100, count) == (turns[-1:], ("слово " * 10).strip())


def test_a_question_keeps_all_it_needs_up_to_half_of_the_room() -> None:
    [question], persona = fit_conversation(turns_of(["в" * 40]), "слово " * 30, 110, count)
    assert (question.text, persona) == ("в" * 40, " ".join(["слово"] * 10))
    [question], persona = fit_conversation(turns_of(["в" * 200]), "слово " * 30, 110, count)
    assert persona == " ".join(["слово"] * 8)
    assert question.text == "в" * (110 - 10 - len(persona))


def test_one_without_any_room_is_left_out() -> None:
    [question], persona = fit_conversation(turns_of(["в" * 30]), "однооченьдлинноеслово " * 3, 50, count)
    assert (question.text, persona) == ("в" * 30, "")


@given(
    st.lists(st.text("аб \n", max_size=40), min_size=1, max_size=5),
    st.text("вг \n", max_size=200),
    st.integers(40, 300),
)
def test_what_fits_is_never_too_long_and_costs_the_question_no_more_than_half(
    texts: list[str], persona: str, budget: int
) -> None:
    turns = turns_of(texts)
    kept, shortened = fit_conversation(turns, persona, budget, count)
    assert count(kept, shortened) <= budget
    assert persona.strip().startswith(shortened)
    whole, half = turns[-1].text, (budget - 11) // 2
    assert kept[-1].text.endswith(whole[-half:])


@given(persona=TEXTS, repeated=st.sampled_from([1, 30, 3000]), limit=st.integers(1, 60))
def test_every_prompt_with_a_persona_fits_and_asks_the_question(
    chat_tokenizer: Any, persona: str, repeated: int, limit: int
) -> None:
    for form in (*formats(chat_tokenizer)[2:], DialogueFormat(), DialogueFormat(scene=True)):
        prompter = Prompter("test", form, Encoder(chat_tokenizer), context=220, max_input_tokens=160)
        allowed = prompter.limit(Sampling(max_new_tokens=limit))
        prompt = prompter.prompt(turns_of(["раз " * 50, "да", "вопросец"]), allowed, persona=persona * repeated)
        assert 0 < len(prompt) <= min(160, 220 - allowed)
        assert "вопросец" in chat_tokenizer.decode(prompt)


def test_tokens_that_only_a_system_message_brings_are_not_shown(chat_tokenizer: Any) -> None:
    card = ModelCard(name="chat", format=FormatName.CHAT)
    form = format_of(card, chat_tokenizer, SystemClock())
    assert text(form.render(turns_of(["а"]), persona=PERSONA)).startswith(f"<|im_start|>system\n{PERSONA}<|im_end|>")
