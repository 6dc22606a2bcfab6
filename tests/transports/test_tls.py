"""Both brokers over TLS, with certificates of an authority that only we know."""

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from cli.demo.nats_server import HOST, EmbeddedServer, embedded, free_ports
from cli.settings import SetupSettings
from cli.setup import main
from events.errors import SettingsError, TransportUnreachable
from events.jetstream.addresses import Access
from events.jetstream.connection import connect
from events.rabbitmq import topology
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.runtime.clock import SystemClock
from observability.telemetry import noop_telemetry
from tests.authorities import Authority
from tests.rabbitmq_node import RabbitMQNode


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

    async def start(address=HOST, *, signed_by=authority, clients=authority):
        certificate, key = signed_by.issue("server", address)
        files = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{clients.ca}"'

        def configured(port, store):
            return embedded(port, store) + f"tls {{ {files}, verify: true }}\n"

        servers.append(EmbeddedServer(tmp_path / "nats", configured=configured))
        await servers[-1].start()
        return servers[-1].url.replace("nats:", "tls:")

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def strict(monkeypatch):
    """Certificates are verified as by Python 3.13, on every Python."""
    create = ssl.create_default_context

    def strictly(*arguments, **options):
        context = create(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strictly)


@pytest.fixture
def careless(tmp_path):
    """An authority such as many people have: what it issues was trusted until Python 3.13."""
    return Authority(tmp_path / "careless", lacks="usage")


async def test_setup_goes_over_tls_with_a_certificate_of_its_own(encrypted, mine, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    url = await encrypted()
    files = {"NATS_TLS_CA": mine.ca, "NATS_TLS_CERTIFICATE": mine.certificate, "NATS_TLS_KEY": mine.key}
    for variable, path in files.items():
        monkeypatch.setenv(variable, str(path))
    await main(SetupSettings.read(nats_url=url), noop_telemetry(), asyncio.Event())
    assert "created stream REQUESTS" in capsys.readouterr().out
    async with connect(url, name="test", access=mine) as js:
        assert (await js.stream_info("REQUESTS")).config.name == "REQUESTS"


async def test_a_server_that_another_authority_vouches_for_is_not_trusted(encrypted, tmp_path):
    url, other = await encrypted(), Authority(tmp_path / "another")
    for access in (Access(), Access(ca=other.ca)):
        with pytest.raises(TransportUnreachable, match=r"authority is not known here; name the file .* in NATS_TLS_CA"):
            async with connect(url, name="test", access=access):
                pass


async def test_what_an_authority_lacks_for_a_later_python_is_told(encrypted, careless, strict):
    url = await encrypted(signed_by=careless)
    with pytest.raises(TransportUnreachable, match=r"lacks the key usage extension.*docs/security\.md"):
        async with connect(url, name="test", access=Access(ca=careless.ca)):
            pass


async def test_a_certificate_for_another_address_is_not_trusted(encrypted, mine):
    with pytest.raises(TransportUnreachable, match=r"for another name; add this one .* or correct NATS_URL"):
        async with connect(await encrypted("10.1.2.3"), name="test", access=mine):
            pass


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - neither a log line nor the client's state has an event
            await asyncio.sleep(0.05)


async def test_a_certificate_that_turns_bad_while_we_run_is_told_and_a_better_one_is_taken(tmp_path, authority):
    certificate, key = authority.issue("server", HOST)

    def configured(port, store):
        return embedded(port, store) + f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}\n'

    server = EmbeddedServer(tmp_path / "nats", configured=configured)

    async def comes_back_with(files):
        await server.stop()
        for ours, theirs in zip((certificate, key), files, strict=True):
            shutil.copy(theirs, ours)
        await server.start()

    def told():
        return [line["event"] for line in logs if "its authority is not known here" in line.get("error", "")]

    await server.start()
    with capture_logs() as logs:
        url = server.url.replace("nats:", "tls:")
        async with connect(url, name="test", access=Access(ca=authority.ca)) as js:
            await comes_back_with(Authority(tmp_path / "another").issue("server", HOST))
            await until(told)
            await comes_back_with(authority.issue("again", HOST))
            await until(lambda: js._nc.is_connected)
    await server.stop()
    assert told() == ["nats.error"]


async def test_a_certificate_of_ours_that_the_server_does_not_know_is_the_one_to_correct(encrypted, mine, tmp_path):
    url = await encrypted(clients=Authority(tmp_path / "another"))
    with pytest.raises(TransportUnreachable, match=r"does not accept our certificate .*NATS_TLS_CERTIFICATE"):
        async with connect(url, name="test", access=mine):
            pass


@pytest.mark.parametrize("lost", ["[Errno 32] Broken pipe", "[Errno 104] Connection reset by peer"])
async def test_our_certificate_is_named_although_the_servers_alert_was_lost_with_the_connection(
    mine, monkeypatch, lost
):
    """As it is with Python 3.13 if we write in the moment in which the server closes."""

    async def refuse(*_, error_cb, **__):
        await error_cb(OSError(lost))
        raise OSError(lost)

    monkeypatch.setattr("events.jetstream.connection.Client.connect", refuse)
    with pytest.raises(TransportUnreachable, match=r"does not accept our certificate .*NATS_TLS_CERTIFICATE"):
        async with connect("tls://127.0.0.1:4", name="test", access=mine):
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


@pytest.fixture
def encrypting(tmp_path, rabbitmq_needed):
    """`encrypting(authority)`: a RabbitMQ node with TLS, not started, and its address."""

    def make(authority):
        certificate, key = authority.issue("server", HOST)
        [port] = free_ports(1)
        config = f"""\
listeners.ssl.1 = {HOST}:{port}
ssl_options.cacertfile = {authority.ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
"""
        node = RabbitMQNode(tmp_path / "rabbitmq", clock=SystemClock(), config=config, listeners=[port])
        return node, f"amqps://guest:guest@{HOST}:{port}/"

    return make


async def test_rabbitmq_over_tls_is_a_matter_of_its_address(encrypting, authority):
    node, address = encrypting(authority)
    async with node:
        async with connect_rabbitmq(
            SecretStr(f"{address}?cafile={authority.ca}"), name="test", clock=SystemClock()
        ) as broker:
            await topology.ensure(broker.consuming)
        with pytest.raises(TransportUnreachable, match=r"authority is not known here.*RABBITMQ_URL"):
            async with connect_rabbitmq(SecretStr(address), name="test", clock=SystemClock()):
                pass


async def test_what_rabbitmqs_authority_lacks_for_a_later_python_is_told(careless, strict):
    """The client gives up in the handshake: any server with TLS will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*careless.issue("server", HOST))
    async with await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0, ssl=context) as server:
        address = f"amqps://guest:guest@{HOST}:{server.sockets[0].getsockname()[1]}/?cafile={careless.ca}"
        with pytest.raises(TransportUnreachable, match=r"lacks the key usage extension.*docs/security\.md"):
            async with connect_rabbitmq(SecretStr(address), name="test", clock=SystemClock()):
                pass


def blocks_of_the_docs():
    """The commands of docs/security.md that make certificates: of a new authority, and of one that is there already."""
    text = (Path(__file__).parents[2] / "docs/security.md").read_text()
    section = text.partition("### Certificates that every Python trusts")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.+?)```", section, re.DOTALL)


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """`followed(block)`: run in an empty directory."""
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no openssl here: `apt-get install openssl`")
    folder = tmp_path / "certificates"
    folder.mkdir()

    def follow(block):
        subprocess.run(["bash", "-euc", block], cwd=folder, check=True, capture_output=True, timeout=60)
        return folder

    return follow


async def test_the_certificates_of_the_docs_are_trusted_strictly(followed, tmp_path, strict):
    anew, _ = blocks_of_the_docs()
    folder = followed(anew)
    assert (folder / "ca.key").stat().st_mode & 0o077 == 0
    mine = Access(ca=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key")
    files = f'cert_file: "{mine.certificate}", key_file: "{mine.key}", ca_file: "{mine.ca}"'

    def configured(port, store):
        return embedded(port, store) + f"tls {{ {files}, verify: true }}\n"

    server = EmbeddedServer(tmp_path / "nats", configured=configured)
    async with server, connect(server.url.replace("nats:", "tls:"), name="test", access=mine) as js:
        assert await js.account_info()


async def test_an_authority_that_is_there_already_can_be_mended(followed, careless, encrypted, strict):
    anew, again = blocks_of_the_docs()
    folder = followed(anew)
    shutil.copy(careless.ca, folder / "ca.pem")
    (folder / "ca.key").write_bytes(careless.secret)
    followed(again)
    mine = careless.issue("client", HOST)
    url = await encrypted(signed_by=careless, clients=careless)
    access = Access(ca=folder / "ca.new.pem", certificate=mine[0], key=mine[1])
    async with connect(url, name="test", access=access) as js:
        assert await js.account_info()
