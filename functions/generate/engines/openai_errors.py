"""What becomes of a request when an OpenAI-compatible server does not answer it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from openai import APIError, APIStatusError

from functions.verdicts import Reject, Retry

_NEVER = {400, 413, 422}
"""Statuses about the request itself, e.g. that it does not fit the context. A wrong key or model can be mended."""
_SOONEST, _LATEST = 1.0, 3600.0
"""Seconds that `Retry-After` may stand for."""
_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)


def verdict(error: APIError) -> Retry | Reject:
    """Whether another attempt can help, and when. Without the server's message, which may quote the conversation."""
    why = f"the model server: {reason(error)}"
    if not isinstance(error, APIStatusError):
        return Retry(why)
    if error.status_code in _NEVER:
        return Reject(why)
    return Retry(why, delay=_retry_after(error.response.headers))


def reason(error: APIError) -> str:
    """A few words: the status, and the server's code for it; or how the connection failed."""
    if not isinstance(error, APIStatusError):
        return type(error).__name__
    code = next((word for word in (error.code, error.type) if _CODE.fullmatch(str(word or ""))), None)
    return f"status {error.status_code}{f' ({code})' if code else ''}"


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    """Source: RFC 9110, section 10.2.3: seconds, or a date."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value)
    return timedelta(seconds=min(max(_SOONEST, seconds), _LATEST))


def _until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
