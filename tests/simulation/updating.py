"""What a plan has besides if the version before takes part: the processes that begin as it, and their updates."""

from dataclasses import replace
from random import Random

from tests.promises.lines import BOT
from tests.simulation.plan import SAID_UNTIL, VERSION_CHANGED, Blow, Plan

VERSIONS = 0.25
"""The share of plans in which the version before takes part, and the share of the processes that it begins as:"""
BEFORE = 0.5
MENDED_SINCE = ("delivered_twice", "edge_record_broken")
"""Blows after which the version before breaks a promise: its workers give up what is answered; a draft stays behind."""
LOST_BY_BOTS = "telegram_stuck"
"""Likewise of a bot: after five differences that don't advance it takes up what comes then, and not what it missed."""


def with_version_before(plan: Plan) -> Plan:
    """Let some of the processes be the version before, and change while all goes on.

    Only with one edge, as two would both use what the last one has made of pyrogram, and without what the version
    before lacks or does wrong.
    """
    chance = Random(f"updates {plan.seed}")
    if chance.random() >= VERSIONS or len(plan.edges) > 1 or plan.group:
        return plan
    changes = [
        Blow(round(chance.uniform(0, SAID_UNTIL), 3), VERSION_CHANGED, whom, round(chance.random() / 2, 3))
        for whom in (plan.edges[0], *chance.sample(plan.processes, 2))
        for _ in range(chance.randint(0, 2))
    ]
    before = tuple(name for name in plan.processes if chance.random() < BEFORE)
    mended = {*MENDED_SINCE, *([LOST_BY_BOTS] if plan.edges[0] == BOT else ())}
    known = (blow for blow in plan.blows if blow.what not in mended)
    return replace(plan, before=before, blows=(*known, *changes))
