"""Who a process is to NATS, and how it knows the server: users, passwords and certificates as values."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Access:
    """`ca`: whose signature a server's certificate must bear. `certificate` and `key`: our own, for mutual TLS."""

    user: str | None = None
    password: SecretStr | None = None
    credentials: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


ANONYMOUS = Access()
"""For servers without users."""
