"""What `timokha train …` can be told."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, NonNegativeFloat
from pydantic_settings import SettingsConfigDict

from events.settings import Seconds, Settings


class PrepareSettings(Settings):
    """From a chat export to dialogues."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    export: Path = Field(description="result.json of Telegram Desktop (format: machine-readable JSON)")
    owner: str | None = Field(
        None,
        description="whose voice to learn: a name, an id such as user123, or several ids with commas; "
        "an export of the whole account says it by itself",
    )
    out: Path = Field(description="the directory to write the dialogues to")
    session_gap: Seconds = Field(
        timedelta(hours=4), gt=timedelta(0), description="seconds of silence that end a session, above 0"
    )
    burst_gap: Seconds = Field(
        timedelta(minutes=3), ge=timedelta(0), description="seconds within which one person's messages are one turn"
    )
    context_turns: int = Field(8, ge=1, le=50, description="earlier turns in front of the owner's, 1 to 50")
    validation_share: NonNegativeFloat = Field(
        0.1, le=0.4, description="share of the dialogues for validation, 0 to 0.4"
    )
    test_share: NonNegativeFloat = Field(0.1, le=0.4, description="share of the dialogues for the final test, 0 to 0.4")
    blocklist: Path | None = Field(
        None, description="a text file, a word or phrase a line: messages that contain one are dropped"
    )
    bots: str = Field("", description="names or ids of bots in groups, with commas: what they say is dropped")
