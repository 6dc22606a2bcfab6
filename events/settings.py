"""Settings: typed, frozen, read once in the composition root; a bad one is one line that says what to do."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import from_json
from pydantic_settings import BaseSettings, SettingsConfigDict

from events.access import Access
from events.errors import SettingsError

MAX_DURATION = timedelta(days=36_500)
"""A time that far from now can still be counted, and is as good as never."""
MAX_SHOWN = 100
"""Characters of a bad value that are repeated."""


def _seconds(value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    seconds = float(value)
    if abs(seconds) > MAX_DURATION.total_seconds():
        raise ValueError(f"at most {MAX_DURATION.total_seconds():.0f} seconds")
    return timedelta(seconds=seconds)


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
"""A duration, written as a number of seconds."""
Json = BeforeValidator(lambda value: from_json(value) if isinstance(value, str) else value)
"""Marks a field that is written as JSON."""


class Positional:
    """Marks, in a field's annotation, what the command line takes without a `--name`."""


class Settings(BaseSettings):
    """What every command understands. Values come from options, the environment, `.env`, in this order.

    A field's variable is its alias, or the prefix and its name; its description says what it takes.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        enable_decoding=False,  # JSON that can't be read would be no ValidationError
    )

    capture_message_content: bool = Field(
        False,
        validation_alias="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        description="true or false: let message text into traces",
    )
    trace_file: Path | None = Field(
        None,
        validation_alias="TIMOKHA_TRACE_FILE",
        description="a file for spans that processes of one machine may share, read by `timokha trace`",
    )
    log_level: str = Field(
        "info",
        validation_alias="LOG_LEVEL",
        pattern="(?i)^(debug|info|warning|error)$",
        description="debug, info, warning or error",
    )

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Options that were `given` win. Raises SettingsError naming the variables that are missing or bad."""
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError("; ".join(_complaints(cls, error))) from None
        except UnicodeDecodeError as error:
            raise SettingsError(f".env is not UTF-8 (byte {error.start}); save it in that encoding") from None

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of a field."""
        alias = cls.model_fields[name].validation_alias
        if isinstance(alias, AliasChoices):
            alias = alias.choices[0]
        return str(alias) if alias else f"{cls.model_config.get('env_prefix', '')}{name}".upper()


class ProcessSettings(Settings):
    """A command that talks to NATS."""

    nats_url: str = Field(
        "nats://127.0.0.1:4222",
        validation_alias="NATS_URL",
        description="nats://host:port or tls://host:port; those of a cluster comma-separated",
    )
    nats_user: str | None = Field(
        None, validation_alias="NATS_USER", description="this process's user, where the server has users"
    )
    nats_password: SecretStr | None = Field(None, validation_alias="NATS_PASSWORD", description="that user's password")
    nats_credentials: Path | None = Field(
        None, validation_alias="NATS_CREDENTIALS", description="file of NATS credentials (.creds)"
    )
    nats_tls_ca: Path | None = Field(
        None,
        validation_alias="NATS_TLS_CA",
        description="PEM file with the authority that signs the server's certificate; TLS is then a must",
    )
    nats_tls_certificate: Path | None = Field(
        None, validation_alias="NATS_TLS_CERTIFICATE", description="PEM file with our own certificate, for mutual TLS"
    )
    nats_tls_key: Path | None = Field(
        None, validation_alias="NATS_TLS_KEY", description="PEM file with the key of our own certificate"
    )

    @property
    def nats_access(self) -> Access:
        """What `events.jetstream.connection.connect` takes."""
        return Access(
            user=self.nats_user,
            password=self.nats_password,
            credentials=self.nats_credentials,
            ca=self.nats_tls_ca,
            certificate=self.nats_tls_certificate,
            key=self.nats_tls_key,
        )


class RabbitMQSettings(ProcessSettings):
    """A command that may talk to RabbitMQ too."""

    rabbitmq_url: SecretStr = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/"),
        validation_alias="RABBITMQ_URL",
        description="amqp://user:password@host:port/vhost",
    )


def _complaints(settings: type[Settings], error: ValidationError) -> list[str]:
    complaints = []
    for problem in error.errors(include_url=False):
        if problem["type"] == "default_factory_not_called":
            continue  # it waits for a setting that is complained about
        variable, field = _field_of(settings, str(problem["loc"][0]) if problem["loc"] else "")
        takes = (field and field.description) or problem["msg"]
        if problem["type"] == "missing":
            complaints.append(f"{variable} is missing ({takes})")
        elif not problem["loc"]:
            complaints.append(problem["msg"].removeprefix("Value error, "))
        else:
            got = "***" if field and _is_secret(field) else _shown(problem["input"])
            complaints.append(f"{variable}: got {got}, it takes {takes}")
    return complaints


def _field_of(settings: type[Settings], location: str) -> tuple[str, FieldInfo | None]:
    for name, field in settings.model_fields.items():
        if location in (name, settings.variable(name)):
            return settings.variable(name), field
    return location, None


def _shown(value: object) -> str:
    """As it was written, or the start of it."""
    text = f"'{value.total_seconds():g}'" if isinstance(value, timedelta) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation) or field.annotation is SecretStr
