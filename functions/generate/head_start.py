"""Loads a prepared model before its engine is there to ask for it, so that what a start does is done side by side."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from events.errors import TimokhaError
from functions.generate.engines.openvino.served import model_of
from functions.generate.engines.serving_file import Described
from functions.generate.models.copies import hold
from functions.generate.models.prepared import prepared_directory
from functions.generate.models.voices import voice_of
from functions.generate.settings import EngineName, GenerateSettings

if TYPE_CHECKING:
    from functions.generate.engines.openvino.batch import Batch
    from functions.generate.engines.openvino.process import Process


def begin(settings: GenerateSettings, process: "Process | None" = None) -> "Batch | None":
    """Have the openvino engine's model loaded, by `process` if there is one; it is ended if it is not needed.

    None for another engine, or if the model is not prepared. What is wrong is said by the engine, when it is opened.
    """
    try:
        begun = _begun(settings, process)
    except (TimokhaError, OSError, ValueError, ImportError):
        begun = None
    if process and not begun:
        process.drop()
    return begun


def _begun(settings: GenerateSettings, process: "Process | None") -> "Batch | None":
    if settings.engine is not EngineName.OPENVINO:
        return None
    directory = prepared_directory(
        settings.model,
        settings.cache,
        bits=settings.bits,
        vocabulary=settings.vocabulary,
        voice=voice_of(settings.voice, settings.model),
    )
    if not hold(directory) or not find_spec("openvino_genai"):
        return None
    from functions.generate.engines.openvino.batch import Batch  # noqa: PLC0415 -- another engine does without

    model = model_of(
        directory,
        Described.read(directory),
        slots=settings.slots,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
        arithmetic=settings.arithmetic,
    )
    if process and not process.is_alive:
        process.drop()
        process = None
    return Batch(model, process)
