"""Chat templates of every kind: prompts are transformers', token for token, and training shows what serving writes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.chat_format import ChatFormat, TemplateRefused
from functions.generate.prompts.conversation import alternating_turns, fit_turns
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import FormatName
from functions.generate.prompts.templates import ChatTemplate
from tests.generate.tokenizers_of_all_kinds import KINDS, with_added, wrapped
from training.fit.lessons import Renderer

CARD = ModelCard(name="model", format=FormatName.CHAT)

CHATML = """
{%- for m in messages -%}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
"""
SWITCHED = (
    CHATML + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
THINKS = CHATML + "<think>\n{% endif %}"
CHATML += "{% endif %}"

TEMPLATES = {
    "chatml": CHATML,
    "a default system text": "{% if messages[0].role != 'system' %}<|im_start|>system\nHelp.<|im_end|>\n{% endif %}"
    + CHATML,
    "chatml with a switch": SWITCHED,
    "an empty thought in the last answer": """
{%- set ns = namespace(asked=0) -%}
{%- for m in messages if m.role == 'user' -%}{%- set ns.asked = ns.asked + 1 -%}{%- endfor -%}
{%- for m in messages -%}
{%- set text = m.content.split('</think>')[-1].lstrip('\n') if m.content is string else '' -%}
{{- '<|im_start|>' + m.role + '\n' -}}
{%- if m.role == 'assistant' and loop.index0 > 2 * ns.asked - 2 -%}
{{- '<think>\n\n</think>\n\n' -}}
{%- endif -%}
{{- text + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}
{%- if enable_thinking is false -%}{{- '<think>\n\n</think>\n\n' -}}{%- endif -%}{%- endif -%}""",
    "a thought that is open": THINKS,
    "headers and a date": """
{{- bos_token + '<|im_start|>system<|im_end|>\n\nToday: ' + strftime_now('%d %b %Y') + '<|im_end|>' -}}
{%- for m in messages -%}
{{- '<|im_start|>' + m.role + '<|im_end|>\n\n' + m.content | trim + '<eos>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant<|im_end|>\n\n' -}}{%- endif -%}""",
    "another name, alternating": """
{{- bos_token -}}
{%- if messages[0].role == 'system' -%}{{- raise_exception('no system role') -}}{%- endif -%}
{%- for m in messages -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('take turns') -}}{%- endif -%}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + '<eos>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}""",
    "instructions": "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}",
    "one end after all": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% else %}{{ eos_token }}{% endif %}",
    "an end after the last alone": "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>{{ m.content }}"
    "{% else %}<start_of_turn>{{ m.content }}{% if loop.last %}{{ eos_token }}{% endif %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>{% endif %}",
    "no end": "{% for m in messages %}{% if m.role == 'user' %}\nUser: {{ m.content }}{% else %}\nBot: {{ m.content }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}\nBot:{% endif %}",
    "lines": "{% for m in messages %}### {{ m.role | capitalize }}:\n{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### Assistant:\n{% endif %}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>{% generation %}{{ m.content }}"
    "<eos>{% endgeneration %}{% continue %}{% endif %}<start_of_turn>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}",
    "parts": "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for part in m.content %}{% if part.type == 'text' %}"
    "{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "white space eaten": "{% for m in messages %}<right>\n{{ m.content }}\n<left>{% endfor %}"
    "{% if add_generation_prompt %}<right>\n{% endif %}",
    "capitals": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | upper }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "one line": "{% for m in messages %}{{ m.role }}: {{ m.content.replace('\\r\\n', '\\n').replace('\\n\\n', '\\n') }}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
    "json": "{% for m in messages %}<|im_start|>{{ m.content | tojson }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>{% endif %}",
}

LETTERS = st.text(alphabet="абяЁz 7.,!?:-«»\n\"'&", max_size=30)
WORDS = st.builds(
    lambda text, last: (text + last).strip() or "я", LETTERS, st.sampled_from(["", "!", ".\n", "?", "я", "7"])
)
CONVERSATIONS = st.lists(WORDS, min_size=1, max_size=7)


def turns_of(texts: Sequence[str]) -> list[Turn]:
    """The user speaks first."""
    return [Turn(role=(Role.USER, Role.ASSISTANT)[place % 2], text=text) for place, text in enumerate(texts)]


@cache
def tokenizer_of(kind: str, template: str) -> Any:
    made = wrapped(with_added(KINDS[kind]()))
    made.bos_token = "<unused12>"
    made.chat_template = TEMPLATES[template]
    return made


@cache
def renderer_of(kind: str, template: str) -> Renderer:
    tokenizer = tokenizer_of(kind, template)
    return Renderer(format_of(CARD, tokenizer, SystemClock()), Encoder(tokenizer), 10_000)


def prompt(kind: str, template: str, turns: Sequence[Turn]) -> list[int]:
    renderer = renderer_of(kind, template)
    return renderer.encoder.encode(renderer.format.render(turns), add_bos=renderer.format.needs_bos).ids


def expected(kind: str, template: str, turns: Sequence[Turn]) -> list[int]:
    """As transformers has it, without what its tokenizer can't write."""
    tokenizer = tokenizer_of(kind, template)
    parts = template == "parts"
    messages = [
        {"role": turn.role.value, "content": [{"type": "text", "text": turn.text}] if parts else turn.text}
        for turn in alternating_turns(turns)
    ]
    tokens: list[int] = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=False, enable_thinking=False
    )
    return [token for token in tokens if token != tokenizer.unk_token_id]


BOTH = [(kind, template) for kind in ("byte_level", "bytes_for_the_rest", "unigram") for template in TEMPLATES]


@pytest.mark.parametrize(("kind", "template"), BOTH)
@settings(max_examples=5)
@given(texts=CONVERSATIONS)
def test_a_prompt_is_transformers_token_for_token(kind: str, template: str, texts: list[str]) -> None:
    turns = turns_of(texts[: len(texts) - (len(texts) + 1) % 2])
    assert prompt(kind, template, turns) == expected(kind, template, turns)
    budget = len(prompt(kind, template, turns)) * 2 // 3
    kept = fit_turns(turns, budget, lambda some: len(prompt(kind, template, some)))
    stripped = [turn.model_copy(update={"text": turn.text.strip()}) for turn in kept]
    if all(turn.text for turn in stripped):
        assert prompt(kind, template, kept) == expected(kind, template, stripped)


@pytest.mark.parametrize(("kind", "template"), BOTH)
@settings(max_examples=5)
@given(texts=CONVERSATIONS)
def test_what_is_shown_before_a_learned_answer_is_what_serving_writes(
    kind: str, template: str, texts: list[str]
) -> None:
    turns = turns_of(texts[: len(texts) - len(texts) % 2] or ["а", "б"])
    renderer = renderer_of(kind, template)
    encoded, learned = renderer.encode(turns), renderer.learned_turns(turns)
    starts = [
        place for place, is_learned in enumerate(encoded.learned) if is_learned and not encoded.learned[place - 1]
    ]
    assert len(turns) - 1 in learned
    assert [encoded.ids[:start] for start in starts] == [
        prompt(kind, template, turns[:place]) for place in sorted(learned)
    ]


@pytest.mark.parametrize(("kind", "template"), [("byte_level", template) for template in TEMPLATES])
@settings(max_examples=5)
@given(texts=CONVERSATIONS, limit=st.integers(20, 120))
def test_what_is_cut_is_shown_as_serving_writes_it_and_keeps_the_end_of_the_answer(
    kind: str, template: str, texts: list[str], limit: int
) -> None:
    turns = turns_of(texts[: len(texts) - len(texts) % 2] or ["а", "б"])
    renderer = replace(renderer_of(kind, template), limit=limit)
    lesson = renderer.lesson(turns)
    assert len(lesson.encoded.ids) <= max(limit, len(lesson.prompt.ids))
    assert lesson.prompt.ids == prompt(kind, template, lesson.context)
    shortest = prompt(kind, template, [turns[-2].model_copy(update={"text": turns[-2].text[-1:]})])
    whole = renderer_of(kind, template).lesson(turns[-2:]).answer.ids
    if len(shortest) + len(whole) <= limit:
        assert lesson.answer.ids == whole
    else:
        assert lesson.answer.ids == whole[: len(lesson.answer.ids)]


def written(template: str, turns: Sequence[Turn]) -> list[str]:
    """What is learned, answer by answer."""
    renderer = renderer_of("byte_level", template)
    encoded = renderer.encode(turns)
    runs = groupby(zip(encoded.learned, encoded.ids, strict=True), key=lambda one: one[0])
    ids = [[token for _, token in run] for is_learned, run in runs if is_learned]
    return [tokenizer_of("byte_level", template).decode(some) for some in ids]


@pytest.mark.parametrize(
    ("template", "learned"),
    [
        ("chatml", ["да<|im_end|>", "нет<|im_end|>"]),
        ("chatml with a switch", ["нет<|im_end|>"]),
        ("an empty thought in the last answer", ["нет<|im_end|>"]),
        ("a thought that is open", ["</think>\n\nнет<|im_end|>"]),
        ("instructions", [" да<eos>", " нет<eos>"]),
        ("one end after all", ["да<|im_end|>", "нет<|im_end|>"]),
        ("an end after the last alone", ["нет<eos>"]),
        ("no end", [" нет<eos>"]),
        ("lines", ["нет<eos>"]),
        ("generation", ["да<eos>", "нет<eos>"]),
        ("capitals", ["ДА<|im_end|>", "НЕТ<|im_end|>"]),
    ],
)
def test_answers_are_learned_with_their_end(template: str, learned: list[str]) -> None:
    assert written(template, turns_of(["а?", "да", "б?", "нет"])) == learned


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for m in messages %}{{ m.content[:100] }}{% endfor %}", "changes what people write"),
        ("{% for m in messages %}{{ m.content | length }}{{ m.content }}{% endfor %}", "changes what people write"),
        ("{{ messages[-1].content }}", "leaves out messages"),
        ("{% for m in messages %}{{ m.text }}{% endfor %}", "leaves out messages"),
        ("{% if messages[0].role != 'system' %}{{ raise_exception('who am I?') }}{% endif %}", "who am I"),
        ("{% for m in messages %}{{ m.content }}{{ 1 / (4 - loop.index) }}{% endfor %}", "division by zero"),
        ("{% for m in messages %}{{ m.content }}", "Unexpected end of template"),
        ("{% for m in messages %}{{ m.content }}\ue0009\ue001{% endfor %}", "leaves out messages"),
        ("", "leaves out messages"),
    ],
)
def test_a_template_that_no_conversation_fits_is_one_line_at_the_start(template: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"^model: .*{why}.*chat_template.jinja") as caught:
        CARD.prompt_format(lambda: ChatTemplate(template, {"eos_token": "<eos>"}, clock=SystemClock()))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_template_is_one_line() -> None:
    with pytest.raises(SettingsError, match="model: its tokenizer has no chat template"):
        CARD.prompt_format(lambda: None)


def test_an_answer_without_any_end_is_one_line() -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(TemplateRefused, match="no eos_token"):
        ChatFormat(ChatTemplate(template, {}, clock=SystemClock()))


def test_a_template_that_can_not_open_an_answer_is_helped() -> None:
    template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    chat = ChatFormat(ChatTemplate(template, {}, clock=SystemClock()))
    assert "".join(one.text for one in chat.render(turns_of(["а"]))) == "<|user|>а<|end|><|assistant|>"


def test_words_that_spell_control_tokens_leave_the_other_tokens_as_they_are() -> None:
    usual, spelled = (
        prompt("bytes_for_the_rest", "instructions", turns_of([text, "да", "нет"])) for text in ("z", "<eos>")
    )
    assert usual[-20:] == spelled[-20:]
    assert usual.count(1) == spelled.count(1)
