"""The table of commands: their names, settings and modules."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from events.settings import Settings

STOP_TIMEOUT = timedelta(seconds=5)
"""How long a command that waits for `stop` may take to return after a signal."""


@dataclass(frozen=True, slots=True)
class Command:
    """One of `timokha`'s commands.

    `settings_path` is the `module:class` of its settings; `module` contains its `main`, or is `module:function`. Both
    are imported on first use. `extras`: the package's extras that install what `module` imports.
    `early`: a module whose `begin(settings, process)` starts work early; `main` gets the result as `begun`, and ends
    that work.
    After a signal `main` has `stop_timeout` to return (None: the `grace` of its settings), then it is cancelled.
    `traced`: its own spans go into the trace file.
    `changes`: its settings may change while it runs; `main` gets `read_anew`, which reads them with the same options.
    """

    settings_path: str
    module: str
    help: str
    extras: str = ""
    stop_timeout: timedelta | None = timedelta(0)
    traced: bool = True
    changes: bool = False
    early: str = ""

    @property
    def settings(self) -> "type[Settings]":
        module, _, name = self.settings_path.partition(":")
        found: type[Settings] = getattr(import_module(module), name)
        return found

    @property
    def main(self) -> Callable[..., Coroutine[Any, Any, None]]:
        """The coroutine function that runs the command; it takes settings, telemetry and a stop event."""
        module, _, name = self.module.partition(":")
        found: Callable[..., Coroutine[Any, Any, None]] = getattr(import_module(module), name or "main")
        return found

    def stop_timeout_with(self, settings: "Settings") -> timedelta:
        """Return how long `main` may run on after a signal."""
        return settings.grace if self.stop_timeout is None else self.stop_timeout  # type: ignore[attr-defined]


COMMANDS: dict[str, Command] = {
    "bridge": Command(
        "bridge.settings:BridgeSettings",
        "bridge.app",
        "Connects JetStream and RabbitMQ: workers and bots of either kind, also the original's, can be mixed.",
        extras="rabbitmq",
        stop_timeout=None,
    ),
    "business": Command(
        "edge.business.settings:BusinessSettings",
        "cli.business",
        "Connects Telegram and NATS JetStream for people who connect a bot to their account: the official way.",
        extras="kurigram",
        stop_timeout=STOP_TIMEOUT,
        changes=True,
    ),
    "deadletters list": Command(
        "cli.settings:DeadLettersSettings",
        "cli.deadletters.commands:list_all",
        "Lists the questions that got no answer, the oldest first.",
    ),
    "deadletters show": Command(
        "cli.settings:DeadLetterSettings",
        "cli.deadletters.commands:show",
        "Shows everything that is known about a dead letter, including the conversation.",
        extras="userbot",
    ),
    "deadletters resend": Command(
        "cli.settings:ResendSettings",
        "cli.deadletters.resend",
        "Asks the question again: its user gets an answer, or a message that it failed again.",
        extras="userbot",
    ),
    "deadletters drop": Command(
        "cli.settings:DeadLetterSettings",
        "cli.deadletters.commands:drop",
        "Overwrites a dead letter where it is stored.",
    ),
    "demo": Command(
        "cli.settings:DemoSettings",
        "cli.demo.command",
        "Runs the whole product on one machine, without any account, and a chat in the terminal. "
        "With piped input each line is sent as a message.",
        extras="userbot,sandbox,openvino",
        stop_timeout=STOP_TIMEOUT,
    ),
    "doctor": Command(
        "cli.settings:DoctorSettings",
        "cli.doctor.command",
        "Checks settings, brokers, model and Telegram session, and says what is wrong and how to fix it.",
    ),
    "generate": Command(
        "functions.generate.settings:GenerateSettings",
        "functions.generate.app",
        "Runs a stateless generate function: requests in, answers out.",
        extras="openvino",
        stop_timeout=None,
        early="functions.generate.engines.openvino.head_start",
    ),
    "health": Command(
        "events.settings:HealthSettings",
        "cli.health",
        "Reports whether the process that keeps TIMOKHA_HEALTH_FILE answers questions now; "
        "with --live, whether its event loop runs.",
        traced=False,
    ),
    "record": Command(
        "cli.settings:RecordSettings",
        "cli.record",
        "Saves questions and their replies from the streams to a file, as JSON Lines.",
    ),
    "replay": Command(
        "cli.settings:ReplaySettings",
        "cli.replay.command",
        "Asks the questions of a recording again and prints which replies differ; with --handler without brokers.",
        stop_timeout=STOP_TIMEOUT,
    ),
    "sandbox": Command(
        "cli.settings:SandboxSettings",
        "cli.sandbox.command",
        "Runs a Telegram on this machine, to try the userbot without an account: prints how to reach it and sign in,"
        " and opens a chat in the terminal.",
        extras="userbot,sandbox",
        stop_timeout=STOP_TIMEOUT,
    ),
    "setup": Command(
        "cli.settings:SetupSettings",
        "cli.setup",
        "Creates streams, consumers, buckets and queues, and prints what changed; needs administrator credentials.",
    ),
    "model": Command(
        "functions.generate.settings:GenerateSettings",
        "cli.model",
        "Prepares the default model in the cache, once, so that `timokha generate` starts in seconds.",
        extras="openvino",
    ),
    "trace": Command(
        "cli.settings:TraceSettings",
        "cli.trace",
        "Shows the trace of a question as a waterfall: of the given request id or trace id, or the newest with --last; "
        "without either, lists traces.",
        traced=False,
    ),
    "train evaluate": Command(
        "training.settings:EvaluateSettings",
        "training.evaluation.command",
        "Scores a trained model and its base on held-out dialogues, and shows their answers side by side.",
        extras="training",
        stop_timeout=STOP_TIMEOUT,
    ),
    "train export": Command(
        "training.settings:ExportSettings",
        "training.export",
        "Writes a trained model as a directory that `timokha generate --model` serves.",
        extras="training",
        stop_timeout=STOP_TIMEOUT,
    ),
    "train fit": Command(
        "training.settings:FitSettings",
        "training.fit.command",
        "Trains a model on prepared dialogues; interrupted, the same command goes on from its last checkpoint.",
        extras="training",
        stop_timeout=STOP_TIMEOUT,
    ),
    "train memory": Command(
        "training.settings:MemorySettings",
        "training.memory",
        "Writes the owner's exchanges in private chats to a file, for USERBOT_MEMORY.",
        extras="training",
        stop_timeout=STOP_TIMEOUT,
    ),
    "train prepare": Command(
        "training.settings:PrepareSettings",
        "training.data.command",
        "Turns a Telegram Desktop export into dialogues, a manifest that accounts for every item, and plots.",
        extras="training",
        stop_timeout=STOP_TIMEOUT,
    ),
    "userbot": Command(
        "edge.userbot.settings:UserbotSettings",
        "edge.userbot.app",
        "Answers on Telegram from your own account. The first start asks for phone, code and password.",
        extras="userbot",
        stop_timeout=STOP_TIMEOUT,
        changes=True,
    ),
}
"""Commands by name, with the group's name first."""

GROUPS = {
    "config": "Shows what is set and where, and checks it: show, check.",
    "deadletters": "Questions that got no answer: list, show, resend, drop.",
    "train": "From a chat export to a voice: prepare, fit, evaluate, export; or to a memory.",
}
