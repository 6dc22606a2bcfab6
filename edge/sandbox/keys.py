"""The server's RSA key, and the keys that it has agreed on with clients (auth keys)."""

from dataclasses import dataclass
from hashlib import sha1
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.userbot.telegram.server import fingerprint

RSA_BITS = 2048
RSA_BLOCK = 255
"""Bytes in one block of the key exchange: a 2048-bit number without its top byte."""


@dataclass(frozen=True, slots=True)
class AuthKey:
    """A key agreed on with one client. `salt`: 8 bytes that every message of the client must contain."""

    key: bytes
    salt: bytes

    @property
    def id(self) -> int:
        """The key's id in packets: the signed low 64 bits of its SHA1."""
        return int.from_bytes(sha1(self.key).digest()[-8:], "little", signed=True)  # noqa: S324 (the protocol's choice)


@dataclass(frozen=True, slots=True)
class ServerKey:
    """The RSA key by which clients recognise this server."""

    private: rsa.RSAPrivateNumbers

    @classmethod
    def generate(cls) -> Self:
        return cls(rsa.generate_private_key(65537, RSA_BITS).private_numbers())

    @property
    def public_pem(self) -> str:
        key = self.private.public_numbers.public_key()
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def fingerprint(self) -> int:
        return fingerprint(self.private.public_numbers.n, self.private.public_numbers.e)

    def decrypt(self, data: bytes) -> bytes:
        """Invert the client's textbook RSA. Raises ValueError if the content is longer than a block."""
        key, block = self.private, int.from_bytes(data, "big")
        # By the Chinese remainder theorem, which takes a quarter of the time.
        first, second = pow(block, key.dmp1, key.p), pow(block, key.dmq1, key.q)
        number = second + key.q * ((first - second) * key.iqmp % key.p)
        try:
            return number.to_bytes(RSA_BLOCK, "big")
        except OverflowError:
            raise ValueError("RSA block does not decrypt") from None
