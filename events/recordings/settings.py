"""What `timokha record` can be told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from events.recordings.pseudonyms import Texts
from events.settings import Positional, ProcessSettings


def _moment(value: object) -> object:
    """A number of seconds ago, or a time."""
    try:
        return datetime.now(UTC) - timedelta(seconds=float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value
    except OverflowError as error:
        raise ValueError(str(error)) from None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
MOMENT = "seconds ago, or a time such as 2026-11-24T12:00:00Z"


class RecordSettings(ProcessSettings):
    """Which questions, and what is left of those who asked."""

    model_config = SettingsConfigDict(env_prefix="RECORD_")

    file: Annotated[Path | None, Positional()] = Field(None, description="the file to write; without it the terminal")
    demo: Path | None = Field(
        None, description="the DEMO_DIRECTORY of a demo that has ended: its streams are read instead of NATS_URL's"
    )
    since: Moment | None = Field(None, description=f"only questions asked from then on: {MOMENT}")
    until: Moment | None = Field(None, description=f"only questions asked before: {MOMENT}")
    account: str = Field("*", pattern=r"^(\*|[A-Za-z0-9_-]{1,64})$", description="the id of one account")
    chat: str = Field("*", pattern=r"^(\*|[A-Za-z0-9_-]{1,64})$", description="the id of one chat")
    count: int | None = Field(None, ge=1, description="at most as many questions, the newest, 1 or more")
    pseudonymise: Texts | None = Field(
        None, description="keep, mask or replace: other ids, and what becomes of the texts; without it all stays"
    )
    key: SecretStr | None = Field(
        None, min_length=1, description="makes the same pseudonyms in several recordings; without it they differ"
    )
