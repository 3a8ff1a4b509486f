"""`spsetl status`: how far the copy is, from the published warehouse alone."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from spsetl.cli.complaint import complain
from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_table
from spsetl.queries import read_statement
from spsetl.sync.retention import as_rows, describe_retention, retention_query
from spsetl.warehouse.reader import open_warehouse

DEFAULTS = DataOptions()
_SHOWN: Final = ("retention_days", "lag_days", "days_left", "state")


def status(*, options: DataOptions = DEFAULTS, json: bool = False) -> None:
    """Tell how far the copy is: sessions, the last sync, what is still pending, and whether clean-up may come first.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout.
    """
    settings = options.load()
    with open_warehouse(settings.data_dir) as warehouse:
        appliances = as_rows(*warehouse.rows(read_statement("reports", "copy_status")))
        retention = as_rows(*warehouse.rows(retention_query()))
    warnings = describe_retention(retention)
    if json:
        answer: dict[str, Any] = {
            "warehouse": str(settings.data_dir / "warehouse.duckdb"),
            "appliances": appliances,
            "retention": retention,
            "warnings": warnings,
        }
        print(orjson.dumps(answer, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode())
        return
    for appliance in appliances:
        name = str(appliance["appliance"])
        print_table(["", name], [(k, v) for k, v in appliance.items() if k != "appliance"])
        _show_retention(name, [row for row in retention if row["appliance"] == name])
    for line in warnings:
        complain(f"warning: {line}")


def _show_retention(appliance: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        complain(f"{appliance}: how long it keeps metadata is not known, see spsetl doctor")
        return
    print_table(["metadata of", *_SHOWN], [(row["protocol"], *(row[name] for name in _SHOWN)) for row in rows])
