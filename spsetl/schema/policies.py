"""The table of what the sessions' policies were: the part of the appliance's configuration that they refer to."""

from typing import Final

from spsetl.schema.columns import APPLIANCE, LINEAGE, made
from spsetl.schema.types import Kind, Table

POLICIES: Final = Table(
    "policies",
    "One row per version of a policy or of a protocol's options in the configuration of the appliance; a session's "
    "connection policy is the row of kind connections whose policy_key is recording_connection_policy_id",
    ("appliance", "protocol", "kind", "policy_key", "valid_from"),
    (
        APPLIANCE,
        made("protocol", Kind.TEXT, "ssh, rdp, ica, telnet, vnc, http or mssql, as in the configuration's path"),
        made("kind", Kind.TEXT, "options, connections, channel_policies or settings_policies"),
        made("policy_key", Kind.TEXT, "The policy's key on its appliance; options have the key options"),
        made("name", Kind.TEXT, "The policy's name; NULL for options"),
        made(
            "body",
            Kind.JSON,
            "The policy's name, and for each other field of it a keyed hash that stands for the value, which is never "
            "stored: another hash is another value; in the lake NULL where the policy was found gone",
        ),
        made(
            "retention_days",
            Kind.INTEGER,
            "Of options: days that the metadata of the protocol's sessions live; NULL: for ever, or not known",
        ),
        made("valid_from", Kind.TIMESTAMP, "When a sync first saw this version (UTC); in the lake NULL if it was gone"),
        made(
            "valid_to",
            Kind.TIMESTAMP,
            "When a sync first saw another version, or none (UTC); NULL: this is how it was when last seen",
        ),
        *LINEAGE,
    ),
)
