"""The simulated appliance's own CA, made at start."""

import ipaddress
import ssl
from pathlib import Path

import trustme


class Certificates:
    """A CA, the server's certificate and clients' certificates, in files of one folder."""

    def __init__(self, folder: Path, host: str) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self._server = self._ca.issue_cert(host, "localhost") if _is_address(host) else self._ca.issue_cert(host)
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self) -> ssl.SSLContext:
        """TLS for the server; asks clients for a certificate and lets them come without."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.configure_cert(context)
        self._ca.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        # From Python 3.13 on, certificates must carry more than those of this CA do.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def issue_client_certificate(self, username: str) -> Path:
        """A PEM file with the key and the certificate of a user."""
        path = self._folder / f"{username}.pem"
        self._ca.issue_cert(common_name=username).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
