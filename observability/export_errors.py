"""Make OTLP exporters report failures so that one log line says where, why, and what to do."""

import os
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from events.certificates import SettingNames, certificate_problem
from events.setting_problems import without_passwords
from observability.environment import export_address

if TYPE_CHECKING:
    from requests import Response, Session

PROVIDER: Final = "CREDENTIAL_PROVIDER"

FAILED: Final = re.compile(r"Failed to export (spans|metrics) batch code: (\w+), reason: (.*)", re.DOTALL)
RETRIED: Final = re.compile(
    r"Transient error (.*) encountered while exporting (spans|metrics) batch, retrying", re.DOTALL
)
GAVE_UP: Final = re.compile(r"Failed to export (spans|metrics) batch (due to timeout), max retries or shutdown")
SIGNALS: Final = {"spans": "TRACES", "metrics": "METRICS"}
QUERY: Final = re.compile(r"(with url: [^\s?]*)\?\S*")
"""The query of an address in an error of `requests`: it may hold a key."""
MAX_REASON: Final = 200
"""Characters of a reason: it may be a server's answer of any length."""

CERTIFICATE: Final = "OTEL_EXPORTER_OTLP_CERTIFICATE"
OWN: Final = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
STATUSES: Final = {
    "401": "correct OTEL_EXPORTER_OTLP_HEADERS, which say who we are",
    "403": "correct OTEL_EXPORTER_OTLP_HEADERS, which say who we are",
    "413": "lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE, or let the collector take more",
}
WRONG_ADDRESS: Final = {"400", "404", "405", "415", "501"}
REASONS: Final = (
    (re.compile("WRONG_VERSION_NUMBER|record layer failure"), "it speaks no TLS", "write http:// in {variable}"),
    (
        re.compile("BadStatusLine|RemoteDisconnected|Connection aborted|Connection reset|InvalidHeader"),
        "it does not speak HTTP",
        "correct {variable}: OTLP over HTTP is usually at port 4318, and 4317 is for gRPC",
    ),
    (re.compile("NameResolutionError|getaddrinfo"), "there is no such host", "correct {variable}"),
    (re.compile("Connection refused"), "connection refused", "start it, or correct {variable}"),
    (re.compile("NewConnectionError"), "no way to it", "see this machine's network, or correct {variable}"),
    (re.compile("timed out|timeout", re.IGNORECASE), "no answer in time", "see its log, or correct {variable}"),
)


def session() -> "Session | None":
    """Return an HTTP session for an OTLP exporter that fails on redirects, which the exporter takes for success.

    None if OpenTelemetry's variables name a provider of sessions.
    """
    if any(name.startswith("OTEL_PYTHON_EXPORTER_OTLP_HTTP_") and name.endswith(PROVIDER) for name in os.environ):
        return None
    from requests import RequestException, Session  # noqa: PLC0415 - not needed by a process that exports nothing

    def refuse_redirects(response: "Response", **_: Any) -> None:
        if response.is_redirect:
            target = urljoin(response.url, response.headers["location"])
            raise RequestException(f"redirected to {without_passwords(target)}")

    http = Session()
    http.hooks["response"].append(refuse_redirects)
    return http


def explain(message: str) -> str:
    """Return an exporter's log message with the address, the reason and what to do, in one line.

    Any other message is returned as it is, in one line.
    """
    if failed := FAILED.match(message):
        kind, code, reason = failed.groups()
    elif retried := RETRIED.match(message):
        (reason, kind), code = retried.groups(), "None"
    elif gave_up := GAVE_UP.match(message):
        (kind, reason), code = gave_up.groups(), "None"
    else:
        return _one_line(message)
    variable, address = export_address(SIGNALS[kind])
    reason, advice = _diagnose(code, QUERY.sub(r"\1?***", reason), variable, SIGNALS[kind])
    return f"{SIGNALS[kind].lower()} can't be sent to {address} ({_one_line(reason)}); {advice}"


def _diagnose(code: str, reason: str, variable: str, signal: str) -> tuple[str, str]:
    """Return the reason of a failure, and what to do about it."""
    if code in WRONG_ADDRESS:
        where = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT is the whole address, OTEL_EXPORTER_OTLP_ENDPOINT without /v1/…"
        return f"{code} {reason}", f"no collector takes them there: correct {variable} ({where})"
    if code != "None":
        return f"{code} {reason}", STATUSES.get(code, "see its log")
    if flaw := certificate_problem(reason, SettingNames(address=variable, authority=CERTIFICATE, own=OWN)):
        return flaw.reason, flaw.advice
    for pattern, plain_reason, advice in REASONS:
        if pattern.search(reason):
            return plain_reason, advice.replace("{variable}", variable)
    return reason, f"correct {variable}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"
