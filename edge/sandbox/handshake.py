"""The key exchange, server side (https://core.telegram.org/mtproto/auth_key), for one connection."""

import secrets
from hashlib import sha1
from typing import TypeVar

from mtproto.crypto.aes import ige256_decrypt, ige256_encrypt

from edge.sandbox.keys import AuthKey, ServerKey
from edge.sandbox.tl import CURRENT_DH_PRIME, TLObject, functions, read, types
from events.runtime.clock import Clock

P, Q = 65521, 65537
"""Factoring their product is the client's proof of work against floods; here it only has to be valid."""
G = 3
DIGEST = 20
AES_BLOCK = 16
Inner = TypeVar("Inner", bound=TLObject)


class Handshake:
    """Answers a client's three requests; then `agreed_key` is set. Any ValueError ends the connection."""

    def __init__(self, key: ServerKey, clock: Clock) -> None:
        self.agreed_key: AuthKey | None = None
        self._key = key
        self._clock = clock
        self._nonce = 0
        self._server_nonce = int.from_bytes(secrets.token_bytes(16), "little", signed=True)
        self._new_nonce = b""
        self._a = secrets.randbits(256)  # as strong as the group, and a longer one takes longer

    def answer(self, request: bytes) -> TLObject:
        match read(request):
            case functions.ReqPqMulti() | functions.ReqPq() as query:
                return self._offer(query.nonce)
            case functions.ReqDHParams() as query:
                self._check_nonces(query)
                return self._share(query)
            case functions.SetClientDHParams() as query:
                self._check_nonces(query)
                return self._agree(query)
        raise ValueError("not a request of the key exchange")

    def _check_nonces(self, query: TLObject) -> None:
        if (query.nonce, query.server_nonce) != (self._nonce, self._server_nonce):  # type: ignore[attr-defined]
            raise ValueError("nonces differ")

    def _offer(self, nonce: int) -> TLObject:
        self._nonce = nonce
        return types.ResPQ(
            nonce=nonce,
            server_nonce=self._server_nonce,
            pq=(P * Q).to_bytes(8, "big"),
            server_public_key_fingerprints=[self._key.fingerprint],
        )

    def _share(self, query: functions.ReqDHParams) -> TLObject:
        inner = _checked(self._key.decrypt(query.encrypted_data), types.PQInnerData)
        self._check_nonces(inner)
        if query.public_key_fingerprint != self._key.fingerprint or int.from_bytes(inner.pq, "big") != P * Q:
            raise ValueError("the key exchange is about another key")
        self._new_nonce = inner.new_nonce.to_bytes(32, "little", signed=True)
        answer = types.ServerDHInnerData(
            nonce=self._nonce,
            server_nonce=self._server_nonce,
            g=G,
            dh_prime=CURRENT_DH_PRIME.to_bytes(256, "big"),
            g_a=pow(G, self._a, CURRENT_DH_PRIME).to_bytes(256, "big"),
            server_time=int(self._clock.now().timestamp()),
        ).write()
        padding = secrets.token_bytes(-(DIGEST + len(answer)) % AES_BLOCK)
        return types.ServerDHParamsOk(
            nonce=self._nonce,
            server_nonce=self._server_nonce,
            encrypted_answer=ige256_encrypt(_sha1(answer) + answer + padding, *self._temporary_key()),
        )

    def _agree(self, query: functions.SetClientDHParams) -> TLObject:
        inner = _checked(ige256_decrypt(query.encrypted_data, *self._temporary_key()), types.ClientDHInnerData)
        self._check_nonces(inner)
        g_b = int.from_bytes(inner.g_b, "big")
        if not 1 < g_b < CURRENT_DH_PRIME - 1:
            raise ValueError("g_b is out of range")
        key = pow(g_b, self._a, CURRENT_DH_PRIME).to_bytes(256, "big")
        salt = bytes(x ^ y for x, y in zip(self._new_nonce[:8], self._nonce_bytes()[:8], strict=True))
        self.agreed_key = AuthKey(key, salt)
        digest = _sha1(self._new_nonce + b"\x01" + _sha1(key)[:8])[-16:]
        return types.DhGenOk(
            nonce=self._nonce,
            server_nonce=self._server_nonce,
            new_nonce_hash1=int.from_bytes(digest, "little", signed=True),
        )

    def _nonce_bytes(self) -> bytes:
        return self._server_nonce.to_bytes(16, "little", signed=True)

    def _temporary_key(self) -> tuple[bytes, bytes]:
        server, new = self._nonce_bytes(), self._new_nonce
        if not new:
            raise ValueError("a step of the key exchange is missing")
        key = _sha1(new + server) + _sha1(server + new)[:12]
        return key, _sha1(server + new)[12:] + _sha1(new + new) + new[:4]


def _sha1(data: bytes) -> bytes:
    return sha1(data).digest()  # noqa: S324 (the protocol's choice)


def _checked(block: bytes, kind: type[Inner]) -> Inner:
    """Return the object in a padded block after its SHA1. Raises ValueError if that is not its SHA1."""
    inner = read(block[DIGEST:])
    if not isinstance(inner, kind) or _sha1(inner.write()) != block[:DIGEST]:
        raise ValueError("the encrypted part of the key exchange is damaged")
    return inner
