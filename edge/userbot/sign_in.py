"""How a person signs in, where this process runs."""

from events.extras import in_image


def command() -> str:
    """As it stands in a sentence."""
    return "`docker compose run --rm userbot`" if in_image() else "`timokha userbot` in a terminal"
