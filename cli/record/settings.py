"""What `timokha record` can be told."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, PlainValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from events.recordings.pseudonyms import TextPolicy
from events.settings import MAX_DURATION, Positional, ProcessSettings


def _moment(value: object) -> datetime | timedelta:
    """A number of seconds ago, or a time."""
    if isinstance(value, datetime | timedelta):
        moment: datetime | timedelta = value
    else:
        text = str(value).strip()
        try:
            moment = timedelta(seconds=float(text))
        except ValueError:
            moment = datetime.fromisoformat(text)
        except OverflowError as error:
            raise ValueError(str(error)) from None
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("its time zone is missing")
    if isinstance(moment, timedelta) and abs(moment) > MAX_DURATION:
        raise ValueError("that is too long ago")
    return moment


def at(moment: datetime | timedelta | None, now: datetime) -> datetime | None:
    """The time that is meant."""
    return now - moment if isinstance(moment, timedelta) else moment


Moment = Annotated[datetime | timedelta, PlainValidator(_moment)]
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
    pseudonymise: TextPolicy | None = Field(
        None, description="keep, mask or replace: other ids, and what becomes of the texts; without it all stays"
    )
    key: SecretStr | None = Field(
        None, min_length=1, description="makes the same pseudonyms in several recordings; without it they differ"
    )
