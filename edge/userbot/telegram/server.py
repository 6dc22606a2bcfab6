"""Point pyrogram at an MTProto server other than Telegram's, for this process."""

from functools import wraps
from hashlib import sha1

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pyrogram.connection.transport import TCP
from pyrogram.crypto import rsa
from pyrogram.raw import all as schema
from pyrogram.raw.core import Bytes

from events.errors import SettingsError

MAX_PORT = 65535


def use_server(address: str, public_key_pem: str) -> None:
    """Make every pyrogram client of this process connect to `address` (host:port) and trust `public_key_pem` (RSA).

    If called again, all clients use the newer server from their next connection on. It replaces `TCP.connect`, as
    pyrogram and kurigram choose the address in different places, but both connect there.

    Raises
    ------
    SettingsError
        The address or the key can't be used.
    """
    target = _parse_address(address)
    key = _parse_key(public_key_pem)
    connect = getattr(TCP.connect, "__wrapped__", TCP.connect)

    @wraps(connect)
    async def connect_to_target(self: TCP, address: tuple[str, int]) -> None:
        await connect(self, target)

    rsa.server_public_keys[fingerprint(key.m, key.e)] = key
    TCP.connect = connect_to_target  # type: ignore[method-assign]


def layer() -> int:
    """Return which layer of Telegram's API the installed client speaks."""
    return int(schema.layer)


def fingerprint(modulus: int, exponent: int) -> int:
    """Return the signed low 64 bits of SHA1 over both numbers as TL bytes (https://core.telegram.org/mtproto/auth_key)."""
    data = b"".join(Bytes(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (modulus, exponent))
    return int.from_bytes(sha1(data).digest()[-8:], "little", signed=True)  # noqa: S324 (the protocol's choice)


def _parse_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host and port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT:
        return host, int(port)
    raise SettingsError(f"USERBOT_TELEGRAM_SERVER: {address!r} is no address; give host:port, e.g. 127.0.0.1:4430")


def _parse_key(pem: str) -> rsa.PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise SettingsError("USERBOT_TELEGRAM_KEY: not an RSA public key in PEM form; give the server's public key")
    numbers = key.public_numbers()
    return rsa.PublicKey(numbers.n, numbers.e)
