"""Restored backups in plans."""

from tests.simulation.drawing import drawn
from tests.simulation.rare_blows import FAMILIES


def test_some_plans_restore_a_backup_and_only_where_there_are_chats_alone() -> None:
    plans = [drawn(seed) for seed in range(400)]
    restored = [plan for plan in plans if any(blow.what.startswith("backup_") for blow in plan.blows)]
    assert 10 < len(restored) < 40
    assert {blow.what for plan in restored for blow in plan.blows} >= {"backup_running", "backup_stopped"}
    for plan in restored:
        assert not any((plan.rabbitmq, plan.codec, plan.group, plan.has_version_before))


def test_backups_have_chances_of_their_own() -> None:
    (family,) = (family for family in FAMILIES if family.name == "backup")
    plan = next(plan for plan in map(drawn, range(400)) if list(family.drawn(plan)))
    assert list(family.drawn(plan)) == list(family.drawn(plan))
