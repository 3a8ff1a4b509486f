"""Makers of columns that many tables share."""

from typing import Final

from spsetl.schema.types import Column, Kind


def text(path: str, comment: str, *aliases: str, name: str | None = None) -> Column:
    """A field kept as text."""
    return Column(name or path.replace(".", "_"), path, Kind.TEXT, comment, aliases)


def column(path: str, kind: Kind, comment: str, *aliases: str) -> Column:
    """A field under its own path."""
    return Column(path.replace(".", "_"), path, kind, comment, aliases)


def made(name: str, kind: Kind, comment: str) -> Column:
    """A column that spsetl makes itself."""
    return Column(name, "", kind, comment)


def recording(name: str, kind: Kind, comment: str, *aliases: str) -> Column:
    """A field of `recording`, which 5.x calls `psm` and still finds under its bare name in old answers."""
    own = (f"psm.{name}", *aliases)
    if name.endswith(".ip"):
        address = name.removesuffix("ip") + "address"
        own += (f"recording.{address}", f"psm.{address}")
    return column(f"recording.{name}", kind, comment, *own)


def endpoint(path: str, what: str, *, is_of_recording: bool = False) -> tuple[Column, ...]:
    """The ip, name and port of one end of a connection."""
    parts = (
        ("ip", Kind.TEXT, f"IP address of {what}"),
        ("name", Kind.TEXT, f"Host name of {what}, or its IP address where the name is not known"),
        ("port", Kind.INTEGER, f"Port of {what}"),
    )
    if is_of_recording:
        return tuple(recording(f"{path}.{part}", kind, comment) for part, kind, comment in parts)
    return tuple(
        column(f"{path}.{part}", kind, comment, *([f"{path}.address"] if part == "ip" else []))
        for part, kind, comment in parts
    )


APPLIANCE: Final = made("appliance", Kind.TEXT, "Name of the appliance the row comes from (SPSETL_APPLIANCE)")
SESSION_KEY: Final = made("session_key", Kind.TEXT, "The session's key on its appliance")
EXTRA: Final = made("extra", Kind.JSON, "What no column holds, as the JSON it came as; NULL when there is nothing")
LINEAGE: Final = (
    made("extracted_at", Kind.TIMESTAMP, "When the appliance gave this version of the row (UTC)"),
    made("run_id", Kind.TEXT, "The sync that fetched this version, see sync_runs"),
)
