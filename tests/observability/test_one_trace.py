"""A question's trace as a collector gets it over OTLP, from the real processes: userbot, NATS and generate."""

from collections.abc import Iterable
from random import Random

import pytest

from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

pytestmark = pytest.mark.timeout(180)

LAST = ("process timokha.requests", "deliver answer")
"""The spans that end last in each process."""

JOURNEY = [
    ("userbot", "receive telegram", None),
    ("userbot", "store question", "receive telegram"),
    ("userbot", "start answer", "receive telegram"),
    ("userbot", "send timokha.requests", "start answer"),
    ("generate", "queue timokha.requests", "send timokha.requests"),
    ("generate", "process timokha.requests", "send timokha.requests"),
    ("generate", "chat echo", "process timokha.requests"),
    ("generate", "send timokha.replies", "process timokha.requests"),
    ("userbot", "queue timokha.replies", "send timokha.replies"),
    ("userbot", "process timokha.replies", "send timokha.replies"),
    ("userbot", "deliver answer", "process timokha.replies"),
    ("userbot", "send telegram", "deliver answer"),
]
"""Service, span and its parent, in the order of their start; the thinking line goes out beside it."""
THINKING = ("userbot", "send telegram", "start answer")


def shape(spans: Iterable) -> list[tuple[str, str, str | None]]:
    names = {received.span.span_id: received.span.name for received in spans}
    return [
        (
            received.service,
            received.span.name,
            names[received.span.parent_span_id] if received.span.parent_span_id else None,
        )
        for received in spans
    ]


def accounted_for(spans: Iterable) -> float:
    """The part of the time between arrival and reply in which at least one span below the root ran."""
    root = next(received.span for received in spans if not received.span.parent_span_id)
    begin = root.start_time_unix_nano
    end = max(received.span.end_time_unix_nano for received in spans if received.span.name == "send telegram")
    covered, reached = 0, begin
    for received in spans:
        if received.span is root:
            continue
        start, stop = max(received.span.start_time_unix_nano, reached), min(received.span.end_time_unix_nano, end)
        covered += max(0, stop - start)
        reached = max(reached, stop)
    return covered / (end - begin)


async def ask_a_worker_that_is_killed(product, collector, nats_server) -> None:
    async with connect(nats_server.url, name="test") as js:
        topology = Topology(js, retrying=Retrying(SystemClock(), Random()))
        await topology.ensure_streams()
        await topology.ensure_generate_consumer()
        # The lease that a killed worker leaves behind, so that the test need not wait for the product's 10 s.
        config = (await js.consumer_info("REQUESTS", "generate")).config
        await js.add_consumer("REQUESTS", config.evolve(ack_wait=5))
    doomed = await product.start("generate", GENERATE_ECHO_DELAY="100")
    product.ask("привет")
    await collector.arrived("queue timokha.requests")
    await doomed.kill()


async def test_a_question_over_jetstream_is_one_tree_that_tells_where_the_time_went(product, collector):
    await product.start_userbot()
    await product.start("generate")
    product.ask("привет")
    assert (await product.replies(2))[1] == "привет"
    spans = await collector.arrived(*LAST)

    assert len({received.span.trace_id for received in spans}) == 1
    tree = shape(spans)
    tree.remove(THINKING)
    assert tree == JOURNEY
    assert accounted_for(spans) >= 0.95
    for received in spans:
        assert len(received.span.links) == (received.span.name.startswith("process"))


async def test_a_killed_worker_leaves_one_trace_with_two_attempts(product, collector, nats_server):
    await product.start_userbot()
    await ask_a_worker_that_is_killed(product, collector, nats_server)
    await product.start("generate")
    assert (await product.replies(2))[1] == "привет"
    spans = await collector.arrived(*LAST)

    assert len({received.span.trace_id for received in spans}) == 1
    tree = shape(spans)
    tree.remove(THINKING)
    # Both waits begin at the publication; of the first attempt's work, a killed worker tells nothing.
    again = JOURNEY[4]
    assert sorted(tree) == sorted([*JOURNEY, again])
    attempts = [
        (r.span.name, r.attributes["timokha.attempt"])
        for r in spans
        if r.span.name.endswith("requests") and "timokha.attempt" in r.attributes
    ]
    assert sorted(attempts) == [
        ("process timokha.requests", 2),
        ("queue timokha.requests", 1),
        ("queue timokha.requests", 2),
    ]
    assert accounted_for(spans) >= 0.95


async def test_a_dead_letter_belongs_to_the_trace_of_its_question(product, collector, nats_server):
    await product.start_userbot()
    await ask_a_worker_that_is_killed(product, collector, nats_server)
    await product.start("generate", GENERATE_ATTEMPTS="1")
    await product.replies(2)
    spans = await collector.arrived(*LAST)

    assert len({received.span.trace_id for received in spans}) == 1
    tree = shape(spans)
    for sent in ("send timokha.deadletters", "send timokha.replies"):
        assert ("generate", sent, "process timokha.requests") in tree
    [given_up] = [received for received in spans if received.span.name == "process timokha.requests"]
    assert given_up.attributes["error.type"] == "GaveUp"
    assert accounted_for(spans) >= 0.95


def way(spans: list) -> list[tuple[str, str, object]]:
    """From the root down to the answer's way out: service, span and the system it was on."""
    by_id = {received.span.span_id: received for received in spans}
    [last] = [one for one, place in zip(spans, shape(spans), strict=True) if place[1:] == ("send telegram", LAST[1])]
    steps = [last]
    while steps[0].span.parent_span_id:
        steps.insert(0, by_id[steps[0].span.parent_span_id])
    return [(one.service, one.span.name, one.attributes.get("messaging.system")) for one in steps]


async def test_a_question_over_rabbitmq_is_one_tree_too(product, collector, rabbitmq_url):
    await product.start_userbot()
    for name, settings in (("bridge", {}), ("generate", {"GENERATE_TRIGGER": "rabbitmq"})):
        await product.start(name, RABBITMQ_URL=rabbitmq_url, **settings)
    product.ask("привет")
    assert (await product.replies(2))[1] == "привет"
    # The bridge's and the worker's.
    spans = await collector.arrived("process timokha.requests", *LAST)

    assert len({received.span.trace_id for received in spans}) == 1
    assert way(spans) == [
        ("userbot", "receive telegram", "telegram"),
        ("userbot", "start answer", None),
        ("userbot", "send timokha.requests", "nats"),
        ("bridge", "process timokha.requests", "nats"),
        ("bridge", "send timokha.requests", "rabbitmq"),
        ("generate", "process timokha.requests", "rabbitmq"),
        ("generate", "send timokha.replies", "rabbitmq"),
        ("bridge", "process timokha.replies", "rabbitmq"),
        ("bridge", "send timokha.replies", "nats"),
        ("userbot", "process timokha.replies", "nats"),
        ("userbot", "deliver answer", None),
        ("userbot", "send telegram", "telegram"),
    ]
    beside = ["chat echo", "send telegram", "store question", *["queue timokha.replies", "queue timokha.requests"] * 2]
    assert sorted(received.span.name for received in spans) == sorted([*beside, *(name for _, name, _ in way(spans))])
    assert accounted_for(spans) >= 0.95


async def test_a_live_answer_adds_no_span_to_its_trace(product, collector):
    await product.start_userbot(USERBOT_LIVE="true")
    await product.start("generate", GENERATE_ECHO_DELAY="1.5")
    product.ask("один два три четыре")
    await product.grows_into("один два три четыре")
    spans = await collector.arrived(*LAST)

    tree = shape(spans)
    tree.remove(THINKING)
    assert tree == JOURNEY


async def test_an_approval_is_one_span_of_its_questions_trace(product, collector):
    await product.start_userbot(USERBOT_APPROVE="all")
    await product.start("generate")
    product.ask("привет")
    await product.approve()
    assert await product.replies(1) == ["привет"]
    received = await collector.arrived(*LAST)

    [root] = [one.span.trace_id for one in received if one.span.name == "receive telegram"]
    spans = [one for one in received if one.span.trace_id == root]
    draft, waited = ("userbot", "send telegram", "process timokha.replies"), "await approval"
    assert sorted(shape(spans)) == sorted([*JOURNEY, draft, ("userbot", waited, "process timokha.replies")])
    assert accounted_for(spans) >= 0.95
