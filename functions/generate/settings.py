"""What `timokha generate` can be told."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_cache_dir
from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from events.settings import PathLike, RabbitMQSettings, Seconds, ServiceSettings
from functions.generate.models.sources import located


class EngineName(StrEnum):
    OPENVINO = "openvino"
    TRANSFORMERS = "transformers"
    OPENAI = "openai"
    ECHO = "echo"


class Arithmetic(StrEnum):
    """How the openvino engine computes with activations. An answer is the same alone and in a batch with each."""

    AUTO = "auto"
    """`fast` on processors that it is faster on, `exact` on others."""
    EXACT = "exact"
    """In float32: the answers are the model's own, but for the rounding of its weights."""
    FAST = "fast"
    """Rounded to 8 bits before each product."""


class Vocabulary(StrEnum):
    """Which tokens a model can write."""

    TALK = "talk"
    """Those that talk needs, where the vocabulary is large; everything else is written byte by byte."""
    ALL = "all"
    """All that it has."""


class VoiceName(StrEnum):
    """How the default model speaks."""

    TIMOKHA = "timokha"
    """As the talks that were written for this project."""
    NONE = "none"
    """As its makers left it."""


class Decoding(StrEnum):
    """How an answer is chosen."""

    SAMPLING = "sampling"
    """As each request says."""
    ORIGINAL = "original"
    """As the original bot did, whatever a request says: 20 beams that sample, one of three answers."""


Bits = Annotated[Literal[8, 4], BeforeValidator(lambda value: int(value) if str(value).isdecimal() else value)]

_SLOTS = {EngineName.OPENVINO: 16, EngineName.OPENAI: 16}
"""Of engines whose requests share each step; the others would only keep theirs from other workers."""


class Trigger(StrEnum):
    JETSTREAM = "jetstream"
    RABBITMQ = "rabbitmq"


class GenerateSettings(ServiceSettings, RabbitMQSettings):
    """One stateless generate function."""

    model_config = SettingsConfigDict(env_prefix="GENERATE_")

    engine: EngineName = Field(
        EngineName.OPENVINO, description="openvino, transformers, openai (a server that speaks its API) or echo"
    )
    bits: Bits = Field(8, description="bits a weight, 8 or 4, for the openvino engine")
    arithmetic: Arithmetic = Field(
        Arithmetic.AUTO,
        description="auto (what is fastest on this processor), exact (float32) or fast (rounded to 8 bits), "
        "for the openvino engine",
    )
    vocabulary: Vocabulary = Field(
        Vocabulary.TALK,
        description="talk (a model with a large vocabulary writes the tokens that talk needs, the rest byte by byte) "
        "or all (every token it has; about two thirds as fast), for the openvino engine",
    )
    decoding: Decoding = Field(
        Decoding.SAMPLING,
        description="sampling (as each request says) or original (20 beams, one of three answers; half a minute each), "
        "for the transformers engine",
    )
    model: Annotated[str | None, PathLike()] = Field(
        None,
        description="a model directory, a .gguf file or a hub id; without it the default model. "
        "For the openai engine a name that the server knows; without it the only one",
    )
    voice: VoiceName = Field(
        VoiceName.TIMOKHA,
        description="timokha (what was trained for this project) or none (the model as its makers left it), "
        "for the default model; another one has its own",
    )
    max_input_tokens: int = Field(
        1024, ge=64, le=1_000_000, description="tokens of context that the model reads, 64 to 1000000"
    )
    max_thought_tokens: int = Field(
        1024, ge=0, le=1_000_000, description="tokens that a reasoning model may think before its answer, 0 to 1000000"
    )
    openai_base_url: HttpUrl | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="http://host:port/v1, for the openai engine"
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="the key of that server, if it wants one"
    )
    openai_timeout: Seconds = Field(
        timedelta(seconds=60), gt=timedelta(0), description="seconds that the server may be silent, above 0"
    )
    cache: Path = Field(
        Path(user_cache_dir("timokha")),
        validation_alias="TIMOKHA_CACHE",
        description="the directory that prepared models are kept in",
    )
    trigger: Trigger = Field(Trigger.JETSTREAM, description="jetstream or rabbitmq")
    slots: int = Field(
        default_factory=lambda chosen: _SLOTS.get(chosen.get("engine"), 1),
        ge=1,
        le=1024,
        description="how many requests at once, 1 to 1024; without it 16 for openvino and openai, else 1",
    )
    attempts: int = Field(5, ge=1, le=1000, description="deliveries before a request is a dead letter, 1 to 1000")
    grace: Seconds = Field(timedelta(seconds=20), description="seconds to finish what is in hand at SIGTERM")
    echo_delay: Seconds = Field(timedelta(0), description="seconds that the echo engine waits")

    @field_validator("model")
    @classmethod
    def _found_from_here(cls, model: str | None, info: ValidationInfo) -> str | None:
        """What the openai engine's server has is named as there."""
        here = info.data.get("engine") is not EngineName.OPENAI
        return located(model) if model and here else model

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        if self.engine is EngineName.OPENAI and self.openai_base_url is None:
            raise ValueError("OPENAI_BASE_URL is missing (http://host:port/v1): the openai engine asks that server")
        return self

    @model_validator(mode="after")
    def _has_beams(self) -> Self:
        if self.decoding is Decoding.ORIGINAL and self.engine is not EngineName.TRANSFORMERS:
            raise ValueError("GENERATE_DECODING=original needs GENERATE_ENGINE=transformers: no other engine has beams")
        return self
