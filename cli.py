"""`timokha`: one command line; every option is a setting, and has an environment variable."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import click
from pydantic.fields import FieldInfo

from bridge.settings import BridgeSettings
from edge.deadletters.settings import DeadLetterSettings, DeadLettersSettings, ResendSettings
from edge.demo.settings import DemoSettings
from edge.doctor.settings import DoctorSettings
from edge.userbot.settings import UserbotSettings
from events.errors import TimokhaError
from events.recordings.settings import RecordSettings
from events.settings import Positional, Settings
from events.setup.settings import SetupSettings
from functions.generate.settings import GenerateSettings
from functions.replay.settings import ReplaySettings
from observability import logs, setup
from observability.telemetry import Telemetry
from observability.trace.settings import TraceSettings
from training.settings import EvaluateSettings, ExportSettings, FitSettings, PrepareSettings

Main = Callable[[Any, Telemetry, asyncio.Event], Coroutine[Any, Any, None]]

COMMANDS: dict[str, tuple[type[Settings], str, str]] = {
    "bridge": (
        BridgeSettings,
        "bridge.app",
        "JetStream to RabbitMQ and back: workers and bots of either kind, the original's too, can be mixed.",
    ),
    "deadletters list": (
        DeadLettersSettings,
        "edge.deadletters.list",
        "Which questions nobody could answer, the oldest first.",
    ),
    "deadletters show": (
        DeadLetterSettings,
        "edge.deadletters.show",
        "Everything that is known of a dead letter, the conversation included.",
    ),
    "deadletters resend": (
        ResendSettings,
        "edge.deadletters.resend",
        "Asks the question once more: its user gets an answer, or hears that it failed again.",
    ),
    "deadletters drop": (
        DeadLetterSettings,
        "edge.deadletters.drop",
        "Overwrites a dead letter where it is stored.",
    ),
    "demo": (
        DemoSettings,
        "edge.demo.app",
        "The whole product on one machine with nothing to sign up for, and a chat in the terminal. "
        "With piped input each line is sent as a message.",
    ),
    "doctor": (
        DoctorSettings,
        "edge.doctor.app",
        "Checks settings, brokers, model and Telegram session, and says what is wrong and how to mend it.",
    ),
    "generate": (
        GenerateSettings,
        "functions.generate.app",
        "One stateless generate function: requests in, answers out.",
    ),
    "record": (
        RecordSettings,
        "events.recordings.app",
        "Saves questions and their replies from the streams to a file, as JSON Lines.",
    ),
    "replay": (
        ReplaySettings,
        "functions.replay.app",
        "Asks the questions of a recording again and tells which replies differ; with --handler without brokers.",
    ),
    "setup": (
        SetupSettings,
        "events.setup.app",
        "Makes streams, consumers, buckets and queues, and says what it changed; needs an administrator's credentials.",
    ),
    "model": (
        GenerateSettings,
        "functions.generate.prepare",
        "Prepares the default model in the cache, once, so that `timokha generate` starts in seconds.",
    ),
    "trace": (
        TraceSettings,
        "observability.trace.app",
        "The trace of a question as a waterfall: of the request id or trace id given, or the newest with --last; "
        "without either a list.",
    ),
    "train evaluate": (
        EvaluateSettings,
        "training.evaluate",
        "Scores a trained model and its base on held-out dialogues, and shows their answers side by side.",
    ),
    "train export": (
        ExportSettings,
        "training.export",
        "Writes a trained model as a directory that `timokha generate --model` serves.",
    ),
    "train fit": (
        FitSettings,
        "training.fit",
        "Trains a model on prepared dialogues; interrupted, the same command goes on from its last checkpoint.",
    ),
    "train prepare": (
        PrepareSettings,
        "training.prepare",
        "From a Telegram Desktop export to dialogues, a manifest that accounts for every item, and plots.",
    ),
    "userbot": (
        UserbotSettings,
        "edge.userbot.app",
        "The edge on Telegram: answers from your own account. The first start asks for phone, code and password.",
    ),
}
"""Name, a group's first → settings, the module whose `main` runs it (imported only then), help."""

GROUPS = {
    "deadletters": "Questions that nobody could answer: list, show, resend, drop.",
    "train": "From a chat export to a voice: prepare, fit, evaluate, export.",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="timokha")
def cli() -> None:
    """A Telegram userbot that answers with a language model fine-tuned on its owner's chats."""


def command(name: str, settings: type[Settings], module: str, text: str) -> click.Command:
    """A subcommand whose options are the fields of `settings`."""

    def run(**given: object) -> None:
        chosen = settings.read(**{field: value for field, value in given.items() if value is not None})
        start(name, import_module(module).main, chosen)

    return click.Command(name.rpartition(" ")[2], callback=run, params=options(settings), help=text)


def options(settings: type[Settings]) -> list[click.Parameter]:
    """`--slots` and so on; pydantic judges their values, so that options and variables are judged alike."""
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


def start(name: str, main: Main, settings: Settings) -> None:
    """The only ignition: logs, telemetry, signals, the event loop."""
    logs.configure(name, level=settings.log_level)
    telemetry = setup.start(name, capture_content=settings.capture_message_content, trace_file=settings.trace_file)
    try:
        asyncio.run(_until_stopped(main, settings, telemetry))
    finally:
        telemetry.shutdown()


async def _until_stopped(main: Main, settings: Settings, telemetry: Telemetry) -> None:
    """SIGTERM and SIGINT set `stop`; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        stop.set()
        loop.add_signal_handler(number, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    await main(settings, telemetry, stop)


def main() -> None:
    """Exit codes: 0 done, 1 failed, 2 wrong use or settings.

    What a person can mend is one line, never a traceback.
    """
    groups = {"": cli, **{name: click.Group(name, help=text) for name, text in GROUPS.items()}}
    for name in GROUPS:
        cli.add_command(groups[name])
    for name, (settings, module, text) in COMMANDS.items():
        groups[name.rpartition(" ")[0]].add_command(command(name, settings, module, text))
    try:
        sys.exit(cli(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(1)
    except TimokhaError as error:
        click.echo(f"timokha: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
