"""Classify the errors of servers with OpenAI's API, and explain them."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from httpx2 import ConnectError, NetworkError, RemoteProtocolError
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError, BadRequestError, OpenAIError

from events.certificates import SettingNames, certificate_problem
from events.faults import UNKNOWN_ATTEMPTS, Fault
from functions.worker.outcomes import Reject, Retry

FAULTS = (OpenAIError, ValueError, TypeError, AttributeError, LookupError)
"""All that the client raises; Python's own errors mean that a response is not what the API promises."""

_STATUSES = {
    400: Fault.FINAL,  # about the request itself, e.g. that it does not fit the context
    413: Fault.FINAL,
    422: Fault.FINAL,
    401: Fault.FATAL,  # the key
    403: Fault.FATAL,
    404: Fault.FATAL,  # the address or the model
    408: Fault.PASSING,
    409: Fault.PASSING,
    425: Fault.PASSING,
    429: Fault.PASSING,
    500: Fault.PASSING,
    502: Fault.PASSING,
    503: Fault.PASSING,
    504: Fault.PASSING,
    529: Fault.PASSING,
}
_CERTIFICATES = SettingNames(address="OPENAI_BASE_URL", authority="SSL_CERT_FILE", own="OPENAI_BASE_URL")
_AWAY = {502, 503, 504, 529}
_LOADING = timedelta(seconds=10)
"""A server that restarts must load its model first, and a question has a limited number of attempts."""
_SOON, _LATEST = timedelta(seconds=1), timedelta(hours=1)
"""Bounds of `Retry-After`."""
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)


def fault(error: Exception) -> Fault:
    """Classify `error`. FATAL applies at the start; later, a key or a model may be corrected on the server."""
    status = _status(error)
    if status is not None:
        return _STATUSES.get(status, Fault.UNKNOWN)
    return Fault.PASSING if isinstance(error, APIConnectionError) else Fault.UNKNOWN


def ran_out_of_room(error: Exception) -> bool:
    """Return whether a model that hides its thoughts had no tokens left for an answer, as OpenAI reports it."""
    return isinstance(error, BadRequestError) and "limit was reached" in error.message


def was_hung_up(error: APIConnectionError) -> bool:
    """Return whether an open connection ended before the response began.

    A server may close a connection that it has kept, at the moment in which the next question is sent over it: the
    question was not read. Source: RFC 9112, section 9.3.1.
    """
    return isinstance(error.__cause__, (NetworkError, RemoteProtocolError)) and not isinstance(
        error.__cause__, ConnectError
    )


def verdict(error: Exception, *, now: datetime) -> Retry | Reject:
    """Return the verdict for `error`, without the server's message, which may quote the conversation."""
    why = f"the model server: {short_reason(error)}"
    match fault(error):
        case Fault.FINAL:
            return Reject(why)
        case Fault.UNKNOWN:
            return Retry(why, delay=_delay(error, now), attempts=UNKNOWN_ATTEMPTS)
        case _:
            return Retry(why, delay=_delay(error, now))


def short_reason(error: Exception) -> str:
    """Return a few words: the status and the server's code, or how the connection failed."""
    status = _status(error)
    if status is None or not isinstance(error, APIError):
        flaw = certificate_problem(_causes(error), _CERTIFICATES)
        return flaw.reason if flaw else type(error).__name__
    code = next((word for word in (error.code, error.type) if _CODE.fullmatch(str(word or ""))), None)
    return f"status {status}{f' ({code})' if code else ''}"


def problem_and_advice(error: Exception, url: Any) -> str:
    """Return one line: what is wrong with the server at `url`, and what to do."""
    match _status(error):
        case None if flaw := certificate_problem(_causes(error), _CERTIFICATES):
            what, cure = "can't be reached", flaw.advice
        case 401 | 403:
            what, cure = "refuses the key", "correct OPENAI_API_KEY"
        case 404 if url.path.endswith("/completions"):
            what, cure = "has no such model", "load it there, or correct GENERATE_MODEL or OPENAI_BASE_URL"
        case 404:
            what, cure = "is not there", "OPENAI_BASE_URL usually ends in /v1"
        case 301 | 302 | 303 | 307 | 308:
            what, cure = "is elsewhere", "correct OPENAI_BASE_URL"
        case None if isinstance(error, APIConnectionError):
            what, cure = "can't be reached", "start the server, or correct OPENAI_BASE_URL"
        case None if not isinstance(error, OpenAIError):
            what, cure = "does not speak OpenAI's API", "correct OPENAI_BASE_URL"
        case _:
            what, cure = "can't serve", "look at that server's log"
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path} {what} ({short_reason(error)}): {cure}"


def _causes(error: Exception) -> str:
    """Return the messages of the errors that caused `error`, which itself gives no reason."""
    cause, said = error.__cause__, []
    while cause is not None:
        said.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    return " ".join(said)


def _status(error: Exception) -> int | None:
    """Return the HTTP status, or the status in an error that ended a stream."""
    if isinstance(error, APIStatusError):
        return error.status_code
    code = str(error.code) if isinstance(error, APIError) else ""
    return int(code) if re.fullmatch(r"[1-9]\d\d", code, re.ASCII) else None


def _delay(error: Exception, now: datetime) -> timedelta:
    otherwise = _LOADING if _status(error) in _AWAY else _SOON
    match error:
        case APIStatusError():
            return _retry_after(error.response.headers, now) or otherwise
        case APIConnectionError() if not isinstance(error, APITimeoutError):
            return _LOADING
        case _:
            return otherwise


def _retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return the delay, given in seconds or as a date, or None if it is neither. Source: RFC 9110, section 10.2.3."""
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
