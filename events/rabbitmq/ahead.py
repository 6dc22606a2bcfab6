"""Whether the next request should be here before a slot is free for it.

Its way from the broker takes a few milliseconds, which count where a request takes 20. Where one takes seconds they do
not, and the next would wait behind it while other workers are idle.
"""

SHORT, LONG = 0.05, 0.1
"""Seconds from taking a request to settling it, on average: below the one begin, above the other end to be ahead."""

WEIGHT = 0.2
"""Of the latest request in the average."""


class Ahead:
    """Learns from every request; `wanted` says what follows."""

    def __init__(self) -> None:
        self.wanted = False
        self._mean: float | None = None

    def took(self, seconds: float) -> None:
        """A request is done."""
        self._mean = seconds if self._mean is None else self._mean + WEIGHT * (seconds - self._mean)
        self.wanted = self._mean < (LONG if self.wanted else SHORT)
