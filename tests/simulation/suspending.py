"""Which `await`s can't suspend, by what they await: no crash can find a process there.

Known are a few calls of libraries, below with the reason each. From them follows what awaits nothing else, of functions
that are called by their name, and methods by that of their class or from within it.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from edge.sandbox.business_types import HAS_BUSINESS
from edge.userbot.telegram.client_differences import HAS_LIVE_DRAFTS

AT_ONCE = {
    "asyncio.timeout": "sets a timer, which is no wait",
    "asyncio.timeout_at": "likewise",
    "nats.subscribe": "nats-py puts it into its buffer, and waits only if 1,024 callers are before it",
    "client_of(js).subscribe": "likewise",
    "_nats.publish": "likewise",
    "super()._send_publish": "likewise",
    "message.respond": "likewise",
    "health_file": "without a file, nothing to wait for",
    "wait_for_session": "the sessions are given",
    "wait_for_new_session": "likewise",
    "storage.save": "pyrogram's session is a text here; with a file SQLite is called in place",
    "storage.close": "likewise",
    "storage.api_id": "likewise",
    "Client.fetch_peers": "likewise",
    "names.fetch_peers": "likewise",
    "_api.save_peers": "likewise",
}
"""By the end of what is called, as it is written."""
BUFFERED = """
bridge/inbound.py InboundReplies._settle retry
bridge/inbound.py _log_failure
edge/userbot/driving/replies.py Replies._drop delivery.discard
edge/userbot/driving/replies.py Replies._retry_later delivery.retry
events/jetstream/client.py Client._process_err Client._process_op_err
events/jetstream/subscription.py JetStreamDelivery.discard JetStreamDelivery._settle
events/jetstream/subscription.py JetStreamDelivery.extend JetStreamDelivery._settle
events/jetstream/subscription.py JetStreamDelivery.retry JetStreamDelivery._settle
events/jetstream/subscription.py JetStreamSubscription.leave _hand_back
events/jetstream/subscription.py _hand_back delivery.retry
functions/generate/app.py send progress.publish
functions/generate/decoding/drawing.py LiveText.__call__ LiveText._send
functions/generate/engines/echo.py EchoEngine._write on_progress
functions/worker/loop.py _renew delivery.extend
"""
"""What nats-py puts into its buffer, or leaves to a task: by file, function, and what it awaits (nothing: no call)."""
NOT_HERE = """
edge/userbot/storage/chats.py Chats.each_record take
edge/userbot/storage/chats.py read take
edge/userbot/telegram/updates.py Updates._handle Updates._remember
edge/userbot/telegram/updates.py Updates._remember remember_peers
events/rabbitmq/receiver.py Receiver._consume Receiver._channel.get_queue
functions/generate/app.py main finish
functions/generate/app.py open_engine opener
"""
"""Likewise what would wait with another engine or a session file, or asks nobody the way it is called."""
WITH_KURIGRAM_ONLY = """
edge/userbot/driving/orders.py Orders.carry_out Orders._disconnect
edge/userbot/driving/performer.py Performer._think Performer._begins_live_draft
"""
"""Likewise what only Business connections and live drafts wait for."""
Functions = Mapping[str, list[list[str]]]
"""By name: for each function of that name what it awaits, empty: something that no name says."""


def unsuspending(paths: Iterable[Path]) -> dict[Path, set[int]]:
    """Return the lines of each file where every `await` is of something that can't suspend."""
    awaits: dict[Path, defaultdict[int, list[str]]] = {}
    functions: dict[str, list[list[str]]] = defaultdict(list)
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lines = awaits[path] = defaultdict(list)
        for names, found in _functions(tree):
            awaited = [(line, _marked(path, names[-1], called)) for line, called in found]
            for line, called in awaited:
                lines[line].append(called)
            for name in names:
                functions[name].append([called for _, called in awaited])
    never = _never(functions)
    return {
        path: {line for line, called in lines.items() if all(_is_at_once(one, never) for one in called)}
        for path, lines in awaits.items()
    }


def awaits(path: Path) -> set[tuple[str, str]]:
    """Return what is awaited in a file, as it is written, each with its function, a method's with its class."""
    functions = _functions(ast.parse(path.read_text(encoding="utf-8")))
    return {(names[-1], called) for names, found in functions for _, called in found}


def _marked(path: Path, function: str, called: str) -> str:
    """Return what is called, or something that is known to be at once in its stead."""
    said = f"{function} {called}".rstrip()
    known = (line.split(" ", 1) for line in at_once())
    return next(iter(AT_ONCE)) if any(path.match(file) and what == said for file, what in known) else called


def at_once() -> list[str]:
    """Return what is known of single files, a line each."""
    only = "" if HAS_BUSINESS and HAS_LIVE_DRAFTS else WITH_KURIGRAM_ONLY
    return [line for line in (BUFFERED + NOT_HERE + only).splitlines() if line]


def _never(functions: Functions) -> set[str]:
    """Return the names of functions that can't suspend: it follows from each other, so look until nothing is new."""
    never: set[str] = set()
    while True:
        found = {
            name
            for name, known in functions.items()
            if all(called and all(_is_at_once(one, never) for one in called) for called in known)
        }
        if found == never:
            return never
        never = found


def _is_at_once(called: str, never: set[str]) -> bool:
    if any(called == known or called.endswith(f".{known}") for known in AT_ONCE):
        return True
    return called in never


def _functions(tree: ast.AST) -> Iterator[tuple[tuple[str, ...], list[tuple[int, str]]]]:
    """Yield each one's names, a method's with its class too, and the lines and names of what it awaits."""
    of_class = {id(one): node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for one in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            owner = of_class.get(id(node), "")
            names = (node.name, f"{owner}.{node.name}") if owner else (node.name,)
            awaited = [one for inner in ast.walk(node) for one in _awaited(inner)]
            yield names, [(line, _in_class(called, owner)) for line, called in awaited]


def _in_class(called: str, owner: str) -> str:
    return f"{owner}.{called.removeprefix('self.')}" if owner and called.startswith("self.") else called


def _awaited(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Await):
        yield node.lineno, _called(node.value)
    elif isinstance(node, ast.AsyncFor):
        yield node.iter.lineno, ""
    elif isinstance(node, ast.AsyncWith):
        for item in node.items:
            yield item.context_expr.lineno, _called(item.context_expr)
    elif isinstance(node, ast.comprehension) and node.is_async:
        yield node.iter.lineno, ""


def _called(expression: ast.expr) -> str:
    """Return the name of what is called, as it is written; empty: it is no call of a name."""
    if not isinstance(expression, ast.Call):
        return ""
    called = ast.unparse(expression.func)
    return _called(expression.args[0]) if called.endswith(".enter_async_context") else called
