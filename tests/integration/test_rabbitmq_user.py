"""RabbitMQ with the shipped rights: they are enough for the product and for the original, and for nothing else."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest
from pydantic import SecretStr

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.runtime.clock import SystemClock
from tests.rabbitmq_node import RabbitMQNode

ROOT = Path(__file__).parents[2]
PASSWORD = "1e5"
ORIGINAL = {"BRIDGE_CODEC": "original"}


def shipped() -> str:
    """Without what only the image's version knows, and with what compose.yaml says."""
    lines = (ROOT / "deploy/rabbitmq.conf").read_text().splitlines()
    known = [line for line in lines if not line.startswith("deprecated_features")]
    return "\n".join([*known, "default_user = timokha", f"default_pass = {PASSWORD}", ""])


def documented(user: str) -> list[str]:
    """The arguments of rabbitmqctl that docs/security.md gives."""
    [line] = re.findall(rf"rabbitmqctl (set_permissions {user} .+)", (ROOT / "docs/security.md").read_text())
    return shlex.split(line)


@pytest.fixture
async def node(tmp_path, rabbitmq_needed):
    async with RabbitMQNode(tmp_path / "rabbitmq", clock=SystemClock(), config=shipped()) as node:
        await node.control("add_user", "original", PASSWORD)
        await node.control(*documented("original"))
        yield node


async def test_the_shipped_rights_are_enough_for_both_codecs_and_no_more(node, make_world):
    world = await make_world(node.url_of("timokha", PASSWORD))
    await world.run("setup", "created queue timokha.requests")
    await over_our_queues(world)
    await over_the_originals(world, node.url_of("original", PASSWORD))
    await refused(node.url_of("timokha", PASSWORD), "passwords", "amq.gen-mine")
    await refused(node.url_of("original", PASSWORD), topology.REQUESTS.name, "passwords")


async def over_our_queues(world):
    bridge = await world.bridge()
    worker = await world.worker("rabbitmq")
    await world.edge.answers(await world.edge.ask(range(5)))
    await bridge.stop()
    await worker.stop()


async def over_the_originals(world, url):
    """Its bot asks our function; its model server answers our edge."""
    bridge = await world.bridge(**ORIGINAL, BRIDGE_DIRECTION="in")
    worker = await world.worker("jetstream")
    requester = await world.program("original_requester.py", "rpc_queue", "привет", rabbitmq=url)
    async with asyncio.timeout(60):
        assert (await requester.stdout.read()).decode() == "привет\n"
    await bridge.stop()
    await worker.stop()
    await world.program("original_model_server.py", "rpc_queue", "0", rabbitmq=url)
    await world.bridge(**ORIGINAL)
    [request_id] = await world.edge.ask([7])
    assert (await world.edge.answers([request_id]))[request_id].text == "ВОПРОС 1.2.7.0"


async def refused(url, *queues):
    async with connect(SecretStr(url), name="test", clock=SystemClock()) as broker:
        for name in queues:
            with pytest.raises(TransportError, match="ACCESS_REFUSED"):
                async with topology.open_channel(broker.consuming) as channel:
                    await topology.declare(channel, topology.Queue(name))


def test_the_documented_rights_are_the_shipped_ones():
    shipped_rights = re.findall(r"^default_permissions\.\w+ = (.+)$", shipped(), re.MULTILINE)
    assert documented("timokha") == ["set_permissions", "timokha", *shipped_rights]
    assert len(shipped_rights) == 3
