"""`timokha setup` on a real nats-server."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from cli import setup as command
from cli.demo.nats_server import EmbeddedServer
from cli.settings import SetupSettings
from cli.setup import main
from events.errors import SettingsError, TransportError, TransportUnreachable
from events.faults import Fault
from events.jetstream import connection
from events.jetstream.connection import connect
from observability.telemetry import noop_telemetry


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No `.env`, and nobody's RabbitMQ."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RABBITMQ_URL", raising=False)


async def set_up(url, capsys, **options):
    """What it prints, line by line."""
    await main(SetupSettings.read(nats_url=url, **options), noop_telemetry(), asyncio.Event())
    return capsys.readouterr().out.splitlines()


async def test_setup_makes_everything_once_and_then_finds_nothing_to_change(nats_server, capsys):
    first = await set_up(nats_server.url, capsys, accounts="1,rabbitmq")
    assert first == [
        "created stream REQUESTS",
        "created stream REPLIES",
        "created stream DEADLETTERS",
        "created stream FEEDBACK",
        "created consumer generate on REQUESTS",
        "created bucket chats",
        "created bucket telegram",
        "created bucket marks",
        "created bucket bridge",
        "created consumer edge-1 on REPLIES",
        "created consumer edge-rabbitmq on REPLIES",
    ]
    assert await set_up(nats_server.url, capsys, accounts="1,rabbitmq") == ["nothing to change"]


async def test_setup_makes_the_queues_as_well_where_rabbitmq_is_used(nats_server, rabbitmq_url, capsys):
    first = await set_up(nats_server.url, capsys, rabbitmq_url=rabbitmq_url)
    assert first[-10:] == [
        "created queue timokha.deadletters",
        "created queue timokha.requests",
        "created queue timokha.replies",
        *(f"created queue timokha.requests.retry.{wait}" for wait in (500, 1000, 2000, 4000, 8000, 16000, 32000)),
    ]
    assert await set_up(nats_server.url, capsys, rabbitmq_url=rabbitmq_url) == ["nothing to change"]


async def test_setup_gives_existing_streams_another_retention_and_says_so(nats_server, capsys):
    await set_up(nats_server.url, capsys)
    changed = await set_up(nats_server.url, capsys, max_age="3600", max_bytes="2097152")
    assert changed == [
        "changed stream REQUESTS: max_age from 86400 to 3600, max_bytes from 268435456 to 2097152",
        "changed stream REPLIES: max_age from 86400 to 3600, max_bytes from 268435456 to 2097152",
        "changed stream DEADLETTERS: max_bytes from 268435456 to 2097152",
        "changed stream FEEDBACK: max_age from 86400 to 3600, max_bytes from 268435456 to 2097152",
    ]
    async with connect(nats_server.url, name="test") as js:
        config = (await js.stream_info("REQUESTS")).config
    assert (config.max_age, config.max_bytes, config.discard_new_per_subject) == (3600, 2097152, True)


async def test_setup_says_what_it_did_before_it_failed(nats_server, capsys):
    async with connect(nats_server.url, name="test") as js:
        await js.add_stream(name="REPLIES", subjects=["timokha.replies.>"])
    with pytest.raises(TransportError, match="stream REPLIES has subjects"):
        await set_up(nats_server.url, capsys)
    assert capsys.readouterr().out.splitlines() == ["created stream REQUESTS"]


async def test_setup_names_the_server_that_it_can_not_reach_without_its_password():
    settings = SetupSettings.read(nats_url="nats://user:secret@127.0.0.1:1")
    with pytest.raises(TransportUnreachable, match=r"nats://127\.0\.0\.1:1 could not be reached"):
        await main(settings, noop_telemetry(), asyncio.Event())


async def test_setup_asks_for_a_cluster_when_one_server_can_not_hold_the_copies(nats_server, capsys):
    with pytest.raises(TransportError, match=r"stream REQUESTS .*replicas.*SETUP_REPLICAS"):
        await set_up(nats_server.url, capsys, replicas=3)


async def test_setup_waits_for_a_server_that_starts_later(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_CONNECTION_TIMEOUT", timedelta(seconds=0.2))
    server = EmbeddedServer(tmp_path / "later")
    (tmp_path / "later").mkdir()
    told: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(command.log, "warning", lambda event, **more: told.put_nowait(event), raising=False)
    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(set_up(server.url, capsys, wait=60))
            assert await told.get() == "setup.waiting"
            await server.start()
        assert waiting.result()[0] == "created stream REQUESTS"
    finally:
        await server.stop()


async def test_setup_does_not_wait_for_a_server_that_refuses_its_user(guarded_nats, capsys, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_CONNECTION_TIMEOUT", timedelta(seconds=1))
    with capture_logs() as logs, pytest.raises(TransportUnreachable, match="correct NATS_USER") as refused:
        await set_up(guarded_nats.server.url, capsys, nats_user="setup", nats_password="wrong", wait=3600)
    assert refused.value.fault is Fault.FATAL
    assert logs == []


async def test_setup_does_not_wait_for_a_rabbitmq_that_refuses_its_user_and_says_how_a_new_password_gets_there(
    nats_server, rabbitmq_url, capsys
):
    url = rabbitmq_url.replace("guest:guest@", "guest:wrong@")
    with capture_logs() as logs, pytest.raises(SettingsError, match="refused the user or its password") as refused:
        await set_up(nats_server.url, capsys, rabbitmq_url=url, wait=3600)
    assert "rabbitmqctl change_password timokha" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (refused.value.exit_code, logs) == (2, [])
