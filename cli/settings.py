"""The settings of the commands that stand in `cli/`; each is an option and a variable.

Every command imports this module to know all names that can be set, so it imports no vendor.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from events.recordings.pseudonyms import TextPolicy
from events.settings import MAX_DURATION, Listed, Positional, ProcessSettings, RabbitMQSettings, Seconds, Settings
from functions.generate.settings import GenerateSettings


class DeadLettersSettings(ProcessSettings):
    """`timokha deadletters list`."""


class DeadLetterSettings(ProcessSettings):
    """`timokha deadletters show` and `drop`: one dead letter."""

    id: Annotated[str, Positional()] = Field(
        validation_alias="DEADLETTER", description="a request id, as `timokha deadletters list` shows it"
    )


class ResendSettings(DeadLetterSettings):
    """`timokha deadletters resend`."""

    deadline: Seconds = Field(
        timedelta(seconds=120),
        gt=timedelta(0),
        validation_alias="USERBOT_DEADLINE",
        description="seconds for a request from RabbitMQ, above 0; the userbot sets its own questions' deadline",
    )


class DemoSettings(ProcessSettings):
    """`timokha demo`; the processes that it starts read their own variables (GENERATE_*, USERBOT_*) as well."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")

    directory: Path | None = Field(
        None,
        description="a directory for logs and streams, for one demo at a time; by default they are deleted at the end",
    )
    trace: bool = Field(False, description="true or false: show the trace of each answer")
    owner: bool = Field(
        False,
        description="true or false: show the owner's side of the chat as well; answers wait for approval unless"
        " USERBOT_APPROVE says otherwise",
    )
    business: bool = Field(
        False,
        description="true or false: a bot that the owner has connected answers, instead of a userbot; needs kurigram",
    )
    twin: bool = Field(
        False,
        description="true or false: the guest needs no prefix, and lines in quick succession become one question",
    )


class DoctorSettings(RabbitMQSettings):
    """`timokha doctor`: the parts that run here; the variables of these parts say what to examine."""

    model_config = SettingsConfigDict(env_prefix="DOCTOR_")

    parts: Annotated[str, Listed()] = Field(
        "userbot,generate",
        pattern="^(none|(userbot|business|generate|bridge)(,(userbot|business|generate|bridge))*)$",
        description="the parts that run on this machine: userbot, business, generate, bridge, comma-separated, or none",
    )
    persona: str = Field(
        "", validation_alias="USERBOT_PERSONA", description="the userbot's, to say where it is left out on the way"
    )


def _moment(value: object) -> datetime | timedelta:
    """Return the time, or the timedelta before now, that `value` says."""
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


Moment = Annotated[datetime | timedelta, PlainValidator(_moment)]
"""A time, or how long before now it is."""
MOMENT = "seconds ago, or a time such as 2026-11-24T12:00:00Z"


class RecordSettings(ProcessSettings):
    """`timokha record`: which questions to save, and how to pseudonymise them."""

    model_config = SettingsConfigDict(env_prefix="RECORD_")

    file: Annotated[Path | None, Positional()] = Field(
        None, description="the file to write; by default standard output"
    )
    demo: Path | None = Field(
        None, description="the DEMO_DIRECTORY of a demo that has ended, to read its streams instead of NATS_URL's"
    )
    since: Moment | None = Field(None, description=f"only questions asked from then on: {MOMENT}")
    until: Moment | None = Field(None, description=f"only questions asked before: {MOMENT}")
    account: str = Field("*", pattern=r"^(\*|[A-Za-z0-9_-]{1,64})$", description="the id of one account; * for all")
    chat: str = Field("*", pattern=r"^(\*|[A-Za-z0-9_-]{1,64})$", description="the id of one chat; * for all")
    count: int | None = Field(None, ge=1, description="the most questions to save, the newest ones, 1 or more")
    pseudonymise: TextPolicy | None = Field(
        None, description="keep, mask or replace the texts, and replace the ids; by default nothing changes"
    )
    feedback: bool = Field(
        False,
        description="true or false: save the answers that readers have judged, with their conversations and votes,"
        " for `timokha train prepare`",
    )
    key: SecretStr | None = Field(
        None,
        min_length=1,
        description="a key that gives the same pseudonyms in several recordings; by default they differ",
    )


Speed = Literal["original", "maximal"]


class ReplaySettings(GenerateSettings):
    """`timokha replay`, into a live system or, with `handler`, into a generate function in this process."""

    file: Annotated[Path | None, Positional()] = Field(
        None, validation_alias="REPLAY_FILE", description="a file that `timokha record` wrote"
    )
    handler: bool = Field(
        False,
        validation_alias="REPLAY_HANDLER",
        description="true or false: replay into a generate function in this process, without brokers",
    )
    speed: Speed = Field(
        "maximal", validation_alias="REPLAY_SPEED", description="original or maximal: how fast the questions are asked"
    )
    in_flight: int = Field(
        8,
        ge=1,
        le=1024,
        validation_alias="REPLAY_IN_FLIGHT",
        description="questions in flight at maximal speed into a live system, 1 to 1024",
    )


class SandboxSettings(Settings):
    """`timokha sandbox`."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="the address to listen on; only this machine should reach it, because anyone can sign in",
    )
    port: int = Field(4430, ge=0, le=65535, description="the port to listen on, 0 to 65535; 0: a free one")
    directory: Path = Field(
        Path(".timokha/sandbox"),
        description="a directory for its public key and the userbot's settings and session, for one sandbox at a time",
    )
    signed_in: bool = Field(
        False, description="true or false: write a session for the userbot that is already signed in"
    )


class SetupSettings(RabbitMQSettings):
    """`timokha setup`: how long and how much the streams keep, and for which accounts to make consumers."""

    model_config = SettingsConfigDict(env_prefix="SETUP_")

    accounts: Annotated[str | None, Listed()] = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$",
        description="ids of the Telegram accounts whose consumers are created in advance, comma-separated",
    )
    max_age: Seconds = Field(
        timedelta(hours=24),
        ge=timedelta(minutes=1),
        description="seconds that requests, replies and feedback are kept, 60 or more",
    )
    deadletter_max_age: Seconds = Field(
        timedelta(days=7), ge=timedelta(minutes=1), description="seconds that dead letters are kept, 60 or more"
    )
    max_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        description="bytes that each of the three streams may take, 1048576 or more",
    )
    replicas: int = Field(
        1, ge=1, le=5, description="copies of every stream and bucket, 1 to 5; more than 1 needs a cluster"
    )
    wait: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds to wait for a broker that can't be reached yet, 0 or more; compose.yaml has 60",
    )


class TraceSettings(Settings):
    """`timokha trace`, which reads the spans that processes with the same TIMOKHA_TRACE_FILE have written."""

    model_config = SettingsConfigDict(env_prefix="TRACE_")

    id: Annotated[str | None, Positional()] = Field(None, description="a request id, or the start of a trace id")
    last: bool = Field(False, description="true or false: show the newest trace")
