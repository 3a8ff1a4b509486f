"""How to reach and enter one appliance, and the files that this rests on: ours, and such that TLS can use them."""

import ipaddress
import os
import pwd
import shlex
import ssl
import stat
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


# Both files are loaded as a TLS connection will, so that a wrong one is named before the first request.


def check_ca_file(path: Path, setting: str) -> None:
    """Check that the file is there, ours, and holds a certificate.

    Raises:
        SettingsError: It is not; the message names the setting.
    """
    _check_readable(path, setting)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise SettingsError(f"{setting}: {path} holds no certificate in PEM format") from None


def check_client_cert(path: Path, setting: str) -> None:
    """Check that the file is there, ours, and holds a certificate and its key.

    Raises:
        SettingsError: It is not; the message names the setting.
    """
    _check_readable(path, setting)
    try:
        # An empty password keeps OpenSSL from asking for one on the terminal, where nobody sits at night.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path, password="")
    except ssl.SSLError:
        raise SettingsError(
            f"{setting}: {path} must hold a certificate and its unencrypted key in PEM format"
        ) from None


def _check_readable(path: Path, setting: str) -> None:
    require_ours(path, setting)
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror}; name an existing file") from None
