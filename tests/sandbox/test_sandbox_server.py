"""The server itself: where it listens, what it survives, and how pyrogram is pointed at it."""

import asyncio
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.sandbox.keys import AuthKey, ServerKey
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram.server import use_server
from events.errors import SettingsError

PATIENCE = 20
ABRIDGED = b"\xef"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_it_listens_on_loopback_only(host: str):
    with pytest.raises(SettingsError, match="loopback"):
        Sandbox(host=host)


@pytest.mark.parametrize("address", ["", "localhost", ":80", "localhost:", "localhost:70000", "localhost:http"])
def test_a_bad_address_is_refused_in_one_line(address: str):
    with pytest.raises(SettingsError, match=r"^USERBOT_TELEGRAM_SERVER: .*host:port.*$"):
        use_server(address, ServerKey.generate().public_pem)


def test_a_key_that_is_not_rsa_is_refused_in_one_line():
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    for pem in ("", "key.pem", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()):
        with pytest.raises(SettingsError, match=r"^USERBOT_TELEGRAM_KEY: .*RSA public key.*$"):
            use_server("localhost:443", pem)


async def send_raw(telegram: Sandbox, data: bytes) -> bytes:
    """What the server says to `data` before it hangs up."""
    host, port = telegram.state.address
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def framed(packet: bytes) -> bytes:
    return ABRIDGED + bytes([len(packet) // 4]) + packet


async def test_malformed_packets_close_their_own_connection_only(telegram: Sandbox, anna: Account):
    key = AuthKey(secrets.token_bytes(256), bytes(8))
    telegram.state.auth_keys[key.id] = key
    forged = key.id.to_bytes(8, "little", signed=True) + secrets.token_bytes(16 + 64)
    plain = bytes(16) + (20).to_bytes(4, "little") + secrets.token_bytes(20)
    async with connect(telegram, anna.phone) as client:
        for data in (
            framed(forged),
            framed(plain),
            framed(forged[:24]),
            b"\xef\x7f\xff\xff\xff" + bytes(8),
            framed(b""),
        ):
            assert await send_raw(telegram, data + bytes(8)) == b""
        assert (await client.get_me()).id == anna.id
        assert telegram.sessions(anna.id) == 1


async def test_a_key_that_nobody_agreed_on_is_answered_with_404(telegram: Sandbox):
    answer = await send_raw(telegram, framed(secrets.token_bytes(8 + 16 + 64)))
    assert int.from_bytes(answer[1:], "little", signed=True) == -404


async def test_a_client_does_not_notice_a_restart_with_the_same_state():
    async with Sandbox() as first:
        anna = first.add_user(first_name="Anna", phone="79990000001")
        boris = first.add_user(first_name="Boris", username="boris")
        async with connect(first, anna.phone) as client:
            await client.send_message("boris", "before")
            await first.refuse_connections()
            async with Sandbox(state=first.state) as second:
                await second.wait_for(lambda: second.sessions(anna.id), PATIENCE)
                await client.send_message("boris", "after")
                assert [message.text for message in second.messages(boris.id, anna.id)] == ["before", "after"]


async def test_waiting_ends_with_a_timeout(telegram: Sandbox):
    with pytest.raises(TimeoutError):
        await telegram.wait_for(lambda: False, timeout=0.01)
