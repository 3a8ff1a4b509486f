"""Which tables these are: a number that is raised whenever a table or a column changes.

A copy with another number is made anew from the lake, which holds all that was ever fetched.
"""

from typing import Final

from spsetl.errors import NewerCopyError
from spsetl.schema.columns import made
from spsetl.schema.types import Kind, Table

VERSION: Final = 6

WAREHOUSE_VERSION: Final = Table(
    "warehouse_version",
    "One row: which tables this warehouse has, and which spsetl wrote it",
    ("schema_version",),
    (
        made("schema_version", Kind.INTEGER, "Number of the schema, which grows when tables or columns change"),
        made("spsetl_version", Kind.TEXT, "Version of spsetl that last wrote the warehouse"),
    ),
)


def require_known(path: str, version: int | None, written_by: str | None) -> None:
    """Stop where a newer spsetl has written a file: its columns may mean what this one does not know.

    Args:
        path: The file.
        version: The number of its schema, None where it has none.
        written_by: Which spsetl wrote it, None where it does not say.

    Raises:
        NewerCopyError: Says which one is needed.
    """
    if version is not None and version > VERSION:
        needed = f"spsetl {written_by} or newer" if written_by else "a newer one"
        raise NewerCopyError(
            f"{path} was written by a newer spsetl (schema {version}; this one knows {VERSION}): install {needed}"
        )
