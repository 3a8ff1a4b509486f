"""Checks of single settings: the text of a file or of the environment in, the value out."""

import re
from pathlib import Path
from typing import Final

DETAILS: Final = ("channels", "events", "alerts")
ALL_DETAILS: Final = (*DETAILS, "trail_downloads", "indexing")

NONE: Final = "none"

_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_QUIET: Final = re.compile(rf"{_TIME}-(?:{_TIME}|24:00)", re.ASCII)
_DAY: Final = 24 * 60  # minutes
_MEMORY: Final = re.compile(r"[1-9][0-9]*(?:%|[KMGT]i?B)", re.ASCII | re.IGNORECASE)


def split_details(value: object) -> object:
    """`channels,events` as it is written, or a list of the same; an empty tuple for `none`.

    Raises:
        ValueError: One is no detail.
    """
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if names == [NONE]:
        return ()
    if not isinstance(names, list | tuple) or [name for name in names if name not in ALL_DETAILS]:
        raise ValueError(f"must be none, or some of {', '.join(ALL_DETAILS)}")
    return tuple(name for name in ALL_DETAILS if name in names)


def none_for_none(value: object) -> object:
    """None for the text `none`, by which the environment or an option lifts what the file sets."""
    return None if value == NONE else value


def check_quiet_hours(text: str) -> str:
    """Times of the day such as `21:55-22:30`, several with commas between them; one may cross midnight.

    Raises:
        ValueError: They are none, or leave no time of the day for requests.
    """
    minutes: set[int] = set()
    for part in text.split(","):
        match = _QUIET.fullmatch(part.strip())
        if not match:
            raise ValueError("must be none, or times such as 21:55-22:30 with commas between them")
        begin, end = (60 * int(match[hour] or 0) + int(match[hour + 1] or 0) for hour in (1, 3))
        if begin == end:
            raise ValueError("must not begin and end at the same time of the day")
        minutes.update(minute % _DAY for minute in range(begin, end if begin < end else end + _DAY))
    if len(minutes) == _DAY:
        raise ValueError("must leave some time of the day for requests")
    return text


def check_memory(text: str) -> str:
    """An amount of memory as DuckDB reads it.

    Raises:
        ValueError: It is none.
    """
    if not _MEMORY.fullmatch(text):
        raise ValueError("must be an amount of memory such as 4GB or 50%")
    return text


def check_metrics_file(path: Path) -> Path:
    """A file that node_exporter will read: it passes over others in silence.

    Raises:
        ValueError: Its name ends otherwise.
    """
    if path.suffix != ".prom":
        raise ValueError("must have a name that ends with .prom")
    return path
