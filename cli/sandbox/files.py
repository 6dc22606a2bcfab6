"""The files that the sandbox writes for the userbot: its public key, and settings for a shell or for `.env`."""

import ipaddress
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path

from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID
from events.errors import SettingsError
from events.files import write_whole
from events.runtime.claims import Claim


@dataclass(frozen=True, slots=True)
class Files:
    """Paths in `directory`."""

    directory: Path

    @property
    def key(self) -> Path:
        return self.directory / "telegram.pem"

    @property
    def session(self) -> Path:
        return self.directory / "userbot.session"

    @property
    def new_session(self) -> Path:
        """A session that is not signed in yet."""
        return self.directory / "new.session"

    @property
    def settings(self) -> Path:
        return self.directory / "userbot.env"

    def write(self, telegram: Sandbox) -> None:
        """Write the key and the settings, and remove the sessions of an earlier sandbox. Raises OSError."""
        for session in (self.session, self.new_session):
            session.unlink(missing_ok=True)
            # SQLite would apply the journal of a killed process to the next session.
            session.with_name(f"{session.name}-journal").unlink(missing_ok=True)
        write_whole(self.key, telegram.public_key_pem)
        write_whole(self.settings, self._environment(reachable_address(telegram)))

    def _environment(self, address: str) -> str:
        values = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "USERBOT_TELEGRAM_SERVER": address,
            "USERBOT_TELEGRAM_KEY": str(self.key),
            "USERBOT_SESSION": str(self.session),
        }
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def reachable_address(telegram: Sandbox) -> str:
    """Return host:port for the userbot; host is this machine's name if the sandbox listens on every address."""
    host, port = telegram.state.address
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    return f"{socket.gethostname()}:{port}" if everywhere else telegram.address


def claim_directory(directory: Path) -> Claim:
    """Lock `directory` against other sandboxes; return the lock. Raises SettingsError."""
    try:
        return Claim(directory, "lock")
    except OSError as error:
        raise SettingsError(f"SANDBOX_DIRECTORY: {directory} can't be used ({error.strerror}); name another") from None
