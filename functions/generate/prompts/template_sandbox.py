"""A jinja sandbox for chat templates: what transformers offers them, with limits on steps and sizes.

A template comes with a model and is as untrusted as any download. It is a program, so it could loop forever or build
huge values.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from events.runtime.clock import Clock

STEPS = 1_000_000
"""Iterations and calls of one rendering: about a second."""
SIZE = 1_000_000
"""Characters or items of a value that a template builds."""

_LARGEST_POWER = 64
_WIDTH = re.compile(r"%(?:\([^)]*\))?[^a-zA-Z%]{0,9}?\d{4,}|\{[^{}]*:[^{}]*\d{4,}")
"""A format with a field of 1000 characters or more."""

# Names that can't occur in a template.
_STEPS_LEFT, _COUNTED, _MEASURED, _JOINED = "steps left", "counted", "measured", "joined"


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles and renders templates. A faulty one can raise any exception."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, clock: Clock) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, optimized=False, extensions=[_Generation, loopcontrols])
        self.globals |= {
            "raise_exception": _raise,
            "strftime_now": lambda form: clock.now().astimezone().strftime(_measured_format(form)),
            "dict": _Dict(),
            "namespace": _Namespace,
        }
        del self.globals["lipsum"]
        self.filters |= {"tojson": _to_json, _COUNTED: _counted, _MEASURED: _measured, _JOINED: _joined}

    def template(self, tree: nodes.Template) -> Any:
        """Compile a parsed template, with its limits."""
        bounded = _Bounded().visit(tree)
        bounded.set_environment(self)
        return self.from_string(bounded)

    def render(self, template: Any, values: dict[str, Any]) -> str:
        pieces, size = [], 0
        for piece in template.generate({**values, _STEPS_LEFT: _Steps()}):
            size += len(piece)
            if size > SIZE:
                raise TemplateError("it writes too much")
            pieces.append(piece)
        return "".join(pieces)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _take_step(__context)
        return _measured(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        match operator, left, right:
            case ("*", str() | list() | tuple(), int()) | ("*", int(), str() | list() | tuple()):
                text, times = (right, left) if isinstance(left, int) else (left, right)
                _check_size(len(text) * times)
            case "**", _, int() | float():
                _check_size(SIZE + 1 if abs(left) > SIZE or abs(right) > _LARGEST_POWER else 0)
            case "%", str(), _:
                _measured_format(left)
        return _measured(super().call_binop(context, operator, left, right))


class _Generation(Extension):
    """`{% generation %}` marks what the assistant writes, for training libraries; it changes no text."""

    tags = {"generation"}  # noqa: RUF012 -- jinja's own way

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Bounded(NodeTransformer):
    """Adds a filter to each loop that counts iterations, and to each concatenation that checks the size."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _filtered(cast(nodes.Expr, node.iter), _COUNTED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _JOINED)

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:
        self.generic_visit(node)
        node.filter = node.filter or _filtered(None, _MEASURED, lineno=node.lineno)
        return node


def _filtered(node: nodes.Expr | None, name: str, lineno: int | None = None) -> nodes.Filter:
    line = lineno if node is None else node.lineno
    return nodes.Filter(node, name, [], [], None, None, lineno=line)


class _Steps:
    """The steps that are left to one rendering."""

    def __init__(self) -> None:
        self.left = STEPS


def _take_step(context: Context) -> None:
    steps: _Steps = context.parent[_STEPS_LEFT]
    steps.left -= 1
    if steps.left < 0:
        raise TemplateError("it does not come to an end")


@pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _take_step(context)
        yield item


def _joined(items: list[Any]) -> Any:
    return _measured("".join(map(str, items)))


def _measured(value: Any) -> Any:
    if isinstance(value, str | list | tuple | dict):
        _check_size(len(value))
    elif type(value) is int:
        _check_size(value.bit_length())
    return value


def _check_size(size: int) -> None:
    if size > SIZE:
        raise TemplateError("it makes too much")


def _measured_format(form: Any) -> str:
    if _WIDTH.search(str(form)):
        raise TemplateError("it makes too much")
    return str(form)


class _Dict:
    """`dict` as a function: templates must not reach the class and its mutating methods."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(Namespace):
    """`namespace` without names that start with an underscore, which Python itself may look up."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        given = dict(*args[1:], **kwargs)
        any(map(_check_name, given))
        Namespace.__init__(args[0], given)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: Any) -> None:
    if str(name).startswith("_"):
        raise SecurityError(f"a namespace can't have {name}")


def _raise(why: Any) -> None:
    raise TemplateError(str(why))


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Return plain JSON; jinja's own filter escapes HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
