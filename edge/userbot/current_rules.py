"""The owner's rules as they are now: `timokha.toml` and `.env` are read anew when they have changed.

The files are looked at by name once a second, rather than watched through the kernel: that also notices a replaced
file, another target of a symbolic link, and changes in a mounted folder whose machine tells nothing about them.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import structlog

from edge.userbot.delays import Delay
from edge.userbot.people import People
from edge.userbot.quiet_hours import time_zone
from edge.userbot.rules import Rules
from edge.userbot.settings import UserbotSettings
from edge.userbot.triggers import Triggers
from events import toml_file
from events.dotenv import DOTENV
from events.errors import SettingsError
from events.runtime.clock import Clock

LOOK = timedelta(seconds=1)
"""How often the files are read. What is found twice counts: an editor may be writing at the moment of a look."""
RULES = frozenset(
    {
        *("prefix", "language", "when_busy", "live", "persona", "max_answers_per_minute", "owner_pause", "contacts"),
        *("allow", "deny", "refused", "max_answers_per_day", "max_answers_per_day_for_all", "quiet_hours", "time_zone"),
        *("answer_groups", "groups", "triggers", "debounce", "delay", "repeat_window", "max_without_prefix_per_hour"),
        *("thinking", "approve", "approve_list", "approve_for", "approve_expired", "feedback"),
    }
)
"""The settings that take effect without a restart."""

log = structlog.get_logger(__name__)

Contents = tuple[bytes | str | None, ...]
"""Of each file: its content, why it can't be read, or None if it is not there."""


def rules_of(settings: UserbotSettings) -> Rules:
    return Rules(
        prefix=settings.prefix,
        when_busy=settings.when_busy,
        deadline=settings.deadline,
        catch_up_window=settings.catch_up_window,
        locale=settings.language,
        live=settings.live,
        max_answers=settings.max_answers_per_minute,
        owner_pause=settings.owner_pause,
        persona=settings.persona,
        allow=People.of(settings.allow),
        deny=People.of(settings.deny),
        refused=settings.refused,
        max_answers_per_day=settings.max_answers_per_day,
        max_answers_per_day_for_all=settings.max_answers_per_day_for_all,
        quiet_hours=settings.quiet_hours,
        time_zone=time_zone(settings.time_zone),
        approve=settings.approve,
        approve_list=People.of(settings.approve_list),
        approve_for=settings.approve_for,
        approve_expired=settings.approve_expired,
        answer_groups=settings.answer_groups,
        groups=People.of(settings.groups),
        triggers=Triggers.of(settings.triggers),
        debounce=settings.debounce,
        delay=Delay.parse(settings.delay),
        repeat_window=settings.repeat_window,
        max_without_prefix=settings.max_without_prefix_per_hour,
        thinking=settings.thinking,
        feedback=settings.feedback,
        overrides={name: contact.override for name, contact in settings.contacts.items()},
    )


class CurrentRules:
    """Call it for the rules. `settings`: those that the process was started with. `read_anew` raises SettingsError."""

    def __init__(self, settings: UserbotSettings, read_anew: Callable[[], UserbotSettings]) -> None:
        self._started, self._current = settings, settings
        self._read_anew = read_anew
        self._rules = rules_of(settings)
        self._files = (toml_file.path(), DOTENV)
        self._seen: Contents | None = None
        self._read: Contents | None = None
        self._applied: Contents | None = None
        self._is_bad = False

    def __call__(self) -> Rules:
        return self._rules

    async def keep_current(self, clock: Clock) -> None:
        """Look at the files until cancelled."""
        while True:
            await clock.sleep(LOOK)
            self.look()

    def look(self) -> None:
        """Read the settings anew if the files have changed since they were read, but not since the last look."""
        before, self._seen = self._seen, tuple(_content(file) for file in self._files)
        if self._seen != before or self._seen == self._read:
            return
        self._read = self._seen
        try:
            self._refuse_emptied(self._applied or self._seen, self._seen)
            self._apply(self._read_anew())
            self._applied = self._seen
        except SettingsError as error:
            self._is_bad = True
            log.error("rules.not_changed", problem=str(error))

    def _refuse_emptied(self, before: Contents, now: Contents) -> None:
        """Raise SettingsError if a file was emptied, as by an editor that was killed while it wrote."""
        for file, old, new in zip(self._files, before, now, strict=True):
            if old and new == b"":
                raise SettingsError(f"{toml_file.title(file)} is empty; fill it, or remove it to set nothing")

    def _apply(self, settings: UserbotSettings) -> None:
        changed = _differing(self._current, settings)
        self._current, self._rules = settings, rules_of(_with_rules(self._started, settings))
        if rules := changed & RULES:
            log.info("rules.changed", settings=_named(rules))
        elif self._is_bad:
            log.info("rules.changed", settings="none")
        self._is_bad = False
        if others := changed - RULES:
            log.warning("settings.need_restart", settings=_named(others), advice="restart the userbot to apply them")


def _content(file: Path) -> bytes | str | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error)


def _differing(one: UserbotSettings, other: UserbotSettings) -> set[str]:
    return {name for name in UserbotSettings.model_fields if getattr(one, name) != getattr(other, name)}


def _with_rules(started: UserbotSettings, read: UserbotSettings) -> UserbotSettings:
    """Return the settings of the start with what may change since."""
    return started.model_copy(update={name: getattr(read, name) for name in RULES})


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(UserbotSettings.variable(name) for name in names))
