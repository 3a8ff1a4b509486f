"""Every table of the copy, once: columns, types, where each comes from, and what it means.

Parquet schemas, DuckDB tables, their comments and the README's tables are all made from here.
Field names and meanings: SPS REST API Reference Guide, "Audited sessions", "Session events", "Session alerts".
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pyarrow as pa


class Kind(StrEnum):
    """What a column holds. `TEXT` also takes numbers and booleans, as text; `JSON` is JSON in a text column."""

    TEXT = "VARCHAR"
    BOOLEAN = "BOOLEAN"
    INTEGER = "BIGINT"
    DOUBLE = "DOUBLE"
    TIMESTAMP = "TIMESTAMP"
    JSON = "JSON"

    @property
    def sql_type(self) -> str:
        """The DuckDB type; JSON is stored as text, which every driver reads."""
        return "VARCHAR" if self is Kind.JSON else self.value

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type; timestamps are UTC, in microseconds, without a zone."""
        return _ARROW_TYPES[self]


_ARROW_TYPES: Final[dict[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.TIMESTAMP: pa.timestamp("us"),
}


@dataclass(frozen=True)
class Column:
    """One column. `path` is the API's dotted path below `body`, empty where spsetl makes the value itself.

    `aliases` are older spellings of the same field; see "Versions" in the API's notes.
    """

    name: str
    path: str
    kind: Kind
    comment: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table. `key` names the columns that tell its rows apart; `parent` the table its rows belong to."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    parent: str | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))

    def column(self, name: str) -> Column:
        """The column of that name."""
        return self.columns[self.names.index(name)]

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the table's Parquet files."""
        return pa.schema([pa.field(c.name, c.kind.arrow_type) for c in self.columns])

    @property
    def ddl(self) -> str:
        """The table in DuckDB: no constraint, index or default, so that DuckDB 1.2 reads the file."""
        columns = ", ".join(f'"{c.name}" {c.kind.sql_type}' for c in self.columns)
        return f'create table if not exists "{self.name}" ({columns})'


# Fields that hold a list of values. Their values go to `session_lists`; a text column of that path, if there is one,
# holds them joined by a comma.
LIST_FIELDS: Final = (
    "analytics.interesting_events",
    "analytics.similar_sessions",
    "analytics.tags",
    "user.server_username",
)

# `analytics.score.details.<algorithm>.score` goes to `session_scores`.
SCORE_DETAILS: Final = "analytics.score.details"

# Known, and not kept: addresses of sub-resources. They follow from the key, and only one session's own answer has them.
LINK_FIELDS: Final = (
    "alerts.href",
    "channels.href",
    "events.href",
    "indexer.href",
    "indexers.href",
    "indexing.href",
    "trail_downloads.href",
    "recording.audit_trail.download.href",
    "psm.audit_trail.download.href",
)

# recording.index_status comes as a name or as its number ("Audited sessions", index_status).
INDEX_STATUS: Final = (
    "CHANNEL_OPEN",
    "NOT_INDEXED",
    "INDEXING_IN_PROGRESS",
    "INDEXED",
    "INDEXING_NOT_REQUIRED",
    "INDEXING_FAILED",
    "NO_TRAIL",
)
# There can be no events yet (0, 1) or ever (4, 6): no request is spent on asking.
INDEX_STATUS_WITHOUT_EVENTS: Final = frozenset({"CHANNEL_OPEN", "NOT_INDEXED", "INDEXING_NOT_REQUIRED", "NO_TRAIL"})

# What `sessions.<kind>_status` says of a session's details.
PENDING: Final = "pending"
FETCHED: Final = "fetched"
NOT_INDEXED: Final = "not_indexed"
GONE: Final = "gone"


def _text(path: str, comment: str, *aliases: str, name: str | None = None) -> Column:
    return Column(name or path.replace(".", "_"), path, Kind.TEXT, comment, aliases)


def _column(path: str, kind: Kind, comment: str, *aliases: str) -> Column:
    return Column(path.replace(".", "_"), path, kind, comment, aliases)


def _made(name: str, kind: Kind, comment: str) -> Column:
    return Column(name, "", kind, comment)


def _recording(name: str, kind: Kind, comment: str, *aliases: str) -> Column:
    """A field of `recording`, which 5.x calls `psm` and still finds under its bare name in old answers."""
    own = (f"psm.{name}", *aliases)
    if name.endswith(".ip"):
        address = name.removesuffix("ip") + "address"
        own += (f"recording.{address}", f"psm.{address}")
    return _column(f"recording.{name}", kind, comment, *own)


def _endpoint(path: str, what: str, *, recording: bool = False) -> tuple[Column, ...]:
    """The ip, name and port of one end of a connection."""
    parts = (
        ("ip", Kind.TEXT, f"IP address of {what}"),
        ("name", Kind.TEXT, f"Host name of {what}, or its IP address where the name is not known"),
        ("port", Kind.INTEGER, f"Port of {what}"),
    )
    if recording:
        return tuple(_recording(f"{path}.{part}", kind, comment) for part, kind, comment in parts)
    return tuple(
        _column(f"{path}.{part}", kind, comment, *([f"{path}.address"] if part == "ip" else []))
        for part, kind, comment in parts
    )


_APPLIANCE = _made("appliance", Kind.TEXT, "Name of the appliance the row comes from (SPSETL_APPLIANCE)")
_SESSION_KEY = _made("session_key", Kind.TEXT, "The session's key on its appliance")
_EXTRA = _made("extra", Kind.JSON, "What no column holds, as the JSON it came as; NULL when there is nothing")
_LINEAGE = (
    _made("extracted_at", Kind.TIMESTAMP, "When the appliance gave this version of the row (UTC)"),
    _made("run_id", Kind.TEXT, "The sync that fetched this version, see sync_runs"),
)
_FOUR_EYES = "where the channel needs four-eyes authorization"

SESSIONS: Final = Table(
    "sessions",
    "One row per session, its newest revision",
    ("appliance", "session_key"),
    (
        _APPLIANCE,
        _SESSION_KEY,
        _column("revision", Kind.INTEGER, "Grows with each change of the session; NULL where the appliance hides it"),
        _column("active", Kind.BOOLEAN, "True while the session goes on"),
        _text("origin", "How SPS learnt of the session: RECORDING (older: PSM), LOG or VAULT"),
        _text("protocol", "Protocol of the session, in the appliance's spelling (SSH, ssh, RDP, …)"),
        _column("start_time", Kind.TIMESTAMP, "Start of the session (UTC)"),
        _column("end_time", Kind.TIMESTAMP, "End of the session (UTC); NULL while it is active"),
        _column("duration", Kind.INTEGER, "Length of the session in seconds, as the appliance computed it"),
        _column("creation_time", Kind.TIMESTAMP, "When SPS made this record (UTC); can be much later than start_time"),
        _text("verdict", "What SPS decided about the session, in the appliance's spelling"),
        _text("node_id", "Node of the SPS cluster that recorded the session"),
        _column("hidden", Kind.BOOLEAN, "True while SPS does not show the session, its data being fragmented"),
        _column("phantom", Kind.BOOLEAN, "As the appliance says it; its guide does not explain it"),
        _text("trail_download_link", "Where the appliance serves the recording"),
        _text("user.id", "ID of the user"),
        _text("user.name", "User name used at the gateway", "name"),
        _text("user.name_domain", "Domain of user_name"),
        _text("user.gateway_username", "User name of the gateway login", "psm.gateway_username"),
        _text("user.gateway_username_domain", "Domain of user_gateway_username"),
        _text(
            "user.server_username",
            "User name used at the server; several are joined by a comma, see session_lists",
            "server_username",
            "psm.server_username",
        ),
        _text("user.server_username_domain", "Domain of user_server_username"),
        *_endpoint("client", "the client"),
        _text("server.id", "ID of the server"),
        *_endpoint("server", "the server"),
        _recording("session_id", Kind.TEXT, "ID of the session in SPS's logs"),
        _recording("connection_policy", Kind.TEXT, "Connection policy that handled the session"),
        _recording("connection_policy_id", Kind.TEXT, "Key of that connection policy"),
        _recording("channel_policy", Kind.TEXT, "Channel policy of the connection"),
        _recording("auth_method", Kind.TEXT, "Authentication method of the connection"),
        _recording("verdict", Kind.TEXT, "The connection's verdict; spelled differently from verdict"),
        _recording("deny_reason", Kind.TEXT, "Why the connection was denied"),
        _recording("has_accepted_channel", Kind.BOOLEAN, "True if a channel was accepted and there was traffic"),
        _recording("index_status", Kind.TEXT, "How far the recording is indexed: " + ", ".join(INDEX_STATUS)),
        _recording("command_extracted", Kind.BOOLEAN, "True if commands were extracted, see events"),
        _recording("window_title_extracted", Kind.BOOLEAN, "True if window titles were extracted, see events"),
        _recording("content_reference_id", Kind.INTEGER, "ID of the TCP connection"),
        _recording("network_id", Kind.TEXT, "Network namespace the session came from"),
        _recording("archived", Kind.BOOLEAN, "True if the recording was archived"),
        _recording("audit_trail.archive.date", Kind.TIMESTAMP, "When the recording was archived (UTC)"),
        _recording("audit_trail.archive.path", Kind.TEXT, "Path of the archived recording"),
        _recording("audit_trail.archive.policy", Kind.TEXT, "ID of the archiving policy"),
        _recording("audit_trail.archive.server", Kind.TEXT, "Server the recording was archived to"),
        _recording("archive.date", Kind.TIMESTAMP, "When the recording was archived (UTC), where the list says it"),
        _recording("archive.path", Kind.TEXT, "Path of the archived recording, where the list says it"),
        _recording("archive.policy", Kind.TEXT, "ID of the archiving policy, where the list says it"),
        _recording("archive.server", Kind.TEXT, "Server the recording was archived to, where the list says it"),
        *_endpoint("server_local", "SPS on the server's side", recording=True),
        *_endpoint("target", "what the client asked to connect to", recording=True),
        _text("log.adapter_name", "Log adapter that built the session (origin LOG)"),
        _text("log.auth_method", "Authentication method in the log (origin LOG)"),
        _column("log.syslog_time", Kind.TIMESTAMP, "Time of the log message (UTC; origin LOG)"),
        _column("analytics.score.aggregated", Kind.DOUBLE, "Risk score, 0 to 100, 100 being the highest risk"),
        _column("analytics.scripted", Kind.BOOLEAN, "True if the activity is not a human's"),
        _column("analytics.scripted_results", Kind.JSON, "Why analytics_scripted says so, by algorithm"),
        _text(
            "analytics.interesting_events",
            "Commands and window titles of interest, joined by a comma, see session_lists",
        ),
        _text("analytics.similar_sessions", "Similar sessions, joined by a comma, see session_lists"),
        _text("analytics.tags", "Tags, joined by a comma, see session_lists"),
        _text("analytics.bucketed_duration", "Class of duration that the appliance puts the session in"),
        _text("analytics.bucketed_starting_hour", "Class of starting hour that the appliance puts the session in"),
        _text("vault.access_request_type", "Type of the vault's access request (origin VAULT)"),
        _text("vault.account_id", "Account in the vault"),
        _text("vault.account_name", "Name of the account in the vault"),
        _text("vault.appliance_id", "Appliance of the vault"),
        _text("vault.appliance_name", "Name of the vault's appliance"),
        _text("vault.asset_partition_id", "Asset partition in the vault"),
        _column("vault.auto_approved", Kind.BOOLEAN, "True if the request was approved without a person"),
        _column("vault.available", Kind.BOOLEAN, "True if the request was available"),
        _column("vault.created.timestamp", Kind.TIMESTAMP, "When the request was made (UTC)"),
        _column("vault.expired", Kind.BOOLEAN, "True if the request expired"),
        _column("vault.is_emergency", Kind.BOOLEAN, "True for an emergency request"),
        _EXTRA,
        _made("channels_status", Kind.TEXT, "Channels of this revision: pending, fetched, or gone (deleted meanwhile)"),
        _made(
            "events_status",
            Kind.TEXT,
            "Events of this revision: pending, fetched, not_indexed (recording_index_status rules them out), or gone",
        ),
        _made("alerts_status", Kind.TEXT, "Alerts of this revision: pending, fetched, or gone (deleted meanwhile)"),
        _made("row_hash", Kind.TEXT, "Hash of the session as it came; tells a change where there is no revision"),
        _made("missing_since", Kind.TIMESTAMP, "When a sync first found the session gone from the appliance (UTC)"),
        *_LINEAGE,
    ),
)

CHANNELS: Final = Table(
    "channels",
    "One row per channel of a session",
    ("appliance", "session_key", "channel_key"),
    (
        _APPLIANCE,
        _SESSION_KEY,
        _made("channel_key", Kind.TEXT, "The channel's key within its session"),
        _text("channel_id", "ID of the channel, which events and alerts refer to"),
        _text("type", "Type of the channel, for example session shell, drawing, clipboard"),
        _text("verdict", "What SPS decided about the channel"),
        _column("active", Kind.BOOLEAN, "True while the channel is open"),
        _column("start_time", Kind.TIMESTAMP, "Start of the channel (UTC)"),
        _column("end_time", Kind.TIMESTAMP, "End of the channel (UTC); NULL while it is open"),
        _column("duration", Kind.INTEGER, "Length of the channel in seconds"),
        _text("audit_stream_id", "Audit stream of the channel, where it was recorded"),
        _text("client_x509_subject", "Subject of the client's certificate (Telnet, VNC)"),
        _text("rule_num", "Line of the channel policy that applied"),
        _text("command", "Command of a session exec channel"),
        _text("scp_path", "Folder of a session exec scp channel"),
        _text("subsystem_name", "Subsystem of a session subsystem channel"),
        *_endpoint("originator", "the source of forwarded traffic"),
        *_endpoint("connected", "the target of forwarded traffic"),
        _text("dynamic_channel", "Name of a dynamic virtual channel (RDP)"),
        _text("device_name", "Name of the redirected device (RDP)"),
        _text("application", "Application of a seamless channel (ICA)"),
        _text("four_eyes_authorizer", f"Who authorized the channel, {_FOUR_EYES}"),
        _text("four_eyes_description", f"What the authorizer wrote, {_FOUR_EYES}"),
        _EXTRA,
        *_LINEAGE,
    ),
    parent="sessions",
)

_RECORD_ID = _column("record_id", Kind.INTEGER, "Number of the record within the session's recording")
_TIME_RAW = _text("time", "The time as it came, without a zone", name="time_raw")

EVENTS: Final = Table(
    "events",
    "One row per event (command, window title, file transfer, …) extracted from an indexed session",
    ("appliance", "session_key", "record_id"),
    (
        _APPLIANCE,
        _SESSION_KEY,
        _RECORD_ID,
        _text("channels_id", "Channel the event happened in, see channels.channel_id", "channel_id", name="channel_id"),
        _column("time", Kind.TIMESTAMP, "When the event happened; the appliance gives no zone, read as UTC"),
        _TIME_RAW,
        _text("type", "Type of the event: command, window_title, file_transfer, http_request, …"),
        _text("action", "The command without its prompt"),
        _text("content", "The event with its context, for example the whole command line"),
        _EXTRA,
        *_LINEAGE,
    ),
    parent="sessions",
)

ALERTS: Final = Table(
    "alerts",
    "One row per alert of a session, where its content policy stores alerts",
    ("appliance", "session_key", "record_id"),
    (
        _APPLIANCE,
        _SESSION_KEY,
        _RECORD_ID,
        _text("channel_id", "Channel the alert was raised in, see channels.channel_id", "channels_id"),
        _column("time", Kind.TIMESTAMP, "When the alert was raised; the appliance gives no zone, read as UTC"),
        _TIME_RAW,
        _text("alert_type", "What raised the alert: adp.event.command, adp.event.screen.content, …"),
        _text("matched_action", "The command or title that matched"),
        _text("matched_content", "What matched, with its context"),
        _text("matched_regexp", "The content policy's expression that matched"),
        _text("rule_name", "The content policy's rule that matched"),
        _EXTRA,
        *_LINEAGE,
    ),
    parent="sessions",
)

SESSION_LISTS: Final = Table(
    "session_lists",
    "One row per value of a list-valued field of a session",
    ("appliance", "session_key", "field", "position"),
    (
        _APPLIANCE,
        _SESSION_KEY,
        _made("field", Kind.TEXT, "The field in the API's spelling, for example user.server_username"),
        _made("position", Kind.INTEGER, "Place of the value in its list, from 0"),
        _made("value", Kind.TEXT, "The value; JSON where it is no scalar"),
    ),
    parent="sessions",
)

SESSION_SCORES: Final = Table(
    "session_scores",
    "One row per analytics algorithm that scored a session",
    ("appliance", "session_key", "algorithm"),
    (
        _APPLIANCE,
        _SESSION_KEY,
        _made("algorithm", Kind.TEXT, "Name of the algorithm, for example keystroke, command, hostlogin"),
        _made("score", Kind.DOUBLE, "The algorithm's score"),
    ),
    parent="sessions",
)

QUARANTINE: Final = Table(
    "quarantine",
    "One row per row of an answer that could not be read",
    ("appliance", "table_name", "row_hash"),
    (
        _APPLIANCE,
        _made("table_name", Kind.TEXT, "The table the row would have gone to"),
        _made("session_key", Kind.TEXT, "The session it belongs to, where that could be read"),
        _made("reason", Kind.TEXT, "Why it could not be read"),
        _made("raw", Kind.JSON, "The row as it came"),
        _made("row_hash", Kind.TEXT, "Hash of raw"),
        *_LINEAGE,
    ),
)

SYNC_RUNS: Final = Table(
    "sync_runs",
    "One row per sync",
    ("run_id",),
    (
        _made("run_id", Kind.TEXT, "ID of the sync"),
        _APPLIANCE,
        _made("status", Kind.TEXT, "running, done or failed; a running one that is not the newest was killed"),
        _made("strategy", Kind.TEXT, "How the list was walked: windows or snapshot"),
        _made("started_at", Kind.TIMESTAMP, "When the sync began (UTC)"),
        _made("finished_at", Kind.TIMESTAMP, "When the sync ended (UTC)"),
        _made("seconds", Kind.DOUBLE, "How long it took, in seconds"),
        _made("range_start", Kind.TIMESTAMP, "Sessions that started at or after this were listed (UTC); NULL for all"),
        _made(
            "watermark", Kind.TIMESTAMP, "All sessions listed up to this start_time (UTC); the next sync goes on here"
        ),
        _made("sessions_seen", Kind.INTEGER, "Distinct sessions that the appliance listed"),
        _made("sessions_new", Kind.INTEGER, "Of these, sessions that were not in the copy"),
        _made("sessions_changed", Kind.INTEGER, "Of these, sessions that had changed"),
        _made("sessions_missing", Kind.INTEGER, "Sessions that the appliance no longer has"),
        _made("quarantined", Kind.INTEGER, "Rows that could not be read in this sync"),
        _made("requests", Kind.INTEGER, "Requests sent to the appliance"),
        _made("requests_by_kind", Kind.JSON, "The same by kind, as JSON"),
        _made("error", Kind.TEXT, "What the sync failed with"),
        _made("spsetl_version", Kind.TEXT, "Version of spsetl that ran"),
    ),
)

SYNC_WINDOWS: Final = Table(
    "sync_windows",
    "One row per window of start_time that a sync walked to its end",
    ("appliance", "run_id", "window_start"),
    (
        _APPLIANCE,
        _made("run_id", Kind.TEXT, "The sync, see sync_runs"),
        _made("window_start", Kind.TIMESTAMP, "First start_time of the window (UTC), inclusive"),
        _made("window_end", Kind.TIMESTAMP, "Last start_time of the window (UTC), exclusive; NULL for no end"),
        _made("requests", Kind.INTEGER, "Requests that the walk took"),
        _made("rows_received", Kind.INTEGER, "Rows that the appliance sent, repeated ones and neighbours' included"),
        _made("distinct_keys", Kind.INTEGER, "Distinct sessions of the window among them"),
        _made("finished_at", Kind.TIMESTAMP, "When the window was merged (UTC)"),
    ),
)

SESSION_TABLES: Final = (SESSIONS, SESSION_LISTS, SESSION_SCORES)
DETAIL_TABLES: Final = (CHANNELS, EVENTS, ALERTS)
LAKE_TABLES: Final = (*SESSION_TABLES, *DETAIL_TABLES, QUARANTINE)
TABLES: Final = (*LAKE_TABLES, SYNC_RUNS, SYNC_WINDOWS)
BY_NAME: Final = {table.name: table for table in TABLES}


def as_markdown() -> str:
    """The tables as the README shows them: a heading, a sentence and a table of columns each."""
    parts = []
    for table in TABLES:
        rows = [
            f"| `{c.name}` | {c.kind.sql_type} | {f'`{c.path}`' if c.path else ''} | {c.comment} |"
            for c in table.columns
        ]
        key = ", ".join(f"`{name}`" for name in table.key)
        head = f"#### `{table.name}`\n\n{table.comment}. Key: {key}.\n"
        parts.append(
            "\n".join([head, "| column | type | field of the API | meaning |", "|---|---|---|---|", *rows, ""])
        )
    return "\n".join(parts)
