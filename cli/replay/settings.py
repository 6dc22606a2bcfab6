"""What `timokha replay` can be told: with `--handler`, everything that `timokha generate` can be told as well."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cli.replay.player import Speed
from events.settings import Positional
from functions.generate.settings import GenerateSettings


class ReplaySettings(GenerateSettings):
    """Into a live system, or straight into the generate function."""

    file: Annotated[Path | None, Positional()] = Field(
        None, validation_alias="REPLAY_FILE", description="a file that `timokha record` wrote"
    )
    handler: bool = Field(
        False,
        validation_alias="REPLAY_HANDLER",
        description="true or false: into a generate function in this process, without brokers",
    )
    speed: Speed = Field(
        "maximal", validation_alias="REPLAY_SPEED", description="original or maximal: how fast the questions are asked"
    )
    in_flight: int = Field(
        8,
        ge=1,
        le=1024,
        validation_alias="REPLAY_IN_FLIGHT",
        description="how many questions at once at maximal speed into a live system, 1 to 1024",
    )
