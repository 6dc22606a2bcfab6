"""Compute the rotary frequencies of a GGUF file's model."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, log, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.gguf.header import Header
from functions.generate.engines.gguf.kinds import FREQUENCIES, head_size
from functions.generate.engines.gguf.weights import Floats

_FAST, _SLOW = 32, 1
"""YaRN: how often a frequency turns within the original context to be left alone, and to be stretched fully."""


@dataclass(frozen=True, slots=True)
class RotaryFrequencies:
    frequencies: NDArray[np.floating]
    """One for each pair in a head."""
    scale: float = 1.0
    """Factor of the sines and cosines."""


def global_frequencies(header: Header, weights: Mapping[str, Floats]) -> RotaryFrequencies:
    """Return the frequencies of layers that see all tokens."""
    plain = _plain(header, float(header.value("rope.freq_base", 10000.0)))
    if FREQUENCIES in weights:
        return RotaryFrequencies(plain / weights[FREQUENCIES])
    kind, factor = (
        header.value("rope.scaling.type", "none"),
        float(header.value("rope.scaling.factor", 1.0)),
    )
    if kind == "linear":
        return RotaryFrequencies(plain / factor)
    if kind == "yarn":
        return _yarn(header, plain, factor)
    return RotaryFrequencies(plain)


def windowed_frequencies(header: Header) -> RotaryFrequencies:
    """Return the frequencies of layers that see a window of tokens."""
    return RotaryFrequencies(_plain(header, float(header.value("rope.freq_base_swa", 10000.0))))


def _plain(header: Header, base: float) -> Any:
    size = head_size(header)
    return base ** -(np.arange(0, size, 2) / size)


def _yarn(header: Header, plain: Any, factor: float) -> RotaryFrequencies:
    """Slow frequencies are stretched, fast ones left alone: https://arxiv.org/abs/2309.00071."""
    size, base = head_size(header), float(header.value("rope.freq_base", 10000.0))
    original = int(header.value("rope.scaling.original_context_length", header.value("context_length")))

    def place(turns: int) -> float:
        return size * log(original / (turns * 2 * pi)) / (2 * log(base))

    low, high = max(floor(place(_FAST)), 0), min(ceil(place(_SLOW)), size - 1)
    stretched = np.clip((np.arange(size // 2) - low) / max(high - low, 0.001), 0, 1)
    frequencies = plain / factor * stretched + plain * (1 - stretched)
    return RotaryFrequencies(frequencies, 0.1 * log(factor) + 1 if factor > 1 else 1.0)
