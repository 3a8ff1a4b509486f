import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spsetl import schema
from spsetl.errors import SettingsError
from spsetl.hours import QuietHours
from spsetl.settings import ALL_DETAILS, Settings, load_settings

DETAILS = ("channels", "events", "alerts")

WriteToml = Callable[[str], Path]


def test_kinds_of_details_are_those_of_the_schema() -> None:
    """Settings are read without Arrow, so they name them once more."""
    assert tuple(schema.DETAIL_KINDS) == ALL_DETAILS
    assert tuple(kind.name for kind in schema.DETAIL_KINDS.values() if kind.by_default) == DETAILS


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests gets into them."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPSETL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write_toml(tmp_path: Path) -> WriteToml:
    """Writes spsetl.toml into the current folder."""

    def write(text: str) -> Path:
        file = tmp_path / "spsetl.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def refusal(environ: dict[str, str]) -> str:
    """The message of settings that are refused."""
    with pytest.raises(SettingsError) as refused:
        load_settings(environ=environ)
    message = str(refused.value)
    assert "\n" not in message
    return message


# How a sync goes about it


def test_defaults_cost_an_appliance_little() -> None:
    """Unless told otherwise, a snapshot that is busy is not waited for, and a night's sweep is bounded."""
    settings = Settings()

    assert (settings.strategy, settings.snapshot_busy, settings.details) == ("auto", "windows", DETAILS)
    assert (settings.sweep_requests, settings.sweep_days, settings.indexing_days) == (1000, 7, 30)
    assert settings.most_missing == 10
    assert (settings.quiet_hours, settings.max_requests, settings.max_minutes) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("strategy", "auto", "auto"),
        ("strategy", "windows", "windows"),
        ("strategy", "snapshot", "snapshot"),
        ("snapshot_busy", "windows", "windows"),
        ("snapshot_busy", "wait", "wait"),
        ("sweep_requests", "0", 0),
        ("sweep_requests", "1000000", 1_000_000),
        ("sweep_days", "1", 1),
        ("sweep_days", "3650", 3650),
        ("indexing_days", "0", 0),
        ("indexing_days", "3650", 3650),
        ("most_missing", "0", 0),
        ("most_missing", "12.5", 12.5),
        ("most_missing", "100", 100),
        ("max_requests", "1", 1),
        ("max_requests", "none", None),
        ("max_minutes", "0.5", 0.5),
        ("max_minutes", "525600", 525600),
        ("max_minutes", "none", None),
        ("quiet_hours", "none", None),
        ("log_format", "text", "text"),
        ("log_format", "logfmt", "logfmt"),
        ("log_level", "error", "error"),
        ("metrics_file", "/m/spsetl.prom", Path("/m/spsetl.prom")),
        ("metrics_file", "none", None),
    ],
)
def test_good_value_is_taken(name: str, text: str, value: object) -> None:
    """What lies within a setting's bounds, the bounds among it, is taken as it is."""
    assert getattr(load_settings(environ={f"SPSETL_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("strategy", "snapshots"),
        ("snapshot_busy", "fail"),
        ("sweep_requests", "-1"),
        ("sweep_requests", "1.5"),
        ("sweep_requests", "none"),
        ("sweep_days", "0"),
        ("sweep_days", "3651"),
        ("indexing_days", "-1"),
        ("indexing_days", "3651"),
        ("most_missing", "-0.1"),
        ("most_missing", "100.1"),
        ("most_missing", "nan"),
        ("max_requests", "0"),
        ("max_requests", "None"),
        ("max_minutes", "0"),
        ("max_minutes", "-1"),
        ("max_minutes", "inf"),
        ("max_minutes", "nan"),
        ("max_minutes", "an hour"),
        ("log_format", "xml"),
        ("log_level", "INFO"),
    ],
)
def test_value_out_of_bounds_is_refused(name: str, text: str) -> None:
    """The message names the variable, and shows a right value that is indeed one; the wrong one it does not repeat."""
    message = refusal({f"SPSETL_{name.upper()}": text})
    start, _, example = message.partition("; for example ")

    assert start.startswith(f"SPSETL_{name.upper()} should ")
    assert f"'{text}'" not in start
    assert load_settings({name: example}, environ={}).origins[name] == f"argument {name}"


@pytest.mark.parametrize("name", ["max_requests", "max_minutes", "quiet_hours"])
def test_none_lifts_what_the_file_sets(write_toml: WriteToml, name: str) -> None:
    """The word `none` in the environment or in an option is a value, and overrides the file's."""
    write_toml('max_requests = 5\nmax_minutes = 5\nquiet_hours = "01:00-02:00"')

    assert getattr(load_settings(environ={}), name) is not None
    assert getattr(load_settings(environ={f"SPSETL_{name.upper()}": "none"}), name) is None
    assert getattr(load_settings({name: "none"}, environ={}), name) is None


@pytest.mark.parametrize("name", ["quiet_hours", "office_hours"])
@pytest.mark.parametrize("value", ["3", "true", '["21:55-22:30"]', "{begin = 1}"])
def test_hours_are_a_text(write_toml: WriteToml, name: str, value: str) -> None:
    """Nothing else that TOML knows stands for hours."""
    write_toml(f"{name} = {value}")

    assert refusal({}).startswith(f"{name} in spsetl.toml should be a valid string; for example ")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_has_a_meaning_and_a_right_example(name: str) -> None:
    """What messages and tables show of a setting is there, and the example is a value that it takes."""
    field = Settings.model_fields[name]
    (example,) = field.examples or []

    assert field.description
    assert load_settings({name: example}, environ={}).origins[name] == f"argument {name}"


# Details


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ('"channels, events,alerts"', DETAILS),
        ('"indexing,trail_downloads,alerts,events,channels"', ALL_DETAILS),
        ('"none"', ()),
        ('"alerts,channels"', ("channels", "alerts")),
        ('["alerts"]', ("alerts",)),
        ("[]", ()),
    ],
)
def test_details_are_some_of_five(write_toml: WriteToml, text: str, details: tuple[str, ...]) -> None:
    """Details are named with commas or as a list of TOML, in whatever order."""
    write_toml(f"details = {text}")

    assert load_settings(environ={}).details == details


@pytest.mark.parametrize("text", ['"channels,evnts"', '"events,none"', '["evnts"]', "3", "[3]", '[["events"]]'])
def test_other_details_are_refused(write_toml: WriteToml, text: str) -> None:
    """A misspelt detail is not skipped in silence."""
    write_toml(f"details = {text}")

    assert "must be none, or some of channels, events, alerts, trail_downloads, indexing" in refusal({})


# Quiet hours


@pytest.mark.parametrize(
    "text",
    ["21:55-22:30", "22:00-06:00", "00:00-00:01", "23:00-24:00", "21:55-22:30,23:00-01:00", "01:00-02:00, 03:00-04:00"],
)
def test_quiet_hours_are_read_and_shown_as_they_are_written(text: str) -> None:
    """Times of the day, several with commas between them, one of them maybe over midnight."""
    hours = load_settings(environ={"SPSETL_QUIET_HOURS": text}).quiet_hours

    assert (str(hours), hours) == (text, QuietHours.parse(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("21:55", "such as"),
        ("21:55-", "such as"),
        ("9:00-10:00", "such as"),
        ("24:00-01:00", "such as"),
        ("21:60-22:00", "such as"),
        ("21:55-22:30,", "such as"),
        ("21:55-22:30;23:00-23:30", "such as"),
        ("21.55-22.30", "such as"),
        ("\u0662\u0661:55-22:30", "such as"),
        ("at night", "such as"),
        ("22:00-22:00", "at the same time"),
        ("00:00-24:00", "leave some time"),
        ("00:00-12:00,11:00-00:00", "leave some time"),
    ],
)
def test_other_quiet_hours_are_refused(text: str, reason: str) -> None:
    """What is no range of times, or would leave the sync to wait for ever, is refused."""
    message = refusal({"SPSETL_QUIET_HOURS": text})

    assert message.startswith("SPSETL_QUIET_HOURS must ")
    assert reason in message
