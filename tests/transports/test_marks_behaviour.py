"""What every store of marks promises: a key is dropped only as it was added."""

import json
from random import Random

import pytest
from nats.js import JetStreamContext

from cli.demo.nats_server import EmbeddedServer
from events import subjects
from events.errors import TransportError
from events.jetstream.api import subjects_of
from events.jetstream.connection import connect
from events.jetstream.marks import JetStreamMarks
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.answers import ANSWERS
from tests.retrying import RETRYING


def topology(js: JetStreamContext) -> Topology:
    return Topology(js, retrying=Retrying(SystemClock(), Random()))


async def test_a_mark_that_was_added_has_a_version(marks) -> None:
    assert await marks.version("a.1.2") is None
    version = await marks.add("a.1.2")
    assert await marks.version("a.1.2") == version


async def test_a_mark_is_ours_from_when_it_was_added_until_it_is_dropped(marks) -> None:
    assert not await marks.is_ours("a.1.2")
    version = await marks.add("a.1.2")
    assert await marks.is_ours("a.1.2")
    await marks.drop("a.1.2", version)
    assert not await marks.is_ours("a.1.2")


@pytest.mark.parametrize("value", ANSWERS.values(), ids=ANSWERS.keys())
async def test_what_a_server_was_made_to_write_in_a_marks_place_is_not_ours(js: JetStreamContext, value) -> None:
    marks = JetStreamMarks(js, subjects.MARKS_BUCKET)
    await marks.add("built.1")
    await js.publish("$KV.marks.built.1", value)
    assert not await marks.is_ours("built.1")
    await marks.add("built.1")
    assert await marks.is_ours("built.1")


async def test_versions_grow_over_all_keys(marks) -> None:
    versions = [await marks.add(key) for key in ("a.1.2", "a.1.3", "a.1.2")]
    assert versions == sorted(set(versions))


async def test_a_dropped_mark_is_gone_and_can_be_dropped_again(marks) -> None:
    version = await marks.add("a.1.2")
    await marks.drop("a.1.2", version)
    await marks.drop("a.1.2", version)
    assert await marks.version("a.1.2") is None
    assert list(await marks.keys("a.1.")) == []


async def test_a_mark_that_was_added_again_is_not_dropped_by_its_old_version(marks) -> None:
    other = await marks.add("a.1.3")
    old = await marks.add("a.1.2")
    new = await marks.add("a.1.2")
    await marks.drop("a.1.2", old)
    assert await marks.version("a.1.3") == other
    assert await marks.version("a.1.2") == new


async def test_marks_are_listed_by_prefix(marks) -> None:
    for key in ("a.1.2", "a.1.-3", "a.11.2", "b.1.2"):
        await marks.add(key)
    assert sorted(await marks.keys("a.1.")) == ["a.1.-3", "a.1.2"]


async def test_a_bucket_that_was_made_again_uses_no_version_twice(js: JetStreamContext) -> None:
    marks = JetStreamMarks(js, subjects.MARKS_BUCKET)
    before = [await marks.add(f"a.1.{number}") for number in range(5)]
    await js.delete_stream("KV_marks")
    with pytest.raises(TransportError, match="timokha setup"):
        await marks.keys("a.1.")
    await topology(js).ensure_buckets()
    after = [await marks.add(f"a.1.{number}") for number in range(5)]
    assert min(after) > max(before)
    for number, version in enumerate(before):
        await marks.drop(f"a.1.{number}", version)
    assert len(await marks.keys("a.1.")) == 5


@pytest.mark.parametrize("removed", ["delete", "purge"])
async def test_a_key_that_was_removed_by_hand_is_not_set(js: JetStreamContext, removed) -> None:
    """As with `nats kv del`, which leaves a message that says so."""
    marks = JetStreamMarks(js, subjects.MARKS_BUCKET)
    await marks.add("built.1")
    await getattr(await js.key_value(subjects.MARKS_BUCKET), removed)("built.1")
    assert await marks.version("built.1") is None


async def test_versions_grow_over_a_crash_of_the_server_with_no_mark_left(js: JetStreamContext, nats_server) -> None:
    marks = JetStreamMarks(js, subjects.MARKS_BUCKET)
    before = await marks.add("a.1.2")
    await marks.drop("a.1.2", before)
    await nats_server.kill()
    await nats_server.start()
    async with connect(nats_server.url, name="test") as again:
        assert await JetStreamMarks(again, subjects.MARKS_BUCKET).add("a.1.2") > before


async def test_a_bucket_whose_marks_could_not_be_dropped_is_refused(js: JetStreamContext) -> None:
    await js.delete_stream("KV_marks")
    await js.create_key_value(bucket="marks")
    with pytest.raises(TransportError, match="bucket marks has deny_delete=True, expected False; delete or fix it"):
        await topology(js).ensure_buckets()


async def test_a_bucket_that_was_never_made_asks_for_the_set_up(js: JetStreamContext) -> None:
    with pytest.raises(TransportError, match=r"bucket nothing could not be opened: .* run `timokha setup`"):
        await JetStreamMarks.open(js, "nothing", retrying=RETRYING)


class Pages:
    """A server that lists `page` subjects at a time; `meanwhile` happens after each page."""

    _prefix, _timeout = "$JS.API", 5

    def __init__(self, subjects: set[str], page: int, meanwhile=lambda left: None) -> None:
        self.left, self.page, self.meanwhile = subjects, page, meanwhile

    async def _api_request(self, subject: str, request: bytes, timeout: float) -> dict:
        offset = json.loads(request)["offset"]
        listed = sorted(self.left)
        answer = {
            "state": {"subjects": dict.fromkeys(listed[offset : offset + self.page], 1)},
            "total": len(listed),
        }
        self.meanwhile(self.left)
        return answer


def numbered(first: int, end: int) -> list[str]:
    return [f"a.{number:05}" for number in range(first, end)]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250, 1000])
async def test_all_pages_of_subjects_are_listed(count) -> None:
    pages = Pages(set(numbered(0, count)), 100)
    assert await subjects_of(pages, "KV_marks", "a.>", overlap=10) == numbered(0, count)


@pytest.mark.parametrize("gone", [5, 30, 99])
async def test_no_subject_is_passed_over_when_others_go_while_pages_are_read(gone) -> None:
    """The pages move up: what was on top of the next one is at the end of the last one."""
    going = iter(numbered(0, 900))

    def meanwhile(left: set[str]) -> None:
        left.difference_update([next(going, "") for _ in range(gone)])

    pages = Pages(set(numbered(0, 1000)), 100, meanwhile)
    found = await subjects_of(pages, "KV_marks", "a.>", overlap=10)
    assert set(found) >= pages.left
    assert found == sorted(set(found))


UNSYNCED = 'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{store}" }}\n'


@pytest.mark.slow
async def test_more_than_one_page_of_subjects_is_listed_by_a_real_server(tmp_path) -> None:
    configured = lambda port, store: UNSYNCED.format(port=port, store=store)  # noqa: E731 - a name would say no more
    async with EmbeddedServer(tmp_path, configured=configured) as server, connect(server.url, name="test") as js:
        await topology(js).ensure_buckets()
        for number in range(100_001):
            await js._nc.publish(f"$KV.marks.a.1.{number}")
            if number % 1000 == 0:
                await js._nc.flush()
        marks = JetStreamMarks(js, subjects.MARKS_BUCKET)
        await marks.add("b.1.2")
        assert len(await marks.keys("a.1.")) == 100_001
