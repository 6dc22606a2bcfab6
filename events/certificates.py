"""Explain why a certificate is not trusted: what OpenSSL's messages mean, and what to do about them.

Source: X509_verify_cert_error_string(3). Python verifies strictly (RFC 5280) from 3.13 on.
"""

import re
from dataclasses import dataclass
from typing import Final

from events.faults import Diagnosis, Fault

ANEW = "make it anew as docs/security.md shows"
STRICT = "which Python 3.13 and later ask for"
REFUSED = "which Python 3.13 and later refuse"
UNKNOWN = ("its authority is not known here", "name the file of the authority's certificate in {authority}")
ANOTHER = ("it is for another name", "add this one to its subjectAltName, or correct {address}")


@dataclass(frozen=True, slots=True)
class SettingNames:
    """The settings of one connection: the server's address, its authority's file, and the files of our certificate."""

    address: str
    authority: str
    own: str = ""


FLAWS: Final[dict[str, tuple[str, str]]] = {
    "does not include key usage": (f"its authority's certificate lacks the key usage extension, {STRICT}", ANEW),
    "missing authority key identifier": (f"it lacks the authority key identifier, {STRICT}", ANEW),
    "missing subject key identifier": (f"its authority's lacks the subject key identifier, {STRICT}", ANEW),
    "ca cert not marked critical": (f"its authority's basic constraints are not marked critical, {REFUSED}", ANEW),
    "keycertsign": (f"its key usage contradicts its basic constraints, {REFUSED}", ANEW),
    "for non-ca cert": (f"its basic constraints contradict each other, {REFUSED}", ANEW),
    "key identifier marked critical": (f"it has a key identifier marked critical, {REFUSED}", ANEW),
    "subject alt": (f"its subjectAltName is empty or not marked critical, {REFUSED}", ANEW),
    "name empty": (f"it or its authority has no name, {REFUSED}", ANEW),
    "at least x509v3": (f"it has extensions but not version 3, {REFUSED}", ANEW),
    "invalid ca certificate": ("what signed it is not the certificate of an authority (CA:true)", ANEW),
    "certificate signing": ("its authority's key usage lacks keyCertSign", ANEW),
    "certificate purpose": ("it is not one for a server (extendedKeyUsage = serverAuth)", ANEW),
    "too weak": ("a key or a signature in its chain is too weak", ANEW),
    "not yet valid": ("it is not valid yet", "check the clocks of both computers"),
    "has expired": ("it or its authority's has expired", "renew it, or check this computer's clock"),
    "revoked": ("it was revoked", "give the server another one"),
    "mismatch": ANOTHER,
    "doesn't match": ANOTHER,
    "self-signed": UNKNOWN,
    "self signed": UNKNOWN,
    "unable to get": UNKNOWN,
    "unable to verify": UNKNOWN,
}
"""By part of OpenSSL's message, in lower case: the problem and the advice. The first match counts."""

OURS: Final = re.compile(
    r"alert (unknown ca|bad certificate|certificate (?:required|expired|revoked|unknown)|unsupported certificate)"
)
"""Alerts by which a server rejects the client's certificate."""

VERIFY_FAILED: Final = "certificate verify failed"


def certificate_problem(reason: str, variables: SettingNames) -> Diagnosis | None:
    """Classify `reason`, the text of an ssl.SSLError, if it is about a certificate; otherwise return None."""
    lowered = reason.lower()
    if answer := OURS.search(lowered):
        return _bad_certificate(f"it does not accept our certificate ({answer[1]})", f"correct {variables.own}")
    if VERIFY_FAILED not in lowered:
        return None
    flaw, advice = next((flaw for words, flaw in FLAWS.items() if words in lowered), (reason, "correct {authority}"))
    advice = advice.replace("{authority}", variables.authority).replace("{address}", variables.address)
    return _bad_certificate(f"its certificate is not trusted: {flaw}", advice)


def _bad_certificate(reason: str, advice: str) -> Diagnosis:
    return Diagnosis(Fault.FATAL, reason, advice, bad_setting=True)
