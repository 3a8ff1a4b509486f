"""The script that people write: requests in threads, json_normalize, DuckDB. No state, no checks, all in memory."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import requests
from asking import FIELDS, KINDS, PAGE, SESSIONS, log_in, quoted, read_task, say


def fetch_all(session: requests.Session, url: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Every page of a list."""
    items: list[dict[str, Any]] = []
    while True:
        answer = session.get(url, params=params | {"limit": PAGE, "offset": len(items)}, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        items += page["items"]
        if not page["items"] or page["meta"]["next"] is None:
            return items


def main() -> None:
    """One copy."""
    task = read_task()
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=task["connections"]))
    log_in(task, session)
    base = f"{task['url']}/{SESSIONS}"
    with ThreadPoolExecutor(task["connections"]) as pool:
        sessions = _flat(pool.map(lambda q: fetch_all(session, base, _window(q)), task["filters"]))
        tables = {"sessions": sessions}
        for kind in KINDS if task["details"] else ():
            tables[kind] = _flat(pool.map(_fetcher(session, base, kind), [item["key"] for item in sessions]))
    with duckdb.connect(str(Path(task["folder"]) / "copy.duckdb")) as connection:
        for name, rows in tables.items():
            connection.register("frame", pd.json_normalize(rows))
            connection.execute(f"create table {name} as select * from frame")
    say(rows={name: len(tables.get(name, ())) for name in ("sessions", *KINDS)})


def _window(query: str) -> dict[str, Any]:
    return {"fields": FIELDS, "sort": "start_time", "q": query}


def _fetcher(session: requests.Session, base: str, kind: str) -> Callable[[str], list[dict[str, Any]]]:
    def fetch(key: str) -> list[dict[str, Any]]:
        items = fetch_all(session, f"{base}/{quoted(key)}/{kind}", {})
        return [{"session_key": key, **item} for item in items]

    return fetch


def _flat(lists: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [item for some in lists for item in some]


if __name__ == "__main__":
    main()
