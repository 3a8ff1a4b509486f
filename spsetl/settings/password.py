"""The password of a login, out of the one place that has it: a setting, a file, the keyring, systemd's credentials."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from pydantic import SecretStr

from spsetl.access import is_readable_by_others, read_password, require_ours
from spsetl.errors import SettingsError

CREDENTIAL: Final = "spsetl_password"
WAYS: Final = ("password", "password_file", "keyring")


@dataclass(frozen=True)
class PasswordSource:
    """What settings say of the password.

    Attributes:
        credential: The systemd service's credential for this appliance, which counts where no setting names a password.
        place: Names a setting as messages do.
    """

    username: str | None
    password: SecretStr | None
    password_file: Path | None
    keyring: str | None
    credential: Path | None
    place: Callable[[str], str]

    @property
    def ways(self) -> list[str]:
        """The settings that say where the password is."""
        return [name for name in WAYS if getattr(self, name) is not None]

    def check_unused(self) -> None:
        """Check that nothing contradicts a login by client certificate. A credential is for those who need one.

        Raises:
            SettingsError: A user name or a password is set beside it.
        """
        if self.username is not None or self.ways:
            raise SettingsError(
                f"{self.place('client_cert')} logs in without a user name and password; unset one or the other"
            )

    def read(self) -> SecretStr:
        """The password.

        Raises:
            SettingsError: None is named, several are, or the one cannot be read.
        """
        place, ways = self.place, self.ways
        if self.username is None:
            has_password = bool(ways or self.credential)
            missing = place("username") if has_password else f"{place('username')} and {place('password')}"
            raise SettingsError(f"{missing} must be set to log in; or set {place('client_cert')}")
        if len(ways) > 1:
            raise SettingsError(f"{place(ways[0])} and {place(ways[1])} are both set; unset one of the two")
        if self.password_file is not None:
            require_ours(self.password_file, place("password_file"))
            return read_password(self.password_file, place("password_file"))
        if self.keyring is not None:
            return read_keyring(self.keyring, self.username, place("keyring"))
        if self.password is not None and self.password.get_secret_value():
            return self.password
        if self.password is None and self.credential is not None:
            return read_password(self.credential, f"systemd credential {self.credential.name}")
        raise SettingsError(f"{place('password')} is not set; set it, or {place('password_file')}")


def find_credential(folder: Path | None, appliance: str | None) -> Path | None:
    """The file of the systemd service's credential for that appliance: its own before the one for all."""
    if folder is None:
        return None
    names = ([f"{CREDENTIAL}_{appliance}"] if appliance else []) + [CREDENTIAL]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def remark_readable(password_file: Path | None, password_in: Path | None, credentials: Path | None) -> Iterator[str]:
    """A line for each file with a password that other users can read.

    In the folder of credentials systemd keeps others out by the folder and by access lists, whose mask shows as the
    group's permission.
    """
    if password_file and is_readable_by_others(password_file) and not _is_within(password_file, credentials):
        yield f"{password_file} can be read by other users; run: chmod 600 {password_file}"
    if password_in and is_readable_by_others(password_in):
        yield (
            f"{password_in} holds a password and can be read by other users; run: chmod 600 {password_in}, "
            "or put the password into a file of its own"
        )


def _is_within(file: Path, folder: Path | None) -> bool:
    return folder is not None and folder.resolve() in file.resolve().parents


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
    """As `read_keyring`; None if the keyring has no such password.

    Raises:
        SettingsError: There is no keyring, or it is locked.
    """
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


_A_FILE: Final = "unset it and put the password into a file that SPSETL_PASSWORD_FILE names"
