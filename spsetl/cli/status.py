"""`spsetl status`: how far the copy is, from the published warehouse alone."""

from typing import Any

import orjson

from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_table
from spsetl.queries import read_statement
from spsetl.warehouse.reader import open_warehouse

DEFAULTS = DataOptions()


def status(*, options: DataOptions = DEFAULTS, json: bool = False) -> None:
    """Tell how far the copy is: sessions, the last sync, what is still pending.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout.
    """
    settings = options.load()
    with open_warehouse(settings.data_dir) as warehouse:
        columns, rows = warehouse.rows(read_statement("reports", "copy_status"))
    appliances = [dict(zip(columns, row, strict=True)) for row in rows]
    if json:
        answer: dict[str, Any] = {"warehouse": str(settings.data_dir / "warehouse.duckdb"), "appliances": appliances}
        print(orjson.dumps(answer, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode())
        return
    for appliance in appliances:
        print_table(["", str(appliance["appliance"])], [(k, v) for k, v in appliance.items() if k != "appliance"])
