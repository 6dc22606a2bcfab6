"""Settings: typed, frozen, read once in the composition root. An error is one line that says what to do."""

import math
from collections.abc import Mapping, Set
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, from_json
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from events import dotenv, toml_file
from events.dotenv import DOTENV
from events.files import absolute
from events.jetstream.addresses import Access
from events.names import did_you_mean, nearest, short_list
from events.setting_problems import UNKNOWN_KEY, BadSettings, setting_problems

MAX_DURATION = timedelta(days=36_500)
"""A duration that dates can still represent, and that is as good as for ever."""
MAX_KEY = 40
"""Characters of an unknown key that an error quotes."""


def _seconds(value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    try:
        seconds = float(value)
    except OverflowError:  # an integer in TOML may have any size
        seconds = math.inf
    if abs(seconds) > MAX_DURATION.total_seconds():
        raise ValueError(f"at most {MAX_DURATION.total_seconds():.0f} seconds")
    return timedelta(seconds=seconds)


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
"""A duration, written as a number of seconds."""


class Json:
    """Marks, in a field's annotation, what is written as JSON or as a table of TOML.

    Keys that are unknown to a model are an error.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        known: Mapping[str, object] | None = getattr(source, "model_fields", None)

        def read(value: object) -> object:
            given = from_json(value) if isinstance(value, str) else value
            if known is not None and isinstance(given, dict) and (problem := unknown_keys(given, known)):
                # Not as the template itself: keys may have braces.
                raise PydanticCustomError(UNKNOWN_KEY, "{problem}", {"problem": problem})
            return given

        return core_schema.no_info_before_validator_function(read, handler(source))


def unknown_keys(given: Mapping[str, object], known: Mapping[str, object]) -> str:
    """Return the error text for the unknown keys, empty if all are known."""
    return short_list(
        [f"there is no {key[:MAX_KEY]!r}{did_you_mean(nearest(key, known))}" for key in given if key not in known]
    )


class SettingSource(StrEnum):
    """Where a setting was read from."""

    ENVIRONMENT = "environment"
    DOTENV = ".env"
    TOML = "timokha.toml"


class Listed:
    """Marks, in a field's annotation, a list that is written with commas; in TOML it is an array."""


class PathLike:
    """Marks, in the annotation of a field that is no `Path`, a text that may be a path; its class makes it absolute."""


def is_path(field: FieldInfo) -> bool:
    """Return whether a field's value is, or may be, a path."""
    return "Path" in str(field.annotation) or _is_marked(field, PathLike)


class Positional:
    """Marks, in a field's annotation, an argument of the command line without a `--name`."""


class Settings(BaseSettings):
    """The settings of every command. Values come from options, environment, `.env` and `timokha.toml`, in this order.

    A field's variable is its alias, or the prefix and its name; its description says what it takes.
    Every path is absolute, resolved against the working directory at the time of reading.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        enable_decoding=False,  # JSON that can't be read would be no ValidationError
    )

    capture_message_content: bool = Field(
        False,
        validation_alias="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        description="true or false: record message text in traces",
    )
    trace_file: Path | None = Field(
        None,
        validation_alias="TIMOKHA_TRACE_FILE",
        description="a file for spans, which the processes of one machine may share; `timokha trace` reads it",
    )
    log_level: str = Field(
        "info",
        validation_alias="LOG_LEVEL",
        pattern="(?i)^(debug|info|warning|error)$",
        description="debug, info, warning or error",
    )

    @field_validator("*", mode="after")
    @classmethod
    def _absolute_paths(cls, value: object) -> object:
        return absolute(value) if isinstance(value, Path) else value

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, bool) and "bool" not in str(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("true and false are no value for it")
        return value

    def variables_for_child(self) -> dict[str, str]:
        """Return what the environment or a file sets, as variables for a process with another working directory."""
        return {
            self.variable(name): self.absolute_text(name, text)
            for name, (_, text) in self.sources().items()
            if text.strip()
        }

    def absolute_text(self, name: str, text: str) -> str:
        """Return `text`, a field's value as it was written, with a path made absolute."""
        return str(getattr(self, name)) if is_path(type(self).model_fields[name]) else text

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Read the settings; `given` options win. Raises SettingsError naming the variables that are missing or bad."""
        try:
            return cls(**{cls._key(name): value for name, value in given.items()})
        except ValidationError as error:
            in_file = {name for name, (origin, _) in cls.sources().items() if origin is SettingSource.TOML} - set(given)
            raise BadSettings(list(setting_problems(error, partial(cls._field_of, in_file=in_file)))) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Replace the reader of `.env` by ours, which skips no line, and add `timokha.toml`."""
        in_file = {cls._key(name): value for name, value in cls.values_in_file().items()}
        return init_settings, env_settings, DotEnv(settings_cls), InitSettingsSource(settings_cls, in_file)

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the environment variable of a field."""
        alias = cls.model_fields[name].validation_alias
        if isinstance(alias, AliasChoices):
            alias = alias.choices[0]
        return str(alias) if alias else f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    @classmethod
    def sources(cls) -> Mapping[str, tuple[SettingSource, str]]:
        """Return the source and the unparsed value of each field that is set. Raises SettingsError."""
        found = {name: (SettingSource.TOML, toml_file.text(value)) for name, value in cls.values_in_file().items()}
        for origin, source in (
            (SettingSource.DOTENV, DotEnv(cls)),
            (SettingSource.ENVIRONMENT, EnvSettingsSource(cls)),
        ):
            for name, field in cls.model_fields.items():
                text, _, _ = source.get_field_value(field, name)
                if text is not None:
                    found[name] = (origin, text)
        return found

    @classmethod
    def values_in_file(cls) -> Mapping[str, object]:
        """Return the values of fields in `timokha.toml`; an empty text counts as unset. Raises SettingsError."""
        written = toml_file.read()
        found: dict[str, object] = {}
        for name, field in cls.model_fields.items():
            value = written.get(toml_file.Place.of(cls.variable(name)), "")
            if value != "" and not _is_marked(field, Positional):
                found[name] = toml_file.text(value) if _is_marked(field, Listed) else value
        return found

    @classmethod
    def _key(cls, name: str) -> str:
        """Return pydantic's key of a field. `populate_by_name` would give each field another, undocumented variable."""
        field = cls.model_fields.get(name)
        return cls.variable(name) if field and field.validation_alias else name

    @classmethod
    def _field_of(cls, location: str, *, in_file: Set[str]) -> tuple[str, FieldInfo | None]:
        """Return what errors call a field: its variable, or its place if its value is of `timokha.toml`."""
        for name, field in cls.model_fields.items():
            if location in (name, variable := cls.variable(name)):
                place = f"{toml_file.title()}, {toml_file.Place.of(variable)}"
                return place if name in in_file else variable, field
        return location, None


def _is_marked(field: FieldInfo, mark: type) -> bool:
    return any(isinstance(one, mark) for one in field.metadata)


class DotEnv(EnvSettingsSource):
    """The variables in `.env`."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        """Raises SettingsError."""
        lines = dotenv.read(DOTENV)
        found = dotenv.values(lines)
        # In the order of lines: if names differ only in case, the last one wins.
        return {line.name.lower(): value for line in lines if (value := found[line.name])}


class ProcessSettings(Settings):
    """A command that uses NATS."""

    nats_url: Annotated[str, Listed()] = Field(
        "nats://127.0.0.1:4222",
        validation_alias="NATS_URL",
        description="nats://host:port or tls://host:port; for a cluster several, comma-separated",
    )
    nats_user: str | None = Field(
        None, validation_alias="NATS_USER", description="the user of this process, if the server has users"
    )
    nats_password: SecretStr | None = Field(None, validation_alias="NATS_PASSWORD", description="that user's password")
    nats_credentials: Path | None = Field(
        None, validation_alias="NATS_CREDENTIALS", description="file of NATS credentials (.creds)"
    )
    nats_tls_ca: Path | None = Field(
        None,
        validation_alias="NATS_TLS_CA",
        description="PEM file with the authority that signs the server's certificate; requires TLS",
    )
    nats_tls_certificate: Path | None = Field(
        None, validation_alias="NATS_TLS_CERTIFICATE", description="PEM file with our own certificate, for mutual TLS"
    )
    nats_tls_key: Path | None = Field(
        None, validation_alias="NATS_TLS_KEY", description="PEM file with the key of our own certificate"
    )

    @property
    def nats_access(self) -> Access:
        """The value for `events.jetstream.connection.connect`."""
        return Access(
            user=self.nats_user,
            password=self.nats_password,
            credentials=self.nats_credentials,
            ca=self.nats_tls_ca,
            certificate=self.nats_tls_certificate,
            key=self.nats_tls_key,
        )


class RabbitMQSettings(ProcessSettings):
    """A command that may use RabbitMQ too."""

    rabbitmq_url: SecretStr = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/"),
        validation_alias="RABBITMQ_URL",
        description="amqp://user:password@host:port/vhost",
    )


class ServiceSettings(Settings):
    """A command that runs until it is stopped."""

    health_file: Path | None = Field(
        None,
        validation_alias="TIMOKHA_HEALTH_FILE",
        description="a file for `timokha health`, a different one for each process, best on a tmpfs; by default none",
    )


class HealthSettings(ServiceSettings):
    """The check of a service's health."""

    live: bool = Field(
        False,
        validation_alias="TIMOKHA_HEALTH_LIVE",
        description="true or false: check only whether the event loop runs, not whether questions are answered now",
    )
