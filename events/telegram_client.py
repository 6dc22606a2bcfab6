"""Which Telegram client is installed: pyrogram or kurigram. Both are imported as `pyrogram`, and exclude each other."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from events.errors import SettingsError
from events.extras import ROOT, image, in_checkout, install_command


@dataclass(frozen=True, slots=True)
class Client:
    """A client's name on PyPI, our extra that installs it, and the version that is tested."""

    name: str
    extra: str
    tested: str


PYROGRAM: Final = Client("pyrogram", "userbot", "2.0.106")
KURIGRAM: Final = Client("kurigram", "kurigram", "2.2.26")


def installed_clients() -> dict[Client, str]:
    """Return the installed clients and their versions: those whose files are where `pyrogram` is imported from."""
    spec = find_spec("pyrogram")
    if spec is None or spec.origin is None:
        return {}
    place = str(Path(spec.origin).parents[1])
    return {client: version for client in (PYROGRAM, KURIGRAM) if (version := _version(client, place))}


def check_telegram_client(command: str, extras: Sequence[str], installed: dict[Client, str] | None = None) -> None:
    """Raise SettingsError if both clients are installed, or not the one that `extras` require."""
    if not {PYROGRAM.extra, KURIGRAM.extra} & {*extras}:
        return
    installed = installed_clients() if installed is None else installed
    if problem := mixed(installed):
        raise SettingsError(problem)
    if PYROGRAM in installed and KURIGRAM.extra in extras:
        raise SettingsError(f"{command} needs kurigram in pyrogram's place: {_instead()}")


def mixed(installed: dict[Client, str]) -> str:
    """Return what is wrong if both clients are installed, and what to do; empty if not."""
    if not {PYROGRAM, KURIGRAM} <= installed.keys():
        return ""
    both = " and ".join(f"{client.name} {version}" for client, version in installed.items())
    again = f"install one of them anew, e.g. `{install_command(PYROGRAM.extra)}`"
    return f"{both} have overwritten each other's files in {sys.prefix}: remove that directory, and {again}"


def _version(client: Client, place: str) -> str | None:
    found = next(iter(Distribution.discover(name=client.name, path=[place])), None)
    return found.version if found else None


def _instead() -> str:
    if image():
        return install_command(KURIGRAM.extra)
    if in_checkout():
        return f"make venv CLIENT=kurigram, in {ROOT}, installs it into build/venv-kurigram"
    return f"in another environment {install_command(KURIGRAM.extra)}"
