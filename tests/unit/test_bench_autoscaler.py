"""The formulas by which KEDA and the HPA scale, with the values that Kubernetes' documentation gives."""

from benchmarks.autoscaler import Autoscaler, ScaledObject

GIVEN = ScaledObject(max_replicas=20, lag_threshold=10)


def test_nothing_runs_until_there_is_more_to_do_than_the_activation_threshold() -> None:
    autoscaler = Autoscaler(ScaledObject(max_replicas=20, lag_threshold=10, activation_lag_threshold=5))
    assert autoscaler.poll(0, 5) == 0
    assert autoscaler.sync(0, 500) == 0, "the HPA leaves zero alone"
    assert autoscaler.poll(30, 6) == 1


def test_the_last_function_ends_a_cooldown_after_the_last_work() -> None:
    autoscaler = Autoscaler(GIVEN)
    autoscaler.poll(0, 1)
    assert autoscaler.poll(30, 1) == 1
    assert autoscaler.poll(329, 0) == 1
    assert autoscaler.poll(330, 0) == 0


def test_there_are_as_many_as_the_lag_needs_but_four_more_or_twice_as_many_at_once() -> None:
    autoscaler = Autoscaler(GIVEN, replicas=1)
    assert [autoscaler.sync(15 * n, 1000) for n in range(4)] == [5, 10, 20, 20]


def test_a_lag_within_a_tenth_of_the_target_changes_nothing() -> None:
    assert Autoscaler(GIVEN, replicas=10).sync(0, 109) == 10
    assert Autoscaler(GIVEN, replicas=10).sync(0, 111) == 12
    assert Autoscaler(GIVEN, replicas=10).sync(0, 91) == 10


def test_fewer_run_only_once_fewer_have_been_enough_for_the_whole_window() -> None:
    autoscaler = Autoscaler(GIVEN, replicas=10)
    assert autoscaler.sync(0, 100) == 10
    assert autoscaler.sync(15, 30) == 10
    assert autoscaler.sync(300, 30) == 10
    assert autoscaler.sync(301, 30) == 3
    assert autoscaler.sync(700, 0) == 1, "the last one is KEDA's"
