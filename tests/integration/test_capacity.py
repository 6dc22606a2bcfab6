"""Questions through one real nats-server and three, as `make bench PART=capacity` counts them."""

import pytest

from benchmarks.capacity import flood


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("nodes", [1, 3])
async def test_every_question_of_a_flood_is_answered_and_has_its_share_of_the_servers_time(
    tmp_path, monkeypatch, nodes
) -> None:
    monkeypatch.setattr(flood, "QUESTIONS", 100)
    found = await flood.measure(tmp_path, nodes)
    assert 0 < found["busiest_cpu_ms"] <= found["servers_cpu_ms"]
    assert found["per_second"] > 0
