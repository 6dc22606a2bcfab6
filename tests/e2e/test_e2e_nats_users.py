"""The whole product on the shipped NATS configuration, each process as its own user, over both brokers."""

import asyncio
import json
import re
import shutil
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.demo.processes import CommandProcess
from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot import phrases
from events.event import Event
from events.ids import RequestId
from events.jetstream.addresses import Access
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.recordings.feedback import read_judged
from events.schema import FailureReason, FeedbackGiven
from events.transport import Channel
from functions.worker.outcomes import GaveUp
from functions.worker.settling import dead_letter_of

ORIGINALS = Path(__file__).parents[1] / "integration"
OWNER_PHONE = "+79990000000"
THINKING = {phrases.thinking("ru", str(number)) for number in range(200)}
WAIT = 60.0
ACCOUNTS = (Path(__file__).parents[2] / "deploy/nats-accounts.conf").read_text()

SELDOM = {
    ("setup", "$JS.SNAPSHOT.>"),  # `nats account backup`
    ("userbot", "$JS.API.STREAM.PURGE.KV_chats"),  # `timokha business`, when a person leaves: test_e2e_business_leaving
    ("userbot", "$JS.API.CONSUMER.DELETE.REPLIES.*"),
    ("generate", "timokha.progress.*.*.*.*"),  # while an answer grows
    ("generate", "$JS.API.STREAM.MSG.GET.REPLIES"),  # when a request comes a second time
    ("bridge", "$JS.API.STREAM.MSG.GET.REPLIES"),
    ("bridge", "$JS.API.STREAM.MSG.GET.KV_bridge"),
    ("bridge", "$KV.bridge.>"),  # when RabbitMQ's workers take longer
    ("bridge", "timokha.deadletters.*.*.*.*"),  # when they give up
    ("tools", "timokha.requests.rabbitmq.*.*.*"),  # when their question is asked again
}
"""By user, what it may publish, and does not in this test."""


class Product:
    """Every process with the user of its name; `environment` is for all of them."""

    def __init__(self, directory, guarded, telegram, owner, environment):
        self.directory = directory
        self.guarded = guarded
        self.telegram = telegram
        self.owner = owner
        self.environment = environment
        self.visitor = telegram.add_user(first_name="Гость", phone="+79990000001")
        self.running = {}

    def settings(self, user):
        return {**self.environment, "NATS_USER": user, "NATS_PASSWORD": self.guarded.passwords[user]}

    async def start(self, name, **settings):
        self.running[name] = process = CommandProcess(name, self.directory, {**self.settings(name), **settings})
        await process.start()
        async with asyncio.timeout(WAIT):
            while f"{name}.ready" not in process.log.read_text():
                assert process.pid, process.log.read_text()
                await asyncio.sleep(0.05)

    async def command(self, user, *words):
        """Runs to its end; what it said, which must not be an error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "cli", *words),
            cwd=self.directory,
            env={**self.settings(user), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT):
            said, complained = await process.communicate()
        assert process.returncode == 0, complained.decode()
        return said.decode()

    def says(self, text):
        self.telegram.send(self.visitor.id, self.owner.id, text)
        return self.telegram.messages(self.owner.id, self.visitor.id)[-1]

    def answers(self):
        written = [message for message in self.telegram.messages(self.owner.id, self.visitor.id) if message.out]
        return [message.text for message in written if message.text not in THINKING]

    async def hears(self, count):
        await self.telegram.wait_for(lambda: len(self.answers()) >= count, timeout=WAIT)
        return self.answers()[-1]

    async def stop(self):
        await asyncio.gather(*(process.stop() for process in self.running.values()))


@pytest.fixture
async def product(tmp_path, traced_nats, rabbitmq_url):
    session, key = tmp_path / "owner.session", tmp_path / "telegram.pem"
    async with Sandbox() as telegram:
        owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
        await signed_in_session(telegram, OWNER_PHONE, session=session)
        key.write_text(telegram.public_key_pem)
        environment = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "BOT_TOKEN": "",
            "NATS_URL": traced_nats.server.url,
            "RABBITMQ_URL": rabbitmq_url,
            "USERBOT_SESSION": str(session),
            "USERBOT_TELEGRAM_SERVER": telegram.address,
            "USERBOT_TELEGRAM_KEY": str(key),
            "GENERATE_ENGINE": "echo",
            "OTEL_SDK_DISABLED": "true",
        }
        made = Product(tmp_path, traced_nats, telegram, owner, environment)
        try:
            yield made
        finally:
            await made.stop()


@pytest.mark.timeout(240)
async def test_everybody_can_do_their_work_and_nobody_is_refused_anything(product):
    await product.command("setup", "setup")
    await product.start("userbot")
    await product.start("generate")
    question = product.says("Тимоха, трудный вопрос")
    assert await product.hears(1) == "трудный вопрос"

    request_id = RequestId(str(product.owner.id), str(product.visitor.id), str(question.id))
    await given_up(product, request_id)
    assert str(request_id) in await product.command("tools", "deadletters", "list")
    again = await product.command("tools", "deadletters", "resend", str(request_id))
    assert again == f"asked again as {request_id.next_revision()}\n"
    assert await product.hears(2) == "трудный вопрос"
    await product.command("tools", "record", "recording.jsonl")
    assert await product.command("tools", "replay", "recording.jsonl") == "2 of 2 replies agree\n"
    await given_up(product, request_id.next_revision())
    assert await product.command("tools", "deadletters", "show", str(request_id.next_revision()))
    assert await product.command("tools", "deadletters", "drop", str(request_id.next_revision()))
    await given_up(product, request_id)  # for /delete_history
    await judged(product, request_id)
    await product.command("tools", "record", "votes.jsonl", "--feedback")
    [vote] = read_judged(product.directory / "votes.jsonl")
    assert [message.content for message in vote.messages] == ["трудный вопрос", "трудный вопрос"]
    assert "ok     streams, consumers and buckets are in place" in await product.command("tools", "doctor")

    await product.running["generate"].stop()
    async with original("original_model_server.py", product, "models", "0") as server:
        await server.stdout.readline()
        both = {"BRIDGE_DIRECTION": "both", "BRIDGE_IN_QUEUE": "bots", "BRIDGE_OUT_QUEUE": "models"}
        await product.start("bridge", BRIDGE_CODEC="original", **both)
        product.says("Тимоха, через мост")
        assert await product.hears(3) == "ЧЕРЕЗ МОСТ"
        async with original("original_requester.py", product, "bots", "и обратно") as requester:
            async with asyncio.timeout(WAIT):
                assert (await requester.stdout.read()).decode() == "И ОБРАТНО\n"

    product.says("/delete_history")
    await product.hears(4)
    for process in product.running.values():
        assert "not_permitted" not in process.log.read_text()
    log = (product.guarded.directory / "nats.log").read_text(errors="replace")
    assert "Violation" not in log
    assert unused(log) == SELDOM


@pytest.mark.slow
async def test_a_userbot_that_may_not_make_what_has_gone_says_so_and_ends(product):
    await product.command("setup", "setup")
    await product.start("userbot")
    await product.guarded.server.kill()
    shutil.rmtree(product.guarded.directory / "store")
    await product.guarded.server.start()
    async with asyncio.timeout(WAIT):
        end = str(await product.running["userbot"].ended())
    assert "exit code 1: timokha: " in end
    assert "timokha setup" in end
    assert "Traceback" not in product.running["userbot"].log.read_text()


def unused(log):
    """By user, what it may publish and has not, by the trace in the server's log."""
    users, used = {}, {}
    for client, verb, words in re.findall(r" - (cid:\d+) .*?<<- \[(CONNECT|H?PUB) (.*)\]", log):
        if verb == "CONNECT":
            users[client] = json.loads(words)["user"]
        else:
            used.setdefault(users[client], set()).add(words.split()[0])
    return {
        (user, right)
        for user, own in re.findall(r"user: (\w+)\n.*?publish(.*?)subscribe:", ACCOUNTS, re.DOTALL)
        for right in re.findall(r'"([^"]+)"', own.partition("deny:")[0])
        if not any(re.fullmatch(pattern(right), subject) for subject in used[user])
    }


def pattern(right):
    return re.escape(right).replace(r"\*", r"[^.]+").replace(">", ".+")


@asynccontextmanager
async def original(program, product, *arguments):
    """A program of the original's."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(ORIGINALS / program), product.environment["RABBITMQ_URL"], *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def judged(product, request_id):
    """As the userbot keeps a vote."""
    access = Access(user="userbot", password=SecretStr(product.guarded.passwords["userbot"]))
    data = FeedbackGiven(request_id=request_id, reader="0123456789ab", vote=1)
    async with connect(product.guarded.server.url, name="userbot", access=access) as js:
        await JetStreamLog(js).publish(Channel.FEEDBACK, Event.of(data, source="/test", time=datetime.now(UTC)))


async def given_up(product, request_id):
    """As a worker gives up."""
    edge, worker = (
        Access(user=user, password=SecretStr(product.guarded.passwords[user])) for user in ("userbot", "generate")
    )
    url = product.guarded.server.url
    async with connect(url, name="userbot", access=edge) as js:
        request = await JetStreamLog(js).find(Channel.REQUESTS, request_id)
    outcome = GaveUp(FailureReason.ATTEMPTS_EXHAUSTED, "no worker finished it", 5)
    async with connect(url, name="generate", access=worker) as js:
        await JetStreamLog(js).publish(Channel.DEADLETTERS, dead_letter_of(request, outcome))
