"""`timokha.json`: what a served model directory says about itself."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.errors import SettingsError
from events.schema import MAX_NEW_TOKENS
from functions.generate.prompts.chat_format import ChatFormat, Template, TemplateRefused
from functions.generate.prompts.formats import DialogueFormat, Format, FormatName, RuDialoGPTFormat
from functions.generate.prompts.personas import ENGLISH, RUSSIAN

if TYPE_CHECKING:
    from functions.generate.prompts.near_examples import NearExamples

CARD_FILE = "timokha.json"
EXAMPLES_FILE = "examples.jsonl"
"""Beside the card of a model with near examples: a talk a line, its questions and answers by turns."""
LEAST_PROMPT_FOR_EXAMPLES = 512
"""Tokens of a prompt: in a shorter one near examples would take the question's place."""

WAYS_OUT = "put another chat_template.jinja into the model's directory, or a timokha.json with the format dialogue"


class PreferredSampling(BaseModel):
    """Values of a request's sampling, by its names; None where the model has none of its own."""

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
    """How to prompt a model, and what it is called. A directory without a card is guessed from its tokenizer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    format: FormatName
    preamble: bool = False
    """Whether `dialogue` puts examples in front: for a base model that was never trained on dialogues."""
    scene: bool = False
    """Whether `dialogue` puts the scene of those examples alone in front."""
    labels: Literal["ru", "en", "asked"] = "ru"
    """The language in which `dialogue` names the speakers, where nothing is in front; `asked`: that of who asks."""
    near: int = Field(default=0, ge=0, le=16)
    """How many near examples `dialogue` puts in front, of those that lie beside the card."""
    beside: Path | None = Field(default=None, exclude=True)
    """Where the card was read, which makes it no other card."""
    sampling: PreferredSampling = PreferredSampling()
    """What suits this model; what the owner of the account chose wins."""
    licence: str = ""
    licence_url: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelCard) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @classmethod
    def read(cls, directory: Path) -> "ModelCard | None":
        """The card in `directory`, if there is one. Raises SettingsError if it can't be read."""
        path = directory / CARD_FILE
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes()).model_copy(update={"beside": directory})
        except (OSError, ValidationError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"{path} is no model card ({why}): mend or delete it") from None

    def write(self, directory: Path) -> None:
        """And what lies beside it. Raises SettingsError, one line, if that can't be read."""
        self.take_along(directory)
        (directory / CARD_FILE).write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")

    def take_along(self, directory: Path) -> None:
        """Write to `directory` what lies beside the card. Raises SettingsError, one line, if that can't be read."""
        if self.near and self.beside and self.beside != directory:
            from functions.generate.prompts import near_examples  # noqa: PLC0415 -- numpy, for few models

            near_examples.copy_examples(self.beside, directory)

    def prompt_format(
        self, template: Callable[[], Template | None], *, room: int = LEAST_PROMPT_FOR_EXAMPLES, learning: bool = False
    ) -> Format:
        """How the model is prompted, at work and in training; `template` makes its tokenizer's, if it has one.

        `room`: tokens that a prompt may have. `learning`: near examples are never what was asked itself.

        Raises SettingsError, one line, if that is wanted and can't be followed.
        """
        match self.format:
            case FormatName.DIALOGUE:
                labels = {"ru": RUSSIAN, "en": ENGLISH}.get(self.labels)
                near = self._near(room, learning)
                return DialogueFormat(preamble=self.preamble, scene=self.scene, labels=labels, near=near)
            case FormatName.RUDIALOGPT:
                return RuDialoGPTFormat()
            case FormatName.CHAT:
                return self._chat(template)

    def _near(self, room: int, learning: bool) -> "NearExamples | None":
        if not (self.near and self.beside) or room < LEAST_PROMPT_FOR_EXAMPLES:
            return None
        from functions.generate.prompts.near_examples import load_examples  # noqa: PLC0415 -- numpy, for few models

        return load_examples(self.beside, count=self.near, learning=learning)

    def _chat(self, template: Callable[[], Template | None]) -> Format:
        try:
            made = template()
            if made is None:
                raise TemplateRefused("its tokenizer has no chat template")
            return ChatFormat(made)
        except TemplateRefused as error:
            raise SettingsError(f"{self.name}: {error}: {WAYS_OUT}") from error
