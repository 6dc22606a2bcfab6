"""Feeding the parrot is a span with its attributes."""

from events.ids import RequestId
from tests.observability.conftest import Observed


def test_the_seeds_are_counted_and_nothing_else_is_told() -> None:
    observed = Observed("generate")
    with observed.telemetry.spans.feed_parrot(RequestId("acc", "42", "7"), seeds=3):
        pass
    [(name, span)] = observed.finished.items()
    assert name == "feed parrot"
    assert span.attributes["timokha.seeds"] == 3
    assert span.attributes["timokha.request_id"] == "acc.42.7.0"
