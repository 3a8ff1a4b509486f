"""Where appliances differ from each other, from their guide and from good days: one switch each."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quirks:
    """How the simulated appliance behaves. Every field stands alone, so that any of them combine."""

    # What the API means
    reading: Literal["literal", "overlap"] = "literal"
    """start and end. literal: start_time >= start, end_time < end; overlap: alive at some moment of [start, end)."""
    histogram_reading: Literal["", "literal", "overlap"] = ""
    """The same for /histogram; empty: as `reading`."""
    ties: Literal["stable", "unstable"] = "stable"
    """unstable: the order of sessions with equal sort values changes from request to request."""
    star_has_revision: bool = False
    """fields=* shows the revision, too."""
    revision_by_name: bool = True
    """fields=*,revision and fields=revision show the revision; else only the session's own answer does."""
    page_limit: int = 500
    """The most sessions that one page holds, whatever `limit` says."""
    detail_limit: int = 500
    """The most channels, events, alerts or other details that one page holds, whatever `limit` says."""
    detail_offset_limit: int = 0
    """An `offset` into details above this is ignored, as one above 10000 into the list; 0: none is."""
    detail_meta: Literal["whole", "count", "none"] = "whole"
    """What a page of details tells of the others. count: only match_count, also of events; none: it has no meta."""
    result_limit: int = 10_000
    """Where match_count and the results stop."""
    bin_limit: int = 10_000
    """The most bins of a histogram."""
    date_ranges: bool = True
    """`q` takes ranges of dates; else 400 InvalidQuery, as the guide documents ranges for integers only."""
    count_drift: int = 0
    """So many sessions more, or fewer if negative, are in the answer of /_count than there are."""

    unlisted_newest: int = 0
    """The newest so many sessions are counted, and are in no list and no snapshot."""
    without_start: int = 0
    """So many more sessions have no start_time: only a count without any filter knows of them."""
    bare_star: bool = True
    """`q` understands a `*` for every session; else 400 InvalidQuery."""
    matching_all: bool = True
    """`q` understands `*:*` for every session; else 400 InvalidQuery."""

    bare_not: bool = True
    """A `q` that only denies matches all others; else nothing, as in Lucene."""

    # How it is spelled
    naming: Literal["recording", "psm"] = "recording"
    """psm: as 5.x writes it, psm.*, *.address, origin PSM, originator.address as one key with a dot."""
    times: Literal["iso", "epoch"] = "iso"
    """epoch: every time is a whole number of Unix seconds."""
    channels_wrapper: Literal["items", "channels"] = "items"
    """What the list of channels is called in its answer."""
    bin_size_parameter: Literal["bin_size", "bin-size"] = "bin_size"
    """The spelling that /histogram understands; it ignores the other."""
    options_shape: Literal["channel_database_cleanup", "audit.cleanup"] = "channel_database_cleanup"
    """The shape of /api/configuration/<protocol>/options: as 8.0 or as 6.x has it."""
    firmware: str = "8.0.0"
    """What /api/info says to a user who has logged in."""

    # What it offers
    snapshots: bool = True
    """/api/audit/sessions/_snapshot exists."""
    counts: bool = True
    """/api/audit/sessions/_count exists."""
    stats: bool = True
    """/api/audit/sessions/stats exists."""
    histogram: bool = True
    """/api/audit/sessions/histogram exists."""
    trail_downloads: bool = True
    """/api/audit/sessions/<key>/trail_downloads exists."""
    indexing: bool = True
    """/api/audit/sessions/<key>/indexing exists."""
    trail_ranges: bool = True
    """/api/audit/sessions/<key>/audit_trail gives a part of a recording, too: Range and If-Range, with an ETag."""
    trail_length: bool = True
    """A recording's answer says how long it is; else it comes in chunks."""
    snapshot_short_pages: bool = False
    """Pages of a snapshot in the middle of the chain may be shorter than asked for."""
    snapshot_empty_last_page: bool = False
    """The last page of a snapshot is empty."""
    gzip: bool = True
    """Answers larger than about 1.4 kB are compressed for clients that say they take gzip."""

    # Who may do what, and for how long
    search_right: bool = True
    """The user may search sessions; else 403."""
    configuration_right: bool = True
    """The user may read the configuration; else 403."""
    configured_protocols: tuple[str, ...] = ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql")
    """The protocols that this version has a configuration for; 404 for others."""
    forbidden_protocols: tuple[str, ...] = ()
    """The protocols whose configuration the user may not read; 403."""
    login_seconds: float = 1200
    """A login ends after so many seconds without a request."""
    snapshot_seconds: float = 300
    """A snapshot dies after so many seconds without a query."""
    failed_logins: int = 20
    """So many failed logins block the user for 10 minutes."""
    clock_offset: float = 0.0
    """Seconds that the Date of its answers is ahead of this machine's clock."""

    # Bad days: shares of requests, from 0 to 1, by a fixed row of dice
    latency: float = 0.0
    """Seconds that each answer takes; answers to several connections overlap."""
    fault_seed: int = 1
    """Another seed hits other requests."""
    fail_logins: bool = False
    """Logins are hit by the faults, too."""
    unavailable: float = 0.0
    """500 SearchUnavailable."""
    retry_after: int = 0
    """Seconds in the Retry-After of 500, 502 and 503; 0: they have none."""
    bad_gateway: float = 0.0
    """502 with an HTML page of a proxy."""
    service_unavailable: float = 0.0
    """503 with an HTML page of a proxy."""
    html: float = 0.0
    """200 with an HTML page of a proxy instead of JSON."""
    reset: float = 0.0
    """The connection is reset instead of an answer."""
    half_body: float = 0.0
    """The connection ends in the middle of the body."""
    hang: float = 0.0
    """No answer ever comes."""
    log_out: float = 0.0
    """401 Unauthenticated: the login ends in the middle of a run."""
