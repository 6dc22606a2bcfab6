"""How a person signs in, where this process runs."""

from pathlib import Path
from shlex import quote

from events.extras import image

WITH_COMPOSE = "docker compose run --rm userbot"


def in_a_container() -> bool:
    """Return whether this is the userbot's container. A sandbox's has another one, that nobody signs in to."""
    return image() == "userbot"


def command() -> str:
    """As it stands in a sentence."""
    return f"`{WITH_COMPOSE}`" if in_a_container() else "`timokha userbot` in a terminal"


def anew(session: Path | str) -> str:
    """The same where the file `session` is there already, and of no use."""
    if in_a_container() and Path(session).is_absolute():
        remove = WITH_COMPOSE.replace("userbot", f"--no-deps --entrypoint rm userbot {quote(str(session))}")
        return f"remove it with `{remove}` and sign in again with {command()}"
    return f"delete it and sign in again with {command()}"
