"""An exporter's HTTP session that fails on redirects: the exporter follows none, and takes each for a success."""

import os
from typing import Any

from requests import RequestException, Response, Session

from observability.environment import without_secrets

PROVIDER = "CREDENTIAL_PROVIDER"


def session() -> Session | None:
    """None where OpenTelemetry's variables name a maker of sessions."""
    if any(name.startswith("OTEL_PYTHON_EXPORTER_OTLP_HTTP_") and name.endswith(PROVIDER) for name in os.environ):
        return None
    made = Session()
    made.hooks["response"].append(_refuse_redirects)
    return made


def _refuse_redirects(response: Response, **_: Any) -> None:
    if response.is_redirect:
        raise RequestException(f"redirected to {without_secrets(response.headers['location'])}")
