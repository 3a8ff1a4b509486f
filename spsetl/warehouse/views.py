"""The views beside the tables: how far the details of each session are, by what detail_fetches says."""

from typing import Final

import duckdb

from spsetl import schema
from spsetl.warehouse.tables import quote_text

_UNSETTLED: Final = (schema.FAILED, schema.ABSENT, schema.VANISHED)
# By what became of asking, until it is asked for again.
_SETTLED: Final = (
    f"case status when '{schema.FETCHED}' then '{schema.FETCHED}' when '{schema.GONE}' then '{schema.GONE}' "
    f"when '{schema.VANISHED}' then '{schema.GONE}' end"
)


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the views into the current database, in place of those of before, and say what they mean."""
    for view, statement in ((schema.DETAIL_FAILURES, _failures()), (schema.SESSION_DETAILS, _details())):
        connection.execute(f'create or replace view "{view.name}" as {statement}')
        connection.execute(f'comment on view "{view.name}" is {quote_text(view.comment)}')
        for column in view.columns:
            connection.execute(f'comment on column "{view.name}"."{column.name}" is {quote_text(column.comment)}')


def _failures() -> str:
    names = ", ".join(schema.DETAIL_FAILURES.names)
    return f"select {names} from detail_fetches where status in ({', '.join(map(quote_text, _UNSETTLED))})"  # noqa: S608 ours


def _details() -> str:
    settled, columns = [], []
    for kind in schema.DETAIL_KINDS.values():
        status = f"{kind.name}_status"
        settled.append(f"max({_SETTLED}) filter (where kind = '{kind.name}') as {status}")
        columns.append(f"coalesce(f.{status}, {_unasked(kind)})::varchar as {status}")
    is_pending = " or ".join(f"{kind}_status = '{schema.PENDING}'" for kind in schema.DETAIL_KINDS)
    # The run under way says what is wanted now, or the last one.
    return (
        "with settled as ("  # noqa: S608 our names
        f"select appliance, session_key, {', '.join(settled)} from detail_fetches group by appliance, session_key), "
        "wanted as (select appliance, details from sync_runs qualify row_number() over (partition by appliance "
        "order by status = 'running' desc, coalesce(ordered_at, started_at) desc) = 1), "
        "found as (select s.appliance::varchar as appliance, s.session_key::varchar as session_key, "
        "s.start_time::timestamp as start_time, s.missing_since::timestamp as missing_since, "
        f"{', '.join(columns)} from sessions as s "
        "left join settled as f on s.appliance = f.appliance and s.session_key = f.session_key "
        "left join wanted as w on s.appliance = w.appliance) "
        f"select *, (missing_since is null and ({is_pending}))::boolean as is_pending from found"
    )


def _unasked(kind: schema.DetailKind) -> str:
    """Of a kind for which nothing was settled yet."""
    is_wanted = f"list_contains(string_split(w.details, ','), '{kind.name}')"
    status = (
        f"case when coalesce({is_wanted}, {kind.by_default}) then '{schema.PENDING}' else '{schema.NOT_REQUESTED}' end"
    )
    if not kind.ruled_out_by:
        return status
    ruling = ", ".join(map(quote_text, sorted(kind.ruled_out_by)))
    return f"case when s.recording_index_status in ({ruling}) then '{schema.NOT_INDEXED}' else {status} end"
