"""The charts of the report: rows of a question in, a drawing out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import altair as alt
import pyarrow as pa

from spsetl.report.drawing import COLOURS, NARROW
from spsetl.report.wording import as_name, as_number, shorten

Row = dict[str, Any]
Spec = dict[str, Any]
"""A chart in Vega-Lite."""
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HEAT_STEPS: Final = 5
_LABEL, _SMALL = 13, 12
_GAP: Final = 0.5
_FORMATS: Final = {"day": "%-d %b", "week": "%-d %b", "month": "%b %Y", "year": "%Y"}

_BARS: Final[dict[str, pa.DataType]] = {
    "begin": pa.timestamp("us", "UTC"),
    "end": pa.timestamp("us", "UTC"),
    "bottom": pa.int64(),
    "top": pa.int64(),
    "colour": pa.string(),
}
Part = tuple[str, str]
"""A column of counts, and the colour of its bars."""


def bars_over_time(rows: Sequence[Row], parts: Sequence[Part], bin_size: str, width: int, height: int) -> Spec:
    """Stacked bars, one for each bin of time (UTC)."""
    table = pa.Table.from_pylist(
        [
            {
                "begin": _utc(row["bin_start"]),
                "end": _utc(row["bin_end"]),
                "bottom": sum(row[key] for key, _ in parts[:place]),
                "top": sum(row[key] for key, _ in parts[: place + 1]),
                "colour": COLOURS[colour],
            }
            for row in rows
            for place, (_, colour) in enumerate(parts)
        ],
        schema=pa.schema(_BARS),
    )
    ticks = 5 if width == NARROW else 12
    scale = alt.Scale(type="utc", domain=[_iso(rows[0]["bin_start"]), _iso(rows[-1]["bin_end"])], nice=False)
    axis = alt.Axis(format=_FORMATS[bin_size], tickCount=ticks, grid=False, title=None, labelOverlap=True)
    chart = (
        alt.Chart(table)
        .mark_rect(stroke=COLOURS["paper"], strokeWidth=min(1.5, width / len(rows) / 6))
        .encode(
            x=alt.X("begin:T", scale=scale, axis=axis),
            x2="end:T",
            y=_count_axis("top", max(row["top"] for row in table.to_pylist())),
            y2="bottom:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    return _dressed(chart, width=width, height=height, left=44, bottom=26)


def bars_by_step(rows: Sequence[Row], labels: Sequence[str], bad_from: int, width: int, height: int) -> Spec:
    """A bar for each step, those from `bad_from` on in the colour of what is bad."""
    table = pa.table(
        {
            "place": list(range(len(rows))),
            "label": list(labels),
            "count": [row["session_count"] for row in rows],
            "colour": [COLOURS["bad" if place >= bad_from else "main"] for place in range(len(rows))],
        }
    )
    chart = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X(
                "label:O",
                sort=None,
                axis=alt.Axis(labelAngle=0, title=None, grid=False),
                scale=alt.Scale(paddingInner=0.12, paddingOuter=0.06),
            ),
            y=_count_axis("count", max(row["session_count"] for row in rows)),
            color=alt.Color("colour:N", scale=None),
        )
    )
    return _dressed(chart, width=width, height=height, left=44, bottom=26)


def ranked_bars(rows: Sequence[Row], name: str, parts: Sequence[Part], width: int) -> Spec:
    """A stacked bar for each row, its name before it and its number behind."""
    left = 132 if width == NARROW else 172
    room = left // 9
    totals = [sum(row[key] or 0 for key, _ in parts) for row in rows]
    bars = pa.Table.from_pylist(
        [
            {
                "place": number,
                "begin": sum(row[key] or 0 for key, _ in parts[:place]),
                "end": sum(row[key] or 0 for key, _ in parts[: place + 1]),
                "colour": COLOURS[colour],
            }
            for number, row in enumerate(rows)
            for place, (key, colour) in enumerate(parts)
        ]
    )
    texts = pa.table(
        {
            "place": list(range(len(rows))),
            "name": [shorten(as_name(row[name]), room) for row in rows],
            "number": [as_number(total) for total in totals],
            "total": totals,
        }
    )
    y = alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15))
    scale = alt.Scale(domain=[0, max(*totals, 1)], nice=False)
    x = alt.X("begin:Q", axis=None, scale=scale)
    layers = (
        alt.Chart(bars).mark_bar().encode(x=x, x2="end:Q", y=y, color=alt.Color("colour:N", scale=None)),
        alt.Chart(texts)
        .mark_text(align="right", baseline="middle", fontSize=_LABEL, color=COLOURS["ink"])
        .encode(x=alt.value(-10), y=y, text="name:N"),
        alt.Chart(texts)
        .mark_text(align="left", baseline="middle", dx=6, fontSize=_LABEL, color=COLOURS["muted"])
        .encode(x=alt.X("total:Q", axis=None, scale=scale), y=y, text="number:N"),
    )
    return _dressed(alt.layer(*layers), width=width, height=27 * len(rows), left=left, right=56, top=0, bottom=0)


def heat_steps(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """The steps of the heat map's colours: the least and the most sessions of each, after the one for none."""
    most = max((row["session_count"] for row in rows), default=0)
    size = max(-(-most // HEAT_STEPS), 1)
    return [(low, low + size - 1) for low in range(1, most + 1, size)]


def heat_map(rows: Sequence[Row], width: int) -> Spec:
    """A square for each weekday and hour."""
    steps = heat_steps(rows)
    table = pa.table(
        {
            "hour": [row["hour_of_day"] for row in rows],
            "weekday": [WEEKDAYS[row["weekday"] - 1] for row in rows],
            "colour": [COLOURS[f"heat{_step(row['session_count'], steps)}"] for row in rows],
        }
    )
    chart = (
        alt.Chart(table)
        .mark_rect(stroke=COLOURS["paper"], strokeWidth=1.5, cornerRadius=2)
        .encode(
            x=alt.X(
                "hour:O",
                axis=alt.Axis(
                    values=list(range(0, 24, 6 if width == NARROW else 3)),
                    labelAngle=0,
                    labelExpr="(datum.value < 10 ? '0' : '') + datum.value + ':00'",
                    labelAlign="left",
                    labelOffset=-(width - 50) / 48,
                    title=None,
                    grid=False,
                ),
            ),
            y=alt.Y("weekday:O", sort=list(WEEKDAYS), axis=alt.Axis(title=None, grid=False, domain=False)),
            color=alt.Color("colour:N", scale=None),
        )
    )
    return _dressed(chart, width=width, height=7 * (22 if width == NARROW else 27), left=40, bottom=26)


def _step(count: int, steps: Sequence[tuple[int, int]]) -> int:
    return next((place for place, (low, high) in enumerate(steps, 1) if low <= count <= high), 0)


def _count_axis(column: str, most: int) -> alt.Y:
    """An axis of whole numbers from nought."""
    ticks = min(4, max(most, 1))
    return alt.Y(
        f"{column}:Q",
        scale=alt.Scale(domain=[0, max(most, 1)], nice=ticks),
        axis=alt.Axis(title=None, format=",d", tickCount=ticks, tickMinStep=1, domain=False),
    )


def _dressed(chart: Any, *, width: int, height: int, left: int, bottom: int, right: int = 10, top: int = 10) -> Spec:
    """The chart at exactly this width, in the page's own colours, without a frame."""
    sized = chart.properties(
        width=width - left - right,
        height=height,
        autosize=alt.AutoSizeParams(type="none"),
        padding={"left": left, "right": right, "top": top, "bottom": bottom},
        background="transparent",
    )
    dressed = sized.configure(font="sans-serif").configure_view(stroke=None)
    spec: Spec = dressed.configure_axis(
        labelColor=COLOURS["muted"],
        labelFontSize=_SMALL,
        domainColor=COLOURS["line"],
        gridColor=COLOURS["line"],
        ticks=False,
        labelPadding=8,
    ).to_dict()
    return spec


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"
