"""The settings that the demo gives the processes that it starts."""

from pathlib import Path

from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID
from edge.userbot.settings import UserbotSettings
from edge.userbot.texts.files import OWN, own_folder
from edge.userbot.triggers import Trigger


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
        # The limits protect against several users and other bots; here is one user, whose piped input may be long.
        "USERBOT_MAX_ANSWERS_PER_MINUTE": "0",
        "USERBOT_MAX_WITHOUT_PREFIX_PER_HOUR": "0",
    }


def link_texts(directory: Path) -> None:
    """Have a process in `directory` find the owner's catalogues there."""
    theirs, link = own_folder(), directory / OWN
    if theirs == link:
        return
    if link.is_symlink():
        link.unlink()
    if theirs.is_dir():
        link.symlink_to(theirs)


def owners_environment() -> dict[str, str]:
    """Return settings that give the owner something to decide, unless others are chosen."""
    variable = UserbotSettings.variable("approve")
    return {} if "approve" in UserbotSettings.sources() else {variable: "all"}


def twins_environment() -> dict[str, str]:
    """Return settings by which every message to the account is answered, and a reaction shows that it will be."""
    variable = UserbotSettings.variable("thinking")
    reaction = {} if "thinking" in UserbotSettings.sources() else {variable: "reaction"}
    return {UserbotSettings.variable("triggers"): Trigger.PRIVATE, **reaction}
