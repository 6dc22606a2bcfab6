"""What becomes of a request when an OpenAI-compatible server does not answer it."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from functions.verdicts import Reject, Retry

_NEVER = {400, 413, 422}
"""Statuses about the request itself, e.g. that it does not fit the context. A wrong key or model can be mended."""
_AWAY = {502, 503, 504}
_LOADING = timedelta(seconds=10)
"""A server that is away has a model to load before it is back, and a question has only so many attempts."""
_SOON, _LATEST = timedelta(seconds=1), timedelta(hours=1)
"""What `Retry-After` may say."""
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)


def verdict(error: APIError, *, now: datetime) -> Retry | Reject:
    """Whether another attempt can help, and when. Without the server's message, which may quote the conversation."""
    why = f"the model server: {reason(error)}"
    if isinstance(error, APIStatusError) and error.status_code in _NEVER:
        return Reject(why)
    return Retry(why, delay=_delay(error, now))


def reason(error: APIError) -> str:
    """A few words: the status, and the server's code for it; or how the connection failed."""
    if not isinstance(error, APIStatusError):
        return type(error).__name__
    code = next((word for word in (error.code, error.type) if _CODE.fullmatch(str(word or ""))), None)
    return f"status {error.status_code}{f' ({code})' if code else ''}"


def _delay(error: APIError, now: datetime) -> timedelta:
    match error:
        case APIStatusError():
            otherwise = _LOADING if error.status_code in _AWAY else _SOON
            return _retry_after(error.response.headers, now) or otherwise
        case APIConnectionError() if not isinstance(error, APITimeoutError):
            return _LOADING
        case _:
            return _SOON


def _retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Seconds, or a date; None if it says neither. Source: RFC 9110, section 10.2.3."""
    value = headers.get("retry-after", "")
    seconds = float(value) if _SECONDS.fullmatch(value) else _until(value, now)
    if seconds is None:
        return None
    return timedelta(seconds=min(max(_SOON.total_seconds(), seconds), _LATEST.total_seconds()))


def _until(date: str, now: datetime) -> float | None:
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (TypeError, ValueError):
        return None
