"""`spsetl compact`: one file for each ended month of the lake."""

import sys
from dataclasses import asdict

import orjson

from spsetl.cli.options import DataOptions
from spsetl.errors import UsageError
from spsetl.lake import Lake, compact_lake
from spsetl.sync.names import hold_copy
from spsetl.sync.places import Places

DEFAULTS = DataOptions()


def compact(*, options: DataOptions = DEFAULTS, json: bool = False) -> int:
    """Make one file of the lake's many small ones, by table, appliance and ended month; no row is lost or changed.

    It can be stopped at any moment and run again. The warehouse stays as it is.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout.
    """
    settings = options.load()
    places = Places.of(settings.data_dir)
    if not places.lake.is_dir():
        raise UsageError(f"there is no lake at {places.lake}: see SPSETL_DATA_DIR, or run spsetl sync")
    places.prepare()
    with hold_copy(settings, places):
        report = compact_lake(Lake(places.lake))
    if json:
        print(orjson.dumps(asdict(report)).decode())
        return 0
    print(
        f"{report.files_before:,} files of {report.bytes_before:,} bytes became "
        f"{report.files_after:,} files of {report.bytes_after:,} bytes, {report.rows:,} rows",
        file=sys.stderr,
    )
    return 0
