"""What the last report said: each page carries its own figures, and the next one reads them there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import orjson

PATTERN: Final = "spsetl-report-*.html"
META: Final = "spsetl-figures"
FORMAT: Final = 1
FIGURES: Final = (
    "session_count",
    "user_count",
    "server_count",
    "alert_count",
    "active_count",
    "missing_count",
    "pending_count",
    "quarantined_count",
)
_HEAD: Final = 64 * 1024


@dataclass(frozen=True)
class Earlier:
    """The figures of an earlier report. Times are UTC, without a zone."""

    made_at: datetime
    newest_started_at: datetime | None
    figures: dict[str, int | None]


def write_figures(made_at: datetime, newest_started_at: datetime | None, figures: dict[str, Any]) -> str:
    """The figures of a report as its page carries them."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "made_at": made_at,
            "newest_started_at": newest_started_at,
            "figures": {name: figures[name] for name in FIGURES},
        }
    ).decode()


def find_earlier(folder: Path, *, before: datetime, replaced: Path | None = None) -> Earlier | None:
    """The newest report made before that moment, or None. A page that is damaged, or none of ours, is left out.

    Args:
        folder: Where reports are kept.
        before: A moment (UTC, without a zone).
        replaced: Another file that may hold a report.
    """
    found = [
        earlier
        for path in (*folder.glob(PATTERN), *([replaced] if replaced else []))
        if (earlier := read_earlier(path)) and earlier.made_at < before
    ]
    return max(found, key=lambda earlier: earlier.made_at, default=None)


def read_earlier(path: Path) -> Earlier | None:
    """What that page says, or None if that cannot be told."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", errors="replace")
        return decode_figures(_find_meta(head))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def decode_figures(text: str | None) -> Earlier | None:
    """The figures out of a page's text.

    Raises:
        ValueError: They are damaged; so do KeyError, TypeError and AttributeError say.
    """
    if text is None:
        return None
    said = orjson.loads(text)
    if said["format"] != FORMAT:
        return None
    figures = {name: said["figures"][name] for name in FIGURES}
    if not all(value is None or type(value) is int for value in figures.values()):
        raise ValueError("a figure is no number")
    newest = said["newest_started_at"]
    return Earlier(_moment(said["made_at"]), None if newest is None else _moment(newest), figures)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _find_meta(html: str) -> str | None:
    parser = _MetaParser()
    parser.feed(html)
    return parser.content


class _MetaParser(HTMLParser):
    """Looks for the one `meta` that holds the figures."""

    content: str | None = None

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and given.get("name") == META and self.content is None:
            self.content = given.get("content")
