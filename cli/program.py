"""Builds the command line, runs one command, and ends the process as `cli.faults` says."""

import gc
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

import click

from cli.commands import COMMANDS, GROUPS, Command
from cli.config import app as config
from cli.config import reading
from cli.faults import Interrupted, NotInstalled, exit_code
from cli.options import options
from events.errors import TimokhaError
from events.runtime import running
from events.runtime.signals import Signals
from events.settings import Settings
from observability import logs, setup


def run(signals: Signals) -> None:
    """Run what `sys.argv` says, and exit."""
    code = 1
    try:
        code = int(program(signals)(standalone_mode=False) or 0)
    except BaseException as error:
        found = exit_code(error)
        if found is None:
            raise
        code = found
    finally:
        signals.leave(code)
    sys.exit(code)


def program(signals: Signals) -> click.Group:
    """The whole command line."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_name="timokha")
    def timokha() -> None:
        """A Telegram userbot that answers with a language model fine-tuned on its owner's chats."""

    groups = {"": timokha, **{name: click.Group(name, help=text) for name, text in GROUPS.items()}}
    for name in GROUPS:
        timokha.add_command(groups[name])
    for name, command in COMMANDS.items():
        groups[name.rpartition(" ")[0]].add_command(subcommand(name, command, signals))
    for part in config.commands():
        groups["config"].add_command(part)
    return timokha


def subcommand(name: str, command: Command, signals: Signals) -> click.Command:
    """A command whose options are the fields of its settings."""

    def callback(**given: object) -> None:
        judged = reading.judge()
        chosen = reading.read(command.settings, judged, {field: v for field, v in given.items() if v is not None})
        try:
            start(name, command, chosen, signals, judged.warn)
        except ModuleNotFoundError as error:
            raise NotInstalled.of(error, name, command.extras) from error

    return click.Command(
        name.rpartition(" ")[2], callback=callback, params=options(command.settings), help=command.help
    )


def start(name: str, command: Command, settings: Settings, signals: Signals, warn: Callable[[], None]) -> None:
    """Configure logs and telemetry, then run the command's `main` on an event loop."""
    logs.configure(name, level=settings.log_level)
    warn()
    reading.for_libraries()
    main = import_module(command.module).main  # after that: some libraries log when they are imported
    gc.freeze()
    gc.enable()
    trace_file = settings.trace_file if command.traced else None
    telemetry = setup.start(name, capture_content=settings.capture_message_content, trace_file=trace_file)
    try:
        ended = running.run(partial(main, settings, telemetry), signals, patience=command.patience_with(settings))
    except TimokhaError as error:
        if not (signals.service and signals.received):
            raise
        click.echo(f"timokha: {error}", err=True)  # it was told to stop anyway
        return
    finally:
        telemetry.shutdown()
    if not (ended or signals.service):
        raise Interrupted("interrupted")
