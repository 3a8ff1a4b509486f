"""`spsetl rebuild`: the warehouse anew from the lake alone."""

import sys

import orjson

from spsetl.cli.options import DataOptions
from spsetl.sync.rebuild import run_rebuild

DEFAULTS = DataOptions()


def rebuild(*, options: DataOptions = DEFAULTS, json: bool = False) -> int:
    """Make the warehouse anew from the lake alone, where the work database or the published file is lost or damaged.

    It asks no appliance; readers keep the old file until the new one is whole and checked.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout.
    """
    report = run_rebuild(options.load())
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if json:
        print(orjson.dumps(report.as_json()).decode())
        return 0
    rows = ", ".join(f"{count:,} {table}" for table, count in report.rows.items() if count)
    print(
        f"rebuilt from {report.files:,} files in {report.seconds:,.1f} s, and published\nrows: {rows or 'none'}",
        file=sys.stderr,
    )
    return 0
