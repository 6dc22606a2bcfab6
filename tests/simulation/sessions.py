"""Sessions with keys that the server knows already: a key exchange takes longer than all else in a seed."""

import asyncio
import base64
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from random import Random
from typing import Any
from unittest.mock import patch

from pyrogram.storage import Storage

from edge.business.telegram import centres
from edge.sandbox.keys import AuthKey, ServerKey
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_ID

EXCHANGE = (0.05, 0.5)
"""Seconds that an exchange would take."""


def session_string(telegram: Sandbox, account: Account, chance: Random) -> str:
    """Return the session of an account."""
    key = _known_key(telegram, chance)
    telegram.state.logins[key.id] = account.id
    packed = struct.pack(Storage.SESSION_STRING_FORMAT, 2, API_ID, False, key.key, account.id, account.bot)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


@contextmanager
def known_keys(telegram: Sandbox, chance: Random) -> Iterator[None]:
    """Let what is begun at other data centres have such keys as well."""

    class KnownKey:
        def __init__(self, *_: Any) -> None:
            pass

        async def create(self) -> bytes:
            await asyncio.sleep(chance.uniform(*EXCHANGE))
            return _known_key(telegram, chance).key

    with patch.object(centres, "Auth", KnownKey):
        yield


def _known_key(telegram: Sandbox, chance: Random) -> AuthKey:
    key = AuthKey(chance.randbytes(256), chance.randbytes(8))
    telegram.state.auth_keys[key.id] = key
    return key


@cache
def server_key() -> ServerKey:
    """Return one for all seeds: only a key exchange would use it."""
    return ServerKey.generate()
