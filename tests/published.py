"""What tests of readers share: a warehouse published with these sessions, without an appliance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase


def publish_sessions(folder: Path, sessions: Sequence[Mapping[str, Any]]) -> Path:
    """Publish a warehouse of these sessions, as a sync does; gives the folder."""
    work_file, published = folder / "work" / "warehouse.duckdb", folder / "warehouse.duckdb"
    with WorkDatabase(work_file, published=published) as work:
        with work.transaction() as connection:
            connection.execute("delete from sessions")
            for number, session in enumerate(sessions):
                values = {"appliance": "sps", "session_key": f"key-{number:04}", **session}
                names, places = ", ".join(values), ", ".join(f"${name}" for name in values)
                connection.execute(f"insert into sessions ({names}) values ({places})", values)
        work.checkpoint()
    publish(work_file, published)
    return folder
