"""The list of await sites: where the product can wait, and nowhere else."""

from pathlib import Path

from tests.simulation.await_sites import IN_PLACE, LEAVING, OF_KURIGRAM, ROOT, site_of, sites
from tests.simulation.drawing import drawn
from tests.simulation.plan import Plan
from tests.simulation.suspending import AT_ONCE, at_once, awaits, unsuspending

SOURCE = """
class Box:
    async def put(self):
        await self._session.storage.save()

    async def fill(self):
        await self.put()
        await self.wait()
        async with asyncio.timeout(1):
            await other.put()

    async def wait(self):
        await event.wait()


async def begin():
    await Box.put()
"""


def test_an_await_of_what_never_suspends_is_no_site(tmp_path: Path) -> None:
    path = tmp_path / "box.py"
    path.write_text(SOURCE)
    text = SOURCE.splitlines()
    assert [text[line - 1].strip() for line in sorted(unsuspending([path])[path])] == [
        "await self._session.storage.save()",
        "await self.put()",
        "async with asyncio.timeout(1):",
        "await Box.put()",
    ]


def test_every_call_that_is_known_not_to_suspend_is_still_made() -> None:
    texts = [
        path.read_text(encoding="utf-8") for folder in ("edge", "events") for path in (ROOT / folder).rglob("*.py")
    ]
    assert [call for call in AT_ONCE if not any(f"{call}(" in text for text in texts)] == []


def test_what_is_known_not_to_suspend_in_a_file_is_still_there() -> None:
    for line in at_once():
        file, function, *called = line.split(" ")
        assert (function, "".join(called)) in awaits(ROOT / file), line


def test_sites_are_where_the_product_waits() -> None:
    known = {(site.file, site.function) for site in sites()}
    assert ("functions/worker/loop.py", "Worker._fetch_until") in known
    assert len(sites()) > 800


def test_the_same_function_of_another_version_is_no_site_of_this_one() -> None:
    """Nor does it hide ours: Python takes their codes for equal."""
    here = sites()[0]
    assert site_of(str(ROOT / "build/before/1" / here.file), here.function, here.line) is None
    assert site_of(str(ROOT / here.file), here.function, here.line) == here


def test_a_function_that_is_left_out_is_still_there() -> None:
    for named in (IN_PLACE + LEAVING + OF_KURIGRAM).split("\n"):
        file, _, function = named.partition(" ")
        assert not file or f"def {function.rpartition('.')[2]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_a_plan_is_the_same_when_it_is_read_again() -> None:
    plan = drawn(1)
    assert Plan.from_json(plan.to_json()) == plan
    assert all(crash.sites or crash.by for crash in plan.crashes)
