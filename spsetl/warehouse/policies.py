"""What the copy knows of the policies, to which what a sync finds is compared."""

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
