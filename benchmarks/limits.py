"""What no engine can beat on this machine: the time to read the weights once a step, or that of the arithmetic."""

import json
import statistics
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bandwidth import figures
from benchmarks.helpers import Helper, helper, module
from functions.generate.engines.openvino.library import ov


@dataclass(frozen=True, slots=True)
class Work:
    """What one model's matrices take."""

    bytes: int
    """That a step reads."""
    body: int
    """Operations for each token that is read or written."""
    head: int
    """Operations more for each that is written."""

    @classmethod
    def of(cls, directory: Path) -> "Work":
        """Of the prepared model in `directory`: its matrix products, without what attention does."""
        model = ov.Core().read_model(directory / "openvino_model.xml")
        rows = model.output("logits").get_partial_shape()[-1].get_length()
        size, body, head = 0, 0, 0
        for node in model.get_ordered_ops():
            if node.get_type_name() == "MatMul":
                weights = _weights(node.input_value(1).get_node())
                numbers = max((_count(one.shape) for one in weights), default=0)
                size += sum(one.get_byte_size() for one in weights)
                if node.output(0).get_partial_shape()[-1] == rows:
                    head += 2 * numbers
                else:
                    body += 2 * numbers
        return cls(size, body, head)

    def operations(self, crowd: int, prompt: int, new: int) -> int:
        """For so many answers of `new` tokens at once, each to a prompt of so many."""
        return crowd * ((prompt + new) * self.body + new * self.head)


@dataclass(slots=True)
class Machine:
    """How fast the machine is: `look` right beside a timing."""

    memory: Helper
    arithmetic: Helper
    bandwidths: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)

    async def look(self) -> None:
        self.bandwidths.append(await self.memory.ask())
        self.peaks.append(await self.arithmetic.ask())

    @property
    def peak(self) -> float:
        """Operations a second, at best."""
        return max(self.peaks)

    def limit(self, work: Work, crowd: int, prompt: int, new: int) -> tuple[float, str]:
        """Seconds in which nobody can answer, and what limits them: `memory` or `arithmetic`."""
        reading = new * work.bytes / statistics.median(self.bandwidths)
        return max((reading, "memory"), (work.operations(crowd, prompt, new) / self.peak, "arithmetic"))

    def figures(self) -> dict[str, Any]:
        """Of the looks so far."""
        return {**figures(self.bandwidths), "peak_gigaoperations_per_second": round(self.peak / 1e9)}


@asynccontextmanager
async def machine(
    properties: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Machine]:
    """Measured by processes of their own, the arithmetic with these `properties` of OpenVINO's CPU plugin."""
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(helper(*module("benchmarks.bandwidth")))
        peak = module("benchmarks.peak", json.dumps(dict(properties)))
        arithmetic = await stack.enter_async_context(helper(*peak, environment=environment))
        yield Machine(memory, arithmetic)


def _weights(node: Any) -> list[Any]:
    """The constants that are unpacked to the matrix `node`; what is computed from an input has none."""
    if node.get_type_name() == "Constant":
        return [node]
    if node.get_type_name() in {"Convert", "Multiply", "Subtract", "Reshape"}:
        return [one for value in node.input_values() for one in _weights(value.get_node()) if _count(one.shape) > _FEW]
    return []


_FEW = 16
"""Numbers: shapes are constants too."""


def _count(shape: Any) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
