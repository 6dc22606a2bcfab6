"""Model cards: `timokha.json` in a model directory says how to prompt the model and what it is called."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.errors import SettingsError
from events.schema import MAX_NEW_TOKENS
from functions.generate.prompts.chat_format import ChatFormat, Template, TemplateRefused
from functions.generate.prompts.formats import DialogueFormat, Format, FormatName, RuDialoGPTFormat
from functions.generate.prompts.speakers import ENGLISH, RUSSIAN

if TYPE_CHECKING:
    from functions.generate.prompts.near_examples import NearExamples

CARD_FILE = "timokha.json"
EXAMPLES_FILE = "examples.jsonl"
"""Near examples, beside the card: a talk a line, questions and answers in turn."""
LEAST_PROMPT_FOR_EXAMPLES = 512
"""Tokens: a prompt limited to fewer has no near examples, which would displace the question."""

WAYS_OUT = "put another chat_template.jinja into the model's directory, or a timokha.json with the format dialogue"


class PreferredSampling(BaseModel):
    """Sampling values that suit a model, named as in `Sampling`; None if the model prefers none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_new_tokens: int | None = Field(default=None, ge=1, le=MAX_NEW_TOKENS)
    temperature: float | None = Field(default=None, ge=0, le=5)
    top_k: int | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    repetition_penalty: float | None = Field(default=None, ge=1, le=5)

    @property
    def values(self) -> dict[str, float]:
        return self.model_dump(exclude_none=True)


class ModelCard(BaseModel):
    """How to prompt a model, and its name. Without a card the format is guessed from the tokenizer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    format: FormatName
    preamble: bool = False
    """Whether `dialogue` starts with examples: for a base model that was never trained on dialogues."""
    scene: bool = False
    """Whether `dialogue` starts with the scene of those examples alone."""
    labels: Literal["ru", "en", "asked"] = "ru"
    """The language of the speaker labels of `dialogue` without preamble and scene; `asked`: the user's language."""
    near: int = Field(default=0, ge=0, le=16)
    """How many near examples precede the conversation in `dialogue`; the file with them lies beside the card."""
    directory: Path | None = Field(default=None, exclude=True)
    """Where the card was read; not compared and not written."""
    sampling: PreferredSampling = PreferredSampling()
    """Used for the values that the account's owner has not set."""
    licence: str = ""
    licence_url: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelCard) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @classmethod
    def read(cls, directory: Path) -> "ModelCard | None":
        """Return the card in `directory`, or None if it has none. Raises SettingsError if it can't be read."""
        path = directory / CARD_FILE
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes()).model_copy(update={"directory": directory})
        except (OSError, ValidationError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"{path} is no model card ({why}): mend or delete it") from None

    def write(self, directory: Path) -> None:
        """Write the card and its examples. Raises SettingsError, one line, if these can't be read."""
        self.copy_examples(directory)
        (directory / CARD_FILE).write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")

    def copy_examples(self, directory: Path) -> None:
        """Copy the near examples, if any, to `directory`. Raises SettingsError, one line, if they can't be read."""
        if self.near and self.directory and self.directory != directory:
            from functions.generate.prompts import near_examples  # noqa: PLC0415 -- imports numpy, which few models need

            near_examples.copy_examples(self.directory, directory)

    def prompt_format(
        self,
        template: Callable[[], Template | None],
        *,
        prompt_tokens: int = LEAST_PROMPT_FOR_EXAMPLES,
        training: bool = False,
    ) -> Format:
        """Return the model's prompt format, for serving and training.

        `template` returns the tokenizer's chat template, if any. `prompt_tokens`: most tokens of a prompt. In
        `training` the exchange to be learned is never one of its own near examples.

        Raises SettingsError, one line, if the card wants a chat template that is missing or fails.
        """
        match self.format:
            case FormatName.DIALOGUE:
                labels = {"ru": RUSSIAN, "en": ENGLISH}.get(self.labels)
                near = self._near_examples(prompt_tokens, training)
                return DialogueFormat(preamble=self.preamble, scene=self.scene, labels=labels, near=near)
            case FormatName.RUDIALOGPT:
                return RuDialoGPTFormat()
            case FormatName.CHAT:
                return self._chat(template)

    def _near_examples(self, prompt_tokens: int, training: bool) -> "NearExamples | None":
        if not (self.near and self.directory) or prompt_tokens < LEAST_PROMPT_FOR_EXAMPLES:
            return None
        from functions.generate.prompts.near_examples import load_examples  # noqa: PLC0415 -- imports numpy, which few models need

        return load_examples(self.directory, count=self.near, training=training)

    def _chat(self, template: Callable[[], Template | None]) -> Format:
        try:
            made = template()
            if made is None:
                raise TemplateRefused("its tokenizer has no chat template")
            return ChatFormat(made)
        except TemplateRefused as error:
            raise SettingsError(f"{self.name}: {error}: {WAYS_OUT}") from error
