"""Settings of libraries, which read the environment only."""

import os
import re
from contextlib import suppress
from pathlib import Path

from events import dotenv
from events.files import absolute
from events.settings import DOTENV

_ITS_FILE = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?(CERTIFICATE|CLIENT_KEY)")


def for_libraries() -> None:
    """Put what OpenTelemetry and the hub look for in the environment, which wins, there from `.env`.

    Files that OpenTelemetry reads are named by whole paths there.
    """
    for name, value in dotenv.values(dotenv.read(DOTENV)).items():
        if name.startswith(("OTEL_", "HF_")) and value and not os.environ.get(name):
            os.environ[name] = value
    for name, value in os.environ.items():
        if _ITS_FILE.fullmatch(name) and value:
            with suppress(ValueError):  # OpenTelemetry says that it can't be read
                os.environ[name] = str(absolute(Path(value)))
