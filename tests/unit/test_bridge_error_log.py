"""However much a stranger sends: a line of each kind, and how many more there were."""

import asyncio

from structlog.testing import capture_logs

from bridge.queue_consumer import ErrorLog
from events.errors import MalformedEvent
from events.ids import RequestId
from events.runtime.log_throttle import EVERY


def test_a_thousand_bad_messages_are_a_line_of_each_kind(virtually) -> None:
    async def life(_: object) -> None:
        log_error = ErrorLog()
        for number in range(1000):
            log_error("request.refused", f"its body has {number} bytes of 'user {number}'")
            log_error("request.refused", "it has no reply_to")
        await asyncio.sleep(EVERY)
        log_error("request.refused", "its body has 7 bytes of 'x'", queue="q")

    with capture_logs() as logs:
        virtually(life)
    assert [(line["error"], line.get("left_out")) for line in logs] == [
        ("its body has 0 bytes of 'user 0'", None),
        ("it has no reply_to", None),
        ("its body has 7 bytes of 'x'", 999),
    ]


def test_a_thousand_made_up_request_ids_are_one_line(virtually) -> None:
    """With whatever quotes in them."""

    async def life(_: object) -> None:
        log_error = ErrorLog()
        for number in range(1000):
            letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
            for made_up in (f"{letters}'\"{letters}", f"{letters}\\'\"", f"?{letters}.2.3.0"):
                try:
                    RequestId.parse(made_up)
                except MalformedEvent as error:
                    log_error("reply.dropped", str(error))

    with capture_logs() as logs:
        virtually(life)
    assert len(logs) == 1
