"""OpenTelemetry's variables in `.env`: its SDK reads the environment alone."""

import os
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "OTEL_"


def take_over(path: Path = Path(".env")) -> None:
    """Put them into this process's environment, where what it has already wins. An empty one counts as unset."""
    if not path.is_file():
        return
    for name, value in dotenv_values(path, interpolate=False).items():
        if name.startswith(PREFIX) and value:
            os.environ[name] = os.environ.get(name) or value
