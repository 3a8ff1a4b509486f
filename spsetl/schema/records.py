"""The tables that tell of the copying itself."""

from typing import Final

from spsetl.schema.columns import APPLIANCE, LINEAGE, SESSION_KEY, made
from spsetl.schema.details import DETAIL_KINDS
from spsetl.schema.types import Kind, Table

QUARANTINE: Final = Table(
    "quarantine",
    "One row per row of an answer that could not be read",
    ("appliance", "table_name", "row_hash"),
    (
        APPLIANCE,
        made("table_name", Kind.TEXT, "The table the row would have gone to"),
        made("session_key", Kind.TEXT, "The session it belongs to, where that could be read"),
        made("reason", Kind.TEXT, "Why it could not be read; in the lake NULL where it could be read later"),
        made("raw", Kind.JSON, "The row as it came"),
        made("row_hash", Kind.TEXT, "Hash of raw"),
        *LINEAGE,
    ),
)

SYNC_RUNS: Final = Table(
    "sync_runs",
    "One row per sync, backfill or reconciliation",
    ("run_id",),
    (
        made("run_id", Kind.TEXT, "ID of the sync"),
        APPLIANCE,
        made("kind", Kind.TEXT, "sync, backfill or reconcile"),
        made("status", Kind.TEXT, "running, done, failed, interrupted, or killed (found dead by a later one)"),
        made("strategy", Kind.TEXT, "How the list was walked: windows or snapshot"),
        made("details", Kind.TEXT, "Which kinds of details were wanted, joined by a comma; empty: none"),
        made("started_at", Kind.TIMESTAMP, "When the sync began (UTC)"),
        made("finished_at", Kind.TIMESTAMP, "When the sync ended (UTC)"),
        made(
            "ordered_at",
            Kind.TIMESTAMP,
            "The run's end in the order of runs: what later ones fetch is extracted after it, whatever the clock said",
        ),
        made("seconds", Kind.DOUBLE, "How long it took, in seconds"),
        made("range_start", Kind.TIMESTAMP, "Sessions that started at or after this were listed (UTC); NULL for all"),
        made("range_end", Kind.TIMESTAMP, "Up to this start_time (UTC), exclusive; NULL for no end"),
        made(
            "watermark", Kind.TIMESTAMP, "All sessions listed up to this start_time (UTC); the next sync goes on here"
        ),
        made("sessions_seen", Kind.INTEGER, "Distinct sessions that the appliance listed"),
        made("sessions_new", Kind.INTEGER, "Of these, sessions that were not in the copy"),
        made("sessions_changed", Kind.INTEGER, "Of these, sessions that had changed"),
        made("sessions_missing", Kind.INTEGER, "Sessions of the copy that the appliance has no more"),
        made("sessions_moved", Kind.INTEGER, "Sessions that were listed under another start_time than before, or two"),
        made("quarantined", Kind.INTEGER, "Rows that could not be read in this sync"),
        made("misfits", Kind.JSON, "Values that fit no column and went to extra, counted by table and field, as JSON"),
        made(
            "details_failed",
            Kind.INTEGER,
            "Sessions whose details could not be fetched, in this run or since earlier ones",
        ),
        made("details_gone", Kind.INTEGER, "Details that the appliance has no more (404), sessions and kinds together"),
        made(
            "source_sessions",
            Kind.INTEGER,
            "Sessions by the appliance's own count, of whatever start_time or none; NULL if it was not counted",
        ),
        made("requests", Kind.INTEGER, "Requests sent to the appliance"),
        made("requests_by_kind", Kind.JSON, "The same by kind, as JSON"),
        made("error", Kind.TEXT, "What the sync failed with"),
        made("spsetl_version", Kind.TEXT, "Version of spsetl that ran"),
    ),
)

SYNC_WINDOWS: Final = Table(
    "sync_windows",
    "One row per window of start_time that was read to its end",
    ("appliance", "run_id", "kind", "window_start"),
    (
        APPLIANCE,
        made("run_id", Kind.TEXT, "The run, see sync_runs"),
        made(
            "kind",
            Kind.TEXT,
            "list (every session whole), sweep (keys and revisions, and whole what differs), open (sessions that were "
            "not final)",
        ),
        made("window_start", Kind.TIMESTAMP, "First start_time of the window (UTC), inclusive"),
        made("window_end", Kind.TIMESTAMP, "Last start_time of the window (UTC), exclusive; NULL for no end"),
        made("requests", Kind.INTEGER, "Requests for lists that the window took"),
        made("rows_received", Kind.INTEGER, "Rows that the appliance sent, repeated ones and neighbours' included"),
        made("distinct_keys", Kind.INTEGER, "Distinct sessions of the window among them"),
        made("source_count", Kind.INTEGER, "Sessions in the window by the appliance's own count; NULL if it has none"),
        made(
            "verdict",
            Kind.TEXT,
            "equal (of what started before it was read, as many as source_count, but for rows without key or time), "
            "differs (also after reading again), uncounted, or doubted (a drop "
            "stopped the sync)",
        ),
        made("finished_at", Kind.TIMESTAMP, "When the window was read (UTC)"),
    ),
)

APPLIANCES: Final = Table(
    "appliances",
    "One row per appliance: what it can do, as it was asked",
    ("appliance",),
    (
        APPLIANCE,
        made("address", Kind.TEXT, "Where it was asked last"),
        made("firmware_version", Kind.TEXT, "Its version"),
        made("has_snapshots", Kind.BOOLEAN, "Whether it gives snapshots of the list"),
        made("has_counts", Kind.BOOLEAN, "Whether it counts beyond 10000"),
        made("has_revision", Kind.BOOLEAN, "Whether the list gives the revision; NULL if there was no session to tell"),
        made(
            "has_date_ranges", Kind.BOOLEAN, "Whether q understands a range of start_time; NULL if nothing could tell"
        ),
        made("reading", Kind.TEXT, "What start and end mean to it: literal or overlap; NULL if no session could tell"),
        made("bin_size_parameter", Kind.TEXT, "How its histogram spells bin_size; NULL if it has none"),
        made("probed_at", Kind.TIMESTAMP, "When it was asked (UTC)"),
    ),
)

_KIND: Final = made("kind", Kind.TEXT, f"Which details: {', '.join(DETAIL_KINDS)}")
_ERROR: Final = made("error", Kind.TEXT, "Why they were not fetched")
_UNSETTLED: Final = "failed, absent (404, though the session is there), or vanished (404, as the session's own page)"

DETAIL_FETCHES: Final = Table(
    "detail_fetches",
    "One row per session and kind of details that was asked for since the session last changed: what became of it; in "
    "the lake one row per run, too",
    ("appliance", "session_key", "kind"),
    (
        APPLIANCE,
        SESSION_KEY,
        _KIND,
        made(
            "status",
            Kind.TEXT,
            f"fetched, or gone; or, to be asked for again: {_UNSETTLED}; in the lake also replayed, out of quarantine",
        ),
        _ERROR,
        made("tries", Kind.INTEGER, "In how many runs they were asked for in vain; in the lake NULL"),
        made("revision", Kind.INTEGER, "Revision of the session that they were asked for"),
        made("row_hash", Kind.TEXT, "Hash of that version of the session; in the lake alone"),
        *LINEAGE,
    ),
)

DETAIL_FAILURES: Final = Table(
    "detail_failures",
    "One row per session and kind of details that the appliance has not given, and is asked for again",
    ("appliance", "session_key", "kind"),
    (
        APPLIANCE,
        SESSION_KEY,
        _KIND,
        made("status", Kind.TEXT, _UNSETTLED),
        _ERROR,
        made("tries", Kind.INTEGER, "In how many runs they were asked for in vain"),
        *LINEAGE,
    ),
)

SESSION_DETAILS: Final = Table(
    "session_details",
    "One row per session: how far its details are",
    ("appliance", "session_key"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("start_time", Kind.TIMESTAMP, "Start of the session (UTC)"),
        made("missing_since", Kind.TIMESTAMP, "When a sync found the session gone, see sessions"),
        *(
            made(
                f"{kind.name}_status",
                Kind.TEXT,
                f"{kind.name} of this revision: pending (not fetched yet, see detail_failures), fetched, gone (the "
                "appliance has them no more), not_requested (SPSETL_DETAILS leaves them out)"
                + (", not_indexed (recording_index_status rules them out)" if kind.ruled_out_by else ""),
            )
            for kind in DETAIL_KINDS.values()
        ),
        made("is_pending", Kind.BOOLEAN, "Whether any are pending of a session that the appliance has"),
    ),
)

MISSING_SESSIONS: Final = Table(
    "missing_sessions",
    "One row per session that was found gone from the appliance",
    ("appliance", "session_key", "run_id"),
    (
        APPLIANCE,
        SESSION_KEY,
        made("window_start", Kind.TIMESTAMP, "First start_time of the window it was looked for in (UTC)"),
        made("window_end", Kind.TIMESTAMP, "End of that window (UTC), exclusive; NULL for no end"),
        *LINEAGE,
    ),
)
