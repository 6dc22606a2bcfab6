"""`timokha business --check`: sign in as the bot, and test each assumption with the help of a person."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from edge.business.check.assumptions import Task
from edge.business.check.report import Report
from edge.business.settings import BusinessSettings
from edge.business.telegram.centres import open_centres
from edge.business.telegram.check_calls import CheckedBot
from edge.business.telegram.check_steps import Check
from edge.business.telegram.client import require_business
from edge.userbot.telegram.pyrogram_repairs import repair
from edge.userbot.telegram.session import make_client_in_memory, started_client
from events.errors import TimokhaError
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

PATIENCE = timedelta(minutes=10)
SETTLING = timedelta(seconds=4)


class AssumptionsFailed(TimokhaError):
    """Telegram does not behave as assumed, or it could not be tested."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks the person to do something. `asked` is called after that."""

    say: Callable[[str], None]
    asked: Callable[[Task], None]
    bot: str
    word: str
    patience: timedelta

    def __call__(self, task: Task) -> None:
        minutes = self.patience.total_seconds() / 60
        self.say(f"now: {task.value.format(bot=self.bot, word=self.word)} (up to {minutes:g} minutes)")
        self.asked(task)


async def check(
    settings: BusinessSettings,
    say: Callable[[str], None],
    *,
    asked: Callable[[Task], None] = lambda _task: None,
    patience: timedelta = PATIENCE,
    settling: timedelta = SETTLING,
) -> bool:
    """Test every assumption, and tell each result by `say`; return True if all held. Nothing is stored.

    `asked` is called after the person was asked to do something. Raises AssumptionsFailed unless all held.
    """
    require_business()
    repair(Retrying(SystemClock(), Random()))  # noqa: S311 - jitter, not a secret
    client = make_client_in_memory(settings)
    report = Report(say)
    async with open_centres(client) as centres:
        bot = CheckedBot(client, centres)
        async with started_client(client):
            assert client.me
            ask = Asking(say, asked, client.me.username or "the bot", f"check-{secrets.token_hex(3)}", patience)
            say(f"signed in as @{ask.bot}; messages of the check have the word {ask.word}; end it with Ctrl-C")
            await Check(bot, report, ask, ask.word, patience, settling).run()
    if not report.finish():
        raise AssumptionsFailed("not everything held; docs/business.md says what rests on it")
    return True
