"""Check the settings of commands without connecting to anything."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from cli.commands import COMMANDS
from cli.config.sections import fields
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError
from events.jetstream.addresses import servers
from events.jetstream.credentials import Credentials, tls_context
from events.setting_problems import BadSettings, SettingProblem
from events.settings import ProcessSettings, RabbitMQSettings, Settings
from observability.environment import check_numbers, exporters, is_sdk_disabled


@dataclass(slots=True)
class Checked:
    """Messages about bad settings, and the required settings that are missing, by command.

    `without_effect`: about good ones that change nothing.
    """

    bad: list[str] = field(default_factory=list)
    without_effect: list[str] = field(default_factory=list)
    missing: dict[str, list[SettingProblem]] = field(default_factory=dict)


def check(commands: Iterable[str]) -> Checked:
    """Read the settings of each command, and the files that they name."""
    checked = Checked()
    for name in commands:
        settings = COMMANDS[name].settings
        try:
            given = settings.read()
            checked.bad += _errors_on_use(given)
            checked.without_effect += given.without_effect if isinstance(given, UserbotSettings) else []
        except BadSettings as error:
            checked.bad += [problem.text for problem in error.problems if not problem.missing]
            by_variable = {field.variable for field in fields(settings)}  # the rest stands on the command line
            missing = [problem for problem in error.problems if problem.missing in by_variable]
            checked.missing |= {name: missing} if missing else {}
        except SettingsError as error:
            checked.bad.append(str(error))
    for lines in (checked.bad, checked.without_effect):
        lines[:] = dict.fromkeys(lines)  # most variables are read by several commands
    return checked


def _errors_on_use(settings: Settings) -> Iterator[str]:
    """Yield the errors that a command would raise on first use of its settings."""
    if isinstance(settings, ProcessSettings):
        yield from _errors_of(partial(servers, settings.nats_url))
        yield from _errors_of(partial(tls_context, settings.nats_access))
        if settings.nats_credentials:
            yield from _errors_of(partial(Credentials, settings.nats_credentials))
    if isinstance(settings, RabbitMQSettings):
        yield from _errors_of(partial(_rabbitmq, settings))
    if isinstance(settings, UserbotSettings):
        yield from _errors_of(partial(getattr, settings, "session_file"))
        yield from _errors_of(partial(_texts, settings))
    if not is_sdk_disabled():
        yield from _errors_of(check_numbers)
        for signal in ("TRACES", "METRICS"):
            yield from _errors_of(partial(exporters, signal))


def _rabbitmq(settings: RabbitMQSettings) -> None:
    try:
        from events.rabbitmq.connection import parse_url  # noqa: PLC0415 - its client may not be installed
    except ModuleNotFoundError:
        return
    parse_url(settings.rabbitmq_url)


def _texts(settings: UserbotSettings) -> None:
    try:
        from edge.userbot.texts.own import own_texts  # noqa: PLC0415 - the library of texts may not be installed
    except ModuleNotFoundError:
        return
    own_texts(settings)


def _errors_of(use: Callable[[], object]) -> Iterator[str]:
    try:
        use()
    except SettingsError as error:
        yield str(error)
