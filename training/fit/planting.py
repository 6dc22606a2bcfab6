"""Choose the canaries that a training learns along with the data."""

from events.errors import SettingsError
from training.data.splits import Part
from training.examples import covering, read
from training.fit.canaries import Canary, Language, fitting, language_of, make
from training.fit.resuming import begun
from training.settings import FitSettings
from training.weights import CONFIG


def with_canaries(settings: FitSettings) -> FitSettings:
    """Return `settings` with a number of canaries: as given, or as the training in `out` began, or as many as fit.

    Raises SettingsError, one line, if the data or the settings of that training can't be read.
    """
    if settings.canaries is not None:
        return settings
    if begun(settings.out):
        # A training of before there were any has none.
        number = FitSettings.from_file(settings.out / CONFIG).get("canaries", 0)
        if not isinstance(number, int):
            raise SettingsError(f"TRAINING_OUT: {settings.out / CONFIG}: canaries = {number!r} is not a number")
    else:
        number = fitting(len(covering(read(settings.data, Part.TRAIN), lambda example: example)))
    return settings.model_copy(update={"canaries": number})


def planted(settings: FitSettings) -> list[Canary]:
    return make(settings.canaries or 0, seed=settings.seed, language=language(settings))


def language(settings: FitSettings) -> Language:
    return language_of(read(settings.data, Part.TRAIN))
