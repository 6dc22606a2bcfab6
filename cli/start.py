"""Run a command: check its settings, configure logs and telemetry, and run its `main` on an event loop."""

import gc
from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from cli.commands import Command
from cli.config import reading
from cli.config.other_variables import export_to_libraries
from cli.faults import Interrupted
from events.errors import TimokhaError
from events.runtime import running
from events.runtime.signals import Signals
from events.telegram_client import check_telegram_client
from observability import logs, setup


def start(name: str, command: Command, given: dict[str, Any], signals: Signals, begun: Mapping[str, object]) -> None:
    """Run `command` to its end. `given` are its options; `begun` goes to `main`. Raises TimokhaError."""
    report = reading.check_names()
    settings = reading.read(command.settings, report, given)
    logs.configure(name, level=settings.log_level)
    report.warn()
    export_to_libraries()
    check_telegram_client(name, command.extras.split(","))
    main = command.main  # after that: some libraries log when they are imported
    gc.freeze()
    gc.enable()
    trace_file = settings.trace_file if command.traced else None
    telemetry = setup.start(name, capture_content=settings.capture_message_content, trace_file=trace_file)
    anew = {"read_anew": partial(reading.read_anew, command.settings, given)} if command.changes else {}
    work = partial(main, settings, telemetry, **begun, **anew)
    try:
        ended = running.run(work, signals, patience=command.stop_timeout_with(settings))
    except TimokhaError as error:
        if not (signals.service and signals.received):
            raise
        click.echo(f"timokha: {error}", err=True)  # not a failure: the service was stopping anyway
        return
    finally:
        telemetry.shutdown()
    if not (ended or signals.service):
        raise Interrupted("interrupted")
