"""Authorities for TLS in tests, and certificates with chosen flaws."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

OF_AN_AUTHORITY = {"key_cert_sign", "crl_sign"}
HOUR = timedelta(hours=1)


def usage(*allowed):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in allowed for name in names})


def secret(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass
class Authority:
    """A self-made one; it writes `ca.pem`, and what it issues, into `directory`.

    `lacks` names what its certificate goes without, out of `usage`, `identifier` and `critical`.
    """

    directory: Path
    lacks: str = ""

    def __post_init__(self):
        self.directory.mkdir()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.directory.name)])
        builder = self._builder(self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=self.lacks != "critical"
        )
        if self.lacks != "usage":
            builder = builder.add_extension(usage(*OF_AN_AUTHORITY), critical=True)
        if self.lacks != "identifier":
            builder = builder.add_extension(self._identifier(self.key), critical=False)
        self._save("ca.pem", self._signed(builder))

    @property
    def ca(self):
        return self.directory / "ca.pem"

    @property
    def secret(self):
        return secret(self.key)

    def issue(self, name, *addresses, valid=(-HOUR, HOUR), purpose=None, authority_identifier=True):
        """The files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
        builder = self._builder(subject, key, valid).add_extension(names, critical=False)
        builder = builder.add_extension(self._identifier(key), critical=False)
        if authority_identifier:
            ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
            builder = builder.add_extension(ours, critical=False)
        if purpose:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return self._save(f"{name}.pem", self._signed(builder)), self._save(f"{name}.key", secret(key))

    def _builder(self, subject, key, valid=(-HOUR, HOUR)):
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
        return builder.not_valid_before(now + valid[0]).not_valid_after(now + valid[1])

    def _identifier(self, key):
        return x509.SubjectKeyIdentifier.from_public_key(key.public_key())

    def _signed(self, builder):
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _save(self, name, content):
        path = self.directory / name
        path.write_bytes(content)
        return path


FOR_CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH
