"""Events: one printable line each, in three forms, and of other libraries no more than their wording."""

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.exceptions import TerminationSignal
from structlog.contextvars import bound_contextvars

from spsetl.cli.complaint import describe_defect
from spsetl.cli.terminal import Lines
from spsetl.errors import SettingsError
from spsetl.seeing import configure, is_told_as_events
from spsetl.seeing.logs import EventFormatter, as_text, carry, log
from spsetl.settings import load_settings
from spsetl.sync.progress import say, warn
from spsetl.sync.report import SyncReport
from spsetl.sync.watching import End

SECRET = "whisky-tango"
FIGURES = st.dictionaries(
    st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.text(), max_size=2),
    max_size=4,
)


@pytest.fixture(autouse=True)
def _text_again() -> Iterator[None]:
    """Each test leaves lines for a person behind it."""
    yield
    configure(load_settings({}, environ={}))


def tell_as(form: str, level: str = "info") -> None:
    """Tell events so from now on."""
    configure(load_settings({"log_format": form, "log_level": level}, environ={}))


def record_of(figures: dict[str, object]) -> logging.LogRecord:
    """What the standard library hands to a formatter."""
    record = logging.LogRecord("spsetl.events", logging.INFO, "", 0, "text", None, None)
    record.created = 0.5
    record.figures = {"event": "window read"} | figures
    return record


@given(FIGURES)
def test_an_event_is_one_printable_line_in_every_form(figures: dict[str, object]) -> None:
    """Whatever the figures are; JSON gives the names back, logfmt begins with the time and the level."""
    line = EventFormatter("json").format(record_of(figures))
    lines = [line, EventFormatter("logfmt").format(record_of(figures)), as_text({"event": "window read"} | figures)]
    assert [one for one in lines if not one.isprintable()] == []
    told = json.loads(line)
    assert set(told) == {"timestamp", "level", "event"} | set(figures)
    assert told["timestamp"].endswith("Z")
    assert lines[1].startswith(f"timestamp={told['timestamp']} level=info event=")


def test_text_tells_nothing_by_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Where lines are for a person, neither events nor warnings of events show."""
    log.info("window read", sessions=1)
    log.error("run failed", error="no")
    assert not is_told_as_events()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("level", "told"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_told(level: str, told: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the four, so many."""
    tell_as("logfmt", level)
    for tell in (log.debug, log.info, log.warning, log.error):
        tell("window read", sessions=1)
    assert len(capsys.readouterr().err.splitlines()) == told


def test_events_carry_their_run_also_from_threads(capsys: pytest.CaptureFixture[str]) -> None:
    """What runs elsewhere later still belongs to the run it was made in."""
    tell_as("json")
    with bound_contextvars(run_id="r1", appliance="sps"):
        later = carry(lambda: log.info("window read"))
    log.info("between")
    later()
    between, read = map(json.loads, capsys.readouterr().err.splitlines())
    assert "run_id" not in between
    assert (read["run_id"], read["appliance"]) == ("r1", "sps")


def test_other_libraries_warn_as_events_and_without_what_they_put_in(capsys: pytest.CaptureFixture[str]) -> None:
    """At any level: no address of a request, no traceback, and nothing below a warning."""
    tell_as("json", "debug")
    other = logging.getLogger("urllib3.connectionpool")
    other.setLevel(logging.DEBUG)
    other.debug("GET /%s", SECRET)
    try:
        int(SECRET)
    except ValueError:
        other.warning("Failed to parse headers (url=%s)", SECRET, exc_info=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("an old way", DeprecationWarning, stacklevel=1)
    other.setLevel(logging.NOTSET)
    said = capsys.readouterr().err
    assert SECRET not in said
    parsed, old = map(json.loads, said.splitlines())
    assert (parsed["event"], parsed["error_type"]) == ("Failed to parse headers (url=%s)", "ValueError")
    assert "an old way" in old["event"]


def test_a_defect_is_told_by_its_place_alone() -> None:
    """What an unexpected error says may be content."""
    nothing: dict[str, int] = {}
    try:
        nothing[SECRET]
    except KeyError as error:
        line = describe_defect(error)
    assert SECRET not in line
    assert "KeyError in test_a_defect_is_told_by_its_place_alone (" in line


def test_a_line_of_the_run_is_an_event_where_lines_are_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Else it goes to whoever shows the progress; never to both."""
    lines = Lines()
    for form in ("text", "json"):
        tell_as(form)
        say(lines, "quiet hours: no requests until 22:30", event="quiet hours", until="22:30")
        warn(lines, "mind this")
    *said, quiet, warning = capsys.readouterr().err.splitlines()
    assert said == ["quiet hours: no requests until 22:30", "warning: mind this"]
    assert json.loads(quiet).items() >= {"event": "quiet hours", "level": "info", "until": "22:30"}.items()
    assert json.loads(warning).items() >= {"event": "warning", "level": "warning", "message": "mind this"}.items()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (None, "done", 0),
        (KeyboardInterrupt(), "interrupted", 130),
        (TerminationSignal(15), "interrupted", 130),
        (SettingsError("no"), "failed", 2),
        (ValueError("no"), "failed", 1),
    ],
)
def test_how_a_run_ended(error: BaseException | None, status: str, code: int) -> None:
    """What a person or Prefect stops is interrupted; the rest failed with its exit code."""
    end = End.of(SyncReport("r", "a", "windows"), error)
    assert (end.status, end.exit_code) == (status, code)
