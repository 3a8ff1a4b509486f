"""How the tables came to be what they are: what an older copy has not, and what stands there in its place.

Who changes a table raises `VERSION`, and says here what came with it. A copy that differs in nothing else is brought up
to date as it is; for any other difference the warehouse is made anew from the lake.
"""

from collections.abc import Mapping
from typing import Final

from spsetl.errors import NewerCopyError
from spsetl.schema.columns import made
from spsetl.schema.statuses import NOT_REQUESTED
from spsetl.schema.types import Kind, Table

VERSION: Final = 4

WAREHOUSE_VERSION: Final = Table(
    "warehouse_version",
    "One row: which tables this warehouse has, and which spsetl wrote it",
    ("schema_version",),
    (
        made("schema_version", Kind.INTEGER, "Number of the schema, which grows when tables or columns change"),
        made("spsetl_version", Kind.TEXT, "Version of spsetl that last wrote the warehouse"),
    ),
)

ADDED_TABLES: Final[Mapping[str, int]] = {
    "appliances": 2,
    "indexing": 2,
    "trail_downloads": 2,
    "policies": 3,
    WAREHOUSE_VERSION.name: 4,
}
"""The tables that not every version had, and since when they are there; they are empty at first."""


def _of_session(column: str) -> str:
    return (
        f"(select max(s.{column}) from {{old}}.sessions as s "  # noqa: S608 our names
        "where s.appliance = t.appliance and s.session_key = t.session_key)"
    )


ADDED_COLUMNS: Final[Mapping[tuple[str, str], tuple[int, str]]] = {
    # The next sync asks for them where SPSETL_DETAILS names them.
    ("sessions", "trail_downloads_status"): (2, f"'{NOT_REQUESTED}'"),
    ("sessions", "indexing_status"): (2, f"'{NOT_REQUESTED}'"),
    # They were always replaced with their session.
    ("session_lists", "extracted_at"): (2, _of_session("extracted_at")),
    ("session_lists", "run_id"): (2, _of_session("run_id")),
    ("session_scores", "extracted_at"): (2, _of_session("extracted_at")),
    ("session_scores", "run_id"): (2, _of_session("run_id")),
    # There was nothing else yet.
    ("sync_runs", "kind"): (2, "'sync'"),
    ("sync_runs", "range_end"): (2, "null"),
    ("sync_windows", "kind"): (2, "'list'"),
    ("sync_windows", "source_count"): (2, "null"),
    ("sync_windows", "verdict"): (2, "'uncounted'"),
}
"""The columns of older tables that not every version had: since when, and their value in the rows from before, in SQL.

`t` is the row, `{old}` the schema of the older tables.
"""


def require_known(path: str, version: int | None, written_by: str | None) -> None:
    """Stop where a newer spsetl has written a file: its columns may mean what this one does not know.

    Args:
        path: The file.
        version: The number of its schema, None from before there was one.
        written_by: Which spsetl wrote it, None where it does not say.

    Raises:
        NewerCopyError: Says which one is needed.
    """
    if version is not None and version > VERSION:
        needed = f"spsetl {written_by} or newer" if written_by else "a newer one"
        raise NewerCopyError(
            f"{path} was written by a newer spsetl (schema {version}; this one knows {VERSION}): install {needed}"
        )
