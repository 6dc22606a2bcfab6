"""Parse `NATS_URL` and hold what a process signs in with. nats-py asserts on bad addresses and shows passwords."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from events.errors import SettingsError

TAKES = "it takes nats://host:port or tls://host:port, those of a cluster comma-separated"
DEFAULT_PORT = 4222
MAX_PORT = 65_535

SCHEME = re.compile(r"(?:(nats|tls)://)?(.*)", re.DOTALL)
OTHER_SCHEME = re.compile(r"(\w+)://")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\[\]:/?#@,%\\\s\x00-\x20\x7f]+)(?::([0-9]{1,5}))?/?")
USER_INFO = re.compile(r"[^/?#,\[\]\s]+")


@dataclass(frozen=True, slots=True)
class Access:
    """Hold a process's user, and the authority of the server's certificate (`ca`).

    `certificate` and `key` are the process's own, for mutual TLS.
    """

    user: str | None = None
    password: SecretStr | None = None
    credentials: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


ANONYMOUS = Access()
"""For servers without users."""


def servers(url: str) -> Sequence[str]:
    """Return the servers that `url` names, each with its scheme and port. Raises SettingsError."""
    return [server for part in _parts(url) for server in _servers(part, url)]


def redacted(url: str) -> str:
    """Return `url` for logs and errors, without passwords and what may be one by mistake."""
    return ",".join(_redacted_part(part) for part in _parts(url))


def _parts(url: str) -> list[str]:
    """Split `url` at commas; if it has a password, only at commas before a scheme."""
    return re.split(r",(?=\s*\w+://)", url) if "@" in url else url.split(",")


def _redacted_part(part: str) -> str:
    scheme, _, rest = part.strip().rpartition("://")
    host = rest.rpartition("@")[2]
    # `user:password` without `@host` looks like a host and its port.
    host = re.sub(r"(?<=[^\[\]:]):(?!\d+(?:/?,|/?$))[^\[\]:,]+$", ":***", host)
    return f"{scheme.rpartition('@')[2]}://{host}" if scheme else host


def _servers(part: str, url: str) -> Sequence[str]:
    matched = SCHEME.fullmatch(part.strip())
    assert matched  # the pattern matches any text
    scheme, rest = matched[1] or "nats", matched[2]
    if other := OTHER_SCHEME.match(rest):
        raise _bad(url, f"{other[1]} is no scheme of NATS")
    user, at, hosts = rest.rpartition("@")
    if at and not USER_INFO.fullmatch(user):
        raise _bad(url, "its user or password has a character that an address can't have; set NATS_USER, NATS_PASSWORD")
    first, *others = hosts.split(",")
    return [_server(scheme, f"{user}{at}", first, url), *(_server(scheme, "", other, url) for other in others)]


def _server(scheme: str, user: str, host: str, url: str) -> str:
    matched = HOST.fullmatch(host.strip())
    if not matched:
        raise _bad(url, _problem(host.strip()))
    port = int(matched[2] or DEFAULT_PORT)
    if not 0 < port <= MAX_PORT:
        raise _bad(url, f"a port is 1 to {MAX_PORT}")
    return f"{scheme}://{user}{matched[1]}:{port}"


def _problem(host: str) -> str:
    if not host:
        return "a host is missing"
    if re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host):
        return "an IPv6 address needs brackets"
    return "that is no host and port"


def _bad(url: str, why: str) -> SettingsError:
    return SettingsError(f"NATS_URL: got {redacted(url)!r} ({why}); {TAKES}")
