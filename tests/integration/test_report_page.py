"""The report: every chart's question beside boring Python, and what the page makes of it."""

import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from spsetl import schema
from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.cli import run
from spsetl.errors import SpsetlError, StorageError, UsageError
from spsetl.queries import read_folder, read_statement
from spsetl.report import write_report
from spsetl.report.contents import CLOCK, Period, ask, period_of
from spsetl.report.drawing import clean
from spsetl.report.wording import NOTHING, as_period, as_span, shorten, visible
from tests.page_copy import (
    END,
    HOSTILE,
    NOW,
    OFFICE_HOURS,
    SINCE,
    SIZE,
    START,
    make_rows,
    make_sessions,
    write_copy,
)
from tests.page_oracle import Oracle

MOMENT: Final = NOW.replace(tzinfo=UTC)
QUESTIONS: Final = sorted(read_folder("page"))
TAGS: Final = (
    "html head meta title style body header main footer section div figure figcaption h1 h2 h3 p b small strong span i "
    "ul li dl dt dd table caption thead tbody tr th td details summary svg g path rect line text tspan"
)
ATTRIBUTES: Final = (
    "lang charset http-equiv content name class id role style open scope tabindex aria-label aria-labelledby "
    "viewbox d x y x2 y2 width height transform opacity fill stroke stroke-width stroke-dasharray fill-opacity "
    "stroke-opacity text-anchor font-size font-weight"
)


class Page(HTMLParser):
    """What a page holds: its elements, their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All text, as one line."""
        return " ".join(" ".join(self.texts).split())


def make(folder: Path, **more: Any) -> str:
    """The page of the copy in that folder."""
    given = {"now": MOMENT, "office_hours": OFFICE_HOURS, "output": folder / "page.html"} | more
    return write_report(folder, **given).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    """What has to come out."""
    return Oracle(make_rows())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the copy that the oracle knows."""
    return write_copy(tmp_path_factory.mktemp("copy"), make_rows())


@pytest.fixture(scope="module")
def warehouse(folder: Path) -> Iterator[Warehouse]:
    """The same, open."""
    with open_warehouse(folder) as opened:
        yield opened


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without drawings, for what is not about them: most of a page's time goes there."""
    monkeypatch.setattr("spsetl.report.figures.draw", lambda *_args, **_more: "")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a copy whose every name means harm."""
    sessions = make_sessions(names=HOSTILE)
    for number, session in enumerate(sessions):
        evil = HOSTILE[number % len(HOSTILE)]
        session |= {"server_name": evil, "recording_connection_policy": evil, "verdict": evil, "protocol": evil[:40]}
        session["server_ip"] = None
    rows = make_rows(sessions=sessions)
    for number, alert in enumerate(rows["alerts"]):
        alert["rule_name"] = HOSTILE[number % len(HOSTILE)]
    return make(write_copy(tmp_path_factory.mktemp("hostile"), rows))


@pytest.mark.parametrize("name", QUESTIONS)
def test_question_of_the_report_is_answered_right(name: str, warehouse: Warehouse, oracle: Oracle) -> None:
    """Each file of sql/page/ finds what counting by hand finds, in the same order."""
    given = {"range_start": START, "range_end": END, "size": SIZE, "bin_size": "day", "now": NOW, "since": SINCE}
    with warehouse.hold() as edition:
        found = ask(edition, name, **given)
    expected = getattr(oracle, name)()

    assert expected
    assert len(found) == len(expected)
    for row, right in zip(found, expected, strict=True):
        assert row == {
            key: pytest.approx(value, abs=0.051) if isinstance(value, float) else value for key, value in right.items()
        }


@pytest.mark.parametrize(("size", "first", "second"), [("week", 28, 5), ("month", 10, 11), ("year", 2026, 2027)])
def test_longer_periods_are_shown_in_longer_bins(size: str, first: int, second: int, warehouse: Warehouse) -> None:
    """Weeks begin on Monday, months on the first, years in January; together they hold every session once."""
    given = {"range_start": START, "range_end": datetime.fromisoformat("2027-02-01"), "bin_size": size}
    with warehouse.hold() as edition:
        bins = ask(edition, "activity", **given)
        (figures,) = ask(edition, "period_figures", **given)

    parts = {"week": "day", "month": "month", "year": "year"}[size]
    assert [getattr(row["bin_start"], parts) for row in bins[:2]] == [first, second]
    assert sum(row["session_count"] for row in bins) == figures["session_count"]


@pytest.mark.usefixtures("undrawn")
def test_page_tells_freshness_first_and_the_right_numbers(folder: Path, oracle: Oracle) -> None:
    """Whether the copy can be relied on stands before everything else; the figures are those of the copy."""
    page = Page(make(folder, start="2026-10-03", end="2026-10-30"))
    (figures,) = oracle.period_figures()
    order = [page.text.index(title) for title in ("Is the copy fresh", "What changed", "The period in figures", "Risk")]

    assert order == sorted(order)
    assert "Do not rely on it" in page.text
    assert "north: no sync was ever complete" in page.text
    assert "1 of 2 windows of the last sync hold another number of sessions" in page.text
    assert f"Sessions {figures['session_count']:,} " in page.text
    assert f"Failed logins {figures['failed_login_count']:,} " in page.text
    assert "2026-10-03 to 2026-10-30 (UTC, 28 days)" in page.text


def test_page_is_the_same_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    """The same copy and the same moment give the same page, also over an earlier one."""
    pages = [make(folder, output=tmp_path / name) for name in ("one.html", "one.html")]

    assert pages[0] == pages[1]
    assert list(tmp_path.glob(".*")) == []


def test_page_holds_nothing_but_text_and_shapes(hostile: str) -> None:
    """No script, no link, no handler, nothing to load, whatever users, servers, policies and rules are called."""
    page = Page(hostile)

    assert page.tags <= set(TAGS.split())
    assert set(page.attributes) <= set(ATTRIBUTES.split())
    assert not re.search(r"url\(|@import|expression", " ".join(page.attributes["style"] | page.attributes["fill"]))
    assert all(value.startswith(("#", "var(--", "none", "transparent")) for value in page.attributes["fill"])
    assert "default-src 'none'" in next(value for value in page.attributes["content"] if "default-src" in value)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_shown_as_text(name: str, hostile: str) -> None:
    """What looks like markup is read as text; control characters are spelled out, and long names are cut."""
    shown = " ".join(visible(name).split())

    assert shown in Page(hostile).text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", hostile)


def test_drawing_keeps_nothing_unknown() -> None:
    """Of an SVG stay known shapes, attributes and texts; what could run, load or hide is left out."""
    evil = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 5 6" width="5"'
        ' onload="x()"><script>x()</script><style>*{}</style><foreignObject><p/></foreignObject><a xlink:href="x">l</a>'
        '<image href="x"/><g style="x" class="y">loose<text fill="#010100" onclick="x()">1 &lt; 2</text></g></svg>'
    )
    assert clean(evil, kind="wide", says='a "b" <c>') == (
        '<svg viewBox="0 0 5 6" class="wide" role="img" aria-label="a &quot;b&quot; &lt;c&gt;" style="max-width:5px">'
        '<g><text fill="var(--ink)">1 &lt; 2</text></g></svg>'
    )
    with pytest.raises(SpsetlError, match="no SVG"):
        clean("<svg", kind="wide", says="")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("since", "told"), [(None, "2026-11-01 12:00"), ("2026-10-30", "2026-10-30 00:00")])
def test_what_changed_is_told_by_the_lineage(tmp_path: Path, since: str | None, told: str) -> None:
    """Since a day ago, or the moment that is asked for; whether there was a report then makes no difference."""
    new = make_sessions(3, names=("newly hired",))
    for number, session in enumerate(new):
        session |= {"start_time": NOW - timedelta(hours=2 + number), "extracted_at": NOW - timedelta(hours=1)}
    write_copy(tmp_path, make_rows(sessions=[*make_sessions(100)[3:], *new]))
    first = write_report(tmp_path, now=MOMENT, since=since).read_text(encoding="utf-8")
    page = Page(first)

    assert f"What changed since {told} UTC" in page.text
    rows = [row for row in make_sessions(100)[3:] if row["extracted_at"] > datetime.fromisoformat(told)]
    assert f"Sessions {len(rows) + 3} 100" in page.text
    assert "newly hired" in page.text
    assert "1 new user ." in page.text.replace("user.", "user .")
    assert write_report(tmp_path, now=MOMENT, since=since).read_text(encoding="utf-8") == first


@pytest.mark.usefixtures("undrawn")
def test_not_fetched_is_told_apart_from_none(tmp_path: Path) -> None:
    """No alerts, alerts that were not fetched, and sessions without a score are different things, and said so."""
    sessions = [row | {"analytics_score_aggregated": None, "verdict": "ACCEPT"} for row in make_sessions(20)]
    fetched = [row | {"alerts_status": schema.FETCHED} for row in sessions]
    unknown = [row | {"alerts_status": schema.NOT_REQUESTED} for row in sessions]
    none = Page(make(write_copy(tmp_path / "none", make_rows(sessions=fetched, alerts=[]))))
    silent = Page(make(write_copy(tmp_path / "unknown", make_rows(sessions=unknown, alerts=[]))))

    assert "None: no session whose alerts were fetched has any." in none.text
    assert "Alerts were not fetched for any session of the period" in silent.text
    assert "Alerts 0 in 0 sessions" in none.text
    assert f"Alerts {NOTHING} not fetched" in silent.text
    assert "No session of the period has a risk score" in none.text
    assert "Every session was accepted." in none.text


def test_empty_copy_has_a_page(tmp_path: Path) -> None:
    """Nothing was copied, and the page says so."""
    empty = {table.name: [] for table in schema.TABLES}
    page = Page(make(write_copy(tmp_path, empty)))

    assert "Nothing was copied yet" in page.text
    assert "No session of the copy began in this period." in page.text


def test_period_is_thirty_days_up_to_the_newest_session() -> None:
    """What is not asked for is the last 30 days (UTC) of the copy; an empty period is refused."""
    newest = datetime.fromisoformat("2026-11-01T22:07:18")

    assert period_of(None, None, newest=newest) == Period(*map(datetime.fromisoformat, ("2026-10-03", "2026-11-02")))
    assert period_of("2026-10-20", None, newest=newest).start.day == 20
    assert period_of(None, "2026-10-31", newest=newest).start.day == 2
    with pytest.raises(UsageError, match="no session started at or after 2027"):
        period_of("2027-01-01", None, newest=newest)


@pytest.mark.usefixtures("undrawn")
def test_command_writes_where_it_says(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the file's name; a file that is there is replaced; the copy itself is not."""
    target = tmp_path / "report.html"
    assert run(["report", "--data-dir", str(folder), "-o", str(target), "--start", "2026-10-20"]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(["report", "--data-dir", str(folder), "-o", str(folder / "warehouse.duckdb")]) == 2
    assert run(["report", "--data-dir", str(folder), "-o", str(tmp_path)]) == 2
    assert run(["report", "--data-dir", str(folder), "-o", "/dev/null"]) == 2
    with open_warehouse(folder) as still:
        assert still.rows("select count(*) > 0 from sessions")[1] == [(True,)]


@pytest.mark.usefixtures("undrawn")
def test_page_that_cannot_be_written_leaves_the_old_one(folder: Path, tmp_path: Path) -> None:
    """A place where nothing can be written is one clear error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        make(folder, output=tmp_path / "file" / "page.html")


def test_copy_without_marts_is_refused(folder: Path, tmp_path: Path) -> None:
    """A copy that an older spsetl has published says what to do."""
    shutil.copy(folder / "warehouse.duckdb", tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("drop schema mart cascade")
    with pytest.raises(UsageError, match="without marts"):
        make(tmp_path)


def test_missing_libraries_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra the command says how to get it, with exit code 2."""
    monkeypatch.setitem(sys.modules, "altair", None)

    assert run(["report", "--data-dir", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "pip install 'spsetl[report]'" in said
    assert said.count("\n") == 1


def test_retention_is_asked_as_of_the_moment_of_the_report() -> None:
    """The question of the retention has the clock that the report replaces by its own moment."""
    statement = read_statement("status", "retention")
    assert CLOCK in statement
    assert "current_" not in statement.replace(CLOCK, "")


def test_values_are_worded() -> None:
    """Spans have two units, labels their width, periods whole days where they can."""
    assert [as_span(seconds) for seconds in (None, 59, 3599, 90061, 200000)] == [
        NOTHING, "less than a minute", "59 min", "25 h 1 min", "2 days 7 h",
    ]  # fmt: skip
    assert shorten("名前名前", 6) == "名前…"
    assert shorten("short", 5) == "short"
    assert as_period(START, START + timedelta(hours=5)) == "2026-10-03 00:00 to 2026-10-03 05:00"


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_have_contrast(hostile: str) -> None:
    """Text stands out 4.5 to 1 from what it stands on, bars 3 to 1, by day, by night and on paper (WCAG 2.1)."""
    blocks = re.findall(r":root \{(.*?)\}", hostile, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        light = {name: _luminance(colour) for name, colour in re.findall(r"--(\w+): (#\w{6})", block)}
        for ground in ("paper", "panel"):
            for name, least in {
                "ink": 7,
                "muted": 4.5,
                "good": 4.5,
                "look": 4.5,
                "bad": 4.5,
                "main": 3,
                "second": 3,
            }.items():
                high, low = max(light[name], light[ground]), min(light[name], light[ground])
                assert (high + 0.05) / (low + 0.05) >= least, (name, ground)
