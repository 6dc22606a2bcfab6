"""Chat templates: rendered as transformers renders them, and never out of their sandbox."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.runtime.clock import SystemClock
from functions.generate.prompts.chat_format import TemplateRefused
from functions.generate.prompts.templates import ChatTemplate

MESSAGES = [{"role": "user", "content": "привет"}, {"role": "assistant", "content": "ку"}]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


class At:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, duration: timedelta) -> None:
        raise NotImplementedError


def render(template: str | dict[str, str], *, answer: bool = True) -> str:
    return ChatTemplate(template, TOKENS, clock=SystemClock()).render(MESSAGES, answer=answer)


@pytest.mark.parametrize(
    "template",
    [
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m['content'] }}{{ eos_token }}\n{% endfor %}",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
        "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.content }}{% break %}{% endfor %}",
        "{% for m in messages %}{{ loop.last }}{{ loop.length }}{{ loop.nextitem is defined }}{% endfor %}",
        "{% for m in messages[::-1] %}{{ loop.revindex }}{% else %}none{% endfor %}",
        "{% for m in messages if m.role == 'user' %}{{ loop.length }}{{ m.content }}{% endfor %}",
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        "{% for m in messages recursive %}{{ m.role or m }}{{ loop(['a']) if m is mapping }}{% endfor %}",
        "{{ {'a': '<я> & \"b\"'} | tojson }}{{ [1, {'b': 2}] | tojson(indent=2) }}{{ 1.5 | tojson }}",
        "{{ tools is defined }}{{ tools is none }}{{ documents is none }}{{ nothing is defined }}{{ nothing }}",
        "{% macro say(m) %}[{{ m.role ~ '|' ~ none ~ 1.0 }}]{% endmacro %}{{ say(messages[0]) }}{{ say(1) }}",
        "{% set text %}  {{ messages[0].content }}\n{% endset %}{{ text | trim | upper }}{{ text | length }}",
        "{{ dict(a=1, b=2) | length }}{{ dict.fromkeys('ab').items() | list }}",
        "   {% if add_generation_prompt %}\n   yes\n   {% endif %}\n  {# a comment #}\n{{ 'x' }}\n",
        "{{ 'a%s' % 1 }}{{ 2 * 'ab' }}{{ 7 // 2 }}{{ 2 ** 5 }}{{ [1] + [2] }}{{ '{:>5}'.format('x') }}",
        "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join(',') }}",
        "{% macro f() %}<{{ caller('x') }}>{% endmacro %}{% call(x) f() %}{{ x }}{% endcall %}",
        "{{ 'Until 2023-10: %s' % messages[0].role }}{{ 'in 2024 {}'.format(2024) }}",
    ],
)
def test_a_template_says_what_it_says_with_transformers(template: str, tokenizer: Any) -> None:
    for answer in (True, False):
        expected = tokenizer.apply_chat_template(
            MESSAGES, chat_template=template, tokenize=False, add_generation_prompt=answer, **TOKENS
        )
        assert render(template, answer=answer) == expected


def test_the_date_is_the_clocks() -> None:
    moment = datetime(2026, 3, 7, 12, tzinfo=UTC)
    template = ChatTemplate("{{ strftime_now('%d %b %Y') }}", {}, clock=At(moment))
    assert template.render([], answer=True) == moment.astimezone().strftime("%d %b %Y")


@pytest.mark.parametrize("switch", ["enable_thinking", "thinking"])
def test_thinking_is_off_where_the_template_has_a_switch(switch: str) -> None:
    template = f"{{% if {switch} is defined and {switch} is false %}}off{{% else %}}on{{% endif %}}"
    assert render(template) == "off"


def test_of_several_templates_the_one_for_conversations_is_taken() -> None:
    assert render({"default": "a", "tool_use": "b"}) == "a"
    assert render({"chat": "a", "tool_use": "b", "rag": "c"}) == "a"
    with pytest.raises(TemplateRefused, match="one, two"):
        render({"one": "a", "two": "b"})


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n - 1) if n else '' }}{{ f(n - 1) if n else '' }}{% endmacro %}{{ f(90) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}"
        "{% set ns.x = y %}{% endfor %}",
        "{% for i in range(99999) %}{{ 'twenty letters, no more' }}{% endfor %}",
        "{{ '%99999999d' % 1 }}",
        "{{ strftime_now('%99999999d') }}",
    ],
)
def test_a_template_that_never_ends_or_grows_without_end_is_one_line(template: str) -> None:
    with pytest.raises(TemplateRefused) as caught:
        render(template)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ strftime_now.__globals__['json'] }}",
        "{{ (messages | list).append(1) }}",
        "{{ messages[0].update({'a': 1}) }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ ('' | attr('__class__')).mro }}",
        "{% set ns = namespace(__class__=1) %}",
        "{% set ns = namespace() %}{% set ns._x = 1 %}",
        "{{ dict.update(messages[0], {'a': 1}) }}",
        "{{ namespace.__init__.__globals__['x'] }}",
        "{{ self._TemplateReference__context.environment }}",
        "{% include '/etc/passwd' %}",
        "{{ raise_exception('not\nthis') }}",
        "{% if %}",
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ 1 / 0 }}",
        "{{ nothing.at_all }}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_one_line(template: str) -> None:
    with pytest.raises(TemplateRefused) as caught:
        render(template)
    assert "\n" not in str(caught.value)
