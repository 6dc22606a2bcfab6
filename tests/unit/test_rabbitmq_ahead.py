"""When a worker on RabbitMQ takes the next request before it has a slot for it."""

from events.rabbitmq.subscription import Prefetching


def after(*seconds: float) -> bool:
    ahead = Prefetching()
    for each in seconds:
        ahead.record(each)
    return ahead.wanted


def test_nothing_is_known_at_first() -> None:
    assert not after()


def test_short_requests_make_the_next_one_welcome() -> None:
    assert after(0.02)


def test_a_long_request_would_keep_the_next_one_from_idle_workers() -> None:
    assert not after(0.5)
    assert not after(*[0.02] * 50, 5)


def test_one_slow_start_is_forgotten() -> None:
    assert after(0.5, *[0.02] * 20)


def test_a_little_noise_changes_nothing() -> None:
    assert after(*[0.03, 0.09] * 20)
    assert not after(0.12, *[0.06, 0.09] * 20)
