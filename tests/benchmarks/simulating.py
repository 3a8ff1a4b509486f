"""The simulated appliance as a process of its own: `python -m tests.benchmarks.simulating '{"sessions": 100}'`.

Each line on stdin names what to `do`; each is answered by one line on stdout. The end of stdin ends it.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.simulator.times import to_ms

_DETAILS = ("channels", "events", "alerts")
_RESCORED = 66


class Simulating:
    """The world, and what may be done to it."""

    def __init__(self, world: World, simulator: Simulator) -> None:
        self._world, self._simulator = world, simulator
        self._paths: list[str] = []

    def answer(self, order: dict[str, Any]) -> Any:
        """Carry out one order: the names of the methods below, without their `do_`."""
        action: Callable[..., Any] = getattr(self, "do_" + order.pop("do"))
        return action(**order)

    def do_requests(self) -> dict[str, int]:
        """How many came so far, by kind."""
        return dict(self._simulator.requests)

    def do_record(self, path: str = "") -> int:
        """Begin to note the requests for details; with a path, end it and write them there, one a line."""
        if path:
            self._simulator.on_request = None
            with open(path, "w", encoding="utf-8") as out:  # noqa: PTH123 one line
                out.writelines(f"{line}\n" for line in self._paths)
        else:
            self._paths.clear()
            self._simulator.on_request = self._note
        return len(self._paths)

    def _note(self, kind: str, path: str, params: Mapping[str, Any]) -> None:
        if kind in _DETAILS:
            query = "&".join(f"{name}={value}" for name, value in params.items())
            self._paths.append(f"{path}?{query}" if query else path)

    def do_counts(self, filters: list[str]) -> list[int]:
        """How many sessions each query gives."""
        counted = []
        for query in filters:
            first, last = (
                to_ms(datetime.fromisoformat(text)) for text in query[len("start_time:[") : -1].split(" TO ")
            )
            counted.append(sum(first <= session.start < last for session in self._world.by_start()))
        return counted

    def do_night(self) -> int:
        """A night passes."""
        self._simulator.advance_night()
        return len(self._world)

    def do_day(self) -> int:
        """A day passes for logins and snapshots, and nothing happens to the sessions."""
        self._simulator.advance_clock(24 * 3600)
        return len(self._world)

    def do_change(self, every: int, late: int, late_days: int) -> dict[str, int]:
        """One session in `every`, of any age, is scored anew; `late` ones that started so many days ago arrive."""
        changed = self._world.keys()[::every]
        for key in changed:
            self._world.change(key, {"analytics.score.aggregated": _RESCORED})
        start = self._world.now - timedelta(days=late_days)
        for number in range(late):
            moment = start + timedelta(seconds=number)
            self._world.add(start_time=moment, end_time=moment + timedelta(minutes=5))
        return {"changed": len(changed), "late": late}

    def do_truth(self, folder: str, details: bool) -> int:
        """What the world holds, as canonical Parquet: see `contents.py`."""
        pq.write_table(
            pa.Table.from_pylist([_facts(self._world, key) for key in self._world]), f"{folder}/sessions.parquet"
        )
        if details:
            rows = [row for key in self._world for row in _details(self._world, key)]
            pq.write_table(pa.Table.from_pylist(rows, schema=_DETAIL_SCHEMA), f"{folder}/details.parquet")
        return len(self._world)


_DETAIL_SCHEMA = pa.schema([(name, pa.string()) for name in ("kind", "session_key", "id", "text")])


def _facts(world: World, key: str) -> dict[str, Any]:
    body = world.session(key)["body"]
    analytics = body.get("analytics") or {}
    return {
        "session_key": key,
        "start_us": _micros(body["start_time"]),
        "end_us": _micros(body.get("end_time")),
        "protocol": body.get("protocol"),
        "verdict": body.get("verdict"),
        "user_name": (body.get("user") or {}).get("name"),
        "client_ip": (body.get("client") or {}).get("ip"),
        "policy": (body.get("recording") or {}).get("connection_policy"),
        "score": _float((analytics.get("score") or {}).get("aggregated")),
        "revision": body["revision"],
    }


def _details(world: World, key: str) -> list[dict[str, str]]:
    found = [("channels", one["key"], one["body"]["type"]) for one in world.channels(key)]
    found += [("events", one["record_id"], one["content"]) for one in world.events(key)]
    found += [("alerts", one["record_id"], one["rule_name"]) for one in world.alerts(key)]
    return [{"kind": kind, "session_key": key, "id": str(number), "text": text} for kind, number, text in found]


def _micros(text: str | None) -> int | None:
    if text is None:
        return None
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1000


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def main() -> None:
    """Serve until stdin ends."""
    given = json.loads(sys.argv[1])
    latency = given.pop("latency", 0.0)
    world = World(WorldSpec(**given))
    with Simulator(world, Quirks(latency=latency)) as simulator:
        simulator.warm()
        simulating = Simulating(world, simulator)
        print(json.dumps({"url": simulator.url, "now": world.now.isoformat(), "days": world.spec.days}), flush=True)
        for line in sys.stdin:
            print(json.dumps(simulating.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
