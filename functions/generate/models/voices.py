"""The default model's voices: adapters that ship with the product and are merged into it when it is prepared.

A voice is a directory with an adapter as peft writes it, the card of the model that it makes, and a notice.
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
_DECIDING = (ADAPTER, CONFIG, CARD_FILE, TOKENS)
"""What makes another model of it."""
_DIGITS = 12
TENSORS_DIGEST = "sha256-of-tensors"
"""What an adapter's metadata may have."""
LARGEST_HEAD = 1 << 20
"""Bytes of what an adapter's file says of itself."""


@dataclass(frozen=True, slots=True)
class Voice:
    name: str
    directory: Path

    @property
    def digest(self) -> str:
        """Of all that decides what the model becomes. Raises SettingsError."""
        try:
            deciding = (*_DECIDING, *([EXAMPLES_FILE] if (self.directory / EXAMPLES_FILE).exists() else []))
            return _digest(self.directory, tuple((name, *_stat(self.directory / name)) for name in deciding))
        except OSError as error:
            raise self.unreadable(f"{Path(str(error.filename)).name}: {error.strerror}") from None

    @property
    def card(self) -> ModelCard:
        """Of the default model with this voice. Raises SettingsError."""
        card = ModelCard.read(self.directory)
        if card is None:
            raise self.unreadable(f"{CARD_FILE} is missing")
        return card

    def notice(self) -> str:
        """What is to be said with every copy; empty if there is nothing. Raises SettingsError."""
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
    """All of `file`; of an adapter that says what its numbers come to, only its head: a start is to be short."""
    with file.open("rb") as opened:
        head = opened.read(8)
        size = int.from_bytes(head, "little")
        if file.name == ADAPTER and size < LARGEST_HEAD:
            head += opened.read(size)
            if TENSORS_DIGEST.encode() in head:
                return head
        return head + opened.read()


@cache
def _digest(directory: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    """Once a process: a start asks several times. `files`: names, and what tells that they are still the same."""
    found = hashlib.sha256()
    for name, size, _ in files:
        found.update(f"{name} {size}\n".encode())
        found.update(_content(directory / name))
    return found.hexdigest()[:_DIGITS]


def find_voice(name: VoiceName, model: str | None = None) -> Voice | None:
    """The voice `name`; None if there is none, or if `model` is another one than the default model."""
    if model is not None or name is VoiceName.NONE or not DIRECTORY.is_dir():
        return None
    return Voice(name.value, DIRECTORY)
