"""The accounts that are asked: a user's and a bot's, each with a userbot of its own."""

from dataclasses import dataclass
from pathlib import Path

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import signed_in_session

OWNER_PHONE = "+79990000000"
OWNER_OF_BOT_PHONE = "+79980000000"
USER, BOT = EDGES = ("userbot", "bot")
"""Kinds of edges, and of their processes."""
OWNER_PAUSE = 3.0
"""USERBOT_OWNER_PAUSE, in seconds; likewise:"""
APPROVE_FOR = 5.0
EXPIRED = {USER: "drop", BOT: "send"}
"""USERBOT_APPROVE_EXPIRED."""


@dataclass
class Edge:
    """`environment` is its userbot's, `log` what that writes.

    `owner`: who is in charge, None if they do nothing in this storm.
    """

    kind: str
    account: Account
    environment: dict[str, str]
    log: Path
    owner: Account | None = None

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
