"""Check names of variables: which does a command, compose.yaml or OpenTelemetry know, and which are mistyped?

In `.env` an unknown name that looks like ours is an error. In the environment, which other programs use too, it is
only a warning. In `timokha.toml`, which is ours alone, every unknown name is an error.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from cli.commands import COMMANDS
from cli.config.other_variables import COMPOSE, OTHERS, opentelemetry
from events.dotenv import Line
from events.names import did_you_mean, is_slip, nearest
from events.settings import Settings

SHARED = {"API", "BOT", "COMPOSE", "HF", "LOG", "OPENAI", "OTEL", "TORCH"}
"""First words of our names that others use as well: such a name counts as ours only if it is nearly one of ours."""
FOREIGN = (
    *("*_SERVICE_*", "*_PORT", "*_PORT_*"),  # Kubernetes and Docker set these in every process for every service
    *("NATS_CONTEXT", "NATS_CREDS", "NATS_NKEY", "NATS_CERT", "NATS_KEY", "NATS_CA", "NATS_TIMEOUT", "NATS_SERVER"),
    *("NATS_SOCKS_PROXY", "NATS_COLOR", "NATS_INBOX_PREFIX", "NATS_JETSTREAM_DOMAIN"),  # the program `nats`, its image
    *("RABBITMQ_NODE*", "RABBITMQ_CONF*", "RABBITMQ_LOG*", "RABBITMQ_MNESIA_*", "RABBITMQ_DEFAULT_*", "RABBITMQ_HOME"),
    *("RABBITMQ_SERVER_*", "RABBITMQ_PLUGINS*", "RABBITMQ_ENABLED_*", "RABBITMQ_ERLANG_*", "RABBITMQ_DIST_*"),
    *("RABBITMQ_USE_LONGNAME", "RABBITMQ_DATA_DIR", "RABBITMQ_VERSION", "RABBITMQ_PGP_KEY_ID", "RABBITMQ_ADVANCED_*"),
    *("RABBITMQ_FEATURE_FLAGS*", "RABBITMQ_CTL_*", "RABBITMQ_MAX_*", "RABBITMQ_HOSTNAME", "RABBITMQ_PID_FILE"),
    "GENERATE_SOURCEMAP",  # Create React App
)
"""Patterns of variables that other programs set in an environment."""

LISTED = " (`timokha config show` lists what there is)"


@dataclass(frozen=True)
class Names:
    """Known names: the variables of `settings`, whose case does not matter, and those of `others`, whose case does."""

    settings: frozenset[str]
    others: frozenset[str]

    def mistyped(self, lines: Sequence[Line]) -> list[str]:
        """Return a message for each unknown name in the lines of `.env`."""
        numbers: dict[str, list[int]] = {}
        for line in lines:
            if self._is_mistyped(line.name):
                numbers.setdefault(line.name, []).append(line.number)
        return [
            f".env, {at(where)}: there is no {_shown(name)}{self._meant(name) or LISTED}"
            for name, where in numbers.items()
        ]

    def suspicious(self, environment: Iterable[str]) -> list[str]:
        """Return a message for each variable of `environment` that looks like ours and is unknown."""
        unknown = (name for name in sorted(environment) if self._is_ours(name) and not self._is_known(name))
        return [f"{_shown(name)}{self._meant(name)}" for name in unknown if not _is_foreign(name)]

    def _is_mistyped(self, name: str) -> bool:
        if self._is_known(name):
            return False
        return self._is_ours(name) or any(is_slip(name, known) for known in self._all)

    def _is_known(self, name: str) -> bool:
        return name in self.others or name.upper() in self.settings

    def _is_ours(self, name: str) -> bool:
        """Return whether a name starts like ours; for a first word in SHARED, whether it is a misspelling of ours."""
        first = _plain(name).partition("_")[0]
        if first in SHARED:
            return any(is_slip(_plain(name), known) for known in self._all)
        return first in self._firsts and first != _plain(name)

    def _meant(self, name: str) -> str:
        return did_you_mean(nearest(_plain(name), self._all))

    @cached_property
    def _all(self) -> frozenset[str]:
        return self.settings | self.others

    @cached_property
    def _firsts(self) -> frozenset[str]:
        return frozenset(name.partition("_")[0] for name in self._all if "_" in name)


def known() -> Names:
    """Return the known names of all commands, which may share one `.env`."""
    classes = {command.settings for command in COMMANDS.values()}
    return Names(
        frozenset(name for settings in classes for name in variables(settings)),
        frozenset(OTHERS) | COMPOSE | opentelemetry(),
    )


def variables(settings: type[Settings]) -> Iterator[str]:
    """Return the variables of a command."""
    return (settings.variable(name) for name in settings.model_fields)


def repeated(lines: Sequence[Line]) -> list[str]:
    """Return a message for each variable that `.env` sets to two different values."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.value:
            found.setdefault(line.name.upper(), []).append(line)
    return [
        f".env, {at([line.number for line in same])}: {_shown(same[-1].name)} is set again, and the last line counts"
        for same in found.values()
        if len({line.value for line in same}) > 1
    ]


def at(numbers: Sequence[int]) -> str:
    """Return `line 3` or `lines 3, 5`."""
    return f"line{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _is_foreign(name: str) -> bool:
    return any(fnmatchcase(_plain(name), pattern) for pattern in FOREIGN)


def _plain(name: str) -> str:
    """Return `name` in capitals, with an underscore for every other character."""
    return re.sub(r"\W", "_", name).upper()


def _shown(name: str) -> str:
    """Return `name` cut where it can't be a name: in a line `NATS_PASSWORD:secret` it includes the secret."""
    found = re.match(r"[\w-]{0,60}", name, re.ASCII)
    start = found[0] if found else ""
    return name if name == start else repr(f"{start}…")
