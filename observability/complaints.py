"""Explain what an OTLP exporter complains of: where it could not send to, why, and what to do, in one line."""

import re
from typing import Final

from events.certificates import SettingNames, certificate_problem
from observability.environment import sends_to

FAILED: Final = re.compile(r"Failed to export (spans|metrics) batch code: (\w+), reason: (.*)", re.DOTALL)
AGAIN: Final = re.compile(
    r"Transient error (.*) encountered while exporting (spans|metrics) batch, retrying", re.DOTALL
)
IN_VAIN: Final = re.compile(r"Failed to export (spans|metrics) batch (due to timeout), max retries or shutdown")
SIGNALS: Final = {"spans": "TRACES", "metrics": "METRICS"}
QUERY: Final = re.compile(r"(with url: [^\s?]*)\?\S*")
"""How requests tell where it could not send to, a key and all."""
MAX_REASON: Final = 200
"""Characters of what a stranger's server answered."""

CERTIFICATE: Final = "OTEL_EXPORTER_OTLP_CERTIFICATE"
OWN: Final = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
STATUSES: Final = {
    "401": "correct OTEL_EXPORTER_OTLP_HEADERS, which say who we are",
    "403": "correct OTEL_EXPORTER_OTLP_HEADERS, which say who we are",
    "413": "lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE, or let the collector take more",
}
NOT_THERE: Final = {"400", "404", "405", "415", "501"}
TEXTS: Final = (
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


def explained(complaint: str) -> str:
    """Return `complaint` itself, in one line, if it is about something else."""
    if failed := FAILED.match(complaint):
        kind, code, reason = failed.groups()
    elif again := AGAIN.match(complaint):
        (reason, kind), code = again.groups(), "None"
    elif in_vain := IN_VAIN.match(complaint):
        (kind, reason), code = in_vain.groups(), "None"
    else:
        return _line(complaint)
    variable, address = sends_to(SIGNALS[kind])
    why, advice = _told(code, QUERY.sub(r"\1?***", reason), variable, SIGNALS[kind])
    return f"{SIGNALS[kind].lower()} can't be sent to {address} ({_line(why)}); {advice}"


def _told(code: str, reason: str, variable: str, signal: str) -> tuple[str, str]:
    """What was answered, and what to do about it."""
    if code in NOT_THERE:
        where = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT is the whole address, OTEL_EXPORTER_OTLP_ENDPOINT without /v1/…"
        return f"{code} {reason}", f"no collector takes them there: correct {variable} ({where})"
    if code != "None":
        return f"{code} {reason}", STATUSES.get(code, "see its log")
    if flaw := certificate_problem(reason, SettingNames(address=variable, authority=CERTIFICATE, own=OWN)):
        return flaw.reason, flaw.advice
    for words, why, advice in TEXTS:
        if words.search(reason):
            return why, advice.replace("{variable}", variable)
    return reason, f"correct {variable}"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"
