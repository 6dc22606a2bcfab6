"""Why a certificate is not trusted, from OpenSSL's own mouth: handshakes in memory, verified as strictly as by 3.13."""

import ssl
from contextlib import suppress
from datetime import timedelta

import pytest

from cli.demo.nats_server import HOST
from events.certificates import SettingNames, certificate_problem
from tests.authorities import FOR_CLIENTS, Authority

VARIABLES = SettingNames(address="THE_URL", authority="THE_CA", own="THE_CERTIFICATE")
DAY = timedelta(days=1)


def handshake(server, client, *, name=HOST):
    """Raises what the client does, or what the server does if the client is content."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = {
        "client": client.wrap_bio(back, there, server_hostname=name),
        "server": server.wrap_bio(there, back, server_side=True),
    }
    for _ in range(3):
        for side in sides.values():
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    with suppress(ssl.SSLWantReadError):
        sides["client"].read()


def serving(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def trusting(ca=None):
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def refused(authority, *, ca=None, name=HOST, **flaws):
    with pytest.raises(ssl.SSLError) as raised:
        handshake(serving(*authority.issue("server", HOST, **flaws)), trusting(ca or authority.ca), name=name)
    explained = str(certificate_problem(str(raised.value), VARIABLES))
    assert "\n" not in explained
    return explained


def test_a_proper_certificate_is_trusted_strictly(tmp_path):
    authority = Authority(tmp_path / "ca")
    handshake(serving(*authority.issue("server", HOST)), trusting(authority.ca))


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("usage", "its authority's certificate lacks the key usage extension, which Python 3.13"),
        ("identifier", "its authority's lacks the subject key identifier, which Python 3.13"),
        ("critical", "its authority's basic constraints are not marked critical, which Python 3.13"),
    ],
)
def test_what_an_authority_lacks_is_told(tmp_path, lacks, says):
    explained = refused(Authority(tmp_path / "ca", lacks=lacks))
    assert says in explained
    assert "docs/security.md" in explained


@pytest.mark.parametrize(
    ("flaws", "says"),
    [
        ({"authority_identifier": False}, "it lacks the authority key identifier, which Python 3.13"),
        ({"valid": (-2 * DAY, -DAY)}, "has expired; renew it, or check this computer's clock"),
        ({"valid": (DAY, 2 * DAY)}, "it is not valid yet; check the clocks of both computers"),
        ({"purpose": FOR_CLIENTS}, "it is not one for a server (extendedKeyUsage = serverAuth)"),
        ({"name": "10.1.2.3"}, "it is for another name; add this one to its subjectAltName, or correct THE_URL"),
        ({"name": "nats.example"}, "it is for another name; add this one to its subjectAltName, or correct THE_URL"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(tmp_path, flaws, says):
    assert says in refused(Authority(tmp_path / "ca"), **flaws)


def test_an_authority_that_is_not_known_is_to_be_named(tmp_path):
    other = Authority(tmp_path / "other")
    explained = refused(Authority(tmp_path / "ca"), ca=other.ca)
    assert "its authority is not known here; name the file of the authority's certificate in THE_CA" in explained


def test_a_server_that_wants_another_certificate_of_ours_is_not_the_one_distrusted(tmp_path):
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    server, client = serving(*authority.issue("server", HOST)), trusting(authority.ca)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(authority.ca)
    client.load_cert_chain(*other.issue("client", HOST))
    with pytest.raises(ssl.SSLError):
        handshake(server, client)
    for alert in ("tlsv1 alert unknown ca", "sslv3 alert bad certificate", "tlsv13 alert certificate required"):
        explained = str(certificate_problem(f"[SSL: X] {alert} (_ssl.c:1)", VARIABLES))
        assert explained.startswith("it does not accept our certificate (")
        assert explained.endswith("correct THE_CERTIFICATE")


@pytest.mark.parametrize(
    "words",
    [
        "CA cert does not include key usage extension",
        "CA certificate key too weak",
        "CA signature digest algorithm too weak",
        "Empty Subject Alternative Name extension",
        "Issuer name empty",
        "Key usage keyCertSign invalid for non-CA cert",
        "Path length given without key usage keyCertSign",
        "Path length invalid for non-CA cert",
        "Subject Key Identifier marked critical",
        "Subject empty and Subject Alt Name extension not critical",
        "Using cert extension requires at least X509v3",
        "certificate revoked",
        "invalid CA certificate",
        "key usage does not include certificate signing",
        "permitted subtree violation",
        "self-signed certificate in certificate chain",
        "something that a later OpenSSL says",
        "unable to get local issuer certificate",
        "unable to verify the first certificate",
    ],
)
def test_every_verdict_of_openssl_is_one_line_that_says_what_to_do(words):
    explained = str(certificate_problem(f"certificate verify failed: {words} (_ssl.c:1000)", VARIABLES))
    assert explained.startswith("its certificate is not trusted: ")
    assert "{" not in explained
    assert "; " in explained


@pytest.mark.parametrize("reason", ["", "[Errno 111] Connection refused", "[SSL: WRONG_VERSION_NUMBER] wrong version"])
def test_what_is_not_about_a_certificate_is_not_explained(reason):
    assert certificate_problem(reason, VARIABLES) is None
