"""Data centres: all are this server; which of them a client talks to is known by its auth key."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

MAIN, OTHER = 2, 4
CENTRES = (MAIN, OTHER)


@dataclass(frozen=True, slots=True)
class Exported:
    """A sign-in that its user takes along to another data centre."""

    user_id: int
    dc_id: int
    secret: bytes


@dataclass(slots=True)
class DataCentres:
    """`elsewhere` maps auth keys that are signed in at another data centre than the main one to its number.

    As on Telegram, clients get no updates there.
    """

    elsewhere: dict[int, int] = field(default_factory=dict)
    _exported: dict[int, Exported] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def of(self, auth_key_id: int) -> int:
        """Return the data centre that the client with this key talks to."""
        return self.elsewhere.get(auth_key_id, MAIN)

    def export(self, user_id: int, dc_id: int) -> tuple[int, bytes]:
        """Return the id and the secret with which the user signs in there, once."""
        id_, exported = next(self._ids), Exported(user_id, dc_id, secrets.token_bytes(16))
        self._exported[id_] = exported
        return id_, exported.secret

    def take(self, id_: int, secret: bytes) -> Exported | None:
        """Return what was exported, None if it was not, or if it is used already."""
        exported = self._exported.get(id_)
        return self._exported.pop(id_) if exported and exported.secret == secret else None
