"""`timokha doctor` on a real nats-server, with settings, models and sessions in every state."""

import asyncio
import base64
import struct
from dataclasses import replace
from datetime import timedelta
from random import Random
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from bridge.settings import BridgeSettings
from cli.demo.nats_server import EmbeddedServer
from cli.doctor.command import CheckFailed, examine, main
from cli.doctor.findings import Level
from cli.doctor.model import examine_model
from cli.doctor.nats import examine_nats
from cli.settings import DoctorSettings
from edge.sandbox.server import Sandbox
from edge.userbot.settings import UserbotSettings
from events import subjects
from events.extras import install_command
from events.jetstream.addresses import Access
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.marks import JetStreamMarks
from events.jetstream.topology import Topology
from events.rabbitmq import topology as rabbitmq
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from functions.generate.settings import GenerateSettings
from observability.telemetry import noop_telemetry
from tests.clocks import SteppedClock
from tests.rabbitmq_queues import delete_queues
from tests.retrying import RETRYING


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No `.env`, and none of the variables that the doctor looks at."""
    monkeypatch.chdir(tmp_path)
    for settings in (BridgeSettings, DoctorSettings, GenerateSettings, UserbotSettings):
        for name in settings.model_fields:
            monkeypatch.delenv(settings.variable(name), raising=False)


def lines(findings, level):
    return [finding.text for finding in findings if finding.level is level]


@pytest.mark.parametrize(("ahead", "said"), [(1, "3600 s ahead of NATS'"), (-1, "3600 s behind NATS'")])
async def test_a_clock_that_differs_from_that_of_nats_is_told(nats_server, ahead, said):
    settings, clock = DoctorSettings.read(nats_url=nats_server.url), SteppedClock(timedelta(hours=ahead))
    assert not [line for line in lines(await examine_nats(settings, clock), Level.WRONG) if "clock" in line]
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
    [line] = lines(await examine_nats(settings, clock), Level.WRONG)
    assert said in line
    assert lines(await examine_nats(settings, SystemClock()), Level.WRONG) == []


async def test_a_healthy_set_up_has_nothing_wrong(nats_server, monkeypatch, capsys, tmp_path):
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
    session = base64.urlsafe_b64encode(struct.pack(">BI?256sQ?", 2, 1, False, b"k" * 256, 7, False)).decode()
    key = tmp_path / "telegram.pem"
    async with Sandbox() as telegram:
        key.write_text(telegram.public_key_pem)
        server = {"USERBOT_TELEGRAM_SERVER": telegram.address, "USERBOT_TELEGRAM_KEY": str(key)}
        common = {"API_ID": "1", "API_HASH": "x", "GENERATE_ENGINE": "echo", "USERBOT_SESSION": session}
        for name, value in {**common, **server}.items():
            monkeypatch.setenv(name, value)
        await main(DoctorSettings.read(nats_url=nats_server.url), noop_telemetry(), asyncio.Event())
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["ok", "ok", "ok", "note", "ok", "ok", "ok", "ok"]


async def test_what_is_wrong_is_listed_with_its_mending_and_ends_in_a_failure(nats_server, capsys):
    with pytest.raises(CheckFailed) as raised:
        await main(DoctorSettings.read(nats_url=nats_server.url), noop_telemetry(), asyncio.Event())
    shown = capsys.readouterr().out
    assert raised.value.exit_code == 1
    assert "wrong  JetStream is empty: it was never set up, or the server has been given another store; run " in shown
    assert "missing" not in shown.partition("\n")[0]
    assert "run `timokha setup`" in shown
    assert "wrong  settings of `timokha userbot`: API_ID is missing" in shown


def test_a_model_on_a_server_is_not_looked_for_here():
    pytest.importorskip("openai")
    finding = examine_model(GenerateSettings.read(engine="openai", openai_base_url="http://127.0.0.1:1/v1"))
    assert (finding.level, finding.text.split(";")[0]) == (Level.NOTE, "model: on the server at OPENAI_BASE_URL")


async def test_only_the_parts_that_run_here_are_looked_at(nats_server):
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="generate"))
    assert [finding.level for finding in findings if "userbot" in finding.text] == [Level.NOTE]


async def test_where_no_part_runs_only_the_broker_is_looked_at_and_the_rest_is_named(nats_server):
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="none"))
    assert findings[0].text == "NATS answers, and JetStream is on"
    assert [finding.text.partition(":")[0] for finding in findings[-2:]] == ["userbot", "generate"]
    assert {finding.level for finding in findings[-2:]} == {Level.NOTE}
    assert not [line for line in lines(findings, Level.WRONG) if "settings" in line or "model" in line]


async def test_as_the_user_tools_the_doctor_can_be_all_right_and_as_a_parts_user_says_who_sees_the_rest(guarded_nats):
    def asked(user):
        password = guarded_nats.passwords[user]
        url = guarded_nats.server.url
        return examine(DoctorSettings.read(nats_url=url, nats_user=user, nats_password=password, parts="none"))

    access = Access(user="setup", password=SecretStr(guarded_nats.passwords["setup"]))
    async with connect(guarded_nats.server.url, name="setup", access=access) as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
    findings = await asked("tools")
    assert "streams, consumers and buckets are in place" in lines(findings, Level.OK)
    assert lines(findings, Level.WRONG) == []
    for user in ("userbot", "generate", "bridge"):
        answers, unseen, *_ = await asked(user)
        assert (answers.level, answers.text) == (Level.OK, "NATS answers")
        assert (unseen.level, unseen.text) == (
            Level.NOTE,
            f"NATS: the user {user} may not see what is in it; `timokha doctor` as the user tools does",
        )


async def test_rabbitmq_is_looked_at_where_it_is_used(nats_server, rabbitmq_url):
    healthy = DoctorSettings.read(nats_url=nats_server.url, rabbitmq_url=rabbitmq_url, parts="bridge")
    assert {"RabbitMQ answers", "settings of `timokha bridge`"} <= set(lines(await examine(healthy), Level.OK))
    away = DoctorSettings.read(
        nats_url=nats_server.url, rabbitmq_url="amqp://guest:secret@127.0.0.1:1/", parts="bridge"
    )
    wrong = lines(await examine(away), Level.WRONG)
    assert [line for line in wrong if "127.0.0.1:1" in line and "secret" not in line]


@pytest.fixture
async def queues(rabbitmq_url):
    """`await queues.make(queue)`: before ours are made."""
    async with connect_rabbitmq(SecretStr(rabbitmq_url), name="test", clock=SystemClock()) as broker:

        async def make(*queues):
            async with rabbitmq.open_channel(broker.consuming) as channel:
                for queue in queues:
                    await rabbitmq.declare(channel, queue)

        yield SimpleNamespace(broker=broker, make=make, url=rabbitmq_url)
        await delete_queues(broker.consuming, "questions", *(queue.name for queue in rabbitmq.OURS))


async def on_rabbitmq(nats_server, queues, monkeypatch, **bridge):
    for name, value in bridge.items():
        monkeypatch.setenv(name, value)
    return await examine(DoctorSettings.read(nats_url=nats_server.url, rabbitmq_url=queues.url, parts="bridge"))


async def test_queues_that_nobody_has_made_are_no_fault(nats_server, queues, monkeypatch):
    findings = await on_rabbitmq(nats_server, queues, monkeypatch)
    assert not [line for line in lines(findings, Level.WRONG) if "RabbitMQ" in line]
    [line] = [line for line in lines(findings, Level.NOTE) if line.startswith("not on RabbitMQ yet: ")]
    assert all(queue.name in line for queue in rabbitmq.OURS)
    async with rabbitmq.open_channel(queues.broker.consuming) as channel:  # it has not made them
        with pytest.raises(rabbitmq.Missing):
            await rabbitmq.declare(channel, replace(rabbitmq.REQUESTS, passive=True))


@pytest.mark.parametrize(
    "told",
    [
        {"USERBOT_PERSONA": "Ты Мария."},
        {"API_ID": "1", "API_HASH": "x", "TIMOKHA_CONTACTS": '{"@anna": {"persona": "Ты Мария."}}'},
        {},
    ],
)
async def test_a_persona_that_the_originals_text_leaves_out_is_a_note(nats_server, queues, monkeypatch, told):
    findings = await on_rabbitmq(nats_server, queues, monkeypatch, BRIDGE_CODEC="original", **told)
    assert len([line for line in lines(findings, Level.NOTE) if "no place for USERBOT_PERSONA" in line]) == bool(told)


async def test_queues_as_they_must_be_are_in_place(nats_server, queues, monkeypatch):
    await rabbitmq.ensure(queues.broker.consuming)
    findings = await on_rabbitmq(nats_server, queues, monkeypatch)
    assert "queues are in place" in lines(findings, Level.OK)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"arguments": {}}, "(its x-"),
        ({"arguments": {"x-queue-type": "stream"}}, "(its x-queue-type is 'stream', ours is 'quorum')"),
        ({"arguments": {}, "durable": False}, "(its durable is 'false', ours is 'true')"),
    ],
)
async def test_a_queue_of_another_type_is_wrong_and_says_what_differs(nats_server, queues, monkeypatch, made, says):
    await queues.make(replace(rabbitmq.REQUESTS, **made))
    findings = await on_rabbitmq(nats_server, queues, monkeypatch)
    [line] = [line for line in lines(findings, Level.WRONG) if "RabbitMQ has" in line]
    assert line.startswith("RabbitMQ has 'timokha.requests' with other settings")
    assert says in line
    assert "delete it" in line
    assert "queues are in place" not in lines(findings, Level.OK)


async def test_a_queue_that_the_bridge_would_use_as_it_is_is_a_note_but_for_a_stream(nats_server, queues, monkeypatch):
    await rabbitmq.ensure(queues.broker.consuming)
    await queues.make(rabbitmq.Queue("questions"))
    findings = await on_rabbitmq(nats_server, queues, monkeypatch, BRIDGE_REQUEST_QUEUE="questions")
    assert [line for line in lines(findings, Level.NOTE) if "'questions' is not declared as the bridge would" in line]
    await delete_queues(queues.broker.consuming, "questions")
    await queues.make(rabbitmq.Queue("questions", arguments={"x-queue-type": "stream"}))
    findings = await on_rabbitmq(nats_server, queues, monkeypatch)
    assert [line for line in lines(findings, Level.WRONG) if "'questions'" in line and "'stream'" in line]


async def test_an_exchange_of_another_type_is_wrong(nats_server, queues, monkeypatch):
    await rabbitmq.ensure(queues.broker.consuming)
    async with rabbitmq.open_channel(queues.broker.consuming) as channel:
        await channel.exchange_delete(rabbitmq.DEADLETTERS.name)
        await channel.declare_exchange(rabbitmq.DEADLETTERS.name, "direct", durable=True)
    findings = await on_rabbitmq(nats_server, queues, monkeypatch)
    async with rabbitmq.open_channel(queues.broker.consuming) as channel:
        await channel.exchange_delete(rabbitmq.DEADLETTERS.name)
    assert [
        line for line in lines(findings, Level.WRONG) if "exchange timokha.deadletters" in line and "'direct'" in line
    ]


async def test_a_stream_at_80_percent_is_wrong_and_one_at_half_is_worth_a_note(nats_server):
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, Retention(max_bytes=1024 * 1024), retrying=Retrying(SystemClock(), Random())).ensure_all()
        await js.publish("timokha.requests.1.1.1.0", b"x" * 850_000)
        await js.publish("timokha.replies.1.1.1.0", b"x" * 500_000)
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="generate"))
    assert [line for line in lines(findings, Level.WRONG) if "REQUESTS is 81% full: raise SETUP_MAX_BYTES" in line]
    assert "stream REPLIES is 48% full" in lines(findings, Level.NOTE)


async def test_a_stream_that_would_break_a_promise_is_wrong(nats_server):
    async with connect(nats_server.url, name="test") as js:
        await js.add_stream(name="REQUESTS", subjects=["timokha.requests.>"])
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="generate"))
    assert any(line.startswith("stream REQUESTS has subjects=") for line in lines(findings, Level.WRONG))


async def test_a_server_without_an_answer_is_named():
    findings = await examine(DoctorSettings.read(nats_url="nats://127.0.0.1:1", parts="generate"))
    assert any("nats://127.0.0.1:1 could not be reached" in line for line in lines(findings, Level.WRONG))


@pytest.mark.parametrize(
    ("name", "level", "says"),
    [
        ("some/model", Level.NOTE, "hub id"),
        ("./nowhere", Level.WRONG, "there is no such file or directory"),
        ("no/file.gguf", Level.WRONG, "there is no such file or directory"),
        ("a" * 300, Level.WRONG, "can't be examined"),
        ("~nobody-at-all/model", Level.WRONG, "can't be examined"),
    ],
)
def test_a_model_is_judged_by_its_name(name, level, says, torch_is_there):
    finding = examine_model(GenerateSettings.read(model=name))
    assert finding.level is level
    assert says in finding.text


def test_without_torch_the_model_can_not_run(monkeypatch):
    monkeypatch.setattr("cli.doctor.model.find_spec", lambda name: None)
    finding = examine_model(GenerateSettings.read())
    assert (finding.level, install_command("openvino") in finding.text) == (Level.WRONG, True)


@pytest.fixture
def torch_is_there(monkeypatch):
    """The judgement is tested, not the installation."""
    monkeypatch.setattr("cli.doctor.model.find_spec", lambda name: object())


async def test_an_account_whose_replies_nobody_brings_is_wrong(nats_server):
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all(accounts=["1", "2"])
        telegram = await js.key_value("telegram")
        for account in ("1", "2", "bot"):
            await telegram.put(account, b"{}")
        marks = await JetStreamMarks.open(js, "marks", retrying=RETRYING)
        for account in ("1", "2", "person"):  # a bot that people have connected has no chats, they have
            await marks.add(f"built.{account}")
        await js.delete_consumer("REPLIES", "edge-2")
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="generate"))
    assert [line for line in lines(findings, Level.WRONG) if "consumer edge-2" in line and "--accounts 2" in line]
    assert not [line for line in lines(findings, Level.OK) if "in place" in line]
    assert not [finding for finding in findings if any(f"edge-{name}" in finding.text for name in ("1", "bot"))]


BUCKETS = [f"KV_{bucket}" for bucket in subjects.BUCKETS]


@pytest.mark.parametrize("what", ["REQUESTS", "REPLIES", "DEADLETTERS", *BUCKETS, ""])
async def test_whatever_is_missing_is_named_with_what_makes_it(nats_server, what):
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
        await (js.delete_stream(what) if what else js.delete_consumer("REQUESTS", "generate"))
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="generate"))
    named = f"bucket {what[3:]}" if what.startswith("KV_") else f"stream {what}" if what else "consumer generate"
    [line] = [line for line in lines(findings, Level.WRONG) if "missing on JetStream" in line]
    assert named in line
    assert "docker compose up -d" in line


async def test_a_bucket_of_marks_that_can_not_be_dropped_is_named(nats_server):
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
        await js.delete_stream("KV_marks")
        await js.create_key_value(bucket=subjects.MARKS_BUCKET)
    findings = await examine(DoctorSettings.read(nats_url=nats_server.url, parts="generate"))
    assert [line for line in lines(findings, Level.WRONG) if line.startswith("bucket marks has deny_delete=True")]


async def test_a_server_without_jetstream_and_an_address_that_is_none_are_one_line_each(tmp_path):
    off = EmbeddedServer(tmp_path, configured=lambda port, store: f'listen: "127.0.0.1:{port}"')
    async with off:
        findings = await examine(DoctorSettings.read(nats_url=off.url, parts="bridge"))
    assert [line for line in lines(findings, Level.WRONG) if "without JetStream; enable JetStream" in line]
    findings = await examine(DoctorSettings.read(nats_url="nats://", parts="bridge"))
    assert [line for line in lines(findings, Level.WRONG) if line.startswith("NATS_URL: got 'nats://'")]
