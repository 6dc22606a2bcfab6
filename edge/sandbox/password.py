"""The second factor: SRP, server side (https://core.telegram.org/api/srp)."""

import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from edge.sandbox.tl import CURRENT_DH_PRIME, TLObject, compute_password_hash, types

G = 3
P_BYTES, G_BYTES = CURRENT_DH_PRIME.to_bytes(256, "big"), G.to_bytes(256, "big")
HINT = "the sandbox's"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One attempt to prove the password: the server's parameters, and its secret exponent `b`."""

    password: str
    id: int = field(default_factory=lambda: secrets.randbits(62))
    salt1: bytes = field(default_factory=lambda: secrets.token_bytes(8))
    salt2: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    b: int = field(default_factory=lambda: secrets.randbits(2048))

    @property
    def algorithm(self) -> types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow:
        return types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
            salt1=self.salt1, salt2=self.salt2, g=G, p=P_BYTES
        )

    @property
    def verifier(self) -> int:
        return pow(G, _number(compute_password_hash(self.algorithm, self.password)), CURRENT_DH_PRIME)

    def public(self, verifier: int) -> bytes:
        """Return B of the protocol."""
        k = _number(_hash(P_BYTES, G_BYTES))
        return ((k * verifier + pow(G, self.b, CURRENT_DH_PRIME)) % CURRENT_DH_PRIME).to_bytes(256, "big")

    def proves(self, client_public: bytes, proof: bytes) -> bool:
        """Return whether A (`client_public`) and M1 (`proof`) prove knowledge of the password."""
        verifier = self.verifier
        server_public = self.public(verifier)
        u = _number(_hash(client_public, server_public))
        shared = pow(_number(client_public) * pow(verifier, u, CURRENT_DH_PRIME), self.b, CURRENT_DH_PRIME)
        mask = bytes(x ^ y for x, y in zip(_hash(P_BYTES), _hash(G_BYTES), strict=True))
        key = _hash(shared.to_bytes(256, "big"))
        expected = _hash(mask, _hash(self.salt1), _hash(self.salt2), client_public, server_public, key)
        return _number(client_public) % CURRENT_DH_PRIME != 0 and compare_digest(expected, proof)


def describe(challenge: Challenge | None) -> TLObject:
    """Return the answer to `account.getPassword`; `challenge` is None if there is no password."""
    common: dict[str, Any] = {
        "new_algo": types.PasswordKdfAlgoUnknown(),
        "new_secure_algo": types.SecurePasswordKdfAlgoUnknown(),
        "secure_random": secrets.token_bytes(8),
    }
    if challenge is None:
        return types.account.Password(**common)
    return types.account.Password(
        has_password=True,
        current_algo=challenge.algorithm,
        srp_B=challenge.public(challenge.verifier),
        srp_id=challenge.id,
        hint=HINT,
        **common,
    )


def _hash(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
