"""The kinds of details of a session, and their tables ("Session events", "Session alerts", "Indexing sessions")."""

from dataclasses import dataclass
from typing import Final

from spsetl.schema.columns import APPLIANCE, EXTRA, LINEAGE, SESSION_KEY, column, endpoint, made, text
from spsetl.schema.fields import INDEX_STATUS_WITHOUT_EVENTS
from spsetl.schema.types import Kind, Table

_FOUR_EYES: Final = "where the channel needs four-eyes authorization"

CHANNELS: Final = Table(
    "channels",
    "One row per channel of a session",
    ("appliance", "session_key", "channel_key"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("channel_key", Kind.TEXT, "The channel's key within its session"),
        text("channel_id", "ID of the channel, which events and alerts refer to"),
        text("type", "Type of the channel, for example session shell, drawing, clipboard"),
        text("verdict", "What SPS decided about the channel"),
        column("active", Kind.BOOLEAN, "True while the channel is open"),
        column("start_time", Kind.TIMESTAMP, "Start of the channel (UTC)"),
        column("end_time", Kind.TIMESTAMP, "End of the channel (UTC); NULL while it is open"),
        column("duration", Kind.INTEGER, "Length of the channel in seconds"),
        text("audit_stream_id", "Audit stream of the channel, where it was recorded"),
        text("client_x509_subject", "Subject of the client's certificate (Telnet, VNC)"),
        text("rule_num", "Line of the channel policy that applied"),
        text("command", "Command of a session exec channel"),
        text("scp_path", "Folder of a session exec scp channel"),
        text("subsystem_name", "Subsystem of a session subsystem channel"),
        *endpoint("originator", "the source of forwarded traffic"),
        *endpoint("connected", "the target of forwarded traffic"),
        text("dynamic_channel", "Name of a dynamic virtual channel (RDP)"),
        text("device_name", "Name of the redirected device (RDP)"),
        text("application", "Application of a seamless channel (ICA)"),
        text("four_eyes_authorizer", f"Who authorized the channel, {_FOUR_EYES}"),
        text("four_eyes_description", f"What the authorizer wrote, {_FOUR_EYES}"),
        EXTRA,
        *LINEAGE,
    ),
    parent="sessions",
)

_RECORD_ID: Final = column("record_id", Kind.INTEGER, "Number of the record within the session's recording")
_TIME_RAW: Final = text("time", "The time as it came, without a zone", name="time_raw")

EVENTS: Final = Table(
    "events",
    "One row per event (command, window title, file transfer, …) extracted from an indexed session",
    ("appliance", "session_key", "record_id"),
    (
        APPLIANCE,
        SESSION_KEY,
        _RECORD_ID,
        text("channels_id", "Channel the event happened in, see channels.channel_id", "channel_id", name="channel_id"),
        column("time", Kind.TIMESTAMP, "When the event happened; the appliance gives no zone, read as UTC"),
        _TIME_RAW,
        text("type", "Type of the event: command, window_title, file_transfer, http_request, …"),
        text("action", "The command without its prompt"),
        text("content", "The event with its context, for example the whole command line"),
        EXTRA,
        *LINEAGE,
    ),
    parent="sessions",
)

ALERTS: Final = Table(
    "alerts",
    "One row per alert of a session, where its content policy stores alerts",
    ("appliance", "session_key", "record_id"),
    (
        APPLIANCE,
        SESSION_KEY,
        _RECORD_ID,
        text("channel_id", "Channel the alert was raised in, see channels.channel_id", "channels_id"),
        column("time", Kind.TIMESTAMP, "When the alert was raised; the appliance gives no zone, read as UTC"),
        _TIME_RAW,
        text("alert_type", "What raised the alert: adp.event.command, adp.event.screen.content, …"),
        text("matched_action", "The command or title that matched"),
        text("matched_content", "What matched, with its context"),
        text("matched_regexp", "The content policy's expression that matched"),
        text("rule_name", "The content policy's rule that matched"),
        EXTRA,
        *LINEAGE,
    ),
    parent="sessions",
)

TRAIL_DOWNLOADS: Final = Table(
    "trail_downloads",
    "One row per download of a session's recording",
    ("appliance", "session_key", "position"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("position", Kind.INTEGER, "Place of the download in the appliance's list, from 0"),
        column("time", Kind.TIMESTAMP, "When the recording was downloaded (UTC)"),
        _TIME_RAW,
        text("username", "Who downloaded it"),
        text("ip_address", "From which address"),
        column("from_api", Kind.BOOLEAN, "True if it was downloaded over the REST API"),
        EXTRA,
        *LINEAGE,
    ),
    parent="sessions",
)

INDEXING: Final = Table(
    "indexing",
    "One row per time that a session's recording was indexed",
    ("appliance", "session_key", "position"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("position", Kind.INTEGER, "Place in the appliance's answer, from 0"),
        text("status", "How far it got, for example COMPLETED"),
        column("statistics.start_time", Kind.INTEGER, "When it began, in milliseconds since 1970 (UTC)"),
        column("statistics.duration", Kind.DOUBLE, "How long it took, as the appliance gives it"),
        column("statistics.cpu_time", Kind.DOUBLE, "How much of a processor it took, as the appliance gives it"),
        column("version", Kind.JSON, "Versions of the indexer"),
        column("config", Kind.JSON, "What was to be indexed"),
        EXTRA,
        *LINEAGE,
    ),
    parent="sessions",
)


@dataclass(frozen=True)
class DetailKind:
    """One kind of details: whatever is to be known of it, once.

    Attributes:
        table: Its rows.
        path: Where they are, below their session's address.
        by_default: Whether they are fetched where no setting says otherwise.
        may_be_absent: Whether a session can be there without any, for which the appliance may answer 404.
        ruled_out_by: With these values of recording.index_status there are none, and no request is spent on asking.
    """

    table: Table
    path: str
    by_default: bool = True
    may_be_absent: bool = False
    ruled_out_by: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """As settings, tables and counts of requests call it."""
        return self.table.name


DETAIL_KINDS: Final = {
    kind.name: kind
    for kind in (
        DetailKind(CHANNELS, "channels"),
        DetailKind(EVENTS, "events", ruled_out_by=INDEX_STATUS_WITHOUT_EVENTS),
        DetailKind(ALERTS, "alerts"),
        DetailKind(TRAIL_DOWNLOADS, "trail_downloads", by_default=False, may_be_absent=True),
        DetailKind(INDEXING, "indexing", by_default=False, may_be_absent=True),
    )
}
"""By name, in the order in which they are asked for."""
