"""`timokha config`: show what is set and where, and check it; nothing is connected to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cli.commands import COMMANDS, GROUPS
from cli.config import values
from cli.config.other_variables import export_to_libraries
from cli.config.reading import Judged, judge
from cli.config.sections import Section, fields, sections
from cli.config.values import Value
from events import dotenv
from events.errors import SettingsError
from events.names import did_you_mean, nearest
from events.settings import DOTENV

if TYPE_CHECKING:
    from cli.config.checks import Checked

SHOW = "Shows each setting's value and where it is written, of COMMAND or of all commands. Secrets are hidden."
CHECK = (
    "Checks the names and values that COMMAND, or any command, would read. Connects to nothing. "
    "Without COMMAND it is no fault that something is missing: few machines run every command."
)


def commands() -> list[click.Command]:
    """What belongs into the group `config`."""
    return [
        click.Command(name, callback=callback, params=[click.Argument(["command"], nargs=-1)], help=text)
        for name, callback, text in (("show", show, SHOW), ("check", check_settings, CHECK))
    ]


def show(command: Sequence[str]) -> None:
    """Print the table, and on stderr what is wrong. Raises SettingsError if `.env` can't be read."""
    names = _names(command)
    lines = dotenv.read(DOTENV)
    shown = [
        (section.heading.replace("`", ""), values.of_settings(section.settings, section.fields, lines))
        for section in (_sections(names) if command else sections())
    ]
    click.echo("\n\n".join(_table(*part) for part in [*shown, ("Read by others", values.of_others(lines))] if part[1]))
    judged, checked = _examined(names)
    for problem in [*judged.refused, *checked.bad, *judged.doubts()]:
        click.echo(problem, err=True)


def check_settings(command: Sequence[str]) -> None:
    """Print what is bad, a line each. Raises SettingsError if something is."""
    names = _names(command)
    judged, checked = _examined(names)
    missing = [problem.text for problems in checked.missing.values() for problem in problems]
    bad = [*judged.refused, *checked.bad, *(missing if command else [])]
    for problem in [*bad, *judged.doubts()]:
        click.echo(problem)
    if bad:
        raise SettingsError(f"{len(bad)} {'settings have' if len(bad) > 1 else 'setting has'} to be mended")
    for name, problems in checked.missing.items():
        click.echo(f"timokha {name} also needs {', '.join(str(problem.missing) for problem in problems)}")
    click.echo("ok: every name is known, and every value can be read")


def _examined(names: Sequence[str]) -> tuple[Judged, "Checked"]:
    from cli.config.checks import check  # noqa: PLC0415 - no other command has to import it

    judged = judge()
    export_to_libraries()
    return judged, check(names)


def _names(command: Sequence[str]) -> list[str]:
    """The commands that are meant: one, those of a group, or all."""
    wanted = " ".join(command)
    found = [name for name in COMMANDS if not wanted or name == wanted or name.startswith(f"{wanted} ")]
    if not found:
        raise click.UsageError(f"There is no command {wanted!r}{did_you_mean(nearest(wanted, [*COMMANDS, *GROUPS]))}.")
    return found


def _sections(names: Sequence[str]) -> list[Section]:
    return [Section(f"timokha {name}", COMMANDS[name].settings, fields(COMMANDS[name].settings)) for name in names]


def _table(heading: str, found: Sequence[Value]) -> str:
    wide, origin = (max(len(value[column]) for value in found) for column in (0, 1))
    rows = (f"  {value.variable:{wide}}  {value.origin:{origin}}  {value.value}".rstrip() for value in found)
    return "\n".join([heading, *rows])
