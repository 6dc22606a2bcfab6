"""What the process that steps a model is told of it. Imports little: the model should be on its way soon."""

from pathlib import Path

from events.schema import MAX_NEW_TOKENS
from functions.generate.engines.openvino.arithmetic import properties
from functions.generate.engines.openvino.protocol import Model
from functions.generate.engines.serving_file import Described
from functions.generate.settings import Arithmetic


def served(directory: Path, slots: int, max_input_tokens: int, longest: int, arithmetic: Arithmetic) -> Model:
    """What the process that steps the model has to know."""
    return Model(str(directory), slots, max_input_tokens, longest, properties(arithmetic))


def model_of(
    directory: Path,
    described: Described,
    *,
    slots: int,
    max_input_tokens: int,
    max_thought_tokens: int,
    arithmetic: Arithmetic,
) -> Model:
    """The prepared model in `directory`, with room for what these settings allow."""
    window = min(max_input_tokens, described.context)
    longest = min(window + max_thought_tokens + MAX_NEW_TOKENS, described.context)
    return served(directory, slots, window, longest, arithmetic)
