"""Where a chat server's API is, and the models that it lists."""

import json
from collections.abc import Sequence

from httpx2 import URL, Response

ENDPOINTS = ("/chat/completions", "/completions", "/models")
_LISTED = 10
"""Names of models in an error."""


def candidate_bases(url: str) -> list[URL]:
    """The addresses to try for `url`: as it is, less an endpoint, and below /v1 if it is a server's name alone."""
    given = URL(url)
    path = given.path.rstrip("/")
    for endpoint in ENDPOINTS:
        path = path.removesuffix(endpoint)
    paths = [path] if path else ["", "/v1"]
    return [given.copy_with(path=path or "/") for path in paths]


def without_secrets(url: URL) -> str:
    """`url` without what may be a secret in it."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path.rstrip('/')}"


def redirected_base(response: Response, endpoint: str) -> URL | None:
    """The base that the server has sent us on to, if it has."""
    if not response.history or not response.url.path.endswith(endpoint):
        return None
    return response.url.copy_with(path=response.url.path.removesuffix(endpoint) or "/")


def model_names(response: Response) -> list[str] | None:
    """The models in a list of models, in OpenAI's form or near it; None if it is no such list."""
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
    """`model` as the server calls it, or the only one that it has."""
    if model is None:
        return listed[0] if len(listed) == 1 else None
    # Ollama's default tag.
    return next((name for name in (model, f"{model}:latest") if name in listed), None)


def model_problem(model: str | None, listed: Sequence[str]) -> str:
    """One line: what to set."""
    some = ", ".join(listed[:_LISTED]) + (" …" if len(listed) > _LISTED else "")
    said = "is not set" if model is None else f"is {model}"
    return f"GENERATE_MODEL {said}; the server at OPENAI_BASE_URL has {some or 'no models'}"


def _name(model: object) -> str | None:
    if isinstance(model, dict):
        model = model.get("id") or model.get("name") or model.get("model")
    return model if isinstance(model, str) and model else None
