"""The charts of the report: rows of a question in, a drawing out."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import altair as alt

from spsetl.report.drawing import COLOURS, NARROW
from spsetl.report.wording import as_name, as_number, shorten

Row = dict[str, Any]
Spec = dict[str, Any]
"""A chart in Vega-Lite."""
Part = tuple[str, str]
"""A column of counts, and the colour of its bars."""
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HEAT_STEPS: Final = 5
_LABEL, _SMALL = 13, 12
_FORMATS: Final = {"day": "%-d %b", "week": "%-d %b", "month": "%b %Y", "year": "%Y"}
_COLOUR: Final = alt.Color("colour:N", scale=None)


def _stacked(rows: Sequence[Row], parts: Sequence[Part]) -> Iterator[Row]:
    """For each row its parts one upon the other: what they are from, to and coloured."""
    for place, row in enumerate(rows):
        top = 0
        for key, colour in parts:
            bottom, top = top, top + (row[key] or 0)
            yield {"place": place, "bottom": bottom, "top": top, "colour": COLOURS[colour]}


def bars_over_time(rows: Sequence[Row], parts: Sequence[Part], bin_size: str, width: int, height: int) -> Spec:
    """Stacked bars, one for each bin of time (UTC)."""
    bins = [
        {"begin": f"{row['bin_start']:%Y-%m-%dT%H:%M:%S}Z", "end": f"{row['bin_end']:%Y-%m-%dT%H:%M:%S}Z"}
        for row in rows
    ]
    bars = [bar | bins[bar["place"]] for bar in _stacked(rows, parts)]
    scale = alt.Scale(type="utc", domain=[bins[0]["begin"], bins[-1]["end"]], nice=False)
    ticks = 5 if width == NARROW else 12
    axis = alt.Axis(format=_FORMATS[bin_size], tickCount=ticks, grid=False, title=None, labelOverlap=True)
    chart = _chart(bars).mark_rect(stroke=COLOURS["paper"], strokeWidth=min(1.5, width / len(rows) / 6))
    chart = chart.encode(
        x=alt.X("begin:T", scale=scale, axis=axis),
        x2="end:T",
        y=_count_axis("top", max(bar["top"] for bar in bars)),
        y2="bottom:Q",
        color=_COLOUR,
    )
    return _dressed(chart, width=width, height=height, left=44, bottom=26)


def bars_by_step(rows: Sequence[Row], labels: Sequence[str], bad_from: int, width: int, height: int) -> Spec:
    """A bar for each step, those from `bad_from` on in the colour of what is bad."""
    bars = [
        {"label": label, "count": row["session_count"], "colour": COLOURS["bad" if place >= bad_from else "main"]}
        for place, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
    axis = alt.Axis(labelAngle=0, title=None, grid=False)
    chart = (
        _chart(bars)
        .mark_bar()
        .encode(
            x=alt.X("label:O", sort=None, axis=axis, scale=alt.Scale(paddingInner=0.12, paddingOuter=0.06)),
            y=_count_axis("count", max(bar["count"] for bar in bars)),
            color=_COLOUR,
        )
    )
    return _dressed(chart, width=width, height=height, left=44, bottom=26)


def ranked_bars(rows: Sequence[Row], name: str, parts: Sequence[Part], width: int) -> Spec:
    """A stacked bar for each row, its name before it and its number behind."""
    left = 132 if width == NARROW else 172
    totals = [sum(row[key] or 0 for key, _ in parts) for row in rows]
    texts = [
        {"place": place, "name": shorten(as_name(row[name]), left // 9), "number": as_number(total), "total": total}
        for place, (row, total) in enumerate(zip(rows, totals, strict=True))
    ]
    y = alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15))
    scale = alt.Scale(domain=[0, max(*totals, 1)], nice=False)
    bars, labels = _chart([*_stacked(rows, parts)]).mark_bar(), _chart(texts)
    names = labels.mark_text(align="right", baseline="middle", fontSize=_LABEL, color=COLOURS["ink"])
    numbers = labels.mark_text(align="left", baseline="middle", dx=6, fontSize=_LABEL, color=COLOURS["muted"])
    layers = (
        bars.encode(x=alt.X("bottom:Q", axis=None, scale=scale), x2="top:Q", y=y, color=_COLOUR),
        names.encode(x=alt.value(-10), y=y, text="name:N"),
        numbers.encode(x=alt.X("total:Q", axis=None, scale=scale), y=y, text="number:N"),
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
    squares = [
        {
            "hour": row["hour_of_day"],
            "weekday": WEEKDAYS[row["weekday"] - 1],
            "colour": COLOURS[f"heat{sum(row['session_count'] >= low for low, _ in steps)}"],
        }
        for row in rows
    ]
    hours = alt.Axis(
        values=list(range(0, 24, 6 if width == NARROW else 3)),
        labelAngle=0,
        labelExpr="(datum.value < 10 ? '0' : '') + datum.value + ':00'",
        labelAlign="left",
        labelOffset=-(width - 50) / 48,
        title=None,
        grid=False,
    )
    weekdays = alt.Axis(title=None, grid=False, domain=False)
    chart = _chart(squares).mark_rect(stroke=COLOURS["paper"], strokeWidth=1.5, cornerRadius=2)
    chart = chart.encode(
        x=alt.X("hour:O", axis=hours), y=alt.Y("weekday:O", sort=list(WEEKDAYS), axis=weekdays), color=_COLOUR
    )
    return _dressed(chart, width=width, height=7 * (22 if width == NARROW else 27), left=40, bottom=26)


def _chart(rows: Sequence[Row]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)))


def _count_axis(column: str, most: int) -> alt.Y:
    """An axis of whole numbers from nought."""
    ticks = min(4, max(most, 1))
    axis = alt.Axis(title=None, format=",d", tickCount=ticks, tickMinStep=1, domain=False)
    return alt.Y(f"{column}:Q", scale=alt.Scale(domain=[0, max(most, 1)], nice=ticks), axis=axis)


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
