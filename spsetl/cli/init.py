"""`spsetl init`: asks for what a sync needs, checks it, and writes a spsetl.toml without the password.

Nothing is written before all is answered and checked, and then all files together or none. No certificate is trusted
but by a person's own comparison of its fingerprint.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cyclopts import Parameter
from pydantic import SecretStr

from spsetl.appliance.certificates import check_connection, fetch_certificates, find_root, is_about_trust
from spsetl.cli.diagnosis import Diagnosis
from spsetl.cli.files import NewFiles
from spsetl.cli.questions import ask, ask_choice, ask_password, ask_until, ask_yes, has_terminal, say
from spsetl.cli.screen import plain
from spsetl.doctor import examine
from spsetl.errors import SpsetlError, UsageError
from spsetl.events import complain
from spsetl.interrupts import INTERRUPTS, exit_code_of_signal
from spsetl.settings import FILE, PREFIX, load_draft, load_settings
from spsetl.settings.access import Access, check_ca_file
from spsetl.settings.load import read_environment, toml_of
from spsetl.settings.model import DEFAULT
from spsetl.settings.password import WAYS, find_in_keyring, read_password, write_keyring

_LOGINS: Final = (*WAYS, "client_cert")
_FILES: Final = ("password_file", "client_cert", "ca_file")
_PASSWORD_FILE: Final = "~/.spsetl-password"  # noqa: S105 - a path
_SERVICE: Final = "spsetl"
_AFTER_RED: Final = ("correct", "write", "quit")
_NO_SECRET: Final = 0o644
_COMPARE: Final = """\
  Anybody between here and the appliance could show a certificate of their own. Compare the fingerprint with the one
  that the appliance itself shows (in its web interface among the SSL certificates of its management settings), or
  that its administrator reads to you."""
_WITHOUT_ROOT: Final = """\
  It does not show the certificate of the CA that signed it, which alone can be trusted for good: download
  that from the appliance (among the SSL certificates of its management settings), or get it from your CA."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """What is known already, and not asked for. There is no option for the password: write it into a file."""

    url: str | None = None
    """Address of the appliance, for example https://sps.example.com."""
    username: str | None = None
    """User that reads the audit data."""
    password_file: Path | None = None
    """File that holds the password; where it is not there yet, it is made of the password that is asked for."""
    keyring: str | None = None
    """Service of the operating system's keyring that holds the password, or will."""
    client_cert: Path | None = None
    """Client certificate with its key, PEM, to log in without a password."""
    login_method: str | None = None
    """Authentication backend on the appliance, for example local."""
    ca_file: Path | None = None
    """CA certificates that the appliance's certificate is checked with, PEM."""
    data_dir: Path | None = None
    """Folder of the copy (./data)."""


DEFAULTS: Final = InitOptions()


@dataclass
class _Draft:
    """What is known so far: by the settings' names, and the password for the check.

    Attributes:
        fixed: The settings that are not asked for.
        is_new: Whether the password is yet to be put where the values say.
    """

    values: dict[str, Any]
    password: SecretStr | None
    fixed: frozenset[str] = frozenset()
    is_new: bool = False


def init(*, options: InitOptions = DEFAULTS, yes: bool = False, overwrite: bool = False) -> int:
    """Ask for what a sync needs, check it as doctor does, and write it into spsetl.toml; never the password.

    Args:
        options: What is known already.
        yes: Ask nothing; for scripts. What a check finds wrong is not written.
        overwrite: Replace the spsetl.toml that is there.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="spsetl-") as folder:
            return _init(options, Path(folder) / "ca.pem", asks=not yes, overwrite=overwrite)
    except INTERRUPTS as error:
        say()
        complain("interrupted; nothing was written")
        return exit_code_of_signal(error)
    except EOFError:
        raise UsageError("the input ended before all was answered; nothing was written") from None


def _init(options: InitOptions, trusted: Path, *, asks: bool, overwrite: bool) -> int:
    """`trusted` takes a certificate that the person trusts, until all is written."""
    if FILE.exists() and not overwrite:
        raise UsageError(f"{FILE} is there already; see it with spsetl doctor, or replace it with --overwrite")
    if not os.access(Path.cwd(), os.W_OK):
        raise UsageError(f"{Path.cwd()} cannot be written by this user; change into a folder that can")
    draft = _begin(options)
    of_environment = draft.password
    if asks:
        if not has_terminal():
            raise UsageError("there is no terminal to ask on: add --yes, --url, --username and --password-file")
        say(f"Settings for runs in {Path.cwd()}. Enter takes what stands in [brackets], Ctrl-C leaves.")
    while True:
        (_ask_all if asks else _check_all_given)(draft, trusted)
        draft.values = _tidy(draft.values)
        say("Checking, as spsetl doctor does:")
        diagnosis = Diagnosis(plain(sys.stderr))
        for finding in examine(load_draft(draft.values, FILE, password=draft.password)):
            diagnosis.show("", finding)
        answer, code = "write", diagnosis.finish()
        if code:
            answer = ask_choice("What now", _AFTER_RED, str) if asks else "quit"
        if answer == "write":
            return _write(draft, trusted)
        if answer == "quit":
            complain("nothing was written; mend what is red above, and run spsetl init again")
            return code
        draft = _Draft(draft.values, of_environment)


def _begin(options: InitOptions) -> _Draft:
    """Options over the environment; a way to log in among the options replaces those of the environment."""
    own = {name: value for name, value in asdict(options).items() if value is not None}
    environment = read_environment()
    if own.keys() & set(_LOGINS):
        environment = {name: value for name, value in environment.items() if name not in _LOGINS}
    if "client_cert" in own:
        environment.pop("username", None)
    password = environment.pop("password", None)
    known = {name: value for name, value in environment.items() if name in asdict(options)}
    fixed = frozenset(own) | (known.keys() & set(_LOGINS))
    return _Draft(known | own, SecretStr(password) if password else None, fixed)


def _check_all_given(draft: _Draft, _trusted: Path) -> None:
    values = _tidy(draft.values)
    needed = ("url",) if "client_cert" in values else ("url", "username")
    missing = [f"--{name}" for name in needed if name not in values]
    if not {*_LOGINS} & values.keys() and draft.password is None and not _has_credential(values):
        missing.append("--password-file (or SPSETL_PASSWORD in the environment)")
    if missing:
        raise UsageError(f"--yes asks nothing, and something is missing: add {', '.join(missing)}")


def _has_credential(values: Mapping[str, Any]) -> bool:
    """Whether systemd gives a password for that appliance."""
    known = {name: values[name] for name in ("url", "appliance") if name in values}
    return load_draft(known, FILE).origins["password"] != DEFAULT


def _tidy(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what differs from the defaults; files by their whole paths, as a nightly run may start elsewhere."""
    values = {name: value for name, value in values.items() if value not in (None, "")}
    settings, default = load_draft(values, FILE), load_draft({}, FILE)
    return {
        name: Path(value).expanduser().absolute() if name in _FILES else value
        for name, value in values.items()
        if getattr(settings, name) != getattr(default, name)
    }


def _ask_all(draft: _Draft, trusted: Path) -> None:
    if "ca_file" in draft.values:
        check_ca_file(Path(draft.values["ca_file"]).expanduser(), "ca_file")
    _ask_address(draft, trusted)
    if "client_cert" not in draft.values:
        _ask_setting(draft, "username", "User name on the appliance")
        _ask_password(draft)
    _ask_setting(draft, "data_dir", "Folder of the copy", default="data")


def _ask_setting(draft: _Draft, name: str, question: str, *, default: str = "") -> None:
    """A value that is as it should be, unless it is fixed."""

    def read(answer: str) -> str:
        if name == "url":
            return str(load_draft({"url": answer if "://" in answer else f"https://{answer}"}, FILE).url)
        load_draft({name: answer}, FILE)
        return answer

    before = str(draft.values.get(name, default))
    draft.values[name] = read(before) if name in draft.fixed else ask_until(question, before, read)


def _ask_address(draft: _Draft, trusted: Path) -> None:
    """The address, and the CA file that its certificate is good with."""
    while True:
        _ask_setting(draft, "url", "Address of the appliance, as https://sps.example.com")
        try:
            _settle_trust(draft, trusted)
        except SpsetlError as error:
            say(f"  {error}")
        else:
            return
        if ask_yes("Go on with this address all the same", default=False):
            return
        draft.fixed -= {"url"}


def _settle_trust(draft: _Draft, trusted: Path) -> None:
    """Find the CA file to check the appliance's certificate with, by asking where the present one will not do.

    Raises:
        SpsetlError: The appliance cannot be reached, or its certificate stays untrusted.
    """
    url, ca_file = draft.values["url"], draft.values.get("ca_file")
    while error := _distrust(url, ca_file):
        say(f"  {error}")
        ca_file = _ask_trust(url, None if ca_file == trusted else trusted)
        ca_file = ca_file or ask_until("PEM file with the CA's certificate (empty: another address)", "", _read_ca_file)
        if ca_file is None:
            raise UsageError(f"the certificate of {url} is not trusted")
    draft.values["ca_file"] = ca_file


def _distrust(url: str, ca_file: Path | None) -> SpsetlError | None:
    """Why TLS cannot be spoken with it."""
    try:
        check_connection(Access(url=url, appliance="", ca_file=Path(ca_file).expanduser() if ca_file else None))
    except SpsetlError as error:
        if is_about_trust(error):
            return error
        raise
    return None


def _ask_trust(url: str, trusted: Path | None) -> Path | None:
    """Show what the appliance shows; the file with it, if the person trusts that, else None. None: do not ask."""
    try:
        shown = fetch_certificates(Access(url=url, appliance=""))
    except SpsetlError as error:
        say(f"  {error}")
        return None
    own, root = shown[0], find_root(shown)
    say(f"  It shows the certificate of {own.subject}")
    say(f"    made out for  {', '.join(own.names) or 'no host'}, until {own.until:%Y-%m-%d}")
    say(f"    SHA-256       {own.fingerprint}")
    say(f"    signed by     {'itself' if own.is_self_signed else own.issuer}")
    if root is None:
        say(_WITHOUT_ROOT)
    elif root is not own:
        say(f"  and that of the CA {root.subject}")
        say(f"    SHA-256       {root.fingerprint}")
    if trusted is None or root is None:
        return None
    say(_COMPARE)
    what = "it" if root is own else "that CA"
    if not ask_yes(f"Are the fingerprints the same, and is {what} to be trusted from now on", default=False):
        return None
    trusted.write_text(root.pem)
    return trusted


def _read_ca_file(answer: str) -> Path | None:
    if not answer:
        return None
    path = Path(answer).expanduser().absolute()
    check_ca_file(path, "the CA's certificate")
    return path


def _ask_password(draft: _Draft) -> None:
    """The password, and where it is kept: a file of its own, the keyring, or nowhere; never spsetl.toml."""
    before = {name: draft.values.get(name) for name in WAYS}
    if "password_file" in draft.fixed:
        return _keep_in_file(draft, str(before["password_file"]))
    if "keyring" in draft.fixed:
        return _keep_in_keyring(draft, str(before["keyring"]))
    draft.values = {name: value for name, value in draft.values.items() if name not in WAYS}
    if draft.password is not None or _has_credential({"url": draft.values["url"]}):
        say("  The password comes from the environment; spsetl.toml says nothing of it")
        return None

    def keep(answer: str) -> None:
        if answer == "file":
            _keep_in_file(draft, ask("File", str(before["password_file"] or _PASSWORD_FILE)))
        elif answer == "keyring":
            _keep_in_keyring(draft, ask("Service in the keyring", str(before["keyring"] or _SERVICE)))
        else:
            draft.password = ask_password(f"Password of {draft.values['username']}, for the check alone")

    return ask_choice("Where is the password to be kept", ("file", "keyring", "nowhere"), keep)


def _keep_in_file(draft: _Draft, answer: str) -> None:
    """The password that the file has, or one that will be put there."""
    place = Path(answer).expanduser().absolute()
    is_new = not place.exists()
    if is_new:
        _check_new(place)
        draft.password = ask_password(f"Password of {draft.values['username']}")
    else:
        say(f"  {place} is there already: the password in it is used")
        draft.password = read_password(place, "the password")
    draft.values["password_file"], draft.is_new = place, is_new


def _keep_in_keyring(draft: _Draft, service: str) -> None:
    """The password that the keyring has, or one that will be put there."""
    found = find_in_keyring(service, str(draft.values["username"]), f"keyring in {FILE}")
    if found:
        say("  The keyring has a password of that user already, which is used")
    draft.password, draft.is_new = found or ask_password(f"Password of {draft.values['username']}"), not found
    draft.values["keyring"] = service


def _check_new(path: Path) -> None:
    """Refuse to write over a file, or where there is no folder to write into."""
    trouble = f"{path} is there already" if path.exists() or path.is_symlink() else ""
    if not path.parent.is_dir():
        trouble = f"there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        trouble = f"{path.parent} cannot be written by this user"
    if trouble:
        raise UsageError(f"{trouble}; name another file")


def _write(draft: _Draft, trusted: Path) -> int:
    values, done = draft.values, []
    with NewFiles() as files:
        if values.get("ca_file") == trusted:
            pem = trusted.read_text()
            values["ca_file"] = _free(Path("spsetl-ca.pem").absolute(), pem)
            with files.open(values["ca_file"], mode=_NO_SECRET) as file:
                file.write(pem.encode())
            done.append(f"{values['ca_file']}: the CA's certificate")
        if draft.is_new and draft.password is not None:
            done.append(_write_password(files, values, draft.password))
        with files.open(FILE, mode=_NO_SECRET) as file:
            file.write(toml_of(values).encode())
        done.append(f"{FILE.absolute()}: the settings, without the password")
    for line in done:
        say(f"wrote {line}")
    for place in _overriding(values):
        say(f"{place} is set here, and overrides {FILE}")
    if not values.keys() & set(_LOGINS):
        say("The password is kept nowhere: each run needs SPSETL_PASSWORD_FILE, or the credential spsetl_password")
    say("Next: spsetl sync")
    return 0


def _write_password(files: NewFiles, values: Mapping[str, Any], password: SecretStr) -> str:
    if service := values.get("keyring"):
        write_keyring(service, values["username"], password, f"keyring in {FILE}")
        return f"the keyring, service {service}: the password"
    place = values["password_file"]
    _check_new(place)
    with files.open(place) as file:
        file.write(password.get_secret_value().encode() + b"\n")
    return f"{place}: the password, readable by you alone"


def _free(path: Path, content: str) -> Path:
    """The path, or one like it where another file has that name."""
    number, free = 2, path
    while free.exists() and free.read_text(errors="replace") != content:
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free


def _overriding(values: Mapping[str, Any]) -> list[str]:
    """The variables that make a run here differ from what was just written."""
    now, written = load_settings(), load_draft(values, FILE)
    return [
        place
        for name, place in now.origins.items()
        if place.startswith(PREFIX) and name in values and getattr(now, name) != getattr(written, name)
    ]
