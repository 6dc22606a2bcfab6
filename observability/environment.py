"""Read and check OpenTelemetry's environment variables: which exporters they configure, and with which addresses.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from events.errors import SettingsError
from events.files import read_problem
from events.setting_problems import without_passwords

BASE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXAMPLE: Final = "http://localhost:4318"
PATHS: Final = {"TRACES": "/v1/traces", "METRICS": "/v1/metrics", "LOGS": "/v1/logs"}
"""Path that OTLP over HTTP appends to `BASE` for each signal."""
POSITIVE: Final = re.compile("OTEL_BSP_[A-Z_]+|OTEL_METRIC_EXPORT_(INTERVAL|TIMEOUT)")
LIMIT: Final = re.compile("OTEL_[A-Z_]*(COUNT|LENGTH)_LIMIT")
BATCHES: Final = {"MAX_QUEUE_SIZE": 2048, "MAX_EXPORT_BATCH_SIZE": 512}
"""The SDK's defaults."""
HEADER: Final = re.compile(r"[^=,\s]+\s*=[^,]*")


class Exporter(StrEnum):
    OTLP = "otlp"
    CONSOLE = "console"


def check_numbers() -> None:
    """Check numbers that would make the SDK print a traceback. Raises SettingsError."""
    for name in sorted(os.environ):
        value = _read(name)
        if value and POSITIVE.fullmatch(name) and not (value.isdecimal() and int(value)):
            raise SettingsError(f"{name} is {value!r}; it takes a whole number above 0")
        if value and LIMIT.fullmatch(name) and not value.isdecimal():
            raise SettingsError(f"{name} is {value!r}; it takes a whole number")
    size, batch = (int(_read(f"OTEL_BSP_{name}") or standard) for name, standard in BATCHES.items())
    if batch > size:
        raise SettingsError(
            f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE is {batch}; it takes at most OTEL_BSP_MAX_QUEUE_SIZE, which is {size}"
        )


@contextmanager
def sdk_errors_as_settings_errors() -> Iterator[None]:
    """Within the block, turn errors of the SDK about its variables into SettingsError."""
    try:
        yield
    except (ValueError, RuntimeError, ImportError) as error:
        names = ", ".join(sorted(name for name in os.environ if name.startswith("OTEL_")))
        why = " ".join(str(error).split()) or type(error).__name__
        raise SettingsError(f"OpenTelemetry can't start ({why}); correct one of its variables: {names}") from None


def is_sdk_disabled() -> bool:
    return _read("OTEL_SDK_DISABLED").lower() == "true"


def sampler() -> str:
    """Return the name of the configured sampler, or an empty string."""
    return _read("OTEL_TRACES_SAMPLER")


def exporters(signal: str) -> tuple[Exporter, ...]:
    """Return the exporters of `TRACES` or `METRICS`: none without an endpoint, unlike the specification's default.

    Raises SettingsError if a variable has a value that is not supported.
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
    endpoint = _endpoint(signal)
    if endpoint:
        _check_endpoint(signal, *endpoint)
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if _read(name) not in {"", "http/protobuf"}:
            raise SettingsError(f"{name} is {_read(name)!r}; it takes http/protobuf")
    headers = _first(signal, "HEADERS")
    if headers and not all(HEADER.fullmatch(part.strip()) for part in headers[1].split(",") if part.strip()):
        raise SettingsError(f"{headers[0]} can't be read; it takes name=value,name=value, with URL-encoded values")
    if endpoint and endpoint[1].startswith("https://"):
        _check_certificates(signal)


def _check_endpoint(signal: str, variable: str, value: str) -> None:
    try:
        url = urlsplit(value)
        proper = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:
        proper = False
    shown = without_passwords(value)
    if not proper:
        raise SettingsError(f"{variable} is {shown!r}; it takes a URL such as {EXAMPLE}")
    named = next((other for other, path in PATHS.items() if url.path.rstrip("/").endswith(path)), None)
    if variable == BASE and named:
        base = shown.partition("?")[0].rstrip("/").removesuffix(PATHS[named])
        raise SettingsError(
            f"{BASE} is {shown!r}, which takes {named.lower()} only; set it to {base}, without {PATHS[named]}"
            f" (OTEL_EXPORTER_OTLP_{named}_ENDPOINT takes the whole address)"
        )
    if variable != BASE and named and named != signal:
        raise SettingsError(
            f"{variable} is {shown!r}, which takes {named.lower()}; an address for {signal.lower()} ends in"
            f" {PATHS[signal]}"
        )


def _check_certificates(signal: str) -> None:
    """Check the files. Raises SettingsError if one is unusable or a key encrypted: OpenSSL would ask for a password."""
    ca, certificate, key = (_first(signal, kind) for kind in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca:
            context.load_verify_locations(**{"capath" if os.path.isdir(ca[1]) else "cafile": ca[1]})
        if certificate:
            context.load_cert_chain(certificate[1], key[1] if key else None, password="")
    except (OSError, ValueError) as error:
        named = [found for found in (ca, certificate, key) if found]
        for name, path in named:
            if problem := read_problem(Path(path)):
                raise SettingsError(f"{name} can't be used ({problem}); it takes a PEM file") from None
        names = " or ".join(name for name, _ in named)
        raise SettingsError(f"{names} can't be used ({error}); it takes a PEM file, a key without a password") from None


def export_address(signal: str) -> tuple[str, str]:
    """Return the variable that sets where OTLP of `TRACES` or `METRICS` goes, and the address, without secrets."""
    variable, value = _endpoint(signal) or (BASE, EXAMPLE)
    shown = without_passwords(value)
    return variable, shown.rstrip("/") + PATHS[signal] if variable == BASE else shown


def _endpoint(signal: str) -> tuple[str, str] | None:
    """Return the variable that sets the endpoint, and its value."""
    return _first(signal, "ENDPOINT")


def _first(signal: str, kind: str) -> tuple[str, str] | None:
    """Return the variable for this signal, or else the one for all signals, and its value."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_{kind}", f"OTEL_EXPORTER_OTLP_{kind}"):
        if value := _read(name):
            return name, value
    return None


def _read(name: str) -> str:
    return os.environ.get(name, "").strip()
