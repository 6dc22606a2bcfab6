"""Record the settings and data of a training, which can only be resumed with the same ones."""

import json
import tomllib
from pathlib import Path
from typing import Any

from events.errors import SettingsError
from events.files import absolute, write_whole
from functions.generate.models.sources import resolve_source
from training.fit.trainer import last_checkpoint
from training.settings import FitSettings
from training.weights import CONFIG, MODEL

DATA = "data.sha256"
_EARLIER_BEHAVIOUR = {"canaries": 0, "frame": "labels", "targets": "all-linear", "voice": "none"}
"""Values for trainings from before these settings existed."""
_NOT_COMPARED = {"out", "config", "cache", "log_level", "capture_message_content", "trace_file"}


def has_begun(out: Path) -> bool:
    """Return whether the directory `out` holds a training that can be resumed."""
    return (out / CONFIG).is_file() and ((out / MODEL).exists() or last_checkpoint(out) is not None)


def check_unchanged(settings: FitSettings, data_sha256: str) -> None:
    """Raise SettingsError, one line, if a training with other settings or data has begun in `settings.out`."""
    out = settings.out
    if not has_begun(out):
        return
    try:
        before, now = (
            _upgrade(tomllib.loads((out / CONFIG).read_text(encoding="utf-8"))),
            _settings_to_compare(settings),
        )
    except (OSError, ValueError) as error:
        raise SettingsError(f"TRAINING_OUT: {out / CONFIG} can't be read ({error}): name another directory") from None
    file = out / DATA
    # Earlier versions did not record it.
    began_with = file.read_text(encoding="utf-8").strip() if file.is_file() else None
    if began_with == data_sha256:
        before["data"] = now["data"]  # it may have been moved
    if changed := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        raise SettingsError(
            f"TRAINING_OUT: {out} holds a training with other settings ({', '.join(changed)}): "
            "name another directory, or use the same settings to resume it"
        )
    if began_with not in (None, data_sha256):
        raise SettingsError(
            f"TRAINING_DATA: {settings.data} has changed since the training in {out} began: "
            "name another TRAINING_OUT, or prepare the same data again"
        )


def record_settings(settings: FitSettings, data_sha256: str) -> None:
    """Write the settings that determine the result, for `--config` and `check_unchanged`. Raises OSError."""
    # JSON strings, numbers and booleans are valid TOML too.
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in _settings_to_compare(settings).items()
    ]
    write_whole(settings.out / CONFIG, "".join(lines))
    write_whole(settings.out / DATA, f"{data_sha256}\n")


def _settings_to_compare(settings: FitSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=_NOT_COMPARED, exclude_none=True)


def _upgrade(written: dict[str, Any]) -> dict[str, Any]:
    """Return `written` as this version writes settings; earlier ones wrote paths as given."""
    convert = {"data": lambda data: str(absolute(Path(data))), "model": resolve_source}
    return _EARLIER_BEHAVIOUR | {
        name: convert[name](value) if name in convert else value for name, value in written.items()
    }
