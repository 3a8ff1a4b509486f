"""dlt's rest_api source, merged into DuckDB: in parallel, with Parquet between, as its performance guide says.

The windows are a resource of their own: at the cap of 10000 dlt would stop without a word.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TASK_FOLDER = Path(sys.argv[1]).parent
os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": "16",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
    "DLT_DATA_DIR": str(TASK_FOLDER),
}

import dlt  # noqa: E402 it reads its settings when it is imported
import requests  # noqa: E402
from asking import FIELDS, KINDS, PAGE, SESSIONS, log_in, quoted, read_task, say  # noqa: E402
from dlt.sources.rest_api import rest_api_resources  # noqa: E402


def windows_of(task: dict[str, Any]) -> Any:
    """The windows, as a resource that is not loaded itself."""

    @dlt.resource(name="windows", selected=False)
    def windows() -> Iterator[list[dict[str, str]]]:
        for query in task["filters"]:
            yield [{"query": query}]

    return windows


def with_quoted_key(session: dict[str, Any]) -> dict[str, Any]:
    """Keys hold slashes, and dlt puts them into the path as they are."""
    return session | {"quoted_key": quoted(session["key"])}


def sessions_resource() -> dict[str, Any]:
    """The list, window by window."""
    return {
        "name": "sessions",
        "primary_key": "key",
        "parallelized": True,
        "processing_steps": [{"map": with_quoted_key}],
        "endpoint": {
            "path": SESSIONS,
            "params": {"fields": FIELDS, "sort": "start_time", "q": "{resources.windows.query}"},
            "paginator": {"type": "offset", "limit": PAGE, "total_path": "meta.match_count"},
            "data_selector": "items",
        },
    }


def details_resource(kind: str) -> dict[str, Any]:
    """The details of each session; more than a page of them are followed."""
    return {
        "name": kind,
        "primary_key": ["_sessions_key", "key" if kind == "channels" else "record_id"],
        "parallelized": True,
        "include_from_parent": ["key"],
        "endpoint": {
            "path": f"{SESSIONS}/{{resources.sessions.quoted_key}}/{kind}",
            "paginator": {"type": "json_link", "next_url_path": "meta.next"},
            "data_selector": "items",
        },
    }


def main() -> None:
    """One load."""
    task = read_task()
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=16, pool_maxsize=task["connections"]))
    log_in(task, session)
    resources = rest_api_resources(
        {
            "client": {"base_url": f"{task['url']}/", "session": session},
            "resource_defaults": {"write_disposition": "merge"},
            "resources": [
                windows_of(task),
                sessions_resource(),
                *(details_resource(kind) for kind in (KINDS if task["details"] else ())),
            ],
        }
    )
    pipeline = dlt.pipeline(
        "sps",
        destination=dlt.destinations.duckdb(str(TASK_FOLDER / "copy.duckdb")),
        dataset_name="sps",
        pipelines_dir=str(TASK_FOLDER / "pipelines"),
    )
    info = pipeline.run(resources, loader_file_format="parquet")
    info.raise_on_failed_jobs()
    counts = pipeline.last_trace.last_normalize_info.row_counts
    say(rows={name: counts.get(name, 0) for name in ("sessions", *KINDS)})


if __name__ == "__main__":
    main()
