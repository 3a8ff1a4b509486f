"""The certificates that a host shows, read before any of them is trusted: for a person to compare and to decide."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from spsetl.appliance.failures import LOGIN, HopelessConnectError
from spsetl.appliance.limits import ANSWER
from spsetl.appliance.route import find_route
from spsetl.appliance.transport import Transport, make_headers
from spsetl.errors import ConnectError
from spsetl.settings.access import Access

_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Certificate:
    """One certificate, in words.

    Attributes:
        pem: The certificate itself.
        names: The hosts that it is made out for.
        until: UTC; not valid any more from then on.
        fingerprint: SHA-256, as `AB:CD:…`.
    """

    pem: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    until: datetime
    fingerprint: str
    is_self_signed: bool


def check_connection(access: Access, seconds: float = _SECONDS) -> None:
    """Ask for one page without logging in, over the connection that a sync will use; any answer in time will do.

    Raises:
        HopelessConnectError: The certificate is not trusted, or TLS is not spoken there.
        SpsetlError: No answer.
    """
    limits = replace(ANSWER, seconds=seconds)
    with Transport(access, concurrency=1, timeout=seconds, limits=limits) as transport:
        transport.fetch(transport.address("/api/", None), make_headers(), kind=LOGIN)


def is_about_trust(error: Exception) -> bool:
    """Whether the connection failed over TLS, so that looking at the certificates may tell why."""
    return isinstance(error, HopelessConnectError)


def fetch_certificates(access: Access) -> tuple[Certificate, ...]:
    """What the host shows, its own certificate first. Nothing is checked, and nothing is sent but the handshake.

    Raises:
        ConnectError: There is no connection, or no TLS.
    """
    return shake_hands(access, _SECONDS)[0]


def shake_hands(access: Access, seconds: float) -> tuple[tuple[Certificate, ...], str]:
    """What `fetch_certificates` gives, and the version of TLS; each step may take so many seconds.

    Raises:
        ConnectError: There is no connection, or no TLS.
    """
    route = find_route(access)
    try:
        with (
            route.open(seconds) as plain,
            route.context(checked=False).wrap_socket(plain, server_hostname=route.host) as secure,
        ):
            return read_chain(secure), secure.version() or ""
    except OSError as error:  # TLS errors among them
        reason = error.strerror or "no answer"
        raise ConnectError(f"the certificate of {access.host} cannot be looked at: {reason}; try again") from None
    except ValueError:
        raise ConnectError(f"a certificate of {access.host} cannot be read; have it made anew") from None


def find_root(certificates: Sequence[Certificate]) -> Certificate | None:
    """The certificate that all trust can be put in: the self-signed one at the end of what the host shows.

    Hosts need not send it. Without it their own certificate cannot stand for it: OpenSSL trusts one that another signed
    only by a flag that Python sets from 3.13 on.
    """
    return next((one for one in reversed(certificates) if one.is_self_signed), None)


def read_chain(secure: ssl.SSLSocket) -> tuple[Certificate, ...]:
    """What the other side of a connection shows, its own certificate first.

    Raises:
        ValueError: A certificate cannot be read.
    """
    return tuple(map(_decode, _chain(secure)))


def read_file(path: Path) -> tuple[Certificate, ...]:
    """The certificates of a PEM file in their order; keys beside them are left aside.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds none that can be.
    """
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    return tuple(_decode(one.public_bytes(Encoding.DER)) for one in certificates)


def _chain(secure: ssl.SSLSocket) -> list[bytes]:
    """The certificates as they came, in DER."""
    if hasattr(secure, "get_unverified_chain"):  # Python 3.13
        return list(secure.get_unverified_chain())
    inner: Any = vars(secure)["_sslobj"]  # the same, before it was made public
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner.get_unverified_chain()]


def _decode(der: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    return Certificate(
        pem=ssl.DER_cert_to_PEM_cert(der),
        subject=_printable(certificate.subject.rfc4514_string()),
        issuer=_printable(certificate.issuer.rfc4514_string()),
        names=_names(certificate),
        until=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(SHA256()).hex(":").upper(),
        is_self_signed=_is_self_signed(certificate),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    known = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return tuple(map(_printable, known))


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _printable(text: str) -> str:
    """Control characters of a hostile certificate must not reach the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
