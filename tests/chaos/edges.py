"""The accounts that are asked: a user's and a bot's, each with a userbot of its own, or two persons' with one bot."""

from dataclasses import dataclass
from pathlib import Path

from edge.sandbox.groups import Group
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import signed_in_session
from edge.userbot.storage.watermark import group_key
from tests.promises.lines import BOT, USER
from tests.promises.lines.accounts import Settings

OWNER_PHONE = "+79990000000"
OWNER_OF_BOT_PHONE = "+79980000000"
CREATOR_PHONE = "+79960000000"
PERSONS = 2
"""Who have connected the bot of the business edge."""
OWNER_PAUSE = 3.0
"""USERBOT_OWNER_PAUSE, in seconds; likewise:"""
APPROVE_FOR = 5.0
EXPIRED = {USER: "drop", BOT: "send"}
"""USERBOT_APPROVE_EXPIRED."""
PRODUCT = Settings(owner_pause=OWNER_PAUSE, approve_for=APPROVE_FOR)
"""Of every userbot; the deadline is the default."""


@dataclass
class Edge:
    """`environment` is its userbot's, `log` what that writes.

    `kind`: of its process, with a number if that has several. `owner`: who is in charge, None if they do nothing in
    this storm. `bot`: calls Telegram for the account. `group`: a forum in which it is asked too.
    """

    kind: str
    account: Account
    environment: dict[str, str]
    log: Path
    owner: Account | None = None
    bot: Account | None = None
    group: Group | None = None

    @property
    def watermarks(self) -> list[str]:
        """The keys under which it is stored how far its changes were taken in."""
        groups = [group_key(str(self.account.id), str(self.group.id))] if self.group else []
        return [str(self.caller), *groups]

    @property
    def caller(self) -> int:
        """The id of the account that has signed in."""
        return (self.bot or self.account).id

    def switch_live(self) -> None:
        """The next userbot answers the other way."""
        live = self.environment.get("USERBOT_LIVE") == "true"
        self.environment["USERBOT_LIVE"] = "false" if live else "true"


async def user_account(telegram: Sandbox, directory: Path) -> tuple[Account, dict[str, str]]:
    """An account that has signed in by phone, and the settings of its userbot."""
    owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
    session = directory / "owner.session"
    await signed_in_session(telegram, OWNER_PHONE, session=session)
    return owner, {"BOT_TOKEN": "", "USERBOT_SESSION": str(session)}


def bot_account(telegram: Sandbox, directory: Path) -> tuple[Account, dict[str, str]]:
    """An account that signs in with its token, at the first start of its userbot."""
    bot = telegram.add_user(first_name="Тимоха-бот", username="timokha_bot", bot=True)
    return bot, {"BOT_TOKEN": bot.token or "", "USERBOT_SESSION": str(directory / "bot.session")}


def connected_accounts(telegram: Sandbox, directory: Path) -> tuple[list[Account], Account, dict[str, str]]:
    """Persons, a bot that they may connect to their accounts, and the settings of its process."""
    bot = telegram.add_user(first_name="Тимоха-бот", username="timokha_bot", bot=True, business=True)
    persons = [telegram.add_user(first_name=f"Хозяин {n}", phone=f"+7997000000{n}") for n in range(PERSONS)]
    return persons, bot, {"BOT_TOKEN": bot.token or "", "USERBOT_SESSION": str(directory / "business.session")}


def put_in_group(telegram: Sandbox, edge: Edge) -> None:
    """Let there be a group with topics, of a creator who says nothing, in which the account is asked too."""
    creator = telegram.add_user(first_name="Создатель", phone=CREATOR_PHONE)
    edge.group = telegram.add_group("Читатели", [creator.id, edge.account.id], forum=True)
    edge.environment["USERBOT_GROUPS"] = str(edge.group.id)


def put_in_charge(telegram: Sandbox, edge: Edge) -> None:
    """Give the edge an owner who decides: the account itself, or somebody who has written to the bot."""
    edge.owner = edge.account
    if edge.kind == BOT:
        edge.owner = telegram.add_user(first_name="Хозяин", phone=OWNER_OF_BOT_PHONE, lang_code="ru")
        telegram.send(edge.owner.id, edge.account.id, "/start")
        edge.environment["USERBOT_OWNER"] = str(edge.owner.id)
    edge.environment |= {
        "USERBOT_OWNER_PAUSE": str(OWNER_PAUSE),
        "USERBOT_APPROVE_FOR": str(APPROVE_FOR),
        "USERBOT_APPROVE_EXPIRED": EXPIRED[edge.kind],
    }
