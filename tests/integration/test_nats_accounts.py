"""What a NATS server has stored before it had accounts is there afterwards, or the server does not start."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr

from cli.demo.nats_server import HOST, EmbeddedServer, free_ports
from events import subjects
from events.jetstream.addresses import Access
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.faults import retry_passing
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.retrying import RETRYING

ROOT = Path(__file__).parents[2]
STORE = "nats/store"


@pytest.fixture
def start(tmp_path):
    """`start(store)`: the shipped script, which starts a stand-in for nats-server; its exit code, words and store."""
    stand_in = tmp_path / "bin/nats-server"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\necho "$NATS_STORE_DIR $*"\n')
    stand_in.chmod(0o755)

    def run(store):
        environment = {"PATH": f"{stand_in.parent}:{os.environ['PATH']}"}
        command = ["sh", ROOT / "deploy/nats.sh", "a.conf", store]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
        return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()

    return run


def started(store):
    return f'"{store}" --config a.conf'


async def kept(js):
    """Every stream, message and consumer, and how far each consumer has come."""
    found = {}
    for stream in await js.streams_info():
        name = stream.config.name
        found[name] = (stream.config, stream.created, max(1, stream.state.first_seq), stream.state.last_seq)
        for consumer in await js.consumers_info(name):
            come = (consumer.num_pending + consumer.num_ack_pending, consumer.ack_floor.stream_seq)
            found[f"{name} {consumer.name}"] = (consumer.created, consumer.config, *come)
        sequence = stream.state.first_seq
        while stream.state.messages and sequence <= stream.state.last_seq:
            message = await js.get_msg(name, seq=sequence, subject=">", next=True)
            found[f"{name} {message.seq}"] = (message.subject, message.data, message.hdrs, message.time)
            sequence = message.seq + 1
    return found


async def fill(js, make_event, topology=None):
    topology = topology or Topology(js, retrying=Retrying(SystemClock(), Random()))
    await topology.ensure_all(["1", subjects.RABBITMQ_ACCOUNT])
    records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
    for chat in range(3):
        await records.save(f"1.{chat}", b"old", None)
    version = await records.save("1.1", b"newer", (await records.load("1.1")).version)
    for number in range(5):
        await JetStreamLog(js).publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    taking = await js.pull_subscribe_bind(durable=subjects.GENERATE_CONSUMER, stream="REQUESTS")
    first, *_ = await taking.fetch(2, timeout=5)
    await first.ack_sync()
    return version


async def test_a_store_without_accounts_is_moved_once_with_all_that_is_in_it(tmp_path, shipped_nats, start, make_event):
    async with EmbeddedServer(tmp_path / "nats") as old, connect(old.url, name="test") as js:
        version = await fill(js, make_event)
        before = await kept(js)
    store = tmp_path / STORE
    jetstream = store / "jetstream"
    assert start(store) == (0, [f"nats.sh: moved {jetstream}/$G to {jetstream}/STORE", started(store)], [])
    assert start(store) == (0, [started(store)], [])

    passwords = shipped_nats.passwords()
    configured, environment = shipped_nats.configured("nats.conf"), shipped_nats.environment(passwords)
    async with EmbeddedServer(tmp_path / "nats", configured=configured, environment=environment) as new:
        async with connect(new.url, name="setup", access=access("setup", passwords)) as js:
            assert await kept(js) == before
        async with connect(new.url, name="userbot", access=access("userbot", passwords)) as js:
            records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
            found = await records.load("1.1")
            assert (found.value, found.version) == (b"newer", version)
    assert start(store) == (0, [started(store)], [])


def access(user, passwords):
    return Access(user=user, password=SecretStr(passwords[user]))


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ("STORE/streams/KV_chats", "STORE has others"),
        ("$SYS/_js_/_meta_", "a cluster's can't be moved"),
        ("$G/streams/KV_chats/meta.key", "encrypted ones can't be moved"),
    ],
)
def test_what_can_not_be_moved_is_no_empty_store(tmp_path, start, others, why):
    jetstream = tmp_path / "jetstream"
    for directory in ("$G/streams/KV_chats", others):
        (jetstream / directory).mkdir(parents=True, exist_ok=True)
    before = sorted(jetstream.rglob("*"))
    code, said, complained = start(tmp_path)
    assert (code, said, len(complained)) == (1, [], 1)
    assert complained[0].startswith(f"nats.sh: {jetstream}/$G has streams of a version without accounts, and ")
    assert why in complained[0]
    assert complained[0].endswith(": docs/operations.md, Accounts on NATS")
    assert sorted(jetstream.rglob("*")) == before


@pytest.mark.parametrize("left", [[], ["$G"], ["$G/streams", "STORE/streams"]])
def test_an_empty_store_is_used_as_it_is(tmp_path, start, left):
    for directory in left:
        (tmp_path / "jetstream" / directory).mkdir(parents=True)
    assert start(tmp_path) == (0, [started(tmp_path)], [])


def test_what_an_empty_start_has_left_is_in_nobodys_way(tmp_path, start):
    for directory in ("$G/streams/KV_chats", "STORE/streams"):
        (tmp_path / "jetstream" / directory).mkdir(parents=True)
    assert start(tmp_path)[0] == 0
    assert (tmp_path / "jetstream/STORE/streams/KV_chats").exists()


@pytest.mark.parametrize("name", ["nats.conf", "cluster/nats.conf"])
def test_no_shipped_configuration_starts_past_the_script(tmp_path, shipped_nats, name):
    for file in ("nats-accounts.conf", name):
        shutil.copy(ROOT / "deploy" / file, tmp_path)
    server = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    environment = {
        **shipped_nats.environment(shipped_nats.passwords("cluster")),
        "NATS_NODE": '"n"',
        "NATS_ROUTES": "[]",
    }
    command = [server, "-t", "-c", tmp_path / Path(name).name]
    for store, code in (({}, 1), ({"NATS_STORE_DIR": '"/data"'}, 0)):
        ended = subprocess.run(
            command, env=environment | store, capture_output=True, text=True, check=False, timeout=30
        )
        assert ended.returncode == code, ended.stderr
        assert store or "NATS_STORE_DIR" in ended.stderr


OLD_CLUSTER = """\
server_name: $NATS_NODE
port: 4222
jetstream {{ store_dir: {store} }}
cluster {{ name: timokha, listen: "{listen}", routes: $NATS_ROUTES, no_advertise: true }}
"""
"""Before there were accounts, as far as the store is concerned."""


@dataclass
class Nodes:
    """Three nodes of a cluster in `directory`; `configured` gives the configuration of the one at an address."""

    directory: Path
    ports: dict = field(default_factory=lambda: dict(zip("abc", free_ports(3), strict=True)))

    @asynccontextmanager
    async def running(self, configured, environment):
        routes = json.dumps([f"nats-route://cluster:1e5@{HOST}:{port}" for port in self.ports.values()])
        async with AsyncExitStack() as stack:
            nodes = []
            for name, port in self.ports.items():
                own = {**environment, "NATS_NODE": f'"{name}"', "NATS_ROUTES": routes}
                server = EmbeddedServer(self.directory / name, configured=configured(f"{HOST}:{port}"), environment=own)
                stack.push_async_callback(server.kill)
                nodes.append(server)
            await asyncio.gather(*(node.start() for node in nodes))
            yield ",".join(node.url for node in nodes)


async def backup(js, stream):
    """As `nats stream backup`: the stream's configuration and its packed messages and consumers."""
    nc, inbox, parts = js._nc, js._nc.new_inbox(), asyncio.Queue()
    await nc.subscribe(inbox, cb=parts.put)
    body = json.dumps({"deliver_subject": inbox}).encode()
    answer = json.loads((await nc.request(f"$JS.API.STREAM.SNAPSHOT.{stream}", body, timeout=10)).data)
    packed = b""
    while (part := await asyncio.wait_for(parts.get(), 20)).data:
        packed += part.data
        if part.reply:
            await part.respond(b"")
    return answer, packed


async def restore(js, stream, answer, packed):
    """As `nats stream restore`."""
    nc = js._nc
    body = json.dumps({"config": answer["config"], "state": answer["state"]}).encode()
    place = json.loads((await nc.request(f"$JS.API.STREAM.RESTORE.{stream}", body, timeout=10)).data)
    for start in range(0, len(packed), 65536):
        await nc.request(place["deliver_subject"], packed[start : start + 65536], timeout=10)
    done = json.loads((await nc.request(place["deliver_subject"], b"", timeout=20)).data)
    assert "error" not in done, done


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_clusters_store_is_brought_over_by_a_backup(tmp_path, shipped_nats, start, make_event):
    nodes, passwords = Nodes(tmp_path / "nodes"), shipped_nats.passwords("cluster")

    def old(listen):
        return lambda port, store: OLD_CLUSTER.format(store=f'"{store}"', listen=listen).replace(
            "port: 4222", f'listen: "{HOST}:{port}"'
        )

    async with nodes.running(old, {}) as url, connect(url, name="setup") as js:
        topology = Topology(js, Retention(replicas=3), retrying=Retrying(SystemClock(), Random()))
        await fill(js, make_event, topology)
        before = await kept(js)
        saved = {stream.config.name: await backup(js, stream.config.name) for stream in await js.streams_info()}
    for name in nodes.ports:
        store = nodes.directory / name / "store"
        code, _, complained = start(store)
        assert (code, "a cluster's can't be moved" in complained[0]) == (1, True)
        (store / "jetstream").rename(store / "old")
        assert start(store)[0] == 0

    def new(listen):
        return shipped_nats.configured("cluster/nats.conf", {"port: 6222": f'listen: "{listen}"'})

    shipped = shipped_nats.environment(passwords)
    async with nodes.running(new, shipped) as url, connect(url, name="setup", access=access("setup", passwords)) as js:
        await retry_passing(js.account_info, retrying=Retrying(SystemClock(), Random()))  # until there is a leader
        for stream, copy in saved.items():
            await restore(js, stream, *copy)
        assert comparable(await kept(js)) == comparable(before)


def comparable(found):
    """Without the time at which a stream was made."""
    return {name: [part for part in parts if not isinstance(part, datetime)] for name, parts in found.items()}
