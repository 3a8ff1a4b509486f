"""What `sync`, `backfill` and `reconcile` say: warnings on stderr, one JSON value on stdout, however many they copy."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from spsetl.cli import run
from spsetl.simulator import Quirks, Simulator, World, WorldSpec

pytestmark = pytest.mark.usefixtures("alone", "two_tries")

FEW = WorldSpec(sessions=40, days=4)
OTHERS = WorldSpec(sessions=40, days=4, seed=7)
DAYS = ["--start", "2026-10-01", "--end", "2026-11-30"]


def write_settings(sections: dict[str, Simulator | str]) -> None:
    """A spsetl.toml with a section for each appliance, in the current folder."""
    lines = ['username = "audit"', 'data_dir = "data"', 'details = "none"', 'strategy = "windows"']
    for name, one in sections.items():
        url, password = (one, "x") if isinstance(one, str) else (one.url, one.password)
        lines += [f"[appliances.{name}]", f'url = "{url}"', f'password = "{password}"']
    Path("spsetl.toml").write_text("\n".join(lines))
    Path("spsetl.toml").chmod(0o600)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """The exit code, the one JSON value on stdout, and the talk."""
    capsys.readouterr()
    code = run(arguments)
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


@pytest.mark.parametrize("command", [["sync"], ["backfill", *DAYS], ["reconcile"]])
def test_several_appliances_are_one_json_object(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The runs that gave a report, and the others with their error; the exit code is that of the first that failed."""
    with Simulator(World(FEW)) as east, Simulator(World(OTHERS)) as west:
        write_settings({"east": east, "west": west})
        assert run(["sync"]) == 0
        west.fail_next("service_unavailable", 20)
        code, said, talk = told(capsys, *command, "--json")
    assert code == 5
    assert [one["appliance"] for one in said["runs"]] == ["east"]
    assert said["failed"].keys() == {"west"}
    assert said["failed"]["west"]["exit_code"] == 5
    assert "west: " in talk


def test_a_dry_run_of_several_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """And one appliance that cannot be asked does not hide the plan of the others."""
    with Simulator(World(FEW)) as west:
        write_settings({"east": "https://127.0.0.1:9", "west": west})
        code, said, talk = told(capsys, "sync", "--dry-run", "--json")
        assert code == 5
        assert [(one["appliance"], len(one["windows"])) for one in said["runs"]] == [("west", 1)]
        assert said["failed"].keys() == {"east"}
        assert "east: " in talk
        code, said, _ = told(capsys, "sync", "--dry-run", "--json", "--appliance", "west")
        assert (code, said.keys()) == (0, {"appliance", "windows"})


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reconciliation_shows_its_warnings(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, once each; for one appliance as for several, in text and as events."""
    worlds = {"east": World(FEW), "west": World(OTHERS)}
    with Simulator(worlds["east"]) as east, Simulator(worlds["west"]) as west:
        write_settings({"east": east, "west": west})
        assert run(["sync"]) == 0
    drift = Quirks(count_drift=2, histogram=False)
    with Simulator(worlds["east"], drift) as east, Simulator(worlds["west"], drift) as west:
        write_settings({"east": east, "west": west})
        for chosen in ([], ["--appliance", "east"]):
            code, said, talk = told(capsys, "reconcile", "--json", "--log-format", form, *chosen)
            assert code == 3
            reports = said["runs"] if not chosen else [said]
            assert all(report["warnings"] for report in reports)
            lines = Counter(line for report in reports for line in report["warnings"])
            assert {line: talk.count(line) for line in lines} == lines


def test_warnings_of_the_settings_are_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A password that others can read, say."""
    with Simulator(World(FEW)) as simulator:
        write_settings({"east": simulator})
        assert run(["sync"]) == 0
        Path("spsetl.toml").chmod(0o644)
        code, _, talk = told(capsys, "reconcile", "--json")
    assert code == 0
    assert "warning: " in talk
