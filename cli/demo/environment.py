"""The settings that the demo gives the processes that it starts."""

from pathlib import Path

from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID
from edge.userbot.settings import UserbotSettings


def edge_environment(telegram: Sandbox, session: Path, directory: Path, *, token: str | None) -> dict[str, str]:
    """Return the settings of the process that talks to `telegram`; `token`: a bot's."""
    key = directory / "telegram.pem"
    key.write_text(telegram.public_key_pem)
    return {
        "API_ID": str(API_ID),
        "API_HASH": API_HASH,
        "BOT_TOKEN": token or "",
        "BUSINESS_CHECK": "",
        "USERBOT_SESSION": str(session),
        "USERBOT_TELEGRAM_SERVER": telegram.address,
        "USERBOT_TELEGRAM_KEY": str(key),
        # The limit protects against several users; here is one, whose piped input may be long.
        "USERBOT_MAX_ANSWERS_PER_MINUTE": "0",
    }


def owners_environment() -> dict[str, str]:
    """Return settings that give the owner something to decide, unless others are chosen."""
    variable = UserbotSettings.variable("approve")
    return {} if "approve" in UserbotSettings.sources() else {variable: "all"}
