"""The chart of growth: sessions against seconds, memory and requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import altair as alt
import vl_convert

_TITLES: Final = {"seconds": "Seconds", "megabytes": "Peak memory, MB", "requests": "Requests"}


def draw_growth(points: Sequence[dict[str, Any]], path: Path) -> str:
    """Write the chart as SVG; the file's name."""
    chart = alt.hconcat(*(_panel(points, name, title) for name, title in _TITLES.items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(vl_convert.vegalite_to_svg(chart.to_dict()), encoding="utf-8")
    return path.name


def _panel(points: Sequence[dict[str, Any]], name: str, title: str) -> alt.Chart:
    rows = [{"sessions": point["sessions"], name: point[name]} for point in points]
    sessions = alt.X("sessions:Q", title="Sessions", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s"))
    scale = alt.Scale(zero=True) if name == "megabytes" else alt.Scale(type="log")
    lines = alt.Chart(alt.Data(values=rows), width=240, height=200).mark_line(point=True)
    return lines.encode(x=sessions, y=alt.Y(f"{name}:Q", title=title, scale=scale))
