"""What `timokha deadletters …` can be told."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from events.settings import Positional, ProcessSettings, Seconds


class DeadLettersSettings(ProcessSettings):
    """All dead letters."""


class DeadLetterSettings(ProcessSettings):
    """One dead letter."""

    id: Annotated[str, Positional()] = Field(
        validation_alias="DEADLETTER", description="a request id, as `timokha deadletters list` shows it"
    )


class ResendSettings(DeadLetterSettings):
    """One dead letter that is asked again."""

    deadline: Seconds = Field(
        timedelta(seconds=120),
        gt=timedelta(0),
        validation_alias="USERBOT_DEADLINE",
        description="seconds for a request from RabbitMQ, above 0; the userbot sets its own questions' deadline",
    )
