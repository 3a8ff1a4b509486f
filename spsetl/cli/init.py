"""`spsetl init`: asks for what a sync needs, checks it, and writes a spsetl.toml without the password."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cyclopts import Parameter
from pydantic import SecretStr

from spsetl.cli.conversation import Given, ask_answers, take_answers
from spsetl.cli.draft import Draft
from spsetl.cli.questions import ask_until, has_terminal, say
from spsetl.cli.screen import printable
from spsetl.doctor import examine
from spsetl.errors import UsageError
from spsetl.events import complain
from spsetl.interrupts import INTERRUPTS, exit_code_of_signal
from spsetl.settings import FILE, PREFIX, Settings, load_draft, load_settings
from spsetl.settings.load import read_environment
from spsetl.settings.password import WAYS

_LOGINS: Final = (*WAYS, "client_cert")
_AFTER_RED: Final = ("correct", "write", "quit")


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


def init(*, options: InitOptions = DEFAULTS, yes: bool = False, overwrite: bool = False) -> int:
    """Ask for what a sync needs, check it as doctor does, and write it into spsetl.toml; never the password.

    Args:
        options: What is known already.
        yes: Ask nothing; for scripts. What a check finds wrong is not written.
        overwrite: Replace the spsetl.toml that is there.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="spsetl-") as folder:
            return _init(options, Path(folder), asks=not yes, overwrite=overwrite)
    except INTERRUPTS as error:
        say()
        complain("interrupted; nothing was written")
        return exit_code_of_signal(error)
    except EOFError:
        raise UsageError("the input ended before all was answered; nothing was written") from None


def _init(options: InitOptions, folder: Path, *, asks: bool, overwrite: bool) -> int:
    _check_place(overwrite=overwrite)
    given = _given(options)
    if asks:
        if not has_terminal():
            raise UsageError("there is no terminal to ask on: add --yes, --url, --username and --password-file")
        say(f"Settings for runs in {Path.cwd()}. Enter takes what stands in [brackets], Ctrl-C leaves.")
    while True:
        draft = ask_answers(given, folder) if asks else take_answers(given)
        code = _check(draft.settings(folder))
        answer = "write"
        if code:
            answer = ask_until(f"What now: {', '.join(_AFTER_RED)}", _AFTER_RED[0], _choice) if asks else "quit"
        if answer == "write":
            return _write(draft)
        if answer == "quit":
            complain("nothing was written; mend what is red above, and run spsetl init again")
            return code
        given = Given(draft.values_for_next(folder), frozenset(), given.password)


def _check_place(*, overwrite: bool) -> None:
    """Whether a spsetl.toml may be written here, before anything is asked."""
    if FILE.exists() and not overwrite:
        raise UsageError(f"{FILE} is there already; see it with spsetl doctor, or replace it with --overwrite")
    if not os.access(Path.cwd(), os.W_OK):
        raise UsageError(f"{Path.cwd()} cannot be written by this user; change into a folder that can")


def _given(options: InitOptions) -> Given:
    """Options over the environment; a way to log in among the options replaces those of the environment."""
    own = {name: value for name, value in asdict(options).items() if value is not None}
    environment = read_environment()
    if own.keys() & set(_LOGINS):
        environment = {name: value for name, value in environment.items() if name not in _LOGINS}
    if "client_cert" in own:
        environment.pop("username", None)
    password = environment.pop("password", None)
    known = {name: value for name, value in environment.items() if name in asdict(options)}
    fixed = own.keys() | (known.keys() & set(_LOGINS))
    return Given(known | own, frozenset(fixed), SecretStr(password) if password else None)


def _choice(answer: str) -> str:
    if answer not in _AFTER_RED:
        raise UsageError(f"Please answer one of {', '.join(_AFTER_RED)}.")
    return answer


def _check(settings: Settings) -> int:
    """Say what doctor finds; the exit code of the first red finding, 0 if there is none."""
    say("Checking, as spsetl doctor does:")
    codes = []
    with _without_empty_folders(settings.data_dir):
        for finding in examine(settings):
            say(printable(f"  {finding.state:<6}  {finding.check}: {finding.found}"))
            if finding.next_step:
                say(printable(f"          {finding.next_step}"))
            codes.append(finding.exit_code)
    return next((code for code in codes if code), 0)


@contextmanager
def _without_empty_folders(data_dir: Path) -> Iterator[None]:
    """Leave no folder behind that was not there: the check makes those of the copy, to see whether it can."""
    folders = [data_dir / "lake", data_dir / "work", data_dir, *data_dir.parents]
    new = [folder for folder in folders if not folder.exists()]
    try:
        yield
    finally:
        for folder in new:
            with suppress(OSError):  # something is in it, or it was never made
                folder.rmdir()


def _write(draft: Draft) -> int:
    for line in draft.write():
        say(f"wrote {line}")
    for place in _overriding(draft):
        say(f"{place} is set here, and overrides {FILE}")
    if not draft.values.keys() & set(_LOGINS):
        say("The password is kept nowhere: each run needs SPSETL_PASSWORD_FILE, or the credential spsetl_password")
    say("Next: spsetl sync")
    return 0


def _overriding(draft: Draft) -> list[str]:
    """The variables that make a run here differ from what was just written."""
    now, written = load_settings(), load_draft(draft.values, FILE)
    return [
        place
        for name, place in now.origins.items()
        if place.startswith(PREFIX) and name in draft.values and getattr(now, name) != getattr(written, name)
    ]
