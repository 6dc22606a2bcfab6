"""The first thing that `timokha generate` does, before its settings can be read: begin the process of its model."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from functions.generate.engines.openvino.process import Process


def begin(arguments: Sequence[str], environment: Mapping[str, str]) -> Process | None:
    """Start the process that steps the openvino engine's model, unless another engine, or none, is asked for.

    That is a guess: `head_start` ends it if the settings say otherwise.
    """
    elsewhere = environment.get("GENERATE_ENGINE") not in {None, "", "openvino"}
    if elsewhere or any(word.startswith(("-h", "--h", "--e")) for word in arguments):
        return None
    if not find_spec("openvino_genai"):
        return None
    try:
        return Process()
    except OSError:
        return None  # no process can be started now: whoever needs one says so
