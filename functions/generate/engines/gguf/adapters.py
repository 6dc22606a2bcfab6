"""Merge an adapter (LoRA) in peft's format into the weights of a GGUF file, without torch.

Source: https://github.com/huggingface/peft and https://github.com/huggingface/safetensors#format
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from functions.generate.engines.gguf.header import Header
from functions.generate.engines.gguf.kinds import parameter_name
from functions.generate.engines.gguf.weights import Floats, Weights
from functions.generate.models.voices import ADAPTER, CONFIG, MAX_HEADER, TENSORS_DIGEST

_NUMBERS = {"F16": np.float16, "F32": np.float32}
_NAME = re.compile(r"base_model\.model\.(?P<matrix>.+)\.lora_(?P<which>[AB])\.weight")
_UNSUPPORTED = ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "fan_in_fan_out", "modules_to_save")
"""Options that change how the matrices are added; none is supported."""


class BadAdapter(ValueError):
    """The adapter can't be read or belongs to another model; the message follows its name."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """`matrices`: by transformers' name of a weight, two whose product times `scale` is added to it."""

    scale: float
    matrices: Mapping[str, tuple[Floats, Floats]]

    @classmethod
    def read(cls, directory: Path) -> "Adapter":
        """Read the adapter in `directory`. Raises BadAdapter."""
        try:
            config = json.loads((directory / CONFIG).read_bytes())
            scale = float(config["lora_alpha"]) / int(config["r"])
            if config.get("peft_type") != "LORA" or (others := [name for name in _UNSUPPORTED if config.get(name)]):
                raise BadAdapter(f"{CONFIG} has {'no LoRA' if config.get('peft_type') != 'LORA' else others[0]}")
            tensors = _tensors((directory / ADAPTER).read_bytes())
        except BadAdapter:
            raise
        except OSError as error:
            raise BadAdapter(f"{Path(str(error.filename)).name}: {error.strerror}") from None
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            raise BadAdapter(f"{CONFIG} or {ADAPTER} is cut off or damaged") from None
        return cls(scale, _pair_halves(tensors))


def read_weights(path: Path, header: Header, adapter: Path | None) -> Mapping[str, Floats]:
    """Return the weights of the GGUF file at `path`, merged with the adapter in the directory `adapter`, if any.

    Raises UnreadableGGUF, after the file's name, or BadAdapter, after the adapter's.
    """
    weights = Weights(path, header)
    return weights if adapter is None else AdaptedWeights(header, weights, Adapter.read(adapter))


class AdaptedWeights(Mapping[str, Floats]):
    """The `weights` of a GGUF file by its names; an adapter is merged into each on access."""

    def __init__(self, header: Header, weights: Mapping[str, Floats], adapter: Adapter) -> None:
        """Raises BadAdapter if the adapter belongs to another model."""
        self._weights = weights
        self._adapter = adapter
        self._names = {tensor.name: parameter_name(header, tensor.name) for tensor in header.tensors}
        shapes = {self._names[tensor.name]: tensor.shape for tensor in header.tensors}
        for name, (down, up) in adapter.matrices.items():
            if shapes.get(name) != (up.shape[0], down.shape[1]) or up.shape[1] != down.shape[0]:
                raise BadAdapter(f"it is for another model: {name} is {shapes.get(name, 'not there')}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __contains__(self, name: object) -> bool:
        return name in self._weights

    def __getitem__(self, name: str) -> Floats:
        values = self._weights[name]
        pair = self._adapter.matrices.get(self._names[name])
        if pair is None:
            return values
        down, up = pair
        return values + np.float32(self._adapter.scale) * (up @ down)


def _tensors(data: bytes) -> dict[str, Floats]:
    size = int.from_bytes(data[:8], "little")
    if size > min(MAX_HEADER, len(data)):
        raise BadAdapter(f"{ADAPTER} is cut off or damaged")
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    values = memoryview(data)[8 + size :]
    numbers = (header.pop("__metadata__", None) or {}).get(TENSORS_DIGEST)
    if numbers and numbers != _sum(values, header):
        raise BadAdapter(f"{ADAPTER} is cut off or damaged")
    return {name: _floats(values, **said) for name, said in header.items()}


def _sum(values: memoryview, header: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all tensors' bytes, in the order of their names."""
    found = sha256()
    for _, said in sorted(header.items()):
        found.update(values[slice(*said["data_offsets"])])
    return found.hexdigest()


def _floats(values: memoryview, *, dtype: str, shape: list[int], data_offsets: list[int]) -> Floats:
    if dtype not in _NUMBERS:
        raise BadAdapter(f"{ADAPTER} has numbers of the type {dtype}")
    start, end = data_offsets
    found = np.frombuffer(values[start:end], dtype=_NUMBERS[dtype]).reshape(shape).astype(np.float32)
    if not np.isfinite(found).all():
        raise BadAdapter(f"{ADAPTER} has numbers that are none")
    return found


def _pair_halves(tensors: Mapping[str, Floats]) -> dict[str, tuple[Floats, Floats]]:
    halves: dict[str, dict[str, Floats]] = {}
    for name, values in tensors.items():
        found = _NAME.fullmatch(name)
        if not found or values.ndim != 2:  # noqa: PLR2004 -- a matrix
            raise BadAdapter(f"{ADAPTER} has {name}, which is not read here")
        halves.setdefault(f"{found['matrix']}.weight", {})[found["which"]] = values
    if single := sorted(name for name, pair in halves.items() if len(pair) == 1):
        raise BadAdapter(f"{ADAPTER} has only one half of {single[0]}")
    return {name: (pair["A"], pair["B"]) for name, pair in halves.items()}
