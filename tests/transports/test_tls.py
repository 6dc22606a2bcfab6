"""Both brokers over TLS, with certificates of an authority that only we know."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from events.access import Access
from events.errors import SettingsError, TransportUnreachable
from events.jetstream.connection import connect
from events.jetstream.server import EmbeddedServer, embedded
from events.loopback import HOST, free_ports
from events.rabbitmq import topology
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.rabbitmq.server import RabbitMQNode
from events.runtime.clock import SystemClock
from events.setup.app import main
from events.setup.settings import SetupSettings
from observability.telemetry import silent


@dataclass
class Authority:
    """A self-made one; it writes `ca.pem`, and what it issues, into `directory`."""

    directory: Path

    def __post_init__(self):
        self.directory.mkdir()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.directory.name)])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.save("ca.pem", self.certificate(self.name, self.key, constraints))

    @property
    def ca(self):
        return self.directory / "ca.pem"

    def issue(self, name, *addresses):
        """The files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self.save(f"{name}.pem", self.certificate(subject, key, names)), self.save(f"{name}.key", secret)

    def certificate(self, subject, key, extension):
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        for one in (extension, identifier, x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())):
            builder = builder.add_extension(one, critical=isinstance(one, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def save(self, name, content):
        path = self.directory / name
        path.write_bytes(content)
        return path


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def mine(authority):
    """Who we are, with a certificate of our own."""
    certificate, key = authority.issue("client", HOST)
    return Access(ca=authority.ca, certificate=certificate, key=key)


@pytest.fixture
async def encrypted(tmp_path, authority):
    """`await encrypted(address)`: a NATS server that asks for certificates, its own being for that address."""
    servers = []

    async def start(address=HOST):
        certificate, key = authority.issue("server", address)
        files = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority.ca}"'

        def configured(port, store):
            return embedded(port, store) + f"tls {{ {files}, verify: true }}\n"

        servers.append(EmbeddedServer(tmp_path / "nats", configured=configured))
        await servers[-1].start()
        return servers[-1].url.replace("nats:", "tls:")

    yield start
    for server in servers:
        await server.stop()


async def test_setup_goes_over_tls_with_a_certificate_of_its_own(encrypted, mine, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    url = await encrypted()
    files = {"NATS_TLS_CA": mine.ca, "NATS_TLS_CERTIFICATE": mine.certificate, "NATS_TLS_KEY": mine.key}
    for variable, path in files.items():
        monkeypatch.setenv(variable, str(path))
    await main(SetupSettings.read(nats_url=url), silent(), asyncio.Event())
    assert "created stream REQUESTS" in capsys.readouterr().out
    async with connect(url, name="test", access=mine) as js:
        assert (await js.stream_info("REQUESTS")).config.name == "REQUESTS"


async def test_a_server_that_another_authority_vouches_for_is_not_trusted(encrypted, tmp_path):
    url, other = await encrypted(), Authority(tmp_path / "another")
    for access in (Access(), Access(ca=other.ca)):
        with pytest.raises(TransportUnreachable, match=r"could not be trusted \(.*certificate.*correct NATS_TLS_CA"):
            async with connect(url, name="test", access=access):
                pass


async def test_a_certificate_for_another_address_is_not_trusted(encrypted, mine):
    with pytest.raises(TransportUnreachable, match="could not be trusted"):
        async with connect(await encrypted("10.1.2.3"), name="test", access=mine):
            pass


async def test_a_client_without_a_certificate_is_told_that_it_needs_one(encrypted, authority):
    with pytest.raises(TransportUnreachable, match="NATS_TLS_CERTIFICATE"):
        async with connect(await encrypted(), name="test", access=Access(ca=authority.ca)):
            pass


@pytest.mark.parametrize("scheme", ["tls", "nats"])
async def test_no_password_goes_to_a_server_without_tls_where_it_is_asked_for(authority, scheme):
    received = bytearray()

    async def serve(reader, writer):
        """As a NATS server greets, or somebody between us and it."""
        greeting = {"server_id": "x", "version": "2.15.1", "max_payload": 1_000_000, "auth_required": True}
        writer.write(f"INFO {json.dumps(greeting)}\r\n".encode())
        while data := await reader.read(1000):
            received.extend(data)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ca = authority.ca if scheme == "nats" else None
        access = Access(user="generate", password=SecretStr("geheim"), ca=ca)
        with pytest.raises(TransportUnreachable, match="offers no TLS"):
            async with connect(f"{scheme}://{HOST}:{port}", name="test", access=access):
                pass
    assert b"geheim" not in received


async def test_a_file_that_is_missing_is_named_by_its_variable(tmp_path):
    with pytest.raises(SettingsError, match="NATS_TLS_CA"):
        async with connect("tls://127.0.0.1:1", name="test", access=Access(ca=tmp_path / "none.pem")):
            pass


async def test_rabbitmq_over_tls_is_a_matter_of_its_address(authority, tmp_path, rabbitmq_needed):
    certificate, key = authority.issue("server", HOST)
    [port] = free_ports(1)
    config = f"""\
listeners.ssl.1 = {HOST}:{port}
ssl_options.cacertfile = {authority.ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
"""
    async with RabbitMQNode(tmp_path / "rabbitmq", clock=SystemClock(), config=config):
        address = f"amqps://guest:guest@{HOST}:{port}/"
        async with connect_rabbitmq(
            SecretStr(f"{address}?cafile={authority.ca}"), name="test", clock=SystemClock()
        ) as broker:
            await topology.ensure(broker.consuming)
        with pytest.raises(TransportUnreachable, match="certificate"):
            async with connect_rabbitmq(SecretStr(address), name="test", clock=SystemClock()):
                pass
