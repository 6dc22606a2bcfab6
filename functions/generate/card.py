"""`timokha.json`: what a served model directory says about itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.errors import SettingsError
from events.schema import MAX_NEW_TOKENS
from functions.generate.chat import Chat, Template, TemplateRefused
from functions.generate.personas import ENGLISH, RUSSIAN
from functions.generate.prompts import Dialogue, Format, FormatName, RuDialoGPT

FILE_NAME = "timokha.json"

WAYS_OUT = "put another chat_template.jinja into the model's directory, or a timokha.json with the format dialogue"


class Preferred(BaseModel):
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
    sampling: Preferred = Preferred()
    """What suits this model; what the owner of the account chose wins."""
    licence: str = ""
    licence_url: str = ""

    @classmethod
    def read(cls, directory: Path) -> "ModelCard | None":
        """The card in `directory`, if there is one. Raises SettingsError if it can't be read."""
        path = directory / FILE_NAME
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"{path} is no model card ({why}): mend or delete it") from None

    def write(self, directory: Path) -> None:
        (directory / FILE_NAME).write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")

    def prompt_format(self, template: Callable[[], Template | None]) -> Format:
        """How the model is prompted, at work and in training; `template` makes its tokenizer's, if it has one.

        Raises SettingsError, one line, if that is wanted and can't be followed.
        """
        match self.format:
            case FormatName.DIALOGUE:
                labels = {"ru": RUSSIAN, "en": ENGLISH}.get(self.labels)
                return Dialogue(preamble=self.preamble, scene=self.scene, labels=labels)
            case FormatName.RUDIALOGPT:
                return RuDialoGPT()
            case FormatName.CHAT:
                return self._chat(template)

    def _chat(self, template: Callable[[], Template | None]) -> Format:
        try:
            made = template()
            if made is None:
                raise TemplateRefused("its tokenizer has no chat template")
            return Chat(made)
        except TemplateRefused as error:
            raise SettingsError(f"{self.name}: {error}: {WAYS_OUT}") from error
