"""The lake: Parquet files of every version ever fetched, each of them whole or not there at all.

`<root>/<table>/<appliance>/<run_id>/<part>.parquet`; where an ended month was compacted, in place of all its runs
`<root>/<table>/<appliance>/<YYYY-MM>.parquet`. A file is written under a temporary name that `**/*.parquet`
does not match, made durable, and renamed. No folder is called `key=value`: DuckDB and Arrow would take it for a column,
in front of the one in the file.
"""

from spsetl.lake.compact import CompactReport, compact_lake
from spsetl.lake.lake import Lake
from spsetl.lake.names import file_name
from spsetl.lake.rename import forget_files, rename_files
from spsetl.lake.storage import Disk, Storage
from spsetl.lake.writer import ROW_GROUP_BYTES, ROW_GROUP_ROWS, LakeWriter

__all__ = [
    "ROW_GROUP_BYTES",
    "ROW_GROUP_ROWS",
    "CompactReport",
    "Disk",
    "Lake",
    "LakeWriter",
    "Storage",
    "compact_lake",
    "file_name",
    "forget_files",
    "rename_files",
]
