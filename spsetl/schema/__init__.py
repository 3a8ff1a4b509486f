"""Every table of the copy, once: columns, types, where each comes from, and what it means.

Parquet schemas, DuckDB tables, their comments and the page of the data, sql/DATA.md, are all made from here.
Field names and meanings: SPS REST API Reference Guide, "Audited sessions", "Session events", "Session alerts".
"""

from typing import Final

from spsetl.schema.details import ALERTS, CHANNELS, DETAIL_KINDS, EVENTS, INDEXING, TRAIL_DOWNLOADS, DetailKind
from spsetl.schema.fields import (
    INDEX_STATUS,
    INDEX_STATUS_FINAL,
    INDEX_STATUS_WITHOUT_EVENTS,
    LINK_FIELDS,
    LIST_FIELDS,
    SCORE_DETAILS,
)
from spsetl.schema.policies import POLICIES
from spsetl.schema.records import (
    APPLIANCES,
    DETAIL_FAILURES,
    DETAIL_FETCHES,
    MISSING_SESSIONS,
    QUARANTINE,
    SESSION_DETAILS,
    SYNC_RUNS,
    SYNC_WINDOWS,
)
from spsetl.schema.sessions import SESSION_LISTS, SESSION_SCORES, SESSIONS
from spsetl.schema.statuses import (
    ABSENT,
    FAILED,
    FETCHED,
    GONE,
    NOT_INDEXED,
    NOT_REQUESTED,
    PENDING,
    REPLAYED,
    VANISHED,
)
from spsetl.schema.types import Column, Kind, Table
from spsetl.schema.version import VERSION, WAREHOUSE_VERSION, require_known

__all__ = [
    "ABSENT",
    "ALERTS",
    "APPLIANCES",
    "BY_NAME",
    "CHANNELS",
    "COPIED_TABLES",
    "DETAIL_FAILURES",
    "DETAIL_FETCHES",
    "DETAIL_KINDS",
    "DETAIL_TABLES",
    "EVENTS",
    "FAILED",
    "FETCHED",
    "GONE",
    "INDEXING",
    "INDEX_STATUS",
    "INDEX_STATUS_FINAL",
    "INDEX_STATUS_WITHOUT_EVENTS",
    "LAKE_TABLES",
    "LINK_FIELDS",
    "LIST_FIELDS",
    "MISSING_SESSIONS",
    "NOT_INDEXED",
    "NOT_REQUESTED",
    "PENDING",
    "POLICIES",
    "QUARANTINE",
    "REPLAYED",
    "SCORE_DETAILS",
    "SESSIONS",
    "SESSION_DETAILS",
    "SESSION_LISTS",
    "SESSION_SCORES",
    "SESSION_TABLES",
    "SYNC_RUNS",
    "SYNC_WINDOWS",
    "TABLES",
    "TRAIL_DOWNLOADS",
    "VANISHED",
    "VERSION",
    "VIEWS",
    "WAREHOUSE_VERSION",
    "Column",
    "DetailKind",
    "Kind",
    "Table",
    "require_known",
]

SESSION_TABLES: Final = (SESSIONS, SESSION_LISTS, SESSION_SCORES)
DETAIL_TABLES: Final = tuple(kind.table for kind in DETAIL_KINDS.values())
COPIED_TABLES: Final = (*SESSION_TABLES, *DETAIL_TABLES, QUARANTINE)
TABLES: Final = (*COPIED_TABLES, DETAIL_FETCHES, POLICIES, SYNC_RUNS, SYNC_WINDOWS, APPLIANCES, WAREHOUSE_VERSION)
# Beside the tables, of what is in them.
VIEWS: Final = (SESSION_DETAILS, DETAIL_FAILURES)
# What the warehouse can be made from: the rows themselves, and what it otherwise only knows by having seen it happen.
LAKE_TABLES: Final = (*COPIED_TABLES, POLICIES, SYNC_RUNS, SYNC_WINDOWS, DETAIL_FETCHES, MISSING_SESSIONS)
BY_NAME: Final = {table.name: table for table in {*TABLES, *LAKE_TABLES}}
