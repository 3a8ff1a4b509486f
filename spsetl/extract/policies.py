"""The policies that sessions refer to: four requests a protocol, one after the other, and the protocols side by side.

The right to read the configuration is one that a user who copies sessions need not have. So the first request goes
alone: where it is refused or fails, nothing more is asked.

A configuration holds secrets under names that nobody can list. So none of its values is kept but a policy's name: the
others are sealed as they come, each a hash by a key of the copy's own, which shows a change and not what it is.
"""

import hmac
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_bytes
from typing import Any, Final, Literal, get_args

import pyarrow as pa

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.errors import ApplianceError, BadAnswerError, IncompleteError, NotFoundError, RightsError
from spsetl.events import carry
from spsetl.flatten.values import to_json

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


Place = tuple[str, PolicyKind]
PolicyId = tuple[str, str, str]
"""Protocol, kind and key."""

_MOST_POLICIES: Final = 10_000
_FIRST: Final[Place] = (PROTOCOLS[0], POLICY_KINDS[0])
_TICK: Final = timedelta(microseconds=1)
SEAL_BYTES: Final = 32
_FIELD: Final = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)
_OTHER: Final = "other"


def seal_policy(policy: Policy, kind: PolicyKind, seal: bytes) -> Policy:
    """The policy with its name, and for each other field of its body a hash; one for all that are not named as fields.

    Args:
        policy: As it came.
        kind: Of which kind it is.
        seal: The key; another one gives other hashes.
    """

    def sealed(name: str, value: object) -> str:
        message = to_json([kind, policy.key, name, value]).encode()
        return f"hmac:{hmac.digest(seal, message, 'sha256')[:16].hex()}"

    fields = {name: value for name, value in policy.body.items() if _FIELD.fullmatch(name) and name != _OTHER}
    others = {name: value for name, value in policy.body.items() if name not in fields}
    body = {name: sealed(name, value) for name, value in fields.items()}
    if others:
        body[_OTHER] = sealed(_OTHER, others)
    if policy.name is not None:
        body["name"] = policy.name
    return replace(policy, body=body)


@dataclass
class Configuration:
    """What of the configuration could be read.

    Attributes:
        read: The policies, for each protocol and kind that answered; none where this version does not know them.
        forbidden: The protocols that the user may not read, or not all of.
        failures: A line for each protocol that did not answer as it should.
    """

    read: dict[Place, list[Policy]] = field(default_factory=dict)
    forbidden: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def fetch_configuration(client: Client, *, concurrency: int, seal: bytes) -> Configuration:
    """All that may be read; what may not, or fails, is told and keeps nothing from being read.

    Args:
        client: The appliance.
        concurrency: Protocols that are asked for at the same time.
        seal: The key of the hashes that stand for values.

    Raises:
        LoginError: The login has ended and cannot be renewed.
    """
    found = Configuration()
    try:
        _fetch_into(found, client, _FIRST, seal)
    except RightsError:
        found.forbidden = list(PROTOCOLS)
        return found
    except (ApplianceError, IncompleteError) as error:
        found.failures.append(f"all policies are as they were last seen: {error}")
        return found
    with ThreadPoolExecutor(concurrency, thread_name_prefix="policies") as pool:
        for part in pool.map(carry(partial(_fetch_protocol, client, seal)), PROTOCOLS):
            found.read |= part.read
            found.forbidden += part.forbidden
            found.failures += part.failures
    return found


def fetch_options(client: Client, protocol: str) -> Policy | None:
    """The options of one protocol; None where this version does not know it.

    Raises:
        RightsError: The user may not read the configuration.
        ApplianceError: It is not answered as it should be.
    """
    found = Configuration()
    _fetch_into(found, client, (protocol, OPTIONS), token_bytes(SEAL_BYTES))
    return next(iter(found.read[protocol, OPTIONS]), None)


def _fetch_protocol(client: Client, seal: bytes, protocol: str) -> Configuration:
    found = Configuration()
    try:
        for kind in POLICY_KINDS:
            if (protocol, kind) != _FIRST:
                _fetch_into(found, client, (protocol, kind), seal)
    except RightsError:
        found.forbidden.append(protocol)
    except (ApplianceError, IncompleteError) as error:
        found.failures.append(f"some policies of {protocol} are as they were last seen: {error}")
    return found


def _fetch_into(found: Configuration, client: Client, place: Place, seal: bytes) -> None:
    protocol, kind = place
    policies: dict[str, Policy] = {}
    path: str | None = policies_path(protocol, kind)
    while path:
        try:
            answer = client.get(path, kind="configuration")
        except NotFoundError:
            if policies:
                raise
            break
        page = {one.key: one for one in decode_policies(answer, kind)}
        if (policies and not page.keys() - policies.keys()) or len(policies) > _MOST_POLICIES:
            raise IncompleteError(f"the list of {kind} leads from page to page without an end")
        policies |= page
        path = next_page(answer)
    # Only what was read to its end: what is not in it counts as gone.
    found.read[place] = [seal_policy(policy, kind, seal) for policy in policies.values()]


@dataclass(frozen=True)
class KnownPolicies:
    """What the copy holds as valid: the bodies as JSON, and when the newest of them was seen (aware UTC)."""

    bodies: Mapping[PolicyId, str]
    newest: datetime | None


def compare_policies(
    found: Configuration, known: KnownPolicies, *, now: datetime, appliance: str, run_id: str
) -> pa.RecordBatch:
    """What has changed, as rows for the lake: each new version, and without a body each policy that has gone.

    Args:
        found: What was read; what was not stays as it is known.
        known: What the copy holds.
        now: When it was read, aware. Never before what is known, though a clock was set back.
        appliance: Its name in the copy.
        run_id: The run.
    """
    moment = max(now, known.newest + _TICK) if known.newest else now
    at = moment.astimezone(UTC).replace(tzinfo=None)
    lineage = {"appliance": appliance, "extracted_at": at, "run_id": run_id}
    there = {(*place, one.key): one for place, policies in found.read.items() for one in policies}
    read: set[tuple[str, str]] = set(found.read)
    rows: list[dict[str, Any]] = []
    for (protocol, kind, key), policy in there.items():
        body = to_json(policy.body)
        if known.bodies.get((protocol, kind, key)) != body:
            version = {"name": policy.name, "body": body, "retention_days": policy.retention_days, "valid_from": at}
            rows.append({"protocol": protocol, "kind": kind, "policy_key": key, **version, **lineage})
    rows += [
        {"protocol": protocol, "kind": kind, "policy_key": key, "valid_to": at, **lineage}
        for protocol, kind, key in sorted(known.bodies.keys() - there.keys())
        if (protocol, kind) in read
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema.POLICIES.arrow_schema)
