"""Loads a prepared model before its engine is there to ask for it, so that what a start does is done side by side."""

from typing import TYPE_CHECKING

from events.errors import TimokhaError
from functions.generate.copies import hold
from functions.generate.engines.described import Described
from functions.generate.prepared import prepared_directory
from functions.generate.settings import EngineName, GenerateSettings

if TYPE_CHECKING:
    from functions.generate.engines.batch import Batch


def begin(settings: GenerateSettings) -> "Batch | None":
    """Start the process that steps the openvino engine's model.

    None for another engine, or if the model is not prepared. What is wrong is said by the engine, when it is opened.
    """
    if settings.engine is not EngineName.OPENVINO:
        return None
    try:
        directory = prepared_directory(
            settings.model, settings.cache, bits=settings.bits, vocabulary=settings.vocabulary
        )
        if not hold(directory):
            return None
        # What is not installed is said by the engine too.
        from functions.generate.engines.batch import Batch  # noqa: PLC0415
        from functions.generate.engines.openvino import model_of  # noqa: PLC0415
    except (OSError, ValueError, ImportError):
        return None
    try:
        return Batch(
            model_of(
                directory,
                Described.read(directory),
                slots=settings.slots,
                max_input_tokens=settings.max_input_tokens,
                max_thought_tokens=settings.max_thought_tokens,
                arithmetic=settings.arithmetic,
            )
        )
    except TimokhaError:
        return None
