"""`timokha config`: show what is set and where, and check it, without connecting to anything."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cli.commands import COMMANDS, GROUPS
from cli.config import values
from cli.config.other_variables import export_to_libraries
from cli.config.reading import NameReport, check_names
from cli.config.sections import Section, fields, sections
from cli.config.values import Value
from events import dotenv
from events.dotenv import DOTENV
from events.errors import SettingsError
from events.names import did_you_mean, nearest

if TYPE_CHECKING:
    from cli.config.checks import Checked

SHOW = "Shows the value of each setting and where it is set, for COMMAND or all commands. Secrets are hidden."
CHECK = (
    "Checks the names and values that COMMAND, or any command, would read. Connects to nothing. "
    "Without COMMAND, missing settings are no problem: few machines run every command."
)


def commands() -> list[click.Command]:
    """Return the commands of the group `config`."""
    return [
        click.Command(name, callback=callback, params=[click.Argument(["command"], nargs=-1)], help=text)
        for name, callback, text in (("show", show, SHOW), ("check", check_settings, CHECK))
    ]


def show(command: Sequence[str]) -> None:
    """Print the tables, and problems on stderr. Raises SettingsError if `.env` can't be read."""
    names = _names(command)
    lines = dotenv.read(DOTENV)
    of_names = [Section(f"timokha {name}", COMMANDS[name].settings, fields(COMMANDS[name].settings)) for name in names]
    shown = [
        (section.heading.replace("`", ""), values.of_settings(section.settings, section.fields, lines))
        for section in (of_names if command else sections())
    ]
    click.echo("\n\n".join(_table(*part) for part in [*shown, ("Read by others", values.of_others(lines))] if part[1]))
    report, checked = _examined(names)
    for problem in [*report.errors, *checked.bad, *checked.without_effect, *report.warnings()]:
        click.echo(problem, err=True)


def check_settings(command: Sequence[str]) -> None:
    """Print one line for each problem. Raises SettingsError if there are any."""
    names = _names(command)
    report, checked = _examined(names)
    missing = [problem.text for problems in checked.missing.values() for problem in problems]
    bad = [*report.errors, *checked.bad, *(missing if command else [])]
    for problem in [*bad, *checked.without_effect, *report.warnings()]:
        click.echo(problem)
    if bad:
        raise SettingsError(f"{len(bad)} {'settings have' if len(bad) > 1 else 'setting has'} to be corrected")
    for name, problems in checked.missing.items():
        click.echo(f"timokha {name} also needs {', '.join(str(problem.missing) for problem in problems)}")
    click.echo("ok: every name is known, and every value can be read")


def _examined(names: Sequence[str]) -> tuple[NameReport, "Checked"]:
    from cli.config.checks import check  # noqa: PLC0415 - no other command has to import it

    report = check_names()
    export_to_libraries()
    return report, check(names)


def _names(command: Sequence[str]) -> list[str]:
    """Return the names of the chosen commands: one, those of a group, or all."""
    wanted = " ".join(command)
    found = [name for name in COMMANDS if not wanted or name == wanted or name.startswith(f"{wanted} ")]
    if not found:
        raise click.UsageError(f"There is no command {wanted!r}{did_you_mean(nearest(wanted, [*COMMANDS, *GROUPS]))}.")
    return found


def _table(heading: str, found: Sequence[Value]) -> str:
    wide, origin = (max(len(value[column]) for value in found) for column in (0, 1))
    rows = (f"  {value.variable:{wide}}  {value.origin:{origin}}  {value.value}".rstrip() for value in found)
    return "\n".join([heading, *rows])
