"""What each question of the report has to answer of a copy made by hand, in boring Python."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from spsetl import schema
from tests.page_copy import DAY, END, NOW, SINCE, SIZE, START, Row


class Oracle:
    """The answers, from the rows alone."""

    def __init__(self, rows: Mapping[str, list[Row]]) -> None:
        self.rows = rows
        alerts = Counter((row["appliance"], row["session_key"]) for row in rows["alerts"])
        self.all = [self._told(row, alerts) for row in rows["sessions"]]
        self.period = [row for row in self.all if START <= row["start"] < END]

    @staticmethod
    def _told(row: Row, alerts: Mapping[tuple[str, str], int]) -> Row:
        verdict = None if row["verdict"] is None else row["verdict"].upper().replace("-", "_")
        start = row["start_time"]
        return {
            "appliance": row["appliance"],
            "session_key": row["session_key"],
            "user": row["user_name"],
            "server": row["server_ip"] or row["server_name"],
            "server_name": row["server_name"],
            "policy": (row["recording_connection_policy"], row["protocol"].upper()),
            "start": start,
            "seconds": row["duration"] or 0,
            "verdict": verdict,
            "is_accepted": (verdict or "").startswith("ACCEPT"),
            "is_failed": verdict in {"AUTH_FAIL", "GW_AUTH_FAIL", "USER_MAPPING_FAIL", "KEY_ERROR"},
            "is_outside": start.isoweekday() > 5 or not 7 <= start.hour < 19,
            "score": row["analytics_score_aggregated"],
            "alerts": alerts[row["appliance"], row["session_key"]] if row["alerts_status"] == schema.FETCHED else None,
            "is_active": row["active"],
            "is_missing": row["missing_since"] is not None,
            "is_pending": row["missing_since"] is None and row["alerts_status"] == schema.PENDING,
            "is_not_indexed": row["events_status"] == "not_indexed",
        }

    def copy_figures(self) -> list[Row]:
        """The whole copy."""
        return [
            {
                "session_count": len(self.all),
                "user_count": distinct(self.all, "user"),
                "server_count": distinct(self.all, "server"),
                "alert_count": alerts_of(self.all),
                "active_count": number_of(self.all, "is_active"),
                "missing_count": number_of(self.all, "is_missing"),
                "pending_count": number_of(self.all, "is_pending"),
                "quarantined_count": len(self.rows["quarantine"]),
                "first_started_at": min(row["start"] for row in self.all),
                "newest_started_at": max(row["start"] for row in self.all),
            }
        ]

    def changes_since(self) -> list[Row]:
        """Of the whole copy."""

        def fresh(table: str, column: str = "extracted_at") -> int:
            return sum(row[column] is not None and row[column] > SINCE for row in self.rows[table])

        first = {by: [min(row["start"] for row in rows) for name, rows in groups(self.all, by).items() if name]
                 for by in ("user", "server")}  # fmt: skip
        return [
            {
                "session_count": fresh("sessions"),
                "user_count": sum(start > SINCE for start in first["user"]),
                "server_count": sum(start > SINCE for start in first["server"]),
                "alert_count": fresh("alerts"),
                "missing_count": fresh("sessions", "missing_since"),
                "quarantined_count": fresh("quarantine"),
            }
        ]

    def period_figures(self) -> list[Row]:
        """The sessions of the period."""
        rows = self.period
        first: dict[Any, Row] = {}
        for row in sorted(self.all, key=lambda row: (row["start"], row["appliance"], row["session_key"])):
            if row["user"] is not None and row["server"] is not None:
                first.setdefault((row["user"], row["server"]), row)
        return [
            {
                "session_count": len(rows),
                "user_count": distinct(rows, "user"),
                "server_count": distinct(rows, "server"),
                "hours": hours_of(rows),
                "active_count": number_of(rows, "is_active"),
                "outside_count": number_of(rows, "is_outside"),
                "failed_login_count": number_of(rows, "is_failed"),
                "accepted_count": number_of(rows, "is_accepted"),
                "new_pair_count": sum(START <= row["start"] < END for row in first.values()),
                "scored_count": sum(row["score"] is not None for row in rows),
                "high_risk_count": sum((row["score"] or 0) >= 80 for row in rows),
                "alerts_fetched_count": sum(row["alerts"] is not None for row in rows),
                "alert_count": alerts_of(rows),
                "alerted_session_count": sum(bool(row["alerts"]) for row in rows),
            }
        ]

    def activity(self) -> list[Row]:
        """Day by day."""
        days = [START + number * DAY for number in range((END - START).days)]
        return [
            {
                "bin_start": day,
                "bin_end": day + DAY,
                "session_count": len(found := [row for row in self.period if day <= row["start"] < day + DAY]),
                "outside_count": number_of(found, "is_outside"),
                "alert_count": alerts_of(found) or 0,
                "alerts_unknown_count": sum(row["alerts"] is None for row in found),
            }
            for day in days
        ]

    def weekday_hours(self) -> list[Row]:
        """Each hour of the week."""
        counts = Counter((row["start"].isoweekday(), row["start"].hour) for row in self.period)
        return [
            {"weekday": weekday, "hour_of_day": hour, "session_count": counts[weekday, hour]}
            for weekday in range(1, 8)
            for hour in range(24)
        ]

    def _top(self, by: str, make: Callable[[Any, list[Row]], Row]) -> list[Row]:
        found = groups(self.period, by)
        ordered = sorted(found.items(), key=lambda pair: (-len(pair[1]), none_last(pair[0])))
        return [{**make(key, rows), "row_total": len(found)} for key, rows in ordered[:SIZE]]

    def top_users(self) -> list[Row]:
        """Those with most sessions."""
        return self._top(
            "user", lambda user, rows: {"user_name": user, **common(rows), "server_count": distinct(rows, "server"),
                                        "hours": hours_of(rows)}
        )  # fmt: skip

    def top_servers(self) -> list[Row]:
        """Those with most sessions."""

        def make(server: Any, rows: list[Row]) -> Row:
            newest = max(
                (row for row in rows if row["server_name"] is not None),
                key=lambda row: (row["start"], row["appliance"], row["session_key"]),
                default={"server_name": server},
            )
            told = {"server_key": server, "server": newest["server_name"], "hours": hours_of(rows)}
            return {**told, **common(rows), "user_count": distinct(rows, "user")}

        return self._top("server", make)

    def top_policies(self) -> list[Row]:
        """Those with most sessions."""
        return self._top(
            "policy", lambda policy, rows: {"connection_policy": policy[0], "protocol": policy[1], **common(rows),
                                            "user_count": distinct(rows, "user"),
                                            "server_count": distinct(rows, "server")}
        )  # fmt: skip

    def verdicts(self) -> list[Row]:
        """All of them."""
        found = groups(self.period, "verdict")
        ordered = sorted(found.items(), key=lambda pair: (-len(pair[1]), none_last(pair[0])))
        return [
            {
                "verdict": verdict,
                "is_accepted": rows[0]["is_accepted"],
                "session_count": len(rows),
                "user_count": distinct(rows, "user"),
                "percent_of_sessions": 100 * len(rows) / len(self.period),
                "last_started_at": max(row["start"] for row in rows),
            }
            for verdict, rows in ordered
        ]

    def risk_scores(self) -> list[Row]:
        """In tens."""
        counts = Counter(min(int(row["score"] // 10), 9) for row in self.period if row["score"] is not None)
        return [{"lowest": 10 * ten, "session_count": counts[ten]} for ten in range(10)]

    def riskiest_sessions(self) -> list[Row]:
        """The highest, of equal ones the newest."""
        scored = [row for row in self.period if row["score"] is not None]
        scored.sort(key=lambda row: (-row["score"], -row["start"].timestamp(), row["appliance"], row["session_key"]))
        return [
            {
                "risk_score": row["score"],
                "highest_score_algorithm": None,
                "started_at": row["start"],
                "user_name": row["user"],
                "server": row["server_name"] or row["server"],
                "protocol": row["policy"][1],
                "appliance": row["appliance"],
                "session_key": row["session_key"],
            }
            for row in scored[:SIZE]
        ]

    def alert_rules(self) -> list[Row]:
        """By rule."""
        sessions = {(row["appliance"], row["session_key"]): row for row in self.period}
        raised = [
            {**alert, "session": sessions[key]}
            for alert in self.rows["alerts"]
            if (key := (alert["appliance"], alert["session_key"])) in sessions
        ]
        found = groups(raised, "rule_name")
        return [
            {
                "rule_name": rule,
                "alert_count": len(rows),
                "session_count": len({(row["appliance"], row["session_key"]) for row in rows}),
                "user_count": len({row["session"]["user"] for row in rows} - {None}),
                "most_frequent_user": most_frequent(row["session"]["user"] for row in rows),
                "last_raised_at": max(row["time"] for row in rows),
                "row_total": len(found),
            }
            for rule, rows in sorted(found.items(), key=lambda pair: (-len(pair[1]), none_last(pair[0])))
        ]

    def outside_hours(self) -> list[Row]:
        """By user."""
        made = []
        for user, rows in groups(self.period, "user").items():
            outside = [row for row in rows if row["is_outside"]]
            if outside:
                made.append(
                    {
                        "user_name": user,
                        "outside_count": len(outside),
                        "weekend_count": sum(row["start"].isoweekday() > 5 for row in outside),
                        "percent_of_sessions": 100 * len(outside) / len(rows),
                        "last_outside_at": max(row["start"] for row in outside),
                    }
                )
        made.sort(key=lambda row: (-row["outside_count"], none_last(row["user_name"])))
        return [{**row, "row_total": len(made)} for row in made[:SIZE]]

    def newcomers(self) -> list[Row]:
        """Users before servers, the newest first."""
        made = []
        for kind, by in (("user", "user"), ("server", "server")):
            of_kind = []
            for name, rows in groups(self.all, by).items():
                first = min(row["start"] for row in rows)
                if name is not None and first > SINCE:
                    of_kind.append({"kind": kind, "name": name, "session_count": len(rows), "first_seen_at": first})
            of_kind.sort(key=lambda row: (-row["first_seen_at"].timestamp(), row["name"]))
            made += [{**row, "row_total": len(of_kind)} for row in of_kind[:SIZE]]
        return made

    def runs_since(self) -> list[Row]:
        """By kind."""
        since = [row for row in self.rows["sync_runs"] if SINCE < row["started_at"] <= NOW]
        made = []
        for kind, rows in sorted(groups(since, "kind").items()):
            done = [row for row in rows if row["status"] == "done"]
            made.append(
                {
                    "kind": kind,
                    "done_count": len(done),
                    "failed_count": len(rows) - len(done),
                    "new_count": sum(row["sessions_new"] for row in done),
                    "changed_count": sum(row["sessions_changed"] for row in done),
                    "missing_count": sum(row["sessions_missing"] for row in done),
                    "last_finished_at": max(row["finished_at"] for row in rows),
                }
            )
        return made

    def freshness(self) -> list[Row]:
        """By appliance."""
        return [self._freshness(name) for name in ("east", "north", "west")]

    def _freshness(self, name: str) -> Row:
        runs = [row for row in self.rows["sync_runs"] if row["appliance"] == name and row["status"] == "done"]
        syncs = [row for row in runs if row["kind"] == "sync"]
        compared = [row for row in runs if row["kind"] == "reconcile"]
        last = max(syncs, key=lambda row: row["finished_at"], default=None)
        verdicts = Counter(
            row["verdict"] for row in self.rows["sync_windows"] if last and row["run_id"] == last["run_id"]
        )
        sessions = [row for row in self.all if row["appliance"] == name]
        days: dict[Any, list[datetime]] = {}
        for row in sessions:
            if not row["is_missing"]:
                days.setdefault(row["start"].date(), []).append(row["start"])
        return {
            "appliance": name,
            "last_sync_at": last and last["finished_at"],
            "lag_seconds": last and int((NOW - last["finished_at"]).total_seconds()),
            "watermark": last and last["watermark"],
            "newest_started_at": max((row["start"] for row in sessions), default=None),
            "window_count": verdicts.total(),
            "equal_window_count": verdicts["equal"],
            "uncounted_window_count": verdicts["uncounted"],
            "differing_window_count": verdicts["differs"],
            "last_compared_at": max((row["finished_at"] for row in compared), default=None),
            "day_count": len(days),
            "compared_day_count": sum(
                any(run["range_start"] <= min(starts) and max(starts) < run["range_end"] for run in compared)
                for starts in days.values()
            ),
            "differing_day_count": sum(
                row["verdict"] == "differs" and row["run_id"] == "e3" and name == "east"
                for row in self.rows["sync_windows"]
            ),
            "session_count": len(sessions),
            "pending_count": number_of(sessions, "is_pending"),
            "not_indexed_count": number_of(sessions, "is_not_indexed"),
            "missing_count": number_of(sessions, "is_missing"),
            "quarantined_count": sum(row["appliance"] == name for row in self.rows["quarantine"]),
        }


def common(rows: Sequence[Row]) -> Row:
    """What every ranking tells."""
    return {
        "session_count": len(rows),
        "outside_count": number_of(rows, "is_outside"),
        "failed_login_count": number_of(rows, "is_failed"),
        "alert_count": alerts_of(rows),
        "highest_risk_score": max((row["score"] for row in rows if row["score"] is not None), default=None),
        "last_started_at": max(row["start"] for row in rows),
    }


def groups(rows: Iterable[Row], by: str) -> dict[Any, list[Row]]:
    """The rows by a value of theirs."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[by], []).append(row)
    return found


def distinct(rows: Iterable[Row], column: str) -> int:
    """How many values there are."""
    return len({row[column] for row in rows} - {None})


def number_of(rows: Iterable[Row], column: str) -> int:
    """How many rows it is true of."""
    return sum(bool(row[column]) for row in rows)


def alerts_of(rows: Iterable[Row]) -> int | None:
    """All alerts, or None where none were fetched."""
    known = [row["alerts"] for row in rows if row["alerts"] is not None]
    return sum(known) if known else None


def hours_of(rows: Iterable[Row]) -> float:
    """Hours in sessions."""
    return sum(row["seconds"] for row in rows) / 3600


def none_last(value: Any) -> Any:
    """A key that sorts as DuckDB does: by value, and what is not known at the end."""
    if isinstance(value, tuple):
        return tuple(none_last(one) for one in value)
    return (value is None, value or "")


def most_frequent(values: Iterable[Any]) -> Any:
    """The value that comes most often, of several the first by name."""
    counts = Counter(value for value in values if value is not None)
    return min(counts, key=lambda value: (-counts[value], value), default=None)
