"""The figures of `make bench PART=bursts`."""

from benchmarks.bursts import figures


def test_medians_are_compared() -> None:
    seconds = {"prefix": [0.1, 0.1, 9.0], "question": [1.1, 1.1, 1.2], "statement": [1.6, 1.5, 1.7]}
    assert figures(seconds) == {
        "prefix_ms": 100.0,
        "question_ms": 1100.0,
        "statement_ms": 1600.0,
        "question_waits_longer_seconds": 1.0,
        "question_ratio": 11.0,
    }
