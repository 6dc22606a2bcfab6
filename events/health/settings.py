"""Where a process keeps its health, and what `timokha health` can be told."""

from pathlib import Path

from pydantic import Field

from events.settings import Settings


class Watched(Settings):
    """A command that runs until it is stopped."""

    health_file: Path | None = Field(
        None,
        validation_alias="TIMOKHA_HEALTH_FILE",
        description="a file for `timokha health`, one for each process, best in memory (a tmpfs); without it none",
    )


class HealthSettings(Watched):
    """Which question is asked."""

    live: bool = Field(
        False,
        validation_alias="TIMOKHA_HEALTH_LIVE",
        description="true or false: ask only whether the event loop turns, not whether questions are answered now",
    )
