"""Whether the appliance's certificate is to be trusted: nothing but a person's own comparison says yes to a new one."""

from pathlib import Path
from typing import Final

from spsetl.appliance.certificates import (
    Certificate,
    check_connection,
    fetch_certificates,
    find_root,
    is_about_trust,
)
from spsetl.cli.questions import ask_until, ask_yes, say
from spsetl.errors import SpsetlError, UsageError
from spsetl.settings.access import Access, check_ca_file

_COMPARE: Final = """\
  Anybody between here and the appliance could show a certificate of their own. Compare the fingerprint with the one
  that the appliance itself shows (in its web interface among the SSL certificates of its management settings), or
  that its administrator reads to you."""


def settle_trust(url: str, ca_file: Path | None, folder: Path) -> Path | None:
    """The CA file to check the appliance's certificate with, by asking where the present one will not do.

    Args:
        url: The appliance's address.
        ca_file: The one that is set.
        folder: Takes a certificate that the person has compared and trusts, as `ca.pem`.

    Raises:
        SpsetlError: The appliance cannot be reached, or its certificate stays untrusted.
    """
    while error := _trouble(url, ca_file):
        if not is_about_trust(error):
            raise error
        say(f"  {error}")
        shown = _look_at(url)
        root = find_root(shown)
        if root and ca_file != folder / "ca.pem" and _is_trusted_by_person(shown[0], root):
            ca_file = folder / "ca.pem"
            ca_file.write_text(root.pem)
            continue
        ca_file = ask_until("PEM file with the CA's certificate (empty: another address)", "", _read_ca_file)
        if ca_file is None:
            raise UsageError(f"the certificate of {url} is not trusted")
    return ca_file


def _trouble(url: str, ca_file: Path | None) -> SpsetlError | None:
    try:
        check_connection(Access(url=url, appliance="", ca_file=ca_file))
    except SpsetlError as error:
        return error
    return None


def _look_at(url: str) -> tuple[Certificate, ...]:
    try:
        shown = fetch_certificates(Access(url=url, appliance=""))
    except SpsetlError as error:
        say(f"  {error}")
        return ()
    own = shown[0]
    say(f"  It shows the certificate of {own.subject}")
    say(f"    made out for  {', '.join(own.names) or 'no host'}, until {own.until:%Y-%m-%d}")
    say(f"    SHA-256       {own.fingerprint}")
    say(f"    signed by     {'itself' if own.is_self_signed else own.issuer}")
    root = find_root(shown)
    if root is None:
        say(
            "  It does not show the certificate of the CA that signed it, which alone can be trusted for good: download"
        )
        say(
            "  that from the appliance (among the SSL certificates of its management settings), or get it from your CA."
        )
    elif root is not own:
        say(f"  and that of the CA {root.subject}")
        say(f"    SHA-256       {root.fingerprint}")
    return shown


def _is_trusted_by_person(own: Certificate, root: Certificate) -> bool:
    say(_COMPARE)
    what = "it" if root is own else "that CA"
    return ask_yes(f"Are the fingerprints the same, and is {what} to be trusted from now on", default=False)


def _read_ca_file(answer: str) -> Path | None:
    if not answer:
        return None
    path = Path(answer).expanduser().absolute()
    check_ca_file(path, "the CA's certificate")
    return path
