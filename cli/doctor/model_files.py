"""Look at a model's files without loading them: what is missing, of another kind, cut off or not ours to read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from functions.generate.engines.gguf.header import POINTER
from functions.generate.engines.serving_file import ServingInfo

WEIGHTS: Final = ("*.safetensors", "pytorch_model*.bin", "openvino_model.bin")
TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
PREPARED: Final = ("openvino_model.xml", "openvino_model.bin", "tokenizer.json")
"""What the OpenVINO engine reads beside `serving.json`,"""
ORDER: Final = "vocabulary.npy"
"""and this of a model that can't write all its tokens."""

MAX_HEADER: Final = 100_000_000
"""Bytes that safetensors allows for a header."""


def flaw(path: Path) -> str:
    """Return what keeps the directory at `path` from being a model; empty if nothing is seen.

    A file has been judged already, by `functions.generate.models.sources.model_path`.
    """
    return "" if path.is_file() else _first(_of_directory(path))


def flaw_of_prepared(directory: Path, described: ServingInfo) -> str:
    """Return what a directory lacks that was prepared for the OpenVINO engine; empty if nothing is seen."""
    order = () if described.rows is None else (ORDER,)
    return _first(said for name in (*PREPARED, *order) for said in _of_weights(directory / name))


def _first(flaws: Iterator[str]) -> str:
    try:
        return next(flaws, "")
    except OSError as error:
        return f"{error.filename} can't be read ({error.strerror})"


def _of_directory(directory: Path) -> Iterator[str]:
    names = sorted(entry.name for entry in directory.iterdir())
    if not names:
        yield f"{directory} is empty"
    yield from _of_json(directory / "config.json")
    weights = sorted({path for pattern in WEIGHTS for path in directory.glob(pattern)})
    if not weights:
        yield f"{directory} has no weights ({', '.join(WEIGHTS)})"
    for path in weights:
        yield from _of_weights(path)
    if not any(name in names for name in TOKENIZERS):
        yield f"{directory} has no tokenizer ({', '.join(TOKENIZERS)})"
    for path in directory.glob("tokenizer*.json"):
        yield from _of_json(path)


def _of_json(path: Path) -> Iterator[str]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        yield f"{path} is missing"
        return
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        yield f"{path} is no JSON object{_pointer(path)}"


def _of_weights(path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"{path} is missing"
    elif not path.stat().st_size:
        yield f"{path} is empty"
    elif pointer := _pointer(path):
        yield f"{path} is no file of a model{pointer}"
    elif path.suffix == ".safetensors" and _is_cut_off(path):
        yield f"{path} is cut off or damaged: download or copy it again"


def _is_cut_off(path: Path) -> bool:
    """Source: https://github.com/huggingface/safetensors#format"""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_HEADER:
            return True
        try:
            tensors = json.loads(file.read(size))
            ends = [tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"]
        except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
            return True
    return path.stat().st_size != 8 + size + max(ends, default=0)


def _pointer(path: Path) -> str:
    """The commonest reason: a clone without Git LFS brings files of a few lines in place of the real ones."""
    return ": it is a Git LFS pointer, run `git lfs pull`" if _begins(path).startswith(POINTER) else ""


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(POINTER))
