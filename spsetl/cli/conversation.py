"""What `spsetl init` needs to know: from options and the environment, and by asking for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from spsetl.cli.draft import Draft
from spsetl.cli.keeping import ask_for_password
from spsetl.cli.questions import ask_until, ask_yes, say
from spsetl.cli.trust import settle_trust
from spsetl.errors import SpsetlError, UsageError
from spsetl.settings import FILE, load_draft
from spsetl.settings.access import check_ca_file
from spsetl.settings.model import DEFAULT
from spsetl.settings.password import WAYS

_FILES: Final = ("password_file", "client_cert", "ca_file")


@dataclass(frozen=True)
class Given:
    """What is known before anything is asked.

    Attributes:
        values: By the settings' names.
        fixed: Those that are not asked for.
        password: Of the environment, which spsetl.toml says nothing of.
    """

    values: Mapping[str, Any]
    fixed: frozenset[str]
    password: SecretStr | None


def take_answers(given: Given) -> Draft:
    """What is given, and nothing asked.

    Raises:
        SpsetlError: Something is missing, or wrong.
    """
    values = _tidy(given.values)
    needed = ["url"] if "client_cert" in values else ["url", "username"]
    missing = [f"--{name}" for name in needed if name not in values]
    ways = {*WAYS, "client_cert"} & values.keys()
    if not ways and given.password is None and not _has_credential(values):
        missing.append("--password-file (or SPSETL_PASSWORD in the environment)")
    if missing:
        raise UsageError(f"--yes asks nothing, and something is missing: add {', '.join(missing)}")
    return Draft(values, given.password)


def ask_answers(given: Given, folder: Path) -> Draft:
    """Ask for what is not fixed, with what is given as the defaults; `folder` takes a certificate that is trusted.

    Raises:
        SpsetlError: Something fixed is wrong.
        EOFError: The input ended.
    """
    values = dict(given.values)
    if "ca_file" in values:
        check_ca_file(Path(values["ca_file"]).expanduser(), "ca_file")
    url, ca_file = _ask_address(given, folder)
    values |= {"url": url, "ca_file": ca_file}
    draft = Draft()
    if ca_file == folder / "ca.pem":
        draft.ca_pem = (folder / "ca.pem").read_text()
        values["ca_file"] = _free(Path("spsetl-ca.pem"), draft.ca_pem)
    if "client_cert" not in values:
        values["username"] = _ask_setting("User name on the appliance", "username", given)
        draft.values = values
        if not given.fixed & set(WAYS) and (given.password is not None or _has_credential({"url": url})):
            say("  The password comes from the environment; spsetl.toml says nothing of it")
            draft.password = given.password
        else:
            ask_for_password(draft, given.fixed)
        values = draft.values
    values["data_dir"] = _ask_setting("Folder of the copy", "data_dir", given, default="data")
    draft.values = _tidy(values)
    return draft


def _has_credential(values: Mapping[str, Any]) -> bool:
    """Whether systemd gives a password for that appliance."""
    known = {name: values[name] for name in ("url", "appliance") if name in values}
    return load_draft(known, FILE).origins["password"] != DEFAULT


def _tidy(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what differs from the defaults; files by their whole paths, as a nightly run may start elsewhere."""
    values = {name: value for name, value in values.items() if value not in (None, "")}
    absolute: dict[str, Path] = {name: Path(values[name]).expanduser().absolute() for name in _FILES if name in values}
    settings, plain = load_draft(values, FILE), load_draft({}, FILE)
    return {
        name: absolute.get(name, value)
        for name, value in values.items()
        if getattr(settings, name) != getattr(plain, name)
    }


def _free(path: Path, content: str) -> Path:
    """The path, or one like it where another file has that name."""
    number = 2
    free = path
    while free.exists() and free.read_text(errors="replace") != content:
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


def _ask_setting(question: str, name: str, given: Given, *, default: str = "") -> str:
    """A setting's value that is as it should be."""

    def read(answer: str) -> str:
        load_draft({name: answer}, FILE)
        return answer

    if name in given.fixed:
        return read(str(given.values[name]))
    return ask_until(question, str(given.values.get(name, default)), read)


def _ask_address(given: Given, folder: Path) -> tuple[str, Path | None]:
    """The address, and the CA file that its certificate is good with."""

    def read(answer: str) -> str:
        return str(load_draft({"url": answer if "://" in answer else f"https://{answer}"}, FILE).url)

    url = read(str(given.values["url"])) if "url" in given.fixed else ""
    before, ca_file = str(given.values.get("url", "")), given.values.get("ca_file")
    while True:
        url = url or ask_until("Address of the appliance, as https://sps.example.com", before, read)
        try:
            return url, settle_trust(url, Path(ca_file).expanduser() if ca_file else None, folder)
        except SpsetlError as error:
            say(f"  {error}")
        if ask_yes("Go on with this address all the same", default=False):
            return url, Path(ca_file) if ca_file else None
        url = ""
