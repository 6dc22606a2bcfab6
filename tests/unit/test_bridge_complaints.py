"""However much a stranger sends: a line of each kind, and how many more there were."""

import asyncio

from structlog.testing import capture_logs

from bridge.complaints import Complaints
from events.runtime.seldom import EVERY


def test_a_thousand_bad_messages_are_a_line_of_each_kind(virtually) -> None:
    async def life(_: object) -> None:
        complain = Complaints()
        for number in range(1000):
            complain("request.refused", f"its body has {number} bytes of 'user {number}'")
            complain("request.refused", "it has no reply_to")
        await asyncio.sleep(EVERY)
        complain("request.refused", "its body has 7 bytes of 'x'", queue="q")

    with capture_logs() as logs:
        virtually(life)
    assert [(line["error"], line.get("left_out")) for line in logs] == [
        ("its body has 0 bytes of 'user 0'", None),
        ("it has no reply_to", None),
        ("its body has 7 bytes of 'x'", 999),
    ]
