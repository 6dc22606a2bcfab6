"""Print the shapes of vendors' parts as JSON, null for one that is missing: `python -m tests.vendors.shapes PATH…`.

This takes a process of its own, because the repairs that other tests install replace such parts.
"""

import asyncio
import inspect
import json
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def resolve(path: str) -> Any:
    """Return what a path leads to: modules, then attributes, with `()` for a call without arguments."""
    module, *steps = path.split(".")
    found = import_module(module)
    for step in steps:
        module = f"{module}.{step}"
        if inspect.ismodule(found) and not hasattr(found, step.removesuffix("()")):
            import_module(module)
        found = getattr(found, step.removesuffix("()"))
        found = found() if step.endswith("()") else found
    return found


def shape(thing: Any) -> str:
    """Return the names of a function's parameters, or the name of a value's type."""
    if inspect.isroutine(thing) and not inspect.isbuiltin(thing):
        return ", ".join(inspect.signature(thing).parameters)
    return type(thing).__name__


def shape_at(path: str) -> str | None:
    try:
        return shape(resolve(path))
    except (AttributeError, ImportError, TypeError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return None


async def main(paths: list[str]) -> None:
    # pyrogram wants an event loop while it is imported.
    there = [path for path in paths if find_spec(path.partition(".")[0])]
    print(json.dumps({path: shape_at(path) for path in there}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
