"""The tables of sessions, their lists and their scores ("Audited sessions")."""

from typing import Final

from spsetl.schema.columns import APPLIANCE, EXTRA, LINEAGE, SESSION_KEY, column, endpoint, made, recording, text
from spsetl.schema.fields import INDEX_STATUS
from spsetl.schema.types import Column, Kind, Table

_STATUS_ENDS = (
    "pending (not fetched yet, see detail_failures), fetched, gone (the appliance has them no more), "
    "not_requested (SPSETL_DETAILS leaves them out)"
)


def _status(kind: str, what: str, *more: str) -> Column:
    """How far the details of one kind are: tells "there are none" from "not fetched"."""
    return made(f"{kind}_status", Kind.TEXT, ", ".join((f"{what} of this revision: {_STATUS_ENDS}", *more)))


SESSIONS: Final = Table(
    "sessions",
    "One row per session, its newest revision",
    ("appliance", "session_key"),
    (
        APPLIANCE,
        SESSION_KEY,
        column("revision", Kind.INTEGER, "Grows with each change of the session; NULL where the appliance hides it"),
        column("active", Kind.BOOLEAN, "True while the session goes on"),
        text("origin", "How SPS learnt of the session: RECORDING (older: PSM), LOG or VAULT"),
        text("protocol", "Protocol of the session, in the appliance's spelling (SSH, ssh, RDP, …)"),
        column("start_time", Kind.TIMESTAMP, "Start of the session (UTC)"),
        column("end_time", Kind.TIMESTAMP, "End of the session (UTC); NULL while it is active"),
        column("duration", Kind.INTEGER, "Length of the session in seconds, as the appliance computed it"),
        column("creation_time", Kind.TIMESTAMP, "When SPS made this record (UTC); can be much later than start_time"),
        text("verdict", "What SPS decided about the session, in the appliance's spelling"),
        text("node_id", "Node of the SPS cluster that recorded the session"),
        column("hidden", Kind.BOOLEAN, "True while SPS does not show the session, its data being fragmented"),
        column("phantom", Kind.BOOLEAN, "As the appliance says it; its guide does not explain it"),
        text("trail_download_link", "Where the appliance serves the recording"),
        text("user.id", "ID of the user"),
        text("user.name", "User name used at the gateway", "name"),
        text("user.name_domain", "Domain of user_name"),
        text("user.gateway_username", "User name of the gateway login", "psm.gateway_username"),
        text("user.gateway_username_domain", "Domain of user_gateway_username"),
        text(
            "user.server_username",
            "User name used at the server; several are joined by a comma, see session_lists",
            "server_username",
            "psm.server_username",
        ),
        text("user.server_username_domain", "Domain of user_server_username"),
        *endpoint("client", "the client"),
        text("server.id", "ID of the server"),
        *endpoint("server", "the server"),
        recording("session_id", Kind.TEXT, "ID of the session in SPS's logs"),
        recording("connection_policy", Kind.TEXT, "Connection policy that handled the session"),
        recording("connection_policy_id", Kind.TEXT, "Key of that connection policy"),
        recording("channel_policy", Kind.TEXT, "Channel policy of the connection"),
        recording("auth_method", Kind.TEXT, "Authentication method of the connection"),
        recording("verdict", Kind.TEXT, "The connection's verdict; spelled differently from verdict"),
        recording("deny_reason", Kind.TEXT, "Why the connection was denied"),
        recording("has_accepted_channel", Kind.BOOLEAN, "True if a channel was accepted and there was traffic"),
        recording("index_status", Kind.TEXT, "How far the recording is indexed: " + ", ".join(INDEX_STATUS)),
        recording("command_extracted", Kind.BOOLEAN, "True if commands were extracted, see events"),
        recording("window_title_extracted", Kind.BOOLEAN, "True if window titles were extracted, see events"),
        recording("content_reference_id", Kind.INTEGER, "ID of the TCP connection"),
        recording("network_id", Kind.TEXT, "Network namespace the session came from"),
        recording("archived", Kind.BOOLEAN, "True if the recording was archived"),
        recording("audit_trail.archive.date", Kind.TIMESTAMP, "When the recording was archived (UTC)"),
        recording("audit_trail.archive.path", Kind.TEXT, "Path of the archived recording"),
        recording("audit_trail.archive.policy", Kind.TEXT, "ID of the archiving policy"),
        recording("audit_trail.archive.server", Kind.TEXT, "Server the recording was archived to"),
        recording("archive.date", Kind.TIMESTAMP, "When the recording was archived (UTC), where the list says it"),
        recording("archive.path", Kind.TEXT, "Path of the archived recording, where the list says it"),
        recording("archive.policy", Kind.TEXT, "ID of the archiving policy, where the list says it"),
        recording("archive.server", Kind.TEXT, "Server the recording was archived to, where the list says it"),
        *endpoint("server_local", "SPS on the server's side", is_of_recording=True),
        *endpoint("target", "what the client asked to connect to", is_of_recording=True),
        text("log.adapter_name", "Log adapter that built the session (origin LOG)"),
        text("log.auth_method", "Authentication method in the log (origin LOG)"),
        column("log.syslog_time", Kind.TIMESTAMP, "Time of the log message (UTC; origin LOG)"),
        column("analytics.score.aggregated", Kind.DOUBLE, "Risk score, 0 to 100, 100 being the highest risk"),
        column("analytics.scripted", Kind.BOOLEAN, "True if the activity is not a human's"),
        column("analytics.scripted_results", Kind.JSON, "Why analytics_scripted says so, by algorithm"),
        text(
            "analytics.interesting_events",
            "Commands and window titles of interest, joined by a comma, see session_lists",
        ),
        text("analytics.similar_sessions", "Similar sessions, joined by a comma, see session_lists"),
        text("analytics.tags", "Tags, joined by a comma, see session_lists"),
        text("analytics.bucketed_duration", "Class of duration that the appliance puts the session in"),
        text("analytics.bucketed_starting_hour", "Class of starting hour that the appliance puts the session in"),
        text("vault.access_request_type", "Type of the vault's access request (origin VAULT)"),
        text("vault.account_id", "Account in the vault"),
        text("vault.account_name", "Name of the account in the vault"),
        text("vault.appliance_id", "Appliance of the vault"),
        text("vault.appliance_name", "Name of the vault's appliance"),
        text("vault.asset_partition_id", "Asset partition in the vault"),
        text("vault.asset_partition_name", "Name of that asset partition"),
        column("vault.auto_approved", Kind.TIMESTAMP, "When the request was approved without a person (UTC)"),
        column("vault.available", Kind.TIMESTAMP, "When the access became available (UTC)"),
        text("vault.broker_id", "Broker of the request"),
        column("vault.created.timestamp", Kind.TIMESTAMP, "When the request was made (UTC)"),
        text("vault.created.user.client_ip_address", "From which address the request was made"),
        text("vault.created.user.user_display_name", "Who made the request, as the vault shows the name"),
        text("vault.created.user.user_id", "ID of that user in the vault"),
        text("vault.created.user.user_name", "User name of that user in the vault"),
        column("vault.expired", Kind.TIMESTAMP, "When the request expired (UTC)"),
        column("vault.is_emergency", Kind.BOOLEAN, "True for an emergency request"),
        text("vault.offline_workflow", "Whether the request went through the offline workflow, as the vault says it"),
        text("vault.system_id", "System in the vault that was to be accessed"),
        text("vault.system_name", "Name of that system"),
        EXTRA,
        _status("channels", "Channels"),
        _status("events", "Events", "not_indexed (recording_index_status rules them out)"),
        _status("alerts", "Alerts"),
        _status("trail_downloads", "Downloads of the recording"),
        _status("indexing", "State of indexing"),
        made("row_hash", Kind.TEXT, "Hash of the session as it came; tells a change where there is no revision"),
        made(
            "missing_since",
            Kind.TIMESTAMP,
            "When a sync found the session gone from the appliance (UTC); NULL while it is there",
        ),
        *LINEAGE,
    ),
)

SESSION_LISTS: Final = Table(
    "session_lists",
    "One row per value of a list-valued field of a session",
    ("appliance", "session_key", "field", "position"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("field", Kind.TEXT, "The field in the API's spelling, for example user.server_username"),
        made("position", Kind.INTEGER, "Place of the value in its list, from 0"),
        made("value", Kind.TEXT, "The value; JSON where it is no scalar"),
        *LINEAGE,
    ),
    parent="sessions",
)

SESSION_SCORES: Final = Table(
    "session_scores",
    "One row per analytics algorithm that scored a session",
    ("appliance", "session_key", "algorithm"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("algorithm", Kind.TEXT, "Name of the algorithm, for example keystroke, command, hostlogin"),
        made("score", Kind.DOUBLE, "The algorithm's score"),
        *LINEAGE,
    ),
    parent="sessions",
)
