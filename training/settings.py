"""The settings of `timokha train …`."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_cache_dir
from pydantic import AfterValidator, Field, NonNegativeFloat
from pydantic_settings import SettingsConfigDict

from events.errors import SettingsError
from events.files import absolute
from events.settings import Listed, PathLike, Seconds, Settings, unknown_keys
from functions.generate.models.sources import resolve_source
from functions.generate.settings import VoiceName

Frame = Literal["labels", "asked", "scene", "near", "examples"]


class ReadingSettings(Settings):
    """How a chat export is read."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    export: Path = Field(
        description="result.json of Telegram Desktop (format: machine-readable JSON), or its directory"
    )
    owner: Annotated[str | None, Listed()] = Field(
        None,
        description="whose voice to learn: a name, an id such as user123, or several ids with commas; "
        "an export of the whole account says it by itself",
    )
    session_gap: Seconds = Field(
        timedelta(hours=4), gt=timedelta(0), description="seconds of silence that end a session, above 0"
    )
    burst_gap: Seconds = Field(
        timedelta(minutes=3), ge=timedelta(0), description="seconds within which one person's messages are one turn"
    )
    blocklist: Path | None = Field(
        None, description="a text file with a word or phrase on each line; messages that contain one are dropped"
    )
    countries: Annotated[str, Listed()] = Field(
        "",
        description="countries whose phone numbers are recognised without their +, such as IE,AU; "
        "without it those where most live who write the owner's language",
    )


class PrepareSettings(ReadingSettings):
    """From a chat export to dialogues."""

    out: Path = Field(description="the directory to write the dialogues to")
    context_turns: int = Field(8, ge=1, le=50, description="turns before the owner's, 1 to 50")
    validation_share: NonNegativeFloat = Field(
        0.1, le=0.4, description="share of the dialogues for validation, 0 to 0.4"
    )
    test_share: NonNegativeFloat = Field(0.1, le=0.4, description="share of the dialogues for the final test, 0 to 0.4")
    feedback: Path | None = Field(
        None,
        description="a file that `timokha record --feedback` wrote, or a directory of such .jsonl files: liked answers"
        " are learned, disliked ones are not",
    )
    bots: Annotated[str, Listed()] = Field(
        "",
        description="names or ids of bots in groups, with commas: what they say is dropped; "
        "with ! before it, somebody who is none",
    )


class MemorySettings(ReadingSettings):
    """From a chat export to the owner's earlier exchanges."""

    to: Path = Field(description="the file for USERBOT_MEMORY")


class FitSettings(Settings):
    """From dialogues to a trained model."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    data: Path = Field(description="the directory that `timokha train prepare` wrote")
    out: Path = Field(description="the directory for the model, its checkpoints and its curves")
    model: Annotated[str | None, PathLike(), AfterValidator(lambda model: model and resolve_source(model))] = Field(
        None,
        description="the model to start from: a directory, a .gguf file or a hub id; if not set, the default model",
    )
    voice: VoiceName = Field(
        VoiceName.NONE,
        description="none or timokha: whether the default model is trained as its makers left it, or with its voice",
    )
    cache: Path = Field(
        Path(user_cache_dir("timokha")),
        validation_alias="TIMOKHA_CACHE",
        description="the directory for prepared models",
    )
    method: Literal["lora", "full"] = Field("lora", description="lora (a small adapter) or full (all weights)")
    frame: Frame = Field(
        "labels",
        description="what a prompt of plain text has beside words: labels (the speakers', in the language of the data),"
        " asked (the speakers', in the language of who asks), scene (these and one line that sets the tone), near (all"
        " that and the exchanges of examples.jsonl in the data that are most like the question, for anybody to read)"
        " or examples (these, one line, and the exchanges that the untrained model is shown)",
    )
    rank: int = Field(16, ge=1, le=512, description="rank of the adapter, 1 to 512")
    targets: Annotated[str, Listed()] = Field(
        "all-linear", description="which matrices the adapter changes: all-linear, or names with commas, such as q_proj"
    )
    dropout: float = Field(0, ge=0, lt=1, description="dropout of the adapter, 0 to below 1; takes an eighth more time")
    learning_rate: float = Field(
        3e-4, gt=0, lt=1, description="peak learning rate, between 0 and 1; full training needs a lower one"
    )
    epochs: float = Field(3, gt=0, le=1000, description="passes over the data, above 0")
    steps: int = Field(-1, ge=-1, description="steps instead of epochs; -1 for epochs")
    context_tokens: int = Field(
        512, ge=16, le=131072, description="tokens of the longest dialogue; a longer one loses its beginning"
    )
    pack_tokens: int = Field(
        512, ge=16, le=1_048_576, description="tokens of a pack, which consists of several dialogues"
    )
    packs: int = Field(2, ge=1, le=1024, description="packs in each step of the optimizer")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="auto, bf16 or fp32")
    compile: bool = Field(
        False,
        description="true or false: compile the model first, which takes a minute or two and a C++ compiler, "
        "and makes the steps on a processor a third shorter; the default model's adapters gain nothing",
    )
    evaluate_every: int = Field(20, ge=1, description="steps between two evaluations on the validation part")
    validation_packs: int = Field(24, ge=1, description="the most packs of the validation part that an evaluation uses")
    patience: int = Field(3, ge=1, description="evaluations without progress after which training ends")
    canaries: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="invented secrets to learn as well, to measure what the model gives away, "
        "0 to 1000; without it as many as make up 2 % of the lessons, at most 20",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of all random choices")
    config: Path | None = Field(None, description="a TOML file with any of these settings; options override it")

    @property
    def target_modules(self) -> str | list[str]:
        """Return `targets` in peft's form."""
        return self.targets if self.targets == "all-linear" else [name.strip() for name in self.targets.split(",")]

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Read the settings: `given` options take precedence over `config`, and that over the environment."""
        _, written = cls.sources().get("config") or (None, None)
        return super().read(**{**cls.from_file(given.get("config") or written), **given})

    @classmethod
    def from_file(cls, file: str | Path | None) -> dict[str, Any]:
        """Return the settings in a TOML file by field. Raises SettingsError."""
        if file is None:
            return {}
        try:
            found = tomllib.loads(absolute(Path(file)).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"TRAINING_CONFIG: {file} can't be read ({error}); it takes a TOML file") from None
        if problem := unknown_keys(found, cls.model_fields):
            raise SettingsError(f"TRAINING_CONFIG: {file}: {problem}")
        return found


class EvaluateSettings(Settings):
    """From a trained model to its scores."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    run: Path = Field(description="the directory that `timokha train fit` wrote")
    data: Path | None = Field(None, description="prepared data; by default those that the model was trained on")
    dialogues: int = Field(
        300, ge=1, description="the most held-out dialogues for bits per byte; if there are more, a random sample"
    )
    samples: int = Field(50, ge=1, description="held-out dialogues for the slow scores")
    seed: int = Field(0, ge=0, lt=2**32, description="seed for the choice of samples and for the answers")


class ExportSettings(Settings):
    """From a trained model to a directory that is served."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    run: Path = Field(description="the directory that `timokha train fit` wrote")
    to: Path = Field(description="the directory for `timokha generate --model`")
    data: Path | None = Field(
        None, description="where the prepared data are now, if they were moved after the training"
    )
    name: str | None = Field(None, description="the model's name; by default the base model's name and -trained")
    weights: Literal["bf16", "fp32"] = Field("bf16", description="bf16 (half the size) or fp32")
