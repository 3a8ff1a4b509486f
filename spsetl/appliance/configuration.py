"""What to ask of the configuration that sessions refer to, and how to read it; no I/O.

Sources: SPS REST API Reference Guide, "Global VNC options", "VNC settings policies", and likewise for each protocol.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from spsetl.errors import BadAnswerError

PolicyKind = Literal["options", "connections", "channel_policies", "settings_policies"]
POLICY_KINDS: Final[tuple[PolicyKind, ...]] = get_args(PolicyKind)
PROTOCOLS: Final = ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql")
OPTIONS: Final[PolicyKind] = "options"


@dataclass(frozen=True)
class Policy:
    """A policy, or a protocol's options.

    Attributes:
        key: Its key on the appliance; `options` for options.
        name: What people call it; options have no name.
        body: As it came: full of secrets, so nothing keeps it before it is sealed.
        retention_days: Of options: how long the metadata of the protocol's sessions live; None: for ever, or not said.
    """

    key: str
    name: str | None
    body: dict[str, Any]
    retention_days: int | None = None


def policies_path(protocol: str, kind: PolicyKind) -> str:
    """Where the policies of one kind are."""
    return f"/api/configuration/{protocol}/{kind}"


def decode_policies(answer: Any, kind: PolicyKind) -> list[Policy]:
    """The policies of one kind; of options, the one object.

    Raises:
        BadAnswerError: It has another shape: then none of it is believed, lest a policy seem to be gone.
    """
    what = f"the configuration's {kind}"
    if kind == OPTIONS:
        body = _body(answer, what)
        return [Policy(OPTIONS, None, body, decode_retention(body))]
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise _undocumented(what, "no items")
    return [_decode_policy(item, what) for item in items]


def next_page(answer: Any) -> str | None:
    """Where the list goes on; the guide knows no pages of it.

    Raises:
        BadAnswerError: It says so in another way.
    """
    meta = answer.get("meta") if isinstance(answer, dict) else None
    link = meta.get("next") if isinstance(meta, dict) else None
    if link is None or isinstance(link, str):
        return link or None
    raise _undocumented("a list of policies", "a next that is no link")


def _decode_policy(item: Any, what: str) -> Policy:
    body = _body(item, what)
    key, name = item.get("key"), body.get("name")
    if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
        raise _undocumented(what, "a policy without a key")
    return Policy(str(key), name if isinstance(name, str) else None, body)


def _body(holder: Any, what: str) -> dict[str, Any]:
    body = holder.get("body") if isinstance(holder, dict) else None
    if not isinstance(body, dict):
        raise _undocumented(what, "no body")
    return body


def decode_retention(options: dict[str, Any]) -> int | None:
    """Days that the metadata of a protocol's sessions live; None where they are not cleaned up, or it is not said.

    8.0 calls it `channel_database_cleanup.days`, 6.x `audit.cleanup.channel_database_cleanup_days`.
    """
    audit = options.get("audit")
    older = audit.get("cleanup") if isinstance(audit, dict) else None
    for cleanup, name in ((options.get("channel_database_cleanup"), "days"), (older, "channel_database_cleanup_days")):
        if isinstance(cleanup, dict) and cleanup.get("enabled") is True:
            days = cleanup.get(name)
            return days if isinstance(days, int) and not isinstance(days, bool) and days > 0 else None
    return None


def _undocumented(what: str, found: str) -> BadAnswerError:
    return BadAnswerError(f"{what} is not as documented: {found}; is this an SPS appliance, and of which firmware?")
