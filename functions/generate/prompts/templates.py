"""Chat templates, rendered as transformers does but without it, for training and the engines that run a model."""

from collections.abc import Collection, Mapping, Sequence

from jinja2.meta import find_undeclared_variables

from events.runtime.clock import Clock
from functions.generate.prompts.chat_format import Message, TemplateRefused
from functions.generate.prompts.template_sandbox import TemplateSandbox

THINKING_SWITCHES = ("enable_thinking", "thinking", "enable_reasoning", "think")
"""The names in templates of the variable that lets a model think before it answers."""

_DEFAULT = "default"
_OTHER_PURPOSES = {"tool_use", "rag"}


class ChatTemplate:
    """One model's template, with thinking switched off if it has a switch."""

    def __init__(
        self,
        template: str | Mapping[str, str],
        tokens: Mapping[str, str],
        *,
        controls: Collection[str] = (),
        clock: Clock,
    ) -> None:
        """Compile `template`: one text, or several by name.

        Parameters
        ----------
        tokens
            `bos_token` and so on, by their names in templates.
        controls
            The tokenizer's special and added tokens, to find the one that ends an answer.
        clock
            For templates that render the date.

        Raises
        ------
        TemplateRefused
            One line: it is not a template, or none of several is the default.
        """
        self.controls = frozenset(controls)
        self._tokens = dict(tokens)
        self._sandbox = TemplateSandbox(clock)
        text = _choose(template)
        try:
            tree = self._sandbox.parse(text)
            self._switches = dict.fromkeys(find_undeclared_variables(tree).intersection(THINKING_SWITCHES), False)
            self._template = self._sandbox.template(tree)
        except Exception as error:
            raise _refused(error) from error

    @property
    def eos(self) -> str:
        """The token that ends a text; empty if the tokenizer has none."""
        return self._tokens.get("eos_token", "")

    def render(self, messages: Sequence[Message], *, answer: bool) -> str:
        """Return the text; `answer` opens the assistant's next turn. Raises TemplateRefused, one line."""
        values = {
            "messages": [dict(message) for message in messages],
            "tools": None,
            "documents": None,
            "add_generation_prompt": answer,
            **self._tokens,
            **self._switches,
        }
        try:
            return self._sandbox.render(self._template, values)
        except Exception as error:
            raise _refused(error) from error


def _refused(error: Exception) -> TemplateRefused:
    """Return the one-line error for any exception: a template is a program and can raise what Python does."""
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return TemplateRefused(f"its chat template fails ({why})")


def _choose(template: str | Mapping[str, str]) -> str:
    """Return the default template, as transformers does, or else the only one for conversations."""
    if isinstance(template, str):
        return template
    if _DEFAULT in template:
        return template[_DEFAULT]
    names = sorted(template.keys() - _OTHER_PURPOSES) or sorted(template)
    if len(names) == 1:
        return template[names[0]]
    raise TemplateRefused(f"none of its chat templates ({', '.join(names)}) is called {_DEFAULT}")
