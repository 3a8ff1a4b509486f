"""The drawings of the report, each with what it shows in words."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from markupsafe import Markup

from spsetl.report.charts import (
    WEEKDAYS,
    Part,
    Row,
    bars_by_step,
    bars_over_time,
    heat_map,
    heat_steps,
    ranked_bars,
)
from spsetl.report.contents import Contents
from spsetl.report.drawing import HALF, NARROW, WIDE, draw
from spsetl.report.wording import as_day, as_name, as_number

HIGH_RISK: Final = 80
_HOURS: Final[tuple[Part, ...]] = (("office_count", "main"), ("outside_count", "second"))


def draw_figures(contents: Contents) -> dict[str, Any]:
    """By name: the drawings that there is something to draw for, and the steps of the heat map's colours."""
    if not contents.figures["session_count"]:
        return {}
    policies = [_with_protocol(row) for row in contents.policies]
    drawn: dict[str, Any] = {
        "activity": _activity(contents),
        "heat_map": _heat_map(contents.weekday_hours),
        "heat_steps": heat_steps(contents.weekday_hours),
        "users": _ranked(contents.users, "user_name", "Sessions of the users with most"),
        "servers": _ranked(contents.servers, "server", "Sessions of the servers with most"),
        "policies": _ranked(policies, "policy", "Sessions of the connection policies with most"),
    }
    if refused := [row for row in contents.verdicts if not row["is_accepted"]]:
        parts = (("session_count", "bad"),)
        drawn["refused"] = _ranked(refused, "verdict", "sessions that were not accepted, by verdict", parts)
    if contents.figures["scored_count"]:
        drawn["risk"] = _risk(contents.risk_scores)
    if contents.figures["alert_count"]:
        drawn["alerts"] = _alerts(contents)
    return drawn


def _with_protocol(row: Row) -> Row:
    """Under the policy's name; those of no name are told apart by their protocol."""
    return row | {"policy": row["connection_policy"] or f"{as_name(None)} {as_name(row['protocol'])}"}


def _office(row: Row) -> Row:
    return row | {"office_count": row["session_count"] - row["outside_count"]}


def _most(rows: Sequence[Row], name: str = "session_count") -> Row:
    return max(rows, key=lambda row: int(row[name]))


def _activity(contents: Contents) -> Markup:
    size, rows = contents.period.bin_size, [_office(row) for row in contents.activity]
    most = _most(rows)
    says = (
        f"Bars: sessions by {size}, {len(rows)} bars. The most began in that of {as_day(most['bin_start'])}: "
        f"{as_number(most['session_count'])}, {as_number(most['outside_count'])} of them outside office hours."
    )
    return draw(_by_height(240, bars_over_time, rows, _HOURS, size), width=WIDE, says=says)


def _alerts(contents: Contents) -> Markup:
    size, rows = contents.period.bin_size, contents.activity
    most = _most(rows, "alert_count")
    says = (
        f"Bars: alerts by {size}, {len(rows)} bars. The most are of sessions that began in that of "
        f"{as_day(most['bin_start'])}: {as_number(most['alert_count'])}."
    )
    return draw(_by_height(220, bars_over_time, rows, (("alert_count", "main"),), size), width=HALF, says=says)


def _heat_map(rows: list[Row]) -> Markup:
    most = _most(rows)
    says = (
        f"Heat map: sessions by weekday and hour. The most began on {WEEKDAYS[most['weekday'] - 1]} between "
        f"{most['hour_of_day']:02}:00 and {most['hour_of_day'] + 1:02}:00: {as_number(most['session_count'])}."
    )
    return draw(lambda width: heat_map(rows, width), width=HALF, says=says)


def _ranked(rows: list[Row], name: str, title: str, parts: tuple[Part, ...] = _HOURS) -> Markup:
    counted = ", ".join(f"{as_name(row[name])}: {as_number(row['session_count'])}" for row in rows)
    bars = [_office(row) for row in rows] if parts is _HOURS else rows
    return draw(lambda width: ranked_bars(bars, name, parts, width), width=HALF, says=f"Bars: {title}. {counted}.")


def _risk(rows: list[Row]) -> Markup:
    labels = [f"{row['lowest']}" for row in rows]
    high = next(place for place, row in enumerate(rows) if row["lowest"] >= HIGH_RISK)
    counted = ", ".join(f"from {row['lowest']}: {as_number(row['session_count'])}" for row in rows)
    says = f"Bars: sessions by risk score in tens. {counted}."
    return draw(_by_height(220, bars_by_step, rows, labels, high), width=HALF, says=says)


def _by_height(height: int, chart: Callable[..., dict[str, Any]], *given: Any) -> Callable[[int], dict[str, Any]]:
    """The chart by its width; lower on a phone."""
    return lambda width: chart(*given, width, height * 3 // 4 if width == NARROW else height)
