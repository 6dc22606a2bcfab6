"""Voices of the default model: adapters that ship with the product and are merged into the model's prepared copy.

A voice is a directory with an adapter in peft's format, the card of the resulting model, and a notice.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from events.errors import SettingsError
from functions.generate.models.card import CARD_FILE, EXAMPLES_FILE, ModelCard
from functions.generate.models.vocabulary import USED_TOKENS_FILE as TOKENS
from functions.generate.settings import VoiceName

DIRECTORY = Path(__file__).parents[1] / "voice"
ADAPTER, CONFIG, NOTICE = "adapter_model.safetensors", "adapter_config.json", "NOTICE.txt"
_DIGESTED = (ADAPTER, CONFIG, CARD_FILE, TOKENS)
"""The files that determine the resulting model."""
_DIGITS = 12
TENSORS_DIGEST = "sha256-of-tensors"
"""A key in an adapter's metadata."""
MAX_HEADER = 1 << 20
"""Bytes of the header of an adapter's file."""


@dataclass(frozen=True, slots=True)
class Voice:
    name: str
    directory: Path

    @property
    def digest(self) -> str:
        """A digest of everything that determines the resulting model. Raises SettingsError."""
        try:
            digested = (*_DIGESTED, *([EXAMPLES_FILE] if (self.directory / EXAMPLES_FILE).exists() else []))
            return _digest(self.directory, tuple((name, *_stat(self.directory / name)) for name in digested))
        except OSError as error:
            raise self.unreadable(f"{Path(str(error.filename)).name}: {error.strerror}") from None

    @property
    def card(self) -> ModelCard:
        """The card of the default model with this voice. Raises SettingsError."""
        card = ModelCard.read(self.directory)
        if card is None:
            raise self.unreadable(f"{CARD_FILE} is missing")
        return card

    def notice(self) -> str:
        """Return the notice that must accompany every copy; may be empty. Raises SettingsError."""
        try:
            return (self.directory / NOTICE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise self.unreadable(f"{NOTICE}: {error}") from None

    def unreadable(self, why: str) -> SettingsError:
        return SettingsError(
            f"the voice {self.name} in {self.directory} can't be used ({why}): install timokha anew, "
            "or set GENERATE_VOICE=none"
        )


def _stat(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def _content(file: Path) -> bytes:
    """Return the content of `file`, or only the header of an adapter if that has a digest, for a quick start."""
    with file.open("rb") as opened:
        head = opened.read(8)
        size = int.from_bytes(head, "little")
        if file.name == ADAPTER and size < MAX_HEADER:
            head += opened.read(size)
            if TENSORS_DIGEST.encode() in head:
                return head
        return head + opened.read()


@cache
def _digest(directory: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    """Return a digest of the names and contents of `files`.

    Cached while sizes and modification times stay the same, since a start needs it several times.
    """
    found = hashlib.sha256()
    for name, size, _ in files:
        found.update(f"{name} {size}\n".encode())
        found.update(_content(directory / name))
    return found.hexdigest()[:_DIGITS]


def find_voice(name: VoiceName, model: str | None = None) -> Voice | None:
    """Return the voice `name`; None for no voice, or if `model` is not the default model."""
    if model is not None or name is VoiceName.NONE or not DIRECTORY.is_dir():
        return None
    return Voice(name.value, DIRECTORY)
