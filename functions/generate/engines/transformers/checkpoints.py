"""Models as transformers reads them: from a directory, a GGUF file or the hub, and converted to a directory."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.initialization import no_init_weights
from transformers.utils import logging as transformers_logging

from events.errors import SettingsError
from functions.generate.engines.gguf import loading
from functions.generate.engines.gguf.header import UnreadableGGUF
from functions.generate.engines.model_files import write_errors_named
from functions.generate.engines.serving_file_writer import guess_card
from functions.generate.engines.transformers.load_errors import explain_load_error
from functions.generate.models.card import ModelCard
from functions.generate.models.sources import TAKES, model_name, model_path, source_error


@dataclass(frozen=True, slots=True)
class Checkpoint:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    card: ModelCard


def load_checkpoint(source: str, *, dtype: torch.dtype | None = None, revision: str | None = None) -> Checkpoint:
    """Load a model directory, a `.gguf` file or a hub id; `dtype`: the fastest here if None.

    `revision`: of the hub's model, its newest if None.

    Raises
    ------
    SettingsError
        One line that names GENERATE_MODEL: nothing there, unreadable, or the hub can't be reached.
    """
    path = model_path(source)
    _quiet()
    card = ModelCard.read(path) if path.is_dir() else None
    try:
        model, tokenizer = (
            loading.load(path)
            if path.is_file()
            else _pretrained(_found(path, source), dtype or fastest_dtype(), revision)
        )
    except UnreadableGGUF as error:
        raise source_error(source, str(error)) from None
    except Exception as error:
        raise SettingsError(
            f"GENERATE_MODEL={source!r} can't be loaded ({explain_load_error(error)}); {TAKES}"
        ) from error
    return Checkpoint(
        model.eval(),
        tokenizer,
        card or guess_card(model_name(source), vocabulary=tokenizer.get_vocab(), chat_template=tokenizer.chat_template),
    )


def convert(gguf: Path, directory: Path, adapter: Path | None = None) -> None:
    """Write the model in `gguf` to `directory`: later it loads in seconds rather than a minute.

    The adapter in the directory `adapter` is merged into it: raises BadAdapter.

    In float16, as GGUF's scales are: bfloat16 would blur what was rounded to few bits with them, and rounding it again
    would not give the same. Raises OSError.
    """
    _quiet()
    model, tokenizer = loading.load(gguf, adapter)
    model.to(torch.float16)
    with write_errors_named(directory):
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)


def copy_in_dtype(model: Any, dtype: torch.dtype) -> Any:
    """A copy of `model` in `dtype`, whose configuration no longer says that its weights were quantized."""
    config = type(model.config).from_dict(model.config.to_dict())
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with no_init_weights():  # drawing random ones takes longer than all the rest of loading
        copy = AutoModelForCausalLM.from_config(config, dtype=dtype)
    copy.tie_weights()
    copy.load_state_dict(model.state_dict())
    copy.generation_config = model.generation_config
    return copy


def fastest_dtype() -> torch.dtype:
    """bfloat16 halves the memory traffic, but only where the CPU computes with it."""
    capabilities = torch.cpu.get_capabilities()
    native = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if native else torch.float32


def _found(path: Path, source: str) -> str:
    """`source`, known to be there: asking once beats a minute of the loader's retries."""
    if path.is_dir():
        return str(path)
    if not isinstance(try_to_load_from_cache(source, "config.json"), str):
        HfApi().model_info(source, timeout=10)
    return source


def _pretrained(source: str, dtype: torch.dtype, revision: str | None) -> tuple[Any, PreTrainedTokenizerBase]:
    # Not told, transformers would ask at the terminal whether to run the code that a model brings.
    how: dict[str, Any] = {"trust_remote_code": False, "revision": revision or "main"}
    tokenizer = AutoTokenizer.from_pretrained(source, **how)
    if len(tokenizer.get_vocab()) <= len(tokenizer.added_tokens_decoder):
        raise ValueError("the backend tokenizer is empty")  # what transformers makes where there is no file
    return AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **how), tokenizer


def _quiet() -> None:
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
