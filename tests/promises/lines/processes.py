"""How processes have ended."""

from dataclasses import dataclass

from tests.promises.lines import FOR_EVER

FORCED = "forced"
"""How a process ended that had not done so in time, and was killed."""


@dataclass(frozen=True)
class Process:
    """A process of the kind `process` that has ended. `how`: killed, terminated, forced, or by itself.

    `told_at`: when it was told to end, which may take `within` seconds.
    """

    process: str
    how: str
    code: int = 0
    told_at: float | None = None
    ended_at: float | None = None
    within: float = FOR_EVER
