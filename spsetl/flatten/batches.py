"""Rows into Arrow, in the order of the schema's columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from spsetl.schema import Table


def build_batch(table: Table, rows: Sequence[Sequence[Any]], constants: Mapping[str, str]) -> pa.RecordBatch:
    """The rows as one batch; columns named in `constants` have that value in every row."""
    schema = table.arrow_schema
    arrays = [
        pa.repeat(constants[field.name], len(rows)) if field.name in constants else pa.array(values, field.type)
        for field, values in zip(schema, zip(*rows, strict=True), strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
