"""Files that say who a process is to NATS: looked at before nats-py, which can wait in them for ever."""

import itertools
import ssl
from collections import UserString
from pathlib import Path

import nkeys  # type: ignore[import-untyped]

from events.errors import SettingsError
from events.files import read_problem
from events.jetstream.addresses import Access

JWT, SEED = "BEGIN NATS USER JWT", "BEGIN USER NKEY SEED"


class Credentials(UserString):
    """The text of a `.creds` file, read anew for every connection: somebody may have renewed it."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError."""
        self._path = path
        super().__init__(_read(path))

    def refresh(self) -> None:
        """What can't be used, e.g. because it is being written, changes nothing."""
        try:
            self.data = _read(self._path)
        except SettingsError:
            return


def _read(path: Path) -> str:
    if said := read_problem(path):
        raise SettingsError(f"NATS_CREDENTIALS: {said}; {_TAKES}")
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        seed = _after(SEED, lines)
        _after(JWT, lines)
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except Exception:  # noqa: BLE001 - nkeys and base64 raise this and that, and may repeat the seed
        raise SettingsError(f"NATS_CREDENTIALS: {path} has no NATS credentials; {_TAKES}") from None
    return "\n".join([*lines, ""])


_TAKES = "it takes a .creds file, as nsc writes it"


def _after(mark: str, lines: list[str]) -> str:
    return next(after for line, after in itertools.pairwise(lines) if mark in line)


def tls_context(access: Access) -> ssl.SSLContext | None:
    """None: the system's authorities, and only if the address or the server asks for TLS. Raises SettingsError."""
    if access.key and not access.certificate:
        raise SettingsError("NATS_TLS_KEY is the key of NATS_TLS_CERTIFICATE, which is missing")
    if not access.ca and not access.certificate:
        return None
    for name, path in (("CA", access.ca), ("CERTIFICATE", access.certificate), ("KEY", access.key)):
        if path and (said := read_problem(path)):
            raise SettingsError(f"NATS_TLS_{name}: {said}; it takes a PEM file")
    try:
        context = ssl.create_default_context(cafile=access.ca)
        if access.certificate:
            # Without a password OpenSSL would ask the terminal for that of an encrypted key.
            context.load_cert_chain(access.certificate, access.key, password="")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"NATS_TLS_CA, NATS_TLS_CERTIFICATE or NATS_TLS_KEY can't be used ({error}); they take PEM files, a key"
            " without a password"
        ) from None
    return context
