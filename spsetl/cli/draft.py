"""A spsetl.toml in the making: what it will hold, the files beside it, all written together or not at all."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from spsetl.cli.files import NewFiles
from spsetl.errors import UsageError
from spsetl.settings import FILE, Settings, load_draft
from spsetl.settings.load import toml_of
from spsetl.settings.password import write_keyring

_NO_SECRET: Final = 0o644


@dataclass
class Draft:
    """What a person has answered so far.

    Attributes:
        values: By the settings' names; what is as by default is left out.
        password: For the check; where it comes from is in the values, or in the environment.
        keep_password: Whether it is to be put there.
        ca_pem: The certificate to be put into `values["ca_file"]`.
    """

    values: dict[str, Any] = field(default_factory=dict)
    password: SecretStr | None = None
    keep_password: bool = False
    ca_pem: str | None = None

    def settings(self, folder: Path) -> Settings:
        """The settings as they will be; `folder` takes the files that are not there yet, but not the password.

        Raises:
            SettingsError: A value is wrong.
        """
        values = dict(self.values)
        if self.ca_pem is not None:
            values["ca_file"] = folder / "ca.pem"
            values["ca_file"].write_text(self.ca_pem)
        return load_draft(values, FILE, password=self.password)

    def values_for_next(self, folder: Path) -> dict[str, Any]:
        """The values as the defaults of another round of questions, after `settings` with that folder."""
        return self.values | ({} if self.ca_pem is None else {"ca_file": folder / "ca.pem"})

    def write(self) -> Iterator[str]:
        """Write all files; tells what was written.

        Raises:
            SpsetlError: One cannot be written; then none is.
        """
        done = []
        with NewFiles() as files:
            if self.ca_pem is not None:
                with files.open(self.values["ca_file"], mode=_NO_SECRET) as file:
                    file.write(self.ca_pem.encode())
                done.append(f"{self.values['ca_file']}: the CA's certificate")
            if self.keep_password and self.password is not None:
                done.append(self._write_password(files, self.password))
            with files.open(FILE, mode=_NO_SECRET) as file:
                file.write(toml_of(self.values).encode())
            done.append(f"{FILE.absolute()}: the settings, without the password")
        yield from done

    def _write_password(self, files: NewFiles, password: SecretStr) -> str:
        if service := self.values.get("keyring"):
            write_keyring(service, self.values["username"], password, f"keyring in {FILE}")
            return f"the keyring, service {service}: the password"
        place = self.values["password_file"]
        check_new(place)
        with files.open(place) as file:
            file.write(password.get_secret_value().encode() + b"\n")
        return f"{place}: the password, readable by you alone"


def check_new(path: Path) -> None:
    """Refuse to write over a file, or where there is no folder to write into.

    Raises:
        UsageError: It is there, or cannot be made.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is there already; name another file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}; make it first, or name another file")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path.parent} cannot be written by this user; name another file")
