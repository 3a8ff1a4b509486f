"""Where `spsetl init` keeps the password: a file of its own, the keyring, or nowhere; never in spsetl.toml."""

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from spsetl.cli.draft import Draft, check_new
from spsetl.cli.questions import ask, ask_password, ask_until, say
from spsetl.errors import UsageError
from spsetl.settings import FILE
from spsetl.settings.password import WAYS, find_in_keyring, read_password

_PASSWORD_FILE: Final = "~/.spsetl-password"  # noqa: S105 - a path
_SERVICE: Final = "spsetl"


def ask_for_password(draft: Draft, fixed: Container[str]) -> None:
    """Put into the draft the password, and which setting says where it is kept.

    Raises:
        SpsetlError: A fixed place cannot be used.
        EOFError: The input ended.
    """
    before = {name: draft.values.get(name) for name in WAYS}
    for name, keep in _WAYS.items():
        if name in fixed:
            keep(draft, str(before[name]))
            return
    draft.values = {name: value for name, value in draft.values.items() if name not in WAYS}
    places = {
        "file": lambda: _keep_in_file(draft, ask("File", str(before["password_file"] or _PASSWORD_FILE))),
        "keyring": lambda: _keep_in_keyring(draft, ask("Service in the keyring", str(before["keyring"] or _SERVICE))),
        "nowhere": lambda: _keep_nowhere(draft),
    }

    def read(answer: str) -> None:
        if answer not in places:
            raise UsageError(f"Please answer one of {', '.join(places)}.")
        places[answer]()

    ask_until(f"Where is the password to be kept: {', '.join(places)}", "file", read)


def _keep_in_file(draft: Draft, answer: str) -> None:
    """The password that the file has, or one that will be put there."""
    place = Path(answer).expanduser().absolute()
    if place.exists():
        say(f"  {place} is there already: the password in it is used")
        draft.password, draft.keep_password = read_password(place, "the password"), False
    else:
        check_new(place)
        draft.password, draft.keep_password = _ask(draft), True
    draft.values["password_file"] = place


def _keep_in_keyring(draft: Draft, service: str) -> None:
    """The password that the keyring has, or one that will be put there."""
    found = find_in_keyring(service, str(draft.values["username"]), f"keyring in {FILE}")
    if found:
        say("  The keyring has a password of that user already, which is used")
    draft.password, draft.keep_password = found or _ask(draft), not found
    draft.values["keyring"] = service


def _keep_nowhere(draft: Draft) -> None:
    draft.password, draft.keep_password = _ask(draft, ", for the check alone"), False


def _ask(draft: Draft, why: str = "") -> SecretStr:
    return ask_password(f"Password of {draft.values['username']}{why}")


_WAYS: Final[Mapping[str, Callable[[Draft, str], None]]] = {
    "password_file": _keep_in_file,
    "keyring": _keep_in_keyring,
}
