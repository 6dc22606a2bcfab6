"""Check credential and TLS files before nats-py reads them, which can block on them for ever."""

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
    """The text of a `.creds` file, read again for every connection, in case it was renewed."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError."""
        self._path = path
        super().__init__(_read(path))

    def refresh(self) -> None:
        """Read the file again; keep the old text if it can't be used, e.g. while it is being written."""
        try:
            self.data = _read(self._path)
        except SettingsError:
            return


def _read(path: Path) -> str:
    if problem := read_problem(path):
        raise SettingsError(f"NATS_CREDENTIALS: {problem}; {_TAKES}")
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        seed = _line_after(SEED, lines)
        _line_after(JWT, lines)
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except Exception:  # noqa: BLE001 - nkeys and base64 raise various errors, which may quote the seed
        raise SettingsError(f"NATS_CREDENTIALS: {path} has no NATS credentials; {_TAKES}") from None
    return "\n".join([*lines, ""])


_TAKES = "it takes a .creds file, as nsc writes it"


def _line_after(mark: str, lines: list[str]) -> str:
    return next(after for line, after in itertools.pairwise(lines) if mark in line)


def tls_context(access: Access) -> ssl.SSLContext | None:
    """Return the context for TLS, None for the default one if address or server ask for it. Raises SettingsError."""
    if access.key and not access.certificate:
        raise SettingsError("NATS_TLS_KEY is the key of NATS_TLS_CERTIFICATE, which is missing")
    if not access.ca and not access.certificate:
        return None
    for name, path in (("CA", access.ca), ("CERTIFICATE", access.certificate), ("KEY", access.key)):
        if path and (problem := read_problem(path)):
            raise SettingsError(f"NATS_TLS_{name}: {problem}; it takes a PEM file")
    try:
        context = ssl.create_default_context(cafile=access.ca)
        if access.certificate:
            # Without a password OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(access.certificate, access.key, password="")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"NATS_TLS_CA, NATS_TLS_CERTIFICATE or NATS_TLS_KEY can't be used ({error}); they take PEM files, a key"
            " without a password"
        ) from None
    return context
