"""Check a model's files without loading them: are any missing, of the wrong kind, cut off or unreadable?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from functions.generate.engines.gguf.header import POINTER
from functions.generate.engines.serving_file import ServingInfo

WEIGHTS: Final = ("*.safetensors", "pytorch_model*.bin", "openvino_model.bin")
TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
PREPARED: Final = ("openvino_model.xml", "openvino_model.bin", "tokenizer.json")
"""The files of the OpenVINO engine besides `serving.json`."""
ORDER: Final = "vocabulary.npy"
"""Its file for a model that writes only some of its tokens."""

MAX_HEADER: Final = 100_000_000
"""Bytes; the limit of safetensors for a header."""


def model_problem(path: Path) -> str:
    """Return what is wrong with the model in the directory `path`, empty if nothing is found.

    A file has been judged already, by `functions.generate.models.sources.model_path`.
    """
    return "" if path.is_file() else _first(_directory_problems(path))


def prepared_model_problem(directory: Path, described: ServingInfo) -> str:
    """Return what is wrong with a directory prepared for the OpenVINO engine, empty if nothing is found."""
    order = () if described.rows is None else (ORDER,)
    return _first(problem for name in (*PREPARED, *order) for problem in _weights_problems(directory / name))


def _first(problems: Iterator[str]) -> str:
    try:
        return next(problems, "")
    except OSError as error:
        return f"{error.filename} can't be read ({error.strerror})"


def _directory_problems(directory: Path) -> Iterator[str]:
    names = sorted(entry.name for entry in directory.iterdir())
    if not names:
        yield f"{directory} is empty"
    yield from _json_problems(directory / "config.json")
    weights = sorted({path for pattern in WEIGHTS for path in directory.glob(pattern)})
    if not weights:
        yield f"{directory} has no weights ({', '.join(WEIGHTS)})"
    for path in weights:
        yield from _weights_problems(path)
    if not any(name in names for name in TOKENIZERS):
        yield f"{directory} has no tokenizer ({', '.join(TOKENIZERS)})"
    for path in directory.glob("tokenizer*.json"):
        yield from _json_problems(path)


def _json_problems(path: Path) -> Iterator[str]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        yield f"{path} is missing"
        return
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        yield f"{path} is not a JSON object{_lfs_advice(path)}"


def _weights_problems(path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"{path} is missing"
    elif not path.stat().st_size:
        yield f"{path} is empty"
    elif pointer := _lfs_advice(path):
        yield f"{path} is not a file of a model{pointer}"
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


def _lfs_advice(path: Path) -> str:
    """Return advice if a file is a Git LFS pointer: a clone without Git LFS has these in place of the real files."""
    with path.open("rb") as file:
        is_pointer = file.read(len(POINTER)) == POINTER
    return ": it is a Git LFS pointer, run `git lfs pull`" if is_pointer else ""
