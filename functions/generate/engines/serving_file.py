"""`serving.json`: what an engine without torch has to know of a prepared model, told once by who prepared it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from events.errors import SettingsError
from functions.generate.models.card import ModelCard

FILE_NAME = "serving.json"


class ServingInfo(BaseModel):
    """The model's limits and its tokenizer's habits; `tokenizer.json` lies beside."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    card: ModelCard
    context: int
    """Tokens it can look back at."""
    ends: tuple[int, ...]
    """The tokens that end an answer."""
    rows: int | None = None
    """How many of its tokens the model can write, in an order of its own (see `renumbering`); None is all."""
    bos_token_id: int | None = None
    special_ids: tuple[int, ...] = ()
    special_tokens: dict[str, str] = {}
    """What a chat template may name: `bos_token` and so on."""
    chat_template: str | dict[str, str] | None = None
    """One, or several by name."""

    @classmethod
    def read(cls, directory: Path) -> "ServingInfo":
        """Raises SettingsError if `directory` holds no prepared model."""
        path = directory / FILE_NAME
        try:
            found = cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"{directory} is no prepared model ({why}): delete it, and it is made again") from None
        return found.model_copy(update={"card": found.card.model_copy(update={"directory": directory})})

    def write(self, directory: Path) -> None:
        """And what lies beside its card."""
        self.card.copy_examples(directory)
        (directory / FILE_NAME).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
