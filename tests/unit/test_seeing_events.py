"""Events: one printable line each, in three forms, and of other libraries no more than their wording."""

import json
import logging
import warnings
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.exceptions import TerminationSignal

from spsetl.cli.terminal import Lines
from spsetl.errors import SettingsError
from spsetl.events import EventFormatter, Form, Teller, as_text, complain_of_defect, write_to_stderr
from spsetl.runs import Run

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
    write_to_stderr("text", "info")


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
    write_to_stderr("text", "info")
    for level in (logging.INFO, logging.ERROR):
        Teller().event(level, "window read", sessions=1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("level", "told"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_told(level: str, told: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the four, so many."""
    write_to_stderr("logfmt", level)
    for one in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        Teller().event(one, "window read", sessions=1)
    assert len(capsys.readouterr().err.splitlines()) == told


def test_events_carry_their_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Each teller says whose it is."""
    write_to_stderr("json", "info")
    Teller().info("between")
    Teller(run_id="r1", appliance="sps").info("window read")
    between, read = map(json.loads, capsys.readouterr().err.splitlines())
    assert "run_id" not in between
    assert (read["run_id"], read["appliance"]) == ("r1", "sps")


def test_other_libraries_warn_as_events_and_without_what_they_put_in(capsys: pytest.CaptureFixture[str]) -> None:
    """At any level: no address of a request, no traceback, and nothing below a warning."""
    write_to_stderr("json", "debug")
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


def test_a_defect_is_told_by_its_place_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What an unexpected error says may be content: a person sees all of it, a log does not."""
    nothing: dict[str, int] = {}
    try:
        nothing[SECRET]
    except KeyError as error:
        for form in ("json", "text"):
            write_to_stderr(cast("Form", form), "info")
            complain_of_defect(error, exit_code=1)
    event, line, *rest = capsys.readouterr().err.splitlines()
    assert SECRET not in event + line
    assert "KeyError in test_a_defect_is_told_by_its_place_alone (" in json.loads(event)["error"]
    assert line.startswith("spsetl: a defect of spsetl, please report it: KeyError in")
    assert rest[-1] == f"KeyError: '{SECRET}'"


def test_a_line_of_the_run_is_an_event_where_lines_are_events(capsys: pytest.CaptureFixture[str]) -> None:
    """And goes to whoever shows the progress."""
    for form, listeners in (("text", (Lines(),)), ("json", ())):
        write_to_stderr(cast("Form", form), "info")
        teller = Teller(*listeners)
        teller.say("quiet hours: no requests until 22:30", event="quiet hours", until="22:30")
        teller.warn("mind this")
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
    run = Run(appliance="a")
    run.end(error)
    assert (run.status, run.exit_code) == (status, code)
