"""Real functions, as many as KEDA and the HPA would let run: none, many, none, and every question is answered."""

import pytest

from benchmarks import elastic


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_burst_wakes_functions_and_all_of_it_is_answered_before_the_last_one_ends(tmp_path) -> None:
    run = await elastic.scaled(tmp_path, elastic.QUESTIONS)
    assert run.answered == elastic.QUESTIONS
    assert run.points[0] == (0.0, 0, 0, 0)
    assert run.most == elastic.GIVEN.max_replicas
    assert run.at_zero
    assert run.last_answer
    assert run.at_zero > run.last_answer
