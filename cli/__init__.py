"""`timokha`: one command line; every option is a setting, and has an environment variable.

This file imports next to nothing, so that signals are handled before the rest is imported.
"""

import gc
import os
import sys

TYPE_CHECKING = False  # checkers of types know the name: importing `typing` takes longer than `timokha health`
if TYPE_CHECKING:
    from functions.generate.engines.openvino.process import ModelProcess

SERVICES = {"bridge", "business", "demo", "generate", "sandbox", "userbot"}
"""Commands that run until they are stopped: for them a signal is no failure."""


def main() -> None:
    """Run the command that `sys.argv` names, and exit: 0 done, 1 failed or interrupted, 2 wrong use or settings."""
    _open_streams()
    if (code := _answer_quickly()) is not None:
        sys.exit(code)
    from events.runtime.signals import Signals  # noqa: PLC0415 - a quick answer needs none

    # What is imported stays in memory: `start` turns the collector on when all of it is imported.
    gc.disable()
    signals = Signals(service=_is_service(sys.argv[1:]))
    signals.listen()
    process = _begin_early()
    from cli.program import run  # noqa: PLC0415 - slow to import

    run(signals, process)


def _is_service(words: list[str]) -> bool:
    return any(word in SERVICES for word in words[:1]) and "--check" not in words


def _answer_quickly() -> int | None:
    """Run `timokha health` if it needs next to nothing, and return its exit code; None for everything else."""
    if sys.argv[1:2] != ["health"]:
        return None
    from cli import health  # noqa: PLC0415 - other commands do without

    return health.answer_quickly(sys.argv[2:], dict(os.environ))


def _begin_early() -> "ModelProcess | None":
    """Start the process that loads the model, which takes longest; None for other commands than `generate`."""
    if sys.argv[1:2] != ["generate"]:
        return None
    from functions.generate.engines.openvino.process import start_early  # noqa: PLC0415 - few commands need it

    return start_early(sys.argv[2:], os.environ)


def _open_streams() -> None:
    """Open /dev/null where the caller has closed a standard stream: the next file would take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as the process lives
