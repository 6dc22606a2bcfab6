"""The settings of `timokha generate`."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_cache_dir
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from events.settings import PathLike, RabbitMQSettings, Seconds, ServiceSettings
from functions.generate.models.sources import resolve_source
from functions.generate.registry import ENGINES, TRIGGERS, EngineEntry, ModelSource, alternatives

MAX_INPUT_TOKENS = 1024
MAX_THOUGHT_TOKENS = 1024
ATTEMPTS = 5
_SLOTS_OF_A_BATCH = 16


class Arithmetic(StrEnum):
    """How the openvino engine computes with activations. With each, batching does not change an answer."""

    AUTO = "auto"
    """`fast` on processors where it is faster, else `exact`."""
    EXACT = "exact"
    """In float32: only the weights are rounded."""
    FAST = "fast"
    """Rounded to 8 bits before each product."""


class Vocabulary(StrEnum):
    """Which tokens a model can write."""

    TALK = "talk"
    """Of a large vocabulary only the tokens that conversation needs; other text is written byte by byte."""
    ALL = "all"
    """All of its vocabulary."""


class VoiceName(StrEnum):
    """How the default model speaks."""

    TIMOKHA = "timokha"
    """Like the talks that were written for this project."""
    NONE = "none"
    """As its makers released it."""


class Decoding(StrEnum):
    """How an answer is chosen."""

    SAMPLING = "sampling"
    """As each request says."""
    ORIGINAL = "original"
    """Like the original bot, regardless of the request: 20 sampled beams, one of three answers."""


Bits = Annotated[Literal[8, 4], BeforeValidator(lambda value: int(value) if str(value).isdecimal() else value)]


def _one_of(table: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in table:
            raise ValueError(f"it takes {alternatives(table)}")
        return name

    return AfterValidator(check)


def _named_with_notes() -> Iterator[str]:
    for name, engine in ENGINES.items():
        yield f"{name} ({engine.about})" if engine.about else name


def _readers(option: str) -> str:
    """Return the engines that read the setting `option`, as descriptions name them."""
    return f"for the {' and '.join(name for name, engine in ENGINES.items() if option in engine.options)} engine"


def _default_slots(engine: str | None) -> int:
    """Return 1 for an engine that does not batch: more slots would only keep requests from other workers."""
    return _SLOTS_OF_A_BATCH if engine in ENGINES and ENGINES[engine].batches else 1


class GenerateSettings(ServiceSettings, RabbitMQSettings):
    """One stateless generate function."""

    model_config = SettingsConfigDict(env_prefix="GENERATE_")

    engine: Annotated[str, _one_of(ENGINES)] = Field("openvino", description=alternatives(_named_with_notes()))
    bits: Bits = Field(8, description=f"bits per weight, 8 or 4, {_readers('bits')}")
    arithmetic: Arithmetic = Field(
        Arithmetic.AUTO,
        description="auto (what is fastest on this processor), exact (float32) or fast (rounded to 8 bits), "
        f"{_readers('arithmetic')}",
    )
    vocabulary: Vocabulary = Field(
        Vocabulary.TALK,
        description="talk (of a large vocabulary only the tokens that conversation needs, the rest byte by byte) "
        f"or all (every token it has; about two thirds as fast), {_readers('vocabulary')}",
    )
    decoding: Decoding = Field(
        Decoding.SAMPLING,
        description="sampling (as each request says) or original (20 beams, one of three answers; half a minute each), "
        f"{_readers('decoding')}",
    )
    model: Annotated[str | None, PathLike()] = Field(
        None,
        description="a model directory, a .gguf file or a hub id; if not set, the default model. "
        "For the openai engine a name that the server knows; without it the only one",
    )
    voice: VoiceName = Field(
        VoiceName.TIMOKHA,
        description="timokha (the one trained for this project) or none (the model as its makers released it), "
        "for the default model only",
    )
    max_input_tokens: int = Field(
        MAX_INPUT_TOKENS, ge=64, le=1_000_000, description="tokens of context that the model reads, 64 to 1000000"
    )
    max_thought_tokens: int = Field(
        MAX_THOUGHT_TOKENS,
        ge=0,
        le=1_000_000,
        description="tokens that a reasoning model may think before its answer, 0 to 1000000",
    )
    openai_base_url: HttpUrl | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description=f"http://host:port/v1, {_readers('openai_base_url')}"
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="the key of that server, if it needs one"
    )
    openai_timeout: Seconds = Field(
        timedelta(seconds=60), gt=timedelta(0), description="seconds that the server may be silent, above 0"
    )
    cache: Path = Field(
        Path(user_cache_dir("timokha")),
        validation_alias="TIMOKHA_CACHE",
        description="the directory for prepared models",
    )
    trigger: Annotated[str, _one_of(TRIGGERS)] = Field("jetstream", description=alternatives(TRIGGERS))
    slots: int = Field(
        default_factory=lambda chosen: _default_slots(chosen.get("engine")),
        ge=1,
        le=1024,
        description=f"how many requests at once, 1 to 1024; by default {_SLOTS_OF_A_BATCH} for "
        f"{' and '.join(name for name, engine in ENGINES.items() if engine.batches)}, else 1",
    )
    attempts: int = Field(
        ATTEMPTS, ge=1, le=1000, description="deliveries before a request is a dead letter, 1 to 1000"
    )
    grace: Seconds = Field(timedelta(seconds=20), description="seconds to finish requests in flight at SIGTERM")
    echo_delay: Seconds = Field(timedelta(0), description="seconds that the echo engine waits")

    @field_validator("model")
    @classmethod
    def _found_from_here(cls, model: str | None, info: ValidationInfo) -> str | None:
        """Make a relative path absolute; leave the name of a server's model as it is."""
        engine = ENGINES.get(info.data.get("engine", ""))
        on_a_server = engine and engine.model is ModelSource.SERVER
        return resolve_source(model) if model and not on_a_server else model

    @model_validator(mode="after")
    def _has_what_the_engine_requires(self) -> Self:
        for name in self.engine_entry.required:
            if getattr(self, name) is None:
                raise ValueError(f"{self.variable(name)} is missing ({type(self).model_fields[name].description})")
        return self

    @model_validator(mode="after")
    def _has_beams(self) -> Self:
        if self.decoding is Decoding.ORIGINAL and "decoding" not in self.engine_entry.options:
            able = alternatives(name for name, engine in ENGINES.items() if "decoding" in engine.options)
            raise ValueError(f"GENERATE_DECODING=original needs GENERATE_ENGINE={able}: no other engine has beams")
        return self

    @property
    def engine_entry(self) -> EngineEntry:
        return ENGINES[self.engine]
