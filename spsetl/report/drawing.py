"""From a chart to SVG that may stand in the page: an allow-list of shapes, and colours that follow the page's."""

from collections.abc import Callable
from typing import Any, Final
from xml.etree import ElementTree as ET

import vl_convert
from markupsafe import Markup

from spsetl.errors import SpsetlError

WIDE, HALF, NARROW = 1060, 500, 350
"""Widths in pixels: the whole page, half of it, a phone."""

# Stand-ins in the chart for the page's own colours, which differ by day and night.
COLOURS: Final = {
    name: f"#0101{number:02x}"
    for number, name in enumerate(
        ("ink", "muted", "line", "paper", "main", "second", "bad", "heat0", "heat1", "heat2", "heat3", "heat4", "heat5")
    )
}
_VARIABLES: Final = {colour: f"var(--{name})" for name, colour in COLOURS.items()}

_SVG: Final = "{http://www.w3.org/2000/svg}"
_SHAPES: Final = {"svg", "g", "path", "rect", "line", "text", "tspan"}
_ATTRIBUTES: Final = {
    *("d", "x", "y", "x2", "y2", "width", "height", "viewBox", "transform", "opacity", "display"),
    *("fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "stroke-opacity"),
    *("text-anchor", "font-size", "font-weight"),
}

Build = Callable[[int], dict[str, Any]]
"""Makes a chart, in Vega-Lite, of a width in pixels."""


def draw(build: Build, *, width: int, says: str) -> Markup:
    """The chart, once for a desk and once for a phone; the page's style shows one of them.

    Args:
        build: Makes the chart.
        width: Its width on a desk.
        says: What it shows, for who cannot see it.
    """
    return _svg(build(width), "wide", says) + _svg(build(NARROW), "narrow", says)


def _svg(chart: dict[str, Any], kind: str, says: str) -> Markup:
    written = vl_convert.vegalite_to_svg(chart)
    return Markup(clean(written, kind=kind, says=says))  # noqa: S704 of known shapes, every text escaped anew


def clean(svg: str, *, kind: str, says: str) -> str:
    """The SVG with nothing in it but known shapes, known attributes and escaped text.

    Raises:
        SpsetlError: It is no SVG.
    """
    try:
        found = ET.fromstring(svg)  # noqa: S314 what our own renderer wrote
    except ET.ParseError as error:
        raise SpsetlError("a chart was drawn that is no SVG: please report this as a defect") from error
    kept = _keep(found)
    if kept is None:
        raise SpsetlError("a chart was drawn that is no SVG: please report this as a defect")
    for size in ("width", "height"):
        kept.attrib.pop(size, None)
    width = float(kept.get("viewBox", "0 0 0 0").split()[2])
    kept.attrib |= {"class": kind, "role": "img", "aria-label": says, "style": f"max-width:{width:.0f}px"}
    return ET.tostring(kept, encoding="unicode", short_empty_elements=False)


def _keep(element: Any) -> ET.Element | None:
    name = str(element.tag).removeprefix(_SVG)
    if name not in _SHAPES or element.get("display") == "none":
        return None
    kept = ET.Element(name, {key: _colour(value) for key, value in element.attrib.items() if key in _ATTRIBUTES})
    kept.text = element.text if name in {"text", "tspan"} else None
    kept.extend(child for child in map(_keep, element) if child is not None)
    return kept


def _colour(value: str) -> str:
    return _VARIABLES.get(value.lower(), value)
