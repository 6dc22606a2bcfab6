"""Find the address of a chat server's API, and read its list of models."""

import json
from collections.abc import Sequence

from httpx2 import URL, Response

ENDPOINTS = ("/chat/completions", "/completions", "/models")
_LISTED = 10
"""Names of models in an error."""


def candidate_bases(url: str) -> list[URL]:
    """Return the addresses to try for `url`: without an endpoint, and with /v1 if it has no path."""
    given = URL(url)
    path = given.path.rstrip("/")
    for endpoint in ENDPOINTS:
        path = path.removesuffix(endpoint)
    paths = [path] if path else ["", "/v1"]
    return [given.copy_with(path=path or "/") for path in paths]


def without_secrets(url: URL) -> str:
    """Return `url` without parts that may be secret."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path.rstrip('/')}"


def redirected_base(response: Response, endpoint: str) -> URL | None:
    """Return the base URL that the server redirected to, if it did."""
    if not response.history or not response.url.path.endswith(endpoint):
        return None
    return response.url.copy_with(path=response.url.path.removesuffix(endpoint) or "/")


def model_names(response: Response) -> list[str] | None:
    """Return the names in a list of models in OpenAI's or a similar form, or None if it is not such a list."""
    try:
        listed = json.loads(response.text)
    except (ValueError, RecursionError):
        return None
    if isinstance(listed, dict):
        listed = listed.get("data", listed.get("models"))
    if not isinstance(listed, list):
        return None
    found = [_name(model) for model in listed]
    return [name for name in found if name] if all(found) else None


def find_model(model: str | None, listed: Sequence[str]) -> str | None:
    """Return the server's name for `model`, or its only model if `model` is None."""
    if model is None:
        return listed[0] if len(listed) == 1 else None
    # Ollama's default tag.
    return next((name for name in (model, f"{model}:latest") if name in listed), None)


def model_problem(model: str | None, listed: Sequence[str]) -> str:
    """Return one line: what to set."""
    some = ", ".join(listed[:_LISTED]) + (" …" if len(listed) > _LISTED else "")
    said = "is not set" if model is None else f"is {model}"
    return f"GENERATE_MODEL {said}; the server at OPENAI_BASE_URL has {some or 'no models'}"


def _name(model: object) -> str | None:
    if isinstance(model, dict):
        model = model.get("id") or model.get("name") or model.get("model")
    return model if isinstance(model, str) and model else None
