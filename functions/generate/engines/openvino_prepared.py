"""A model as the OpenVINO engine serves it, written to a directory. Needs neither torch nor transformers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events.errors import SettingsError
from functions.generate.engines.described import Described
from functions.generate.engines.openvino_paged import Unsupported
from functions.generate.engines.openvino_weights import quantize
from functions.generate.engines.quiet_openvino import ov
from functions.generate.engines.writing import writing


@dataclass(frozen=True, slots=True)
class Servable:
    model: ov.Model
    """As `openvino_graph.graph` makes it, its weights in float32."""
    tokenizer: Any
    """A `tokenizers.Tokenizer`."""
    config: str
    """config.json, which GenAI looks into."""
    described: Described


def write(servable: Servable, directory: Path, *, bits: int | None) -> None:
    """Write to `directory`, weights in `bits` bits, as they are if None; changes the model. Raises OSError."""
    model = servable.model
    if bits is not None:
        quantize(model, bits)
    directory.mkdir(parents=True, exist_ok=True)
    with writing(directory):
        ov.save_model(model, directory / "openvino_model.xml", compress_to_fp16=False)
        (directory / "config.json").write_text(servable.config, encoding="utf-8")
        servable.tokenizer.save(str(directory / "tokenizer.json"))
    servable.described.write(directory)


def not_servable(name: str, error: Unsupported) -> SettingsError:
    """What is said of the model `name`, of a kind that this engine can't run."""
    return SettingsError(
        f"{name} has {error}, which the openvino engine can't run: set GENERATE_ENGINE=transformers, or "
        "GENERATE_ENGINE=openai and have a server run it"
    )
