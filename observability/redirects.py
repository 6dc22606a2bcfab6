"""An exporter's HTTP session that fails on redirects: the exporter follows none, and takes each for a success."""

import os
from typing import Any
from urllib.parse import urljoin

from requests import RequestException, Response, Session

from events.secrets import without_passwords

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
        target = urljoin(response.url, response.headers["location"])
        raise RequestException(f"redirected to {without_passwords(target)}")
