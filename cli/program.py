"""Build the command line, run one command, and end the process with the exit code from `cli.faults`.

A command's module is imported when the command runs: `timokha generate` must start quickly.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from pydantic.fields import FieldInfo

from cli.commands import COMMANDS, GROUPS, Command
from cli.config.other_variables import export_to_libraries
from cli.faults import NotInstalled, exit_code
from events.errors import SettingsError
from events.runtime.signals import Signals
from events.settings import Positional, Settings

if TYPE_CHECKING:
    from functions.generate.engines.openvino.process import ModelProcess

BuildCommand = Callable[[], click.Command]


def run(signals: Signals, process: "ModelProcess | None" = None) -> None:
    """Run the command in `sys.argv` and exit. `process` was started for it beforehand."""
    code = 1
    try:
        code = int(program(signals, process)(standalone_mode=False) or 0)
    except BaseException as error:
        found = exit_code(error)
        if found is None:
            raise
        code = found
    finally:
        signals.exit(code)
    sys.exit(code)


class Group(click.Group):
    """Commands by name; each is built on first use."""

    def __init__(self, name: str | None, builders: Mapping[str, BuildCommand], **more: Any) -> None:
        super().__init__(name, **more)
        self._builders = builders

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._builders)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._builders[cmd_name]() if cmd_name in self._builders else None


def program(signals: Signals, process: "ModelProcess | None" = None) -> click.Group:
    """Return the whole command line."""
    builders: dict[str, dict[str, BuildCommand]] = {name: {} for name in ("", *GROUPS)}
    for name, command in COMMANDS.items():
        group, _, last = name.rpartition(" ")
        builders[group][last] = partial(subcommand, name, command, signals, process)
    groups = {
        name: partial(Group, name, builders[name], help=text) for name, text in GROUPS.items() if name != "config"
    }

    @click.version_option(package_name="timokha")
    def timokha() -> None:
        """A Telegram userbot that answers with a language model fine-tuned on its owner's chats."""

    whole: click.Group = click.command(
        cls=partial(Group, builders={**builders[""], **groups, "config": _config}),  # type: ignore[call-overload]
        context_settings={"help_option_names": ["-h", "--help"]},
    )(timokha)
    return whole


def _config() -> click.Command:
    from cli.config.command import commands  # noqa: PLC0415 - it imports the settings of all commands

    return click.Group("config", {str(part.name): part for part in commands()}, help=GROUPS["config"])


def subcommand(name: str, command: Command, signals: Signals, process: "ModelProcess | None" = None) -> click.Command:
    """Return a command whose options are the fields of its settings."""

    def callback(**given: object) -> None:
        chosen = {field: value for field, value in given.items() if value is not None}
        begun = _begin(command, chosen, process)
        try:
            from cli.start import start  # noqa: PLC0415 - what is begun goes on meanwhile

            start(name, command, chosen, signals, {"begun": begun} if begun else {})
        except ModuleNotFoundError as error:
            raise NotInstalled.of(error, name, command.extras) from error
        finally:
            if begun:
                begun.kill()

    return click.Command(
        name.rpartition(" ")[2], callback=callback, params=options(command.settings), help=command.help
    )


def _begin(command: Command, chosen: dict[str, Any], process: "ModelProcess | None") -> Any:
    """Start the early work of `command`; None if it has none or its settings are bad, which `cli.start` reports."""
    if not command.early:
        return None
    try:
        settings = command.settings.read(**chosen)
        export_to_libraries()
    except SettingsError:
        return None
    return import_module(command.early).begin(settings, process)


def options(settings: type[Settings]) -> list[click.Parameter]:
    """Return `--slots` and so on; pydantic validates their values, as it does those of variables."""
    return [_parameter(name, field, settings.variable(name)) for name, field in settings.model_fields.items()]


def _parameter(name: str, field: FieldInfo, variable: str) -> click.Parameter:
    if any(isinstance(mark, Positional) for mark in field.metadata):
        return click.Argument([name], required=False)
    option = f"--{name.replace('_', '-')}"
    text = f"{field.description}  [env: {variable}]{_default(field.get_default())}"
    if field.annotation is bool:
        return click.Option([f"{option}/--no-{option[2:]}"], default=None, help=text)
    return click.Option([option], help=text)


def _default(default: object) -> str:
    if default is None or repr(default) == "PydanticUndefined":
        return ""
    seconds = getattr(default, "total_seconds", None)
    return f"  [default: {f'{seconds():g}' if seconds else default}]"
