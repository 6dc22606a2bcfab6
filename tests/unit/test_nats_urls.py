"""NATS_URL and the files beside it: what can't be used is one line that names the variable, and shows no password."""

import os
from pathlib import Path

import pytest

from events.errors import SettingsError
from events.jetstream.addresses import Access, redacted, servers
from events.jetstream.connection import connect

SECRET = "geheim"

BAD = {
    "": "a host is missing",
    " ": "a host is missing",
    ",": "a host is missing",
    "nats://": "a host is missing",
    "nats:///": "no host and port",
    "nats://:4222": "no host and port",
    "nats://a:4222,": "a host is missing",
    ",nats://a:4222": "a host is missing",
    "nats://a,,nats://b": "a host is missing",
    "nats://a:99999": "a port is 1 to 65535",
    "nats://a:0": "a port is 1 to 65535",
    "nats://a:-1": "no host and port",
    "nats://a:port": "no host and port",
    "nats://a:٤٢": "no host and port",
    "nats://a b:4222": "no host and port",
    "nats://a\n:4222": "no host and port",
    "nats://a\0:4222": "no host and port",
    "nats://a:4222/path": "no host and port",
    "nats://a?tls=1": "no host and port",
    "http://a:4222": "http is no scheme",
    "ws://a:4222": "ws is no scheme",
    "amqp://guest:guest@a": "amqp is no scheme",
    "nats//a:4222": "no host and port",
    "nats:/a:4222": "no host and port",
    "nats://::1:4222": "brackets",
    "::1": "brackets",
    "nats://[::1": "no host and port",
    "nats://user:geheim@": "a host is missing",
    "nats://user:geheim": "no host and port",
    "nats://user:ge/geheim@a:4222": "can't have; set NATS_USER",
    "nats://user:ge#geheim@a:4222": "can't have; set NATS_USER",
    "nats://user:ge?geheim@a:4222": "can't have; set NATS_USER",
    "nats://user:ge,geheim@a:4222": "can't have; set NATS_USER",
    "nats://user:ge geheim@a:4222": "can't have; set NATS_USER",
    "nats://us[er:geheim@a:4222": "can't have; set NATS_USER",
    "nats://user:geheim@a:4222,nats://b:x": "no host and port",
    "nats://user:geheim@a:x,nats://b:1": "no host and port",
}


@pytest.mark.parametrize("url", BAD)
async def test_what_is_no_address_is_one_line_that_names_the_variable(url):
    with pytest.raises(SettingsError) as refused:
        async with connect(url, name="test"):
            pass
    said = str(refused.value)
    assert said.startswith("NATS_URL: got ")
    assert BAD[url] in said
    assert "nats://host:port" in said
    assert "\n" not in said
    assert SECRET not in said
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("nats://a:4222", ["nats://a:4222"]),
        ("a", ["nats://a:4222"]),
        ("a:1", ["nats://a:1"]),
        ("tls://a", ["tls://a:4222"]),
        ("nats://a:4222/", ["nats://a:4222"]),
        (" nats://a:1 , nats://b:2 ", ["nats://a:1", "nats://b:2"]),
        ("nats://[::1]:4222", ["nats://[::1]:4222"]),
        ("nats://user:p@a:1,nats://user:p@b:2", ["nats://user:p@a:1", "nats://user:p@b:2"]),
        ("nats://user:p@a:1,b:2", ["nats://user:p@a:1", "nats://b:2"]),
        ("nats://user:p@geheim@a", ["nats://user:p@geheim@a:4222"]),
        ("nats://user:p%40:ß@a", ["nats://user:p%40:ß@a:4222"]),
        ("nats://token@a", ["nats://token@a:4222"]),
    ],
)
def test_addresses_are_taken_as_they_were(url, found):
    assert servers(url) == found


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://user:geheim@a:1,nats://user:ge,geheim@b:2", "nats://a:1,nats://b:2"),
        ("nats://user:ge//geheim@b:2", "nats://b:2"),
        ("user:geheim@b:2", "b:2"),
        ("nats://user:geheim", "nats://user:***"),
        ("nats://[::1]:4222", "nats://[::1]:4222"),
        ("nats://a:1,b:2", "nats://a:1,b:2"),
    ],
)
def test_what_is_shown_has_no_password(url, said):
    assert redacted(url) == said


def _garbage(path: Path) -> Path:
    path.write_bytes(b"\xff\xfe geheim")
    return path


def _text(path: Path) -> Path:
    path.write_text("-----BEGIN NATS USER JWT-----\ngeheim\n------END NATS USER JWT------\n")
    return path


def _seed(path: Path) -> Path:
    path.write_text(
        "-----BEGIN NATS USER JWT-----\nx\n------END\n-----BEGIN USER NKEY SEED-----\nSUgeheim\n------END\n"
    )
    return path


def _empty(path: Path) -> Path:
    path.touch()
    return path


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def _missing(path: Path) -> Path:
    return path


@pytest.mark.parametrize("make", [_garbage, _text, _seed, _empty, _directory, _missing])
@pytest.mark.parametrize("field", ["credentials", "ca", "certificate"])
async def test_a_file_that_can_not_be_used_is_one_line(tmp_path, make, field):
    access = Access(**{field: make(tmp_path / "file")})
    with pytest.raises(SettingsError, match=r"NATS_CREDENTIALS|NATS_TLS_C") as refused:
        async with connect("nats://127.0.0.1:1", name="test", access=access):
            pass
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


async def test_a_key_without_its_certificate_is_no_silence(tmp_path):
    with pytest.raises(SettingsError, match="NATS_TLS_CERTIFICATE, which is missing"):
        async with connect("nats://127.0.0.1:1", name="test", access=Access(key=_text(tmp_path / "key"))):
            pass


@pytest.mark.parametrize(("field", "variable"), [("ca", "NATS_TLS_CA"), ("credentials", "NATS_CREDENTIALS")])
async def test_a_file_of_somebody_elses_is_named_with_the_user_who_may_not_read_it(tmp_path, field, variable):
    path = _text(tmp_path / "file")
    path.chmod(0o600 if os.geteuid() == 0 else 0o200)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(SettingsError) as refused:
            async with connect("nats://127.0.0.1:1", name="test", access=Access(**{field: path})):
                pass
        said = f"{variable}: {path} can't be read by user {os.geteuid()} (Permission denied); it takes "
    finally:
        os.seteuid(user)
    assert str(refused.value).startswith(said)
