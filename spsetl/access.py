"""How to reach and enter one appliance: a frozen value, and the checks of what it is made of."""

import ipaddress
import os
import pwd
import shlex
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from spsetl.errors import SettingsError

_LONGEST_NAME: Final = 128


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


def check_url(url: str) -> str:
    """The address of an appliance, without the trailing slash.

    Raises:
        ValueError: It is none that a login may be sent to; the message does not repeat it.
    """
    if "@" in url:
        raise ValueError("must not carry a user name or a password; put them into SPSETL_USERNAME and SPSETL_PASSWORD")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address; its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError("must be a scheme and a host")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("must end after the host and the port, without a path or a query")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("would send the password in clear; plain http is for loopback addresses only, use https")
    return url.rstrip("/")


def check_appliance(name: str) -> str:
    """The name of an appliance, which becomes part of file names.

    Raises:
        ValueError: It is not fit for that.
    """
    if not name.isprintable() or set(name) & set("/\\ ") or name.startswith(".") or len(name) > _LONGEST_NAME:
        raise ValueError(f"must be a short name (at most {_LONGEST_NAME} characters) without slashes and spaces")
    return name


def check_username(name: str) -> str:
    """A user name that HTTP Basic can carry.

    Raises:
        ValueError: It has a colon.
    """
    if ":" in name:
        raise ValueError("must not have a colon: a login by HTTP Basic ends the user name there")
    return name


def is_loopback(host: str) -> bool:
    """True if what is sent to that host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_password(path: Path, setting: str) -> SecretStr:
    """The content of a password file without its last newline.

    Raises:
        SettingsError: It cannot be read, is empty or is no UTF-8 text; the message names the setting.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} is no UTF-8 text; save it as UTF-8") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise SettingsError(f"{setting}: {path} is empty; write the password into it")
    return SecretStr(password)


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


def is_readable_by_others(path: Path) -> bool:
    """True if the file's group or everybody may read it. False as well if there is no such file."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def check_ca_file(path: Path, setting: str) -> None:
    """Load the file as a TLS connection will, so that a wrong one is named before the first request.

    Raises:
        SettingsError: It is missing, unreadable or holds no certificate; the message names the setting.
    """
    _check_readable(setting, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise SettingsError(f"{setting}: {path} holds no certificate in PEM format") from None


def check_client_cert(path: Path, setting: str) -> None:
    """Load the file as a TLS connection will, so that a wrong one is named before the first request.

    Raises:
        SettingsError: It is missing, unreadable or lacks certificate or key; the message names the setting.
    """
    _check_readable(setting, path)
    try:
        # An empty password keeps OpenSSL from asking for one on the terminal, where nobody sits at night.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path, password="")
    except ssl.SSLError:
        raise SettingsError(
            f"{setting}: {path} must hold a certificate and its unencrypted key in PEM format"
        ) from None


def _check_readable(setting: str, path: Path) -> None:
    require_ours(path, setting)
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror}; name an existing file") from None
