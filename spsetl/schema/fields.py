"""What is special about some fields of the API ("Audited sessions")."""

from typing import Final

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
# What the others can still become. NOT_INDEXED can stay for ever.
INDEX_STATUS_FINAL: Final = frozenset({"INDEXED", "INDEXING_NOT_REQUIRED", "INDEXING_FAILED", "NO_TRAIL"})
