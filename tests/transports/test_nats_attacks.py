"""What a process could make the server do for it on the shipped configuration, with rights that are not its own."""

import asyncio
import json
from contextlib import suppress

import pytest
from nats.errors import Error as NatsError

from tests.attacked import NAMED, PROCESSES, RECORD, VICTIMS, changes, sent
from tests.attacked import attacked as attacked_server

SHORT = 0.5
"""Seconds until an unanswered request is given up."""

LAST = b'{"last_by_subj": ">"}'
PULL = b'{"batch": 10, "no_wait": true}'

ANSWERED = {
    "userbot": [
        ("timokha.requests.1.2.{n}.0", b""),
        ("$KV.chats.9.{n}", b""),
        ("$KV.telegram.{n}", b""),
        ("$KV.marks.unfinished.9.{n}", b""),
        ("$JS.API.STREAM.INFO.KV_chats", b""),
        ("$JS.API.STREAM.MSG.GET.KV_chats", LAST),
        ("$JS.API.STREAM.MSG.DELETE.REPLIES", b'{"seq": 99999}'),
        ("$JS.API.CONSUMER.INFO.REPLIES.edge-1", b""),
        ("$JS.API.CONSUMER.MSG.NEXT.REPLIES.edge-1", PULL),
    ],
    "generate": [
        ("timokha.replies.1.2.{n}.0", b""),
        ("timokha.deadletters.1.2.{n}.0", b""),
        ("$JS.API.STREAM.INFO.REQUESTS", b""),
        ("$JS.API.STREAM.MSG.GET.REPLIES", LAST),
        ("$JS.API.CONSUMER.INFO.REQUESTS.generate", b""),
        ("$JS.API.CONSUMER.MSG.NEXT.REQUESTS.generate", PULL),
    ],
    "bridge": [
        ("timokha.requests.rabbitmq.7.{n}.0", b""),
        ("timokha.replies.1.2.{n}.0", b""),
        ("timokha.deadletters.1.2.{n}.0", b""),
        ("$KV.bridge.{n}", b""),
        ("$JS.API.STREAM.INFO.KV_bridge", b""),
        ("$JS.API.STREAM.MSG.GET.KV_bridge", LAST),
        ("$JS.API.CONSUMER.MSG.NEXT.REQUESTS.generate", PULL),
        ("$JS.API.CONSUMER.MSG.NEXT.REPLIES.edge-rabbitmq", PULL),
    ],
    "tools": [
        ("timokha.requests.replay.7.{n}.0", b""),
        ("timokha.requests.rabbitmq.7.{n}.0", b""),
        ("$KV.chats.9.{n}", b""),
        ("$KV.marks.unfinished.9.{n}", b""),
        ("$JS.API.INFO", b""),
        ("$JS.API.STREAM.INFO.KV_chats", b""),
        ("$JS.API.STREAM.MSG.GET.KV_chats", LAST),
        ("$JS.API.CONSUMER.INFO.REQUESTS.generate", b""),
        ("timokha.wake.1", b"1.2"),
    ],
}
"""What each user may publish, and the server or another process answers."""


@pytest.fixture
async def attacked(guarded_nats):
    async with attacked_server(guarded_nats) as opened:
        yield opened


async def answer_everything(js, subject):
    """As a process that answers where the sender wants it."""

    async def answer(message):
        if message.reply:
            await message.respond(b"")

    await js._nc.subscribe(subject, cb=answer)
    await sent(js)


@pytest.mark.parametrize("user", ANSWERED)
async def test_an_answer_of_the_server_changes_nothing_wherever_it_is_wanted(attacked, user):
    await answer_everything(attacked.by["userbot"], "timokha.wake.*")
    heard = []

    async def hear(message):
        heard.append(message.subject)

    for victim in {"userbot", "setup"} - {user}:
        await attacked.by[victim]._nc.subscribe(f"_INBOX_{victim}.>", cb=hear)
    before, own = await attacked.state(), set()
    for published, body in ANSWERED[user]:
        for named in NAMED:
            subject = attacked.numbered(published)
            own.add(subject)
            await attacked.publish(user, subject, body, reply=attacked.numbered(named))
            if "NEXT" in subject or "wake" in subject:  # the answer comes from elsewhere
                await sent(attacked.by[user])
    found = changes(before, await attacked.state())
    assert {subject: data for subject, data in found.items() if subject not in own} == {}
    assert [subject for subject in heard if subject.endswith(".victim")] == []


@pytest.mark.parametrize("user", ["generate", "bridge"])
@pytest.mark.parametrize("what", [b"+ACK", b"-NAK", b"+WPI", b"+TERM", b'+NXT {"batch": 5, "no_wait": true}'])
async def test_an_acknowledgement_is_confirmed_to_its_sender_alone(attacked, user, what):
    for n in range(2 * len(NAMED)):
        await attacked.by["bridge"].publish(f"timokha.requests.rabbitmq.5.{n}.0", RECORD)
    taken = await deliveries(attacked.by[user], "REQUESTS", "generate", len(NAMED))
    before = await attacked.state()
    for delivery, named in zip(taken, NAMED, strict=True):
        await attacked.publish(user, delivery.reply, what, reply=attacked.numbered(named))
    assert changes(before, await attacked.state()) == {}


async def deliveries(js, stream, consumer, number, *, of=None):
    """The first `number` messages of a pull, of as many unless more are asked for."""
    nc, heard = js._nc, asyncio.Queue()
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox, cb=heard.put)
    body = json.dumps({"batch": of or number, "expires": 1_000_000_000}).encode()
    await nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", body, reply=inbox)
    async with asyncio.timeout(10):
        found = [await heard.get() for _ in range(number)]
    await subscription.unsubscribe()
    return found


CONSUMERS = {
    "userbot": ("REPLIES", "timokha.replies.1.*.*.*", None),
    "bridge": ("REPLIES", "timokha.replies.rabbitmq.*.*.*", "edge-rabbitmq"),
    "tools": ("REQUESTS", "timokha.requests.*.*.*.*", None),
}
"""By user, a consumer that it may make, or might: on which stream, of which subjects, under which name."""


@pytest.mark.parametrize("user", CONSUMERS)
async def test_a_consumer_delivers_to_no_subject_that_its_maker_has_named(attacked, user):
    stream, subjects_of, name = CONSUMERS[user]
    named = [attacked.numbered(one) for one in NAMED]
    await attacked.by["bridge"].publish("timokha.replies.rabbitmq.2.3.0", RECORD)
    await attacked.by["setup"].delete_consumer("REPLIES", "edge-rabbitmq")  # or it could not be made
    for one in named:  # a consumer wants somebody who listens, and to this very subject
        for listener, rights in (("userbot", "timokha.progress."), ("bridge", "timokha.replies.")):
            if one.startswith(rights):
                await attacked.by[listener]._nc.subscribe(one)
                await sent(attacked.by[listener])
    before = await attacked.state()

    async def make(number, deliver_to):
        consumer = name or f"mine-{number}"
        config = {"deliver_subject": deliver_to, "ack_policy": "none", "filter_subject": subjects_of}
        body = {"stream_name": stream, "config": {**config, "name": consumer, "durable_name": consumer}}
        with suppress(NatsError):
            subject = f"$JS.API.CONSUMER.CREATE.{stream}.{consumer}.{subjects_of}"
            await attacked.by[user]._nc.request(subject, json.dumps(body).encode(), timeout=SHORT)

    if name:  # there is but one, which it may change
        for number, one in enumerate(named):
            await make(number, one)
            await sent(attacked.by[user])
    else:
        await asyncio.gather(*(make(number, one) for number, one in enumerate(named)))
    found = changes(before, await attacked.state())
    assert {what for what in found if " mine-" not in what} - {f"{stream} {name}"} == set()
    made = await attacked.by["setup"].consumers_info(stream)
    assert [consumer.config.deliver_subject for consumer in made if consumer.push_bound] == []


HEADERS = [
    {"Nats-Rollup": "all"},
    {"Nats-Rollup": "sub"},
    {"Nats-TTL": "1s"},
    {"Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": "timokha.replies.1.2.3.0"},
    {"Nats-Incr": "+1"},
    {"Nats-Batch-Id": "1", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
    {"Nats-Expected-Last-Sequence": "0"},
    {
        "Nats-Expected-Last-Subject-Sequence": "9",
        "Nats-Expected-Last-Subject-Sequence-Subject": "timokha.replies.1.2.3.0",
    },
    {"Nats-Expected-Stream": "KV_chats"},
]
WRITTEN = {
    "userbot": ["timokha.requests.1.2.{n}.0", "timokha.requests.1.2.3.0"],
    "generate": ["timokha.replies.1.2.{n}.0", "timokha.replies.1.2.3.0", "timokha.deadletters.1.2.{n}.0"],
    "bridge": ["timokha.requests.rabbitmq.2.{n}.0", "timokha.replies.1.2.3.0"],
    "tools": ["timokha.requests.replay.2.{n}.0"],
}


@pytest.mark.parametrize("user", WRITTEN)
async def test_no_header_lets_a_message_touch_another_one(attacked, user):
    before, own = await attacked.state(), set()
    for published in WRITTEN[user]:
        for headers in HEADERS:
            subject = attacked.numbered(published)
            own.add(subject)
            await attacked.publish(user, subject, b"mine", headers=headers)
    after = await attacked.state()
    found = {subject: data for subject, data in changes(before, after).items() if subject not in own}
    assert found == {}
    assert all(after[subject] == RECORD for subject in VICTIMS)


OWN = {
    "userbot": ("timokha.requests.", "timokha.feedback.", "$KV.chats.", "$KV.telegram.", "$KV.marks."),
    "generate": ("timokha.replies.", "timokha.deadletters."),
    "bridge": ("timokha.requests.rabbitmq.", "timokha.replies.", "timokha.deadletters.", "$KV.bridge."),
    "tools": ("timokha.requests.r", "$KV.chats.", "$KV.marks."),
}
"""By user, where it may write."""


@pytest.mark.parametrize("user", WRITTEN)
async def test_a_trace_of_a_message_goes_nowhere_that_its_sender_could_not_write(attacked, user):
    before = await attacked.state()
    for published in WRITTEN[user]:
        for named in NAMED:
            for only in ("false", "true"):
                headers = {"Nats-Trace-Dest": attacked.numbered(named), "Nats-Trace-Only": only}
                await attacked.publish(user, attacked.numbered(published), RECORD, headers=headers)
    found = changes(before, await attacked.state())
    assert {what for what in found if not what.startswith(OWN[user])} == set()


@pytest.mark.parametrize(
    ("user", "subject"), [("tools", "timokha.requests.replay.1.1.0"), ("bridge", "timokha.requests.rabbitmq.1.1.0")]
)
async def test_an_id_that_was_taken_before_keeps_no_question_out(attacked, user, subject):
    await attacked.by[user].publish(subject, headers={"Nats-Msg-Id": "1.2.4.0"})
    await attacked.by["userbot"].publish("timokha.requests.1.2.4.0", RECORD)
    assert (await attacked.state())["timokha.requests.1.2.4.0"] == RECORD


@pytest.mark.parametrize(("user", "bucket"), [("userbot", "chats"), ("tools", "chats"), ("bridge", "bridge")])
async def test_who_may_write_into_a_bucket_may_remove_all_of_it(attacked, user, bucket):
    """No wish, but what docs/security.md says."""
    await attacked.publish(user, f"$KV.{bucket}.mine", headers={"Nats-Rollup": "all"})
    after = await attacked.state()
    assert [name for name in after if name.startswith(f"$KV.{bucket}.")] == [f"$KV.{bucket}.mine"]


HEARD = {
    "userbot": {"timokha.progress.1.2.3.0", "timokha.wake.1"},
    "generate": set(),
    "bridge": {"timokha.replies.5.5.5.0"},
    "tools": set(),
    "setup": set(),
}


async def test_a_user_hears_what_is_for_it_and_nothing_else(attacked):
    everything = [
        *(">", "*.>", "$KV.>", "$JS.>", "$SYS.>", "_R_.>", "$JS.EVENT.ADVISORY.>", "$JS.API.>", "$JS.ACK.>"),
        *(
            "timokha.>",
            "timokha.*.*.*.*.*",
            "timokha.requests.>",
            "timokha.replies.*.*.*.*",
            "timokha.progress.*.*.*.*",
        ),
        *("timokha.wake.*", *(f"_INBOX_{process}.>" for process in [*PROCESSES.values(), "record", "replay"])),
    ]
    heard = {user: set() for user in PROCESSES}
    for user, process in PROCESSES.items():

        async def hear(message, user=user):
            heard[user].add(message.subject)

        for subject in everything:
            if not subject.startswith(f"_INBOX_{process}"):
                for queue in ("", "thieves"):
                    await attacked.by[user]._nc.subscribe(subject, queue, cb=hear)
        await sent(attacked.by[user])
    await attacked.publish("generate", "timokha.progress.1.2.3.0")
    await attacked.by["generate"].publish("timokha.replies.5.5.5.0")
    await attacked.publish("tools", "timokha.wake.1", reply=attacked.by["tools"]._nc.new_inbox())
    await attacked.by["setup"].consumer_info("REQUESTS", "generate")
    await attacked.state()
    found = {user: {subject for subject in of if ".settled." not in subject} for user, of in heard.items()}
    assert found == HEARD


async def test_a_worker_may_drop_what_another_one_has_taken(attacked):
    """No wish, but what docs/security.md says."""
    (taken,) = await deliveries(attacked.by["generate"], "REQUESTS", "generate", 1)
    await attacked.by["bridge"]._nc.request(taken.reply, b"+TERM", timeout=5)
    left = await attacked.by["setup"].consumer_info("REQUESTS", "generate")
    assert left.num_ack_pending == 0


async def test_a_message_without_a_body_ends_the_pull_that_it_comes_with(attacked):
    """No wish, but what docs/security.md says."""
    for number, body in enumerate([RECORD, b"", RECORD]):
        await attacked.by["bridge"].publish(f"timokha.requests.rabbitmq.5.{number}.0", body)
    taken = await deliveries(attacked.by["generate"], "REQUESTS", "generate", 4, of=5)
    assert [message.data for message in taken] == [RECORD, RECORD, RECORD, b""]
    left = await attacked.by["setup"].consumer_info("REQUESTS", "generate")
    assert left.num_ack_pending == 5
