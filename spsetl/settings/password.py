"""Where a password may lie beside the settings: a file, the operating system's keyring, systemd's credentials."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from pydantic import SecretStr

from spsetl.errors import SettingsError

CREDENTIAL: Final = "spsetl_password"
WAYS: Final = ("password", "password_file", "keyring")

_A_FILE: Final = "unset it and put the password into a file that SPSETL_PASSWORD_FILE names"


def find_credential(folder: Path | None, appliance: str | None) -> Path | None:
    """The file of the systemd service's credential for that appliance: its own before the one for all."""
    if folder is None:
        return None
    names = ([f"{CREDENTIAL}_{appliance}"] if appliance else []) + [CREDENTIAL]
    return next((folder / name for name in names if (folder / name).is_file()), None)


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


def remark_readable(password_file: Path | None, password_in: Path | None, credentials: Path | None) -> Iterator[str]:
    """A line for each file with a password that other users can read.

    In the folder of credentials systemd keeps others out by the folder and by access lists, whose mask shows as the
    group's permission.
    """
    is_credential = password_file and credentials and credentials.resolve() in password_file.resolve().parents
    if password_file and _is_readable_by_others(password_file) and not is_credential:
        yield f"{password_file} can be read by other users; run: chmod 600 {password_file}"
    if password_in and _is_readable_by_others(password_in):
        yield (
            f"{password_in} holds a password and can be read by other users; run: chmod 600 {password_in}, "
            "or put the password into a file of its own"
        )


def _is_readable_by_others(path: Path) -> bool:
    """True if the file's group or everybody may read it. False as well if there is no such file."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def read_keyring(service: str, username: str, setting: str) -> SecretStr:
    """The password that the operating system's keyring holds for that user of that service.

    Raises:
        SettingsError: There is no keyring, it is locked, or has no such password; the message names the setting.
    """
    if password := find_in_keyring(service, username, setting):
        return password
    raise SettingsError(
        f"{setting}: the keyring has no password of {username} for the service {service}; "
        f"run: keyring set {service} {username}"
    )


def find_in_keyring(service: str, username: str, setting: str) -> SecretStr | None:
    """As `read_keyring`; None if the keyring has no such password."""
    with _keyring(setting) as keyring:
        password = keyring.get_password(service, username)
    return SecretStr(password) if password else None


def write_keyring(service: str, username: str, password: SecretStr, setting: str) -> None:
    """Keep the password in the operating system's keyring, in the place of one that is there.

    Raises:
        SettingsError: There is no keyring, or it is locked.
    """
    with _keyring(setting) as keyring:
        keyring.set_password(service, username, password.get_secret_value())


@contextmanager
def _keyring(setting: str) -> Iterator[ModuleType]:
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to import
        import keyring.errors  # noqa: PLC0415
    except ImportError:
        raise SettingsError(f"{setting} needs one more package: pip install 'spsetl[keyring]'") from None
    try:
        yield keyring
    except keyring.errors.KeyringLocked:
        raise SettingsError(f"{setting}: the keyring is locked; unlock it, or {_A_FILE}") from None
    except keyring.errors.NoKeyringError:
        raise SettingsError(f"{setting}: this machine has no keyring that can be used; {_A_FILE}") from None
    except Exception as error:  # noqa: BLE001 - a backend raises what it likes; its words may repeat what it was given
        raise SettingsError(f"{setting}: the keyring fails ({type(error).__name__}); {_A_FILE}") from None
