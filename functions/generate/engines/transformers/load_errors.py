"""Why a model can't be loaded, in the words of what to do: what transformers and the hub say of the usual reasons."""

from collections.abc import Iterator

from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from functions.generate.engines.gguf.kinds import ELSEWHERE

_MAX = 200
_UNREACHABLE = "the hub can't be reached: download the model elsewhere and give its directory"
_BY_KIND: tuple[tuple[type[BaseException], str], ...] = (
    (GatedRepoError, "accept its terms on its page at huggingface.co, and set HF_TOKEN to a token of that account"),
    (RepositoryNotFoundError, "the hub has no such model, or keeps it private: correct the name, or set HF_TOKEN"),
    (HFValidationError, "the hub can have no such model: correct the name"),
    (OfflineModeIsEnabled, _UNREACHABLE),
    (LocalEntryNotFoundError, _UNREACHABLE),
    (ConnectionError, _UNREACHABLE),
    (MemoryError, "there is not enough memory for it: serve a smaller one"),
)
_NOT_SENT = "TransportError"
"""Of the hub's HTTP library, whose name changes: httpx, httpx2."""
_SERVER = ELSEWHERE.replace("llama.cpp's server", "a server such as vLLM")
_BY_WORDS = (
    ("trust_remote_code", f"it brings code of its own, which is not run here: {_SERVER}"),
    ("gated repo", _BY_KIND[0][1]),
    ("Unrecognized configuration class", "it is no model that goes on writing a text"),
    ("does not recognize this architecture", f"this version of transformers does not know its architecture: {_SERVER}"),
    ("Unrecognized model in", "its config.json does not name a model_type that is known"),
    ("backend tokenizer", "its directory has no tokenizer that can be read, such as tokenizer.json"),
    ("no file named", "its directory has no weights, such as model.safetensors"),
    ("quantiz", f"its weights are quantized in a way that is not read here: take those that are not, or {_SERVER}"),
)


def explain_load_error(error: BaseException) -> str:
    """One line."""
    for cause in _causes(error):
        for kind, words in _BY_KIND:
            if isinstance(cause, kind):
                return words
        if any(kind.__name__ == _NOT_SENT for kind in type(cause).__mro__):
            return _UNREACHABLE
    text = str(error)
    for part, words in _BY_WORDS:
        if part in text:
            return words
    lines = text.strip().splitlines()
    return lines[0][:_MAX] if lines else type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
