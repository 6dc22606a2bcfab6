"""A short storm: each kind of process is killed once under load, and one of each cheap fault strikes.

The owners are in charge meanwhile.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from edge.sandbox.business_types import HAS_BUSINESS
from tests.chaos.faults import NOT_WITH_ACCOUNTS

ROOT = Path(__file__).parents[2]
QUESTIONS = 60
PATIENCE = 450
"""Seconds. It takes about 60, on a busy machine too; whoever stays busy is waited for another 240."""
OUTCOMES = ("answered_once", "failed_told", "ignored_busy", "lost_with_store", "unreadable", "undeliverable", "erased")
OWNERS = ("taken_over", "paused", "denied", "cancelled", "rejected", "expired", "joined", "day_limit")
TWINS = ("joined", "deleted", "doubtful", "hour_limit")
NEVER = ("lost", "answered_twice", "left_busy", "forced_kills", "watchdog_ends", "tracebacks")
FAULTS = {
    "terminations": 2,
    "bad_messages": 2,
    "refused_replies": 1,
    "passing_refusals": 1,
    "refused_sends": 1,
    "stuck_slices": 1,
    "deleted_consumers": 1,
    "emptied_stores": 1,
    "unrecorded_answers": 1,
    "malformed_replies": 1,
    "odd_hints": 1,
    "unreadable_records": 1,
    "deleted_marks": 1,
}


@pytest.mark.timeout(PATIENCE + 60)  # the rest to end in order
@pytest.mark.parametrize(
    ("accounts", "owned"),
    [(False, True), *(pytest.param(*both, marks=pytest.mark.slow) for both in ((True, True), (False, False)))],
)
async def test_a_short_storm_loses_nothing_answers_nothing_twice_and_leaves_nobody_busy(
    tmp_path, accounts, owned
) -> None:
    output = tmp_path / "chaos.json"
    settings = {"CHAOS_SEED": "7", "CHAOS_KILLS": "7", "CHAOS_QUESTIONS": str(QUESTIONS), "CHAOS_OUTPUT": str(output)}
    chosen = {"CHAOS_ACCOUNTS": str(accounts).lower(), "CHAOS_OWNER": str(owned).lower()}
    own = {**chosen, "CHAOS_DIRECTORY": str(tmp_path / "world")}
    code, said = await finished({**settings, **own})
    assert code == 0, said[-2000:]
    report = json.loads(output.read_text())
    silent = sum(report[kind] for kind in OWNERS)
    assert sum(report[kind] for kind in OUTCOMES) + silent == report["questions"] == QUESTIONS
    assert bool(silent) == bool(report["acts"]) == owned
    assert {key: report[key] for key in NEVER} == dict.fromkeys(NEVER, 0)
    assert report["answered_once"] >= (15 if owned else 30)
    faults = {name: 0 if accounts and name in NOT_WITH_ACCOUNTS else count for name, count in FAULTS.items()}
    assert {name: report.get(name, 0) for name in faults} == faults
    kinds = ("userbot", "bot", "generate", "bridge", "nats", "rabbitmq", "generate-rabbitmq")
    each = dict.fromkeys(kinds, 1) if report["rabbitmq"] else {"userbot": 2, "bot": 2, "generate": 2, "nats": 1}
    assert {kind: kills for kind, kills in report["kills"].items() if kills} == each
    for account in report["accounts"].values():
        assert sum(account[kind] for kind in (*OUTCOMES, *OWNERS)) == account["questions"]
        assert account["answered_once"] >= (5 if owned else 10)
    assert set(report) >= {"seed", "freezes", "cuts", "recovery_seconds", "stops", "exits", "restart_loops"}


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 60)
@pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections: they are tested with kurigram")
async def test_a_short_storm_around_business_connections_costs_no_question(tmp_path) -> None:
    output = tmp_path / "chaos.json"
    settings = {"CHAOS_SEED": "7", "CHAOS_KILLS": "7", "CHAOS_QUESTIONS": str(QUESTIONS), "CHAOS_OUTPUT": str(output)}
    own = {"CHAOS_BUSINESS": "true", "CHAOS_DIRECTORY": str(tmp_path / "world")}
    code, said = await finished({**settings, **own})
    assert code == 0, said[-2000:]
    report = json.loads(output.read_text())
    assert sum(report[kind] for kind in OUTCOMES) == report["questions"] == QUESTIONS
    assert {key: report[key] for key in NEVER} == dict.fromkeys(NEVER, 0)
    assert report["answered_once"] >= 30
    assert report["kills"]["business"]
    assert report["changed_connections"]
    assert [account["answered_once"] >= 10 for account in report["accounts"].values()] == [True, True]


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 60)
async def test_a_short_storm_around_bursts_loses_no_message_without_the_prefix(tmp_path) -> None:
    output = tmp_path / "chaos.json"
    settings = {"CHAOS_SEED": "7", "CHAOS_KILLS": "7", "CHAOS_QUESTIONS": "120", "CHAOS_OUTPUT": str(output)}
    own = {"CHAOS_TWIN": "true", "CHAOS_DIRECTORY": str(tmp_path / "world")}
    code, said = await finished({**settings, **own})
    assert code == 0, said[-2000:]
    report = json.loads(output.read_text())
    assert sum(report[kind] for kind in (*OUTCOMES, *TWINS)) == report["questions"] == 120
    assert {key: report[key] for key in NEVER} == dict.fromkeys(NEVER, 0)
    assert report["answered_once"] >= 40
    assert report["answers_without_prefix"]["to_several_messages"] >= 5
    assert min(report["group"][what] for what in ("answered_once", "without_prefix", "remarks")) >= 5


async def finished(settings: dict[str, str]) -> tuple[int | None, str]:
    """The storm's exit code, and what it said. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.run",
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            # In order: it has started others.
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
            print(said.decode()[-2000:])
    return process.returncode, said.decode()
