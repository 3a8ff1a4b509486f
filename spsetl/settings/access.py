"""How to reach and enter one appliance, and the files that this rests on: ours, and such that TLS can use them."""

import ipaddress
import os
import pwd
import shlex
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from spsetl.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Access:
    """Everything the client needs to know; either user name and password, or a client certificate.

    `url` has no trailing slash. `client_cert` is one PEM file with the certificate and its key.
    """

    url: str
    appliance: str
    username: str | None = None
    password: SecretStr | None = None
    login_method: str | None = None
    client_cert: Path | None = None
    ca_file: Path | None = None
    verify_tls: bool = True

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc


def is_loopback(host: str) -> bool:
    """True if what is sent to that host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_ours(path: Path, setting: str = "") -> None:
    """Check that nobody but ourselves and root commands the file, which decides where a password is sent.

    Its folder may belong to anybody, who could only put another file of ours in its place; but not everybody may.

    Raises:
        SettingsError: Another user owns it, or others may write it; one line that says what to run.
    """
    try:
        found, folder = path.stat(), path.resolve().parent
        of_folder = folder.stat().st_mode
    except OSError:
        return  # who reads it will say so
    name, quoted = f"{setting}: {path}" if setting else str(path), shlex.quote(str(path))
    if found.st_uid not in {0, os.geteuid()}:
        ours = _user_name(os.geteuid())
        raise SettingsError(f"{name} belongs to user {_user_name(found.st_uid)}; run: chown {ours} {quoted}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(f"{name} can be changed by others; run: chmod go-w {quoted}")
    if of_folder & stat.S_IWOTH and not of_folder & stat.S_ISVTX:
        raise SettingsError(f"{name} can be replaced by others; run: chmod o-w {shlex.quote(str(folder))}")


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def check_ca_file(path: Path, setting: str) -> None:
    """Load the file as a TLS connection will, so that a wrong one is named before the first request.

    Raises:
        SettingsError: It is missing, not ours, or holds no certificate; the message names the setting.
    """
    with _loading(path, setting, "holds no certificate in PEM format") as context:
        context.load_verify_locations(cafile=path)


def check_client_cert(path: Path, setting: str) -> None:
    """As `check_ca_file`, for a certificate and its key.

    Raises:
        SettingsError: It is missing, not ours, or lacks one of the two; the message names the setting.
    """
    with _loading(path, setting, "must hold a certificate and its unencrypted key in PEM format") as context:
        # An empty password keeps OpenSSL from asking for one on the terminal, where nobody sits at night.
        context.load_cert_chain(path, password="")


@contextmanager
def _loading(path: Path, setting: str, otherwise: str) -> Iterator[ssl.SSLContext]:
    require_ours(path, setting)
    try:
        yield ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except ssl.SSLError:
        raise SettingsError(f"{setting}: {path} {otherwise}") from None
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror}; name an existing file") from None
