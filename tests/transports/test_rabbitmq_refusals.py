"""What a person reads who has given a bad RABBITMQ_URL: one line that names it, and never the password."""

import asyncio

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from yarl import URL

from events.errors import SettingsError, TransportUnreachable
from events.faults import Fault
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker, connect
from events.rabbitmq.faults import RequestRefused
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import Receiver
from events.rabbitmq.sender import Unsendable
from events.runtime.clock import SystemClock
from events.transport import MAX_FETCH_WAIT
from tests.rabbitmq_node import RabbitMQNode
from tests.rabbitmq_queues import close, delete_queues

PASSWORD = "geheim"


async def refused(url: str, kind: type[Exception]) -> str:
    async with asyncio.timeout(15):
        with pytest.raises(kind) as caught:
            async with connect(SecretStr(url), name="test", clock=SystemClock()):
                pass
    text = str(caught.value)
    assert "RABBITMQ_URL" in text
    assert PASSWORD not in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "url",
    [
        "amqp:///",
        f"amqp://anna:{PASSWORD}@/",
        f"amqp://anna:{PASSWORD}@:5672/",
        f"amqp://anna:{PASSWORD}@127.0.0.1:99999/",
        f"amqp://anna:{PASSWORD}@127.0.0.1:0/",
        f"amqp://anna:{PASSWORD}@127.0.0.1:-1/",
        f"amqp://anna:{PASSWORD}@127.0.0.1:fünf/",
        f"amqp://anna:{PASSWORD}@{'h' * 70}.invalid/",
        f"amqp://anna:{PASSWORD}@a..b/",
        f"amqp://anna:{PASSWORD}@127.0.0.1/{'v' * 128}",
        f"amqp://anna:{PASSWORD}@[::1/",
        f"http://anna:{PASSWORD}@127.0.0.1/",
        f"anna:{PASSWORD}@127.0.0.1",
        f"amqp//anna:{PASSWORD}@127.0.0.1",
        "localhost:5672",
        "\x00",
        " ",
    ],
)
async def test_what_is_no_address_is_a_bad_setting(url: str) -> None:
    await refused(url, SettingsError)


@pytest.mark.parametrize("vhost", ["none", "a/b", "%zz", "%FF", "я", "%00", "a b", "x" * 120])
async def test_a_vhost_that_is_not_there_is_a_bad_setting(rabbitmq_url: str, vhost: str) -> None:
    assert "vhost" in await refused(f"{rabbitmq_url}{vhost}", SettingsError)


async def test_a_vhost_that_the_user_may_not_enter_is_a_bad_setting(real_rabbitmq: RabbitMQNode) -> None:
    await real_rabbitmq.control("add_user", "anna", PASSWORD)
    try:
        assert "refused for user 'anna'" in await refused(real_rabbitmq.url_of("anna", PASSWORD), SettingsError)
    finally:
        await real_rabbitmq.control("delete_user", "anna")


@pytest.mark.parametrize(
    "change",
    [
        {"with_password": PASSWORD},
        {"with_user": "u" * 300},
        {"with_scheme": "amqps"},
        {"update_query": "cafile=/nowhere"},
        {"update_query": "auth=kerberos"},
    ],
    ids=str,
)
async def test_a_server_that_does_not_let_us_in_names_the_setting(rabbitmq_url: str, change: dict[str, str]) -> None:
    url = URL(rabbitmq_url)
    for method, value in change.items():
        url = getattr(url, method)(value)
    if "cafile" in str(url):
        url = url.with_scheme("amqps")
    await refused(str(url), SettingsError)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b'INFO {"server_id":"x"} \r\n', None])
async def test_another_kind_of_server_is_told_in_one_line(says: bytes | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if says is not None:
            writer.write(says)
        else:
            await reader.read()
        writer.close()  # Python 3.12 waits for it

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await refused(f"amqp://anna:{PASSWORD}@127.0.0.1:{port}/", TransportUnreachable)
        server.close()


async def test_a_message_that_is_too_large_harms_no_other(tmp_path, rabbitmq_needed) -> None:
    async with (
        RabbitMQNode(tmp_path / "rabbitmq", clock=SystemClock(), config="max_message_size = 1000\n") as node,
        connect(SecretStr(node.url), name="test", clock=SystemClock()) as broker,
    ):
        queue = topology.Queue("small")
        receiver = await Receiver.open(broker, queue)
        sends = [broker.sender.send(queue.name, AmqpMessage(b"x" * size)) for size in (10, 2000, 20)]
        results = await asyncio.gather(*sends, return_exceptions=True)
        assert isinstance(results[1], Unsendable)
        assert "max_message_size" in str(results[1])
        assert all(result is None or type(result) is not Unsendable for result in (results[0], results[2]))
        await broker.sender.send(queue.name, AmqpMessage(b"after"))
        assert await receiver.fetch(1, MAX_FETCH_WAIT)


async def test_a_message_whose_headers_are_too_large_does_not_end_the_connection(rabbitmq_url: str) -> None:
    """RabbitMQ would answer a frame of more than 128 KiB with its end, for all that is on its way there."""
    async with connect(SecretStr(rabbitmq_url), name="test", clock=SystemClock()) as broker:
        queue = topology.Queue("frames", durable=False)
        receiver = await Receiver.open(broker, queue, prefetch=16)
        fits, none = {"a": "я" * 61_000}, {"a": "я" * 65_600}
        sends = [broker.sender.send(queue.name, AmqpMessage(b"x", headers)) for headers in (fits, none, fits)]
        with capture_logs() as logs:
            results = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), Unsendable, type(None)]
        assert "bytes of headers; at most" in str(results[1])
        assert "rabbitmq.disconnected" not in str(logs)
        received = [message for _ in range(2) for message in await receiver.fetch(1, MAX_FETCH_WAIT)]
        assert [message.message.headers for message in received] == [fits, fits]
        await close(receiver)
        await delete_queues(broker.consuming, queue.name)


async def test_a_broker_without_memory_is_waited_for(own_rabbitmq: RabbitMQNode) -> None:
    async with connect(SecretStr(own_rabbitmq.url), name="test", clock=SystemClock()) as broker:
        queue = topology.Queue("q")
        await topology.adopt(broker.consuming, queue)
        await own_rabbitmq.control("set_vm_memory_high_watermark", "0")
        error = None
        async with asyncio.timeout(30):
            while error is None:  # the broker takes a moment to notice
                error = await _sent(broker, queue)
        assert error.fault is Fault.PASSING
        await own_rabbitmq.control("set_vm_memory_high_watermark", "0.9")
        async with asyncio.timeout(30):
            while await _sent(broker, queue):
                pass


async def _sent(broker: Broker, queue: topology.Queue) -> RequestRefused | None:
    try:
        await broker.sender.send(queue.name, AmqpMessage(b"x"))
    except RequestRefused as error:
        return error
    return None
