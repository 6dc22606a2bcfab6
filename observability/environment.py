"""Which of OpenTelemetry's exporters its environment variables ask for.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from enum import StrEnum

from events.errors import SettingsError


class Exporter(StrEnum):
    OTLP = "otlp"
    CONSOLE = "console"


def sdk_disabled() -> bool:
    return _read("OTEL_SDK_DISABLED").lower() == "true"


def sampler() -> str:
    """The sampler that was asked for, or nothing."""
    return _read("OTEL_TRACES_SAMPLER")


def exporters(signal: str) -> tuple[Exporter, ...]:
    """The exporters of `TRACES` or `METRICS`. Unlike the specification's default, none without an endpoint.

    Raises SettingsError if a variable is one that this process can't follow.
    """
    chosen = _read(f"OTEL_{signal}_EXPORTER")
    if chosen:
        kinds = tuple(_exporter(f"OTEL_{signal}_EXPORTER", word.strip()) for word in chosen.split(","))
    else:
        kinds = (Exporter.OTLP,) if _endpoint(signal) else ()
    wanted = tuple(dict.fromkeys(kind for kind in kinds if kind is not None))
    if Exporter.OTLP in wanted:
        _check_otlp(signal)
    return wanted


def _exporter(variable: str, word: str) -> Exporter | None:
    if word == "none":
        return None
    try:
        return Exporter(word)
    except ValueError:
        raise SettingsError(f"{variable} is {word!r}; it takes otlp, console or none") from None


def _check_otlp(signal: str) -> None:
    variable, value = _endpoint(signal) or ("", "http://")
    if not value.startswith(("http://", "https://")):
        raise SettingsError(f"{variable} is {value!r}; it takes a URL such as http://localhost:4318")
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if _read(name) not in {"", "http/protobuf"}:
            raise SettingsError(f"{name} is {_read(name)!r}; it takes http/protobuf")


def _endpoint(signal: str) -> tuple[str, str] | None:
    """The variable that names the endpoint, and what it says."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        if value := _read(name):
            return name, value
    return None


def _read(name: str) -> str:
    return os.environ.get(name, "").strip()
