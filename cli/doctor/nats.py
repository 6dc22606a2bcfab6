"""Examine NATS."""

from collections.abc import Iterator
from datetime import timedelta

from cli.doctor.findings import PRODUCT_PARTS, Finding, doctor_in_service, note, ok, wrong
from events.errors import TimokhaError, TransportError
from events.extras import image
from events.jetstream.connection import JetStream, connect
from events.jetstream.faults import SET_UP
from events.jetstream.inspection import JetStreamInspection, clock_offset, find_unwritable, inspect
from events.runtime.clock import Clock
from events.settings import ProcessSettings
from events.subjects import edge_consumer

TOOLS_MAY_REMOVE = ("REQUESTS", "REPLIES", "DEADLETTERS")
USERBOT_MAY_REMOVE = {
    **{f"stream {name}": name for name in (*TOOLS_MAY_REMOVE, "FEEDBACK")},
    **{f"bucket {name}": f"KV_{name}" for name in ("chats", "marks")},
}
"""What the shipped users may remove messages from, and so ask whether it can be written."""

TOO_FULL = 0.8
"""The share of a stream's limit above which it is wrong: a full stream refuses questions."""


CLOCKS_DIFFER = timedelta(seconds=30)
"""Worth a line: above it, logs and traces of two machines are hard to read together."""


async def examine_nats(settings: ProcessSettings, clock: Clock) -> list[Finding]:
    """Examine JetStream; as the user of a part, who may not see it, whether NATS answers and lets the userbot write."""
    user = settings.nats_user if settings.nats_user in PRODUCT_PARTS else None
    try:
        async with connect(settings.nats_url, name=user or "doctor", access=settings.nats_access) as js:
            if user:
                who = doctor_in_service("tools") if image() else "`timokha doctor` as the user tools does"
                unseen = note(f"NATS: the user {user} may not see what is in it; {who}")
                full = await find_unwritable(js, USERBOT_MAY_REMOVE) if user == "userbot" else {}
                return [ok("NATS answers"), unseen, *map(wrong, full.values()), *await _compare_clocks(js, clock)]
            inspection = await inspect(js, may_remove=TOOLS_MAY_REMOVE if settings.nats_user == "tools" else None)
            found = _examine_topology(inspection)
            return [ok("NATS answers, and JetStream is on"), *found, *await _compare_clocks(js, clock)]
    except TimokhaError as error:
        return [wrong(str(error))]


async def _compare_clocks(js: JetStream, clock: Clock) -> list[Finding]:
    try:
        ahead = await clock_offset(js, clock)
    except TransportError:
        return []  # there is no stream, which is a finding of its own
    if abs(ahead) <= CLOCKS_DIFFER:
        return []
    seconds = round(ahead.total_seconds())
    how = f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} NATS'"
    return [wrong(f"clock: this machine's is {how}; set the one that is wrong, e.g. with `timedatectl set-ntp true`")]


def _examine_topology(found: JetStreamInspection) -> Iterator[Finding]:
    if found.is_empty:
        yield wrong(f"JetStream is empty: it was never set up, or the server has been given another store; {SET_UP}")
    elif found.missing:
        yield wrong(f"missing on JetStream: {', '.join(found.missing)}; {SET_UP}")
    for account in found.without_consumer:
        yield wrong(
            f"missing on JetStream: consumer {edge_consumer(account)}, which brings account {account} its answers;"
            f" start its userbot, or run `timokha setup --accounts {account}`"
        )
    yield from (wrong(fault) for fault in found.faults)
    if not found.missing and not found.faults and not found.without_consumer:
        yield ok("streams, consumers and buckets are in place")
    for stream, fill in found.fill.items():
        used = f"stream {stream} is {fill:.0%} full"
        if fill >= TOO_FULL:
            yield wrong(f"{used}: raise SETUP_MAX_BYTES or lower SETUP_MAX_AGE, then run `timokha setup`")
        elif fill >= TOO_FULL / 2:
            yield note(used)
