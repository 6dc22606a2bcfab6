"""KEDA's query, with the chart's trigger, against real servers: the lag is what waits and what is being answered."""

import asyncio
import json
import urllib.request
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from cli.demo.nats_server import HOST, EmbeddedServer, free_ports
from events import subjects
from events.jetstream.addresses import Access
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.deploy.chart import of_kind
from tests.deploy.keda import NoLag, Scaler

SECOND = timedelta(seconds=1)
NODES = ("nats", "nats-2", "nats-3")


@dataclass(frozen=True)
class Brokers:
    """Servers with the shipped configuration; `monitors` are the ports that KEDA asks, by node."""

    servers: dict
    passwords: dict
    monitors: dict
    routes: dict

    @asynccontextmanager
    async def as_user(self, name):
        access = Access(user=name, password=SecretStr(self.passwords[name]))
        url = ",".join(server.url for server in self.servers.values())
        async with connect(url, name=name, access=access) as js:
            yield js

    async def set_up(self):
        async with self.as_user("setup") as js:
            retention = Retention(replicas=len(self.servers))
            await Topology(js, retention, retrying=Retrying(SystemClock(), Random())).ensure_all()

    def fetch_by_way_of(self, entry):
        """What a headless Service does: its name leads to some node, here `entry`, and NODE.NAME to that node."""

        def fetch(url):
            parts = urlsplit(url)
            node = first if (first := parts.hostname.split(".")[0]) in self.monitors else entry
            with urllib.request.urlopen(f"http://{HOST}:{self.monitors[node]}{parts.path}?{parts.query}") as answer:
                return self._as_in_kubernetes(json.load(answer))

        return fetch

    def _as_in_kubernetes(self, answer):
        """With the routes' names that the nodes have there, where all have one port."""
        if urls := answer.get("cluster", {}).get("urls"):
            names = {f"{HOST}:{port}": f"{node}.nats-headless:6222" for node, port in self.routes.items()}
            answer["cluster"]["urls"] = [names[url] for url in urls]
        return answer


@asynccontextmanager
async def brokers(tmp_path, shipped_nats, names=("nats",)):
    passwords = shipped_nats.passwords("cluster")
    monitors = dict(zip(names, free_ports(len(names)), strict=True))
    routes = dict(zip(names, free_ports(len(names)), strict=True)) if len(names) > 1 else {}
    addresses = json.dumps([f"nats-route://cluster:{passwords['cluster']}@{HOST}:{port}" for port in routes.values()])
    servers = {}
    async with AsyncExitStack() as stack:
        for name in names:
            places = {'http: "127.0.0.1:8222"': f'http: "{HOST}:{monitors[name]}"'}
            environment = shipped_nats.environment(passwords)
            if routes:
                places["port: 6222"] = f'listen: "{HOST}:{routes[name]}"'
                environment |= {"NATS_NODE": f'"{name}"', "NATS_ROUTES": addresses}
            configured = shipped_nats.configured("cluster/nats.conf" if routes else "nats.conf", places)
            servers[name] = EmbeddedServer(tmp_path / name, configured=configured, environment=environment)
            stack.push_async_callback(servers[name].kill)
        await asyncio.gather(*(server.start() for server in servers.values()))
        yield Brokers(servers, passwords, monitors, routes)


@pytest.fixture
def trigger(helm):
    """The metadata of the chart's trigger."""
    return of_kind(helm.manifests("middle"), "ScaledObject")[0]["spec"]["triggers"][0]["metadata"]


async def ask(js, make_event, numbers):
    for number in numbers:
        await JetStreamLog(js).publish(Channel.REQUESTS, make_event(f"1.2.{number}.0", f"вопрос {number}"))


async def take(js, count):
    """As a worker or the bridge: unacknowledged until it is answered."""
    subscription = await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random())
    taken = []
    while len(taken) < count:
        taken += await subscription.fetch(count - len(taken), SECOND)
    return taken


async def becomes(scaler, lag):
    """An acknowledgement is not confirmed, and while a leader is elected the nodes do not agree who it is."""
    async with asyncio.timeout(30):
        while await asyncio.to_thread(seen_by, scaler) != lag:  # noqa: ASYNC110 - a server decides
            await asyncio.sleep(0.05)


def seen_by(scaler):
    try:
        return scaler.lag()
    except NoLag as error:
        return str(error)


async def questions_and_answers(brokers, scalers, make_event):
    """Every scaler sees what waits and what workers or the bridge have taken, and nothing that is settled."""

    async def all_become(lag):
        for scaler in scalers:
            await becomes(scaler, lag)

    async with (
        brokers.as_user("userbot") as edge,
        brokers.as_user("generate") as worker,
        brokers.as_user("bridge") as bridge,
    ):
        await all_become(0)
        await ask(edge, make_event, range(40))
        await all_become(40)
        taken = await take(worker, 16)
        forwarded = await take(bridge, 3)
        info = await worker.consumer_info("REQUESTS", subjects.GENERATE_CONSUMER)
        assert (info.num_pending, info.num_ack_pending) == (21, 19)
        await all_become(40)
        for delivery in taken:
            await delivery.ack()
        await all_become(24)
        assert {scaler.replicas() for scaler in scalers} == {3}
        last = [*forwarded, *await take(worker, 19)]
        for delivery in last:
            await delivery.ack()
        await all_become(2)
        assert {scaler.replicas() for scaler in scalers} == {0}, "two questions are the bridge's share"
        for delivery in await take(worker, 2):
            await delivery.ack()
        await all_become(0)


async def test_the_lag_of_a_single_server_is_what_waits_and_what_is_being_answered(
    tmp_path, shipped_nats, trigger, make_event
):
    async with brokers(tmp_path, shipped_nats) as single:
        await single.set_up()
        await questions_and_answers(single, [Scaler(trigger, single.fetch_by_way_of("nats"))], make_event)


@pytest.mark.parametrize(
    "wrong", [{"account": "$G"}, {"account": "EDGE"}, {"stream": "requests"}, {"consumer": "none"}]
)
async def test_a_wrong_name_is_no_lag_of_zero_but_an_error(tmp_path, shipped_nats, trigger, wrong):
    async with brokers(tmp_path, shipped_nats) as single:
        await single.set_up()
        fetch = single.fetch_by_way_of("nats")
        assert Scaler(trigger, fetch).lag() == 0
        with pytest.raises(NoLag, match="consumer not found"):
            Scaler({**trigger, **wrong}, fetch).lag()


async def test_without_the_accounts_exact_name_the_server_tells_nothing_of_streams(tmp_path, shipped_nats, trigger):
    """KEDA does not ask for all accounts, which would help here; so `account` has to be right."""
    async with brokers(tmp_path, shipped_nats) as single:
        await single.set_up()
        fetch = single.fetch_by_way_of("nats")
        endpoint = f"http://{trigger['natsServerMonitoringEndpoint']}/jsz?config=true&consumers=true"
        assert [one["name"] for one in fetch(f"{endpoint}&acc=STORE")["account_details"]] == ["STORE"]
        assert "account_details" not in fetch(f"{endpoint}&acc=%24G")
        assert "account_details" in fetch(f"{endpoint}&acc=%24G&accounts=true")


@pytest.mark.timeout(120)
async def test_in_a_cluster_the_lag_is_the_same_whichever_node_the_service_leads_to(
    tmp_path, shipped_nats, trigger, make_event
):
    async with brokers(tmp_path, shipped_nats, NODES) as cluster:
        await cluster.set_up()
        scalers = [Scaler(trigger, cluster.fetch_by_way_of(node)) for node in NODES]
        await questions_and_answers(cluster, scalers, make_event)


def test_the_replicas_follow_the_lag_from_zero_to_many_and_back(trigger):
    def replicas(lag):
        scaler = Scaler({**trigger, "activationLagThreshold": "2"}, None)
        return replace(scaler, fetch=lambda _: answer(lag)).replicas()

    def answer(lag):
        consumer = {"name": "generate", "num_pending": lag, "num_ack_pending": 0}
        stream = {"name": "REQUESTS", "consumer_detail": [consumer]}
        return {"account_details": [{"name": "STORE", "stream_detail": [stream]}]}

    assert [replicas(lag) for lag in (0, 2, 3, 8, 9, 80, 1, 0)] == [0, 0, 1, 1, 2, 10, 0, 0]
