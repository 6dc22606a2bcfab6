"""Load a prepared model before its engine is opened, while the rest of the program is imported and connects."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from events.errors import TimokhaError
from functions.generate.engines.openvino.model_spec import spec_of_prepared
from functions.generate.engines.prepared_models import openvino_directory
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.prepared_copies import hold
from functions.generate.settings import GenerateSettings

if TYPE_CHECKING:
    from functions.generate.engines.openvino.batch import Batch
    from functions.generate.engines.openvino.process import ModelProcess


def begin(settings: GenerateSettings, process: "ModelProcess | None" = None) -> "Batch | None":
    """Start to load the openvino engine's model, in `process` if there is one; end that if it is not needed.

    Return None for another engine, or if the model is not prepared. Errors are left to `open_engine`.
    """
    try:
        begun = _load(settings, process) if settings.engine == "openvino" else None
    except (TimokhaError, OSError, ValueError, ImportError):
        begun = None
    if process and not begun:
        process.drop()
    return begun


def _load(settings: GenerateSettings, process: "ModelProcess | None") -> "Batch | None":
    directory = openvino_directory(settings)
    if not hold(directory) or not find_spec("openvino_genai"):
        return None
    from functions.generate.engines.openvino.batch import Batch  # noqa: PLC0415 -- another engine does without

    model = spec_of_prepared(
        directory,
        ServingInfo.read(directory),
        slots=settings.slots,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
        arithmetic=settings.arithmetic,
    )
    if process and not process.is_alive:
        process.drop()
        process = None
    return Batch(model, process)
