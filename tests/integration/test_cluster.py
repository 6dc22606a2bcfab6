"""A JetStream cluster of three nodes, as deploy/cluster has it: the loss of a leader under load costs no answer."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from pydantic import SecretStr

from cli.demo.nats_server import HOST, EmbeddedServer, free_ports
from cli.demo.processes import CommandProcess
from events import subjects
from events.errors import TransportError
from events.jetstream.addresses import Access
from events.jetstream.connection import connect
from events.jetstream.inspection import inspect
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.disks import flip_bit

ACCOUNT = "1"
QUESTIONS = 300
AT_ONCE = 12
WAIT = 90
SECOND = timedelta(seconds=1)


@dataclass
class Cluster:
    """`nodes` by name; `processes` are started as their own users."""

    directory: object
    nodes: dict
    passwords: dict
    stack: AsyncExitStack
    processes: list = field(default_factory=list)

    @property
    def url(self):
        return ",".join(node.url for node in self.nodes.values())

    @asynccontextmanager
    async def as_user(self, name):
        access = Access(user=name, password=SecretStr(self.passwords[name]))
        async with connect(self.url, name=name, access=access) as js:
            yield js

    async def start(self, name, **settings):
        directory = self.directory / f"{len(self.processes)}-{name}"
        directory.mkdir()
        environment = {
            "NATS_URL": self.url,
            "NATS_USER": name,
            "NATS_PASSWORD": self.passwords[name],
            "RABBITMQ_URL": "",
            "GENERATE_ENGINE": "echo",
            "GENERATE_SLOTS": "4",
            "OTEL_SDK_DISABLED": "true",
        }
        process = CommandProcess(name, directory, {**environment, **settings})
        self.processes.append(process)
        self.stack.push_async_callback(process.kill)
        await process.start()
        return process

    async def worker(self):
        process = await self.start("generate")
        await until(lambda: "generate.ready" in process.log.read_text())


@pytest.fixture
async def cluster(tmp_path, shipped_nats):
    passwords = shipped_nats.passwords("cluster")
    ports = dict(zip(("nats", "nats-2", "nats-3"), free_ports(3), strict=True))
    routes = [f"nats-route://cluster:{passwords['cluster']}@{HOST}:{port}" for port in ports.values()]
    async with AsyncExitStack() as stack:
        nodes = {}
        for name, port in ports.items():
            environment = shipped_nats.environment(passwords)
            nodes[name] = EmbeddedServer(
                tmp_path / name,
                configured=shipped_nats.configured("cluster/nats.conf", {"port: 6222": f'listen: "{HOST}:{port}"'}),
                environment={**environment, "NATS_NODE": f'"{name}"', "NATS_ROUTES": json.dumps(routes)},
            )
            stack.push_async_callback(nodes[name].kill)
        await asyncio.gather(*(node.start() for node in nodes.values()))
        yield Cluster(tmp_path, nodes, passwords, stack)


class Edge:
    """Asks, and counts the replies by request id, as the userbot does."""

    def __init__(self, js, make_event):
        self.js = js
        self.log = JetStreamLog(js)
        self.make_event = make_event
        self.asked = 0
        self.heard = Counter()

    async def ask(self, number):
        event = self.make_event(f"{ACCOUNT}.2.{number}.0", f"вопрос {number}", seconds=300)
        while True:
            try:
                await self.log.publish(Channel.REQUESTS, event)
            except TransportError:
                await asyncio.sleep(0.1)
            else:
                self.asked += 1
                return

    async def ask_all(self):
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(number):
            async with slots:
                await self.ask(number)
                # Spread over the node's death and return.
                await until(lambda: len(self.heard) >= number - 2 * AT_ONCE)

        await asyncio.gather(*(ask(number) for number in range(QUESTIONS)))

    async def hear(self):
        subscription = await JetStreamSubscription.bind(
            self.js, Channel.REPLIES, subjects.edge_consumer(ACCOUNT), random=Random()
        )
        while True:
            for delivery in await subscription.fetch(64, SECOND):
                self.heard[delivery.event.subject] += 1
                with suppress(TransportError):
                    await delivery.ack()


async def until(condition, within=WAIT):
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - other processes decide
            await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_the_loss_of_the_leader_under_load_costs_no_answer_and_makes_none_twice(cluster, make_event):
    setup = await cluster.start("setup", SETUP_REPLICAS="3", SETUP_ACCOUNTS=ACCOUNT)
    await until(lambda: setup.pid is None)
    assert setup.log.read_text().count("created") == 10, setup.log.read_text()
    async with cluster.as_user("setup") as administrator, cluster.as_user("userbot") as js:
        assert {info.config.num_replicas for info in await administrator.streams_info()} == {3}
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_edge(ACCOUNT)
        await asyncio.gather(cluster.worker(), cluster.worker())
        edge = Edge(js, make_event)
        running = [asyncio.create_task(edge.hear()), asyncio.create_task(edge.ask_all())]
        try:
            await until(lambda: len(edge.heard) > QUESTIONS // 6)
            leader = (await js.stream_info("REQUESTS")).cluster.leader
            await cluster.nodes[leader].kill()
            await cluster.worker()  # a worker that starts while a node is away
            await until(lambda: len(edge.heard) > QUESTIONS // 2)
            await cluster.nodes[leader].start()
            await until(lambda: len(edge.heard) == QUESTIONS)
            await running[1]
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        assert edge.asked == QUESTIONS
        for stream in ("REQUESTS", "REPLIES"):
            assert await stored(administrator, stream) == QUESTIONS
        await caught_up(administrator, leader)
    assert all("not_permitted" not in process.log.read_text() for process in cluster.processes)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("share", [0.3, 0.9])
async def test_a_node_whose_files_are_damaged_gets_everything_from_the_others(cluster, make_event, share):
    setup = await cluster.start("setup", SETUP_REPLICAS="3", SETUP_ACCOUNTS=ACCOUNT)
    await until(lambda: setup.pid is None)
    async with cluster.as_user("setup") as administrator, cluster.as_user("userbot") as js:
        edge = Edge(js, make_event)
        for number in range(40):
            await edge.ask(number)
        await cluster.worker()
        hearing = asyncio.create_task(edge.hear())
        try:
            await until(lambda: len(edge.heard) == 40)
            node = (await js.stream_info("REPLIES")).cluster.leader
            await cluster.nodes[node].kill()
            await until_wrong(administrator, f"NATS: {node} of the cluster is not up to date")
            damage(cluster.directory / node, share)
            for number in range(40, 60):
                await edge.ask(number)
            await cluster.nodes[node].start()
            await caught_up(administrator, node)
            for number in range(60, 70):
                await edge.ask(number)
            await until(lambda: len(edge.heard) == 70)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        assert set(edge.heard.values()) == {1}
        for stream in ("REQUESTS", "REPLIES"):
            assert await stored(administrator, stream) == 70


def damage(directory, share):
    """Flip a bit in each block and in the state of each consumer that the node has of these streams."""
    streams = directory / "store/jetstream/STORE/streams"
    for stream in ("REQUESTS", "REPLIES"):
        files = [*(streams / stream).glob("msgs/*.blk"), *(streams / stream).glob("obs/*/o.dat")]
        assert files
        for file in files:
            if file.stat().st_size:
                flip_bit(file, share)


async def until_wrong(js, beginning):
    """The doctor's inspection has such a line. While a leader is elected there is no answer."""
    async with asyncio.timeout(WAIT):
        while True:
            with suppress(TransportError):
                if any(fault.startswith(beginning) for fault in (await inspect(js)).faults):
                    return
            await asyncio.sleep(0.2)


async def stored(js, stream):
    return (await js.stream_info(stream)).state.messages


async def caught_up(js, node):
    """The node that was away has everything again."""
    async with asyncio.timeout(WAIT):
        while True:
            replicas = (await js.stream_info("REPLIES")).cluster.replicas
            if any(peer.name == node and peer.current for peer in replicas):
                return
            await asyncio.sleep(0.2)
