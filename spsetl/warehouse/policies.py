"""Policies with their history: a version is valid until another one is seen, or none."""

from collections.abc import Mapping, Sequence

import duckdb

from spsetl import schema
from spsetl.extract.policies import KnownPolicies
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import aware_utc


def fetch_known_policies(work: WorkDatabase, appliance: str) -> KnownPolicies:
    """What is valid now, as far as the copy knows."""
    rows = work.connection.execute(
        "select protocol, kind, policy_key, body from policies where appliance = $appliance and valid_to is null",
        {"appliance": appliance},
    ).fetchall()
    newest = work.connection.execute(
        "select max(greatest(valid_from, valid_to)) from policies where appliance = $appliance",
        {"appliance": appliance},
    ).fetchall()[0][0]
    return KnownPolicies({(p, kind, key): body for p, kind, key, body in rows}, newest and aware_utc(newest))


def merge_policies(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[str]]) -> int:
    """Take over what a sync found changed, inside the caller's transaction; the number of new versions.

    Args:
        connection: Of the work database.
        files: The lake's files of the step.
    """
    found = files.get(schema.POLICIES.name)
    if not found:
        return 0
    connection.execute("create or replace temp table changed_policies as from read_parquet($files)", {"files": found})
    connection.execute(
        "update policies set valid_to = c.extracted_at from changed_policies as c where policies.valid_to is null "
        "and policies.appliance = c.appliance and policies.protocol = c.protocol and policies.kind = c.kind "
        "and policies.policy_key = c.policy_key"
    )
    row = connection.execute(
        "insert into policies by name select * from changed_policies where body is not null"
    ).fetchone()
    connection.execute("drop table changed_policies")
    return int(row[0]) if row else 0
