"""Values of a type, a size or a spelling that no guide tells of: the row stays, the value is kept, and it is seen."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from spsetl.appliance.protocol import decode_stats
from spsetl.cli import run
from spsetl.errors import BadAnswerError
from spsetl.flatten import Flattener
from spsetl.report.contents import period_of
from spsetl.simulator import Simulator, World, WorldSpec
from tests.syncing import all_rows, ask, forget_snapshot
from tests.tampering import Tamper, of_items, of_raw_items, tampering

pytestmark = pytest.mark.usefixtures("two_tries")

SMALL = WorldSpec(sessions=60, days=6)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
VAULT = {
    "access_request_type": "Ssh",
    "account_id": 12,
    "account_name": "svc-backup",
    "appliance_id": "A1B2C3D4E5F6",
    "appliance_name": "spp-west",
    "asset_partition_id": -1,
    "asset_partition_name": "Macrocosm",
    "auto_approved": "2026-03-02T09:00:01.000Z",
    "available": "2026-03-02T09:00:02.500Z",
    "broker_id": 0,
    "created": {
        "timestamp": "2026-03-02T09:00:00.000Z",
        "user": {
            "client_ip_address": "192.0.2.77",
            "user_display_name": "Ann Other",
            "user_id": 31,
            "user_name": "ann",
        },
    },
    "expired": "2026-03-02T13:00:00.000Z",
    "is_emergency": False,
    "offline_workflow": False,
    "system_id": 9,
    "system_name": "db-7.example.com",
}


@pytest.fixture(autouse=True)
def _settings(alone: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the copy is."""
    monkeypatch.setenv("SPSETL_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data directory."""
    return tmp_path / "data"


class Appliance:
    """A simulated appliance whose answers are tampered with; `tamper` can be changed."""

    def __init__(self, world: World, simulator: Simulator) -> None:
        self.world = world
        self.simulator = simulator
        self.tamper: Tamper = lambda _, body: body
        self.url = ""

    def set_fields(self, odd: dict[str, dict[str, Any]]) -> None:
        """Give sessions other values in the list, by key and dotted path."""

        def change(item: Any) -> Any:
            for path, value in odd.get(item["key"], {}).items():
                *parents, last = path.split(".")
                place = item["body"]
                for name in parents:
                    place = place.setdefault(name, {})
                place[last] = value
            return item

        self.tamper = of_items(change)

    def sync(self, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, Any, str]:
        """`spsetl sync --json`: exit code, object, what it said."""
        capsys.readouterr()
        login = ["--url", self.url, "--username", self.simulator.username, "--appliance", "sps"]
        os.environ["SPSETL_PASSWORD"] = self.simulator.password
        try:
            code = run(["sync", "--json", *login, *more])
        finally:
            del os.environ["SPSETL_PASSWORD"]
        told = capsys.readouterr()
        return code, json.loads(told.out) if told.out else None, told.err


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    """Of 60 sessions."""
    world = World(SMALL)
    with Simulator(world) as simulator:
        made = Appliance(world, simulator)
        with tampering(simulator, lambda *asked: made.tamper(*asked)) as made.url:  # noqa: PLW0108 it is set later
            yield made


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON that a command ends with."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_session_of_a_vault_has_a_column_for_all_that_it_says() -> None:
    """No misfit, and nothing left over."""
    item = {"key": "k", "body": {"start_time": "2026-03-02T09:05:00Z", "vault": VAULT}, "meta": {"href": "/"}}
    flattener = Flattener(appliance="a", run_id="r")
    flattener.add_sessions([item], extracted_at=NOW)
    (row,) = flattener.take()["sessions"].to_pylist()
    assert not flattener.quality.misfits
    assert row["extra"] is None
    assert row["vault_available"] == datetime(2026, 3, 2, 9, 0, 2, 500_000)  # noqa: DTZ001 columns have no zone
    assert (row["vault_broker_id"], row["vault_created_user_user_id"]) == ("0", "31")


def test_the_simulated_world_has_no_misfits(appliance: Appliance, capsys: pytest.CaptureFixture[str]) -> None:
    """Vault sessions among it; and where there is none, nothing is said."""
    code, said, told = appliance.sync(capsys)
    assert (code, said["misfits"], said["quarantined"]) == (0, {}, 0)
    assert "misfit" not in told
    assert "did not fit" not in told
    assert say(capsys, "status")["appliances"][0]["misfits"] == {}


ODD = [
    ("client.port", "client_port", "ssh"),
    ("client.port", "client_port", 2**63),
    ("duration", "duration", "PT5M"),
    ("active", "active", "yes"),
    ("active", "active", 2),
    ("revision", "revision", "r7"),
    ("end_time", "end_time", "300000-01-01T00:00:00Z"),
    ("end_time", "end_time", "0000-01-01T00:00:00Z"),
    ("end_time", "end_time", "9999-12-31T23:59:59-14:00"),
    ("end_time", "end_time", 1_780_000_000_000),
    ("creation_time", "creation_time", {"seconds": 5}),
    ("vault.available", "vault_available", True),
    ("analytics.score.aggregated", "analytics_score_aggregated", "high"),
    ("client", None, "10.0.0.1"),
    ("recording", None, [1, 2]),
]


def test_a_value_that_does_not_fit_is_kept_in_extra(
    appliance: Appliance, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its session is there with all the rest; the run says which field, and how often."""
    odd = dict(zip(appliance.world.keys()[10:], ODD, strict=False))
    appliance.set_fields({key: {field: value} for key, (field, _, value) in odd.items()})
    expected = Counter(f"sessions.{field}" for field, *_ in ODD)
    named = f"sessions.end_time {expected['sessions.end_time']}"

    code, said, told = appliance.sync(capsys, "--details", "none")

    assert (code, said["published"], said["quarantined"], said["misfits"]) == (0, True, 0, expected)
    (line,) = [line for line in told.splitlines() if "did not fit" in line]
    assert named in line
    assert "and 5 more fields" in line
    assert ask(folder, "select count(*) from sessions") == [(60,)]
    for key, (field, column, value) in odd.items():
        [(text, there)] = ask(folder, f"select extra, {column or 'null'} from sessions where session_key = '{key}'")
        extra = json.loads(text)
        for part in field.split("."):
            extra = extra[part]
        assert (extra, there) == (value, None), field
    assert [json.loads(text) for (text,) in ask(folder, "select misfits from sync_runs")] == [expected]
    assert say(capsys, "status")["appliances"][0]["misfits"] == expected
    assert run(["status"]) == 0
    assert named in capsys.readouterr().out
    (finding,) = [check for check in doctor(appliance, capsys) if check["check"] == "values"]
    assert (finding["state"], finding["facts"]["misfits"]) == ("yellow", expected)
    assert named in finding["found"]


def doctor(appliance: Appliance, capsys: pytest.CaptureFixture[str]) -> Any:
    """What it finds."""
    os.environ["SPSETL_PASSWORD"] = appliance.simulator.password
    capsys.readouterr()
    try:
        run(["doctor", "--json", "--url", appliance.url, "--username", "audit", "--appliance", "sps"])
    finally:
        del os.environ["SPSETL_PASSWORD"]
    return json.loads(capsys.readouterr().out)["checks"]


RAW = [
    (b'"odd": NaN', {"odd": "NaN"}),
    (b'"odd": -Infinity', {"odd": "-Infinity"}),
    (b'"odd": 1e400', {"odd": "1e400"}),
    (b'"odd": ' + b"7" * 5_000, {"odd": "7" * 5_000}),
    (b'"odd": "\\ud800x"', {"odd": "\\ud800x"}),
    (b'"odd": "\xff"', {"odd": "\\udcff"}),
    (b'"odd": "a\x01b"', {"odd": "a\x01b"}),
    (b'"odd\\udc00": 1', {"odd\\udc00": 1}),
    (b'"odd": 1, "odd": 2', {"odd": 2}),
    (b'"odd": "\\u0000"', {"odd": "\0"}),
    (b'"": {"": 1}', {"": {"": 1}}),
]


def test_a_session_at_the_end_of_all_times_stops_no_report() -> None:
    """Its day is followed by none."""
    period = period_of(None, None, newest=datetime.max)  # noqa: DTZ901 as columns hold it
    assert (period.start.year, period.end.year) == (9999, 9999)


@pytest.mark.parametrize("row", [None, 5, "ssh", ["ssh", 1]])
def test_odd_statistics_are_a_line(row: Any) -> None:
    """And no defect of ours."""
    with pytest.raises(BadAnswerError, match="no object"):
        decode_stats({"items": [{"value": "ssh", "count": 1}, row]})


LEVELS = (150, 400, 980, 1_020, 1_100, 50_000)


def test_json_that_strict_readers_refuse_costs_no_session(
    appliance: Appliance, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the one that it is in nor its neighbours; and `extra` can be asked as JSON."""
    odd = dict(zip(appliance.world.keys()[10:], RAW, strict=False))
    appliance.tamper = of_raw_items({key: text for key, (text, _) in odd.items()})
    code, said, _ = appliance.sync(capsys, "--details", "none")
    assert (code, said["quarantined"], said["misfits"]) == (0, 0, {})
    assert ask(folder, "select count(*), bool_and(json_valid(extra)) from sessions") == [(60, True)]
    for key, (_, kept) in odd.items():
        [(extra,)] = ask(folder, f"select extra from sessions where session_key = '{key}'")
        assert json.loads(extra).items() >= kept.items()


@pytest.mark.parametrize("levels", [LEVELS[:4], LEVELS[4:]])
def test_deep_nesting_costs_no_session(
    levels: tuple[int, ...], appliance: Appliance, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However deep; what no reader can follow is kept as text."""
    odd = dict(zip(appliance.world.keys()[10:], levels, strict=False))
    appliance.tamper = of_raw_items({k: b'"odd": ' + b"[" * deep + b"7" + b"]" * deep for k, deep in odd.items()})
    code, said, _ = appliance.sync(capsys, "--details", "none")
    assert (code, said["quarantined"]) == (0, 0)
    assert ask(folder, "select count(*) from sessions") == [(60,)]
    for key, deep in odd.items():
        [(extra,)] = ask(folder, f"select extra from sessions where session_key = '{key}'")
        assert extra.count("[") >= deep
        assert "[7]" in extra


def test_a_session_whose_start_cannot_be_read_is_a_session(
    appliance: Appliance, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its details, in the marts and the statistics; the windows agree, and the next sync has nothing to do."""
    starts = ["soon", None, 2**70, "", 1_780_000_000_000, [1]]
    odd = dict(zip(appliance.world.keys()[30:], starts, strict=False))
    appliance.set_fields({key: {"start_time": start} for key, start in odd.items()})

    code, said, _ = appliance.sync(capsys)

    assert (code, said["quarantined"], said["windows_differing"], said["details_pending"]) == (0, 0, 0, 0)
    assert said["misfits"] == {"sessions.start_time": 4}
    assert ask(folder, "select count(*), count(start_time) from sessions") == [(60, 54)]
    assert ask(folder, "select count(*), count(started_at) from mart.fct_sessions") == [(60, 54)]
    for command in (
        ["stats", "protocol", "--format", "json"],
        ["stats", "user.name", "--start", "2000-01-01", "--end", "2100-01-01", "--format", "json"],
        ["histogram", "--start", "2000-01-01", "--end", "2100-01-01", "--bin-size", "year"],
        ["search", "protocol:*"],
        ["report"],
    ):
        assert run(command) == 0, command
    capsys.readouterr()
    assert run(["stats", "active", "--format", "json"]) == 0
    assert sum(item["count"] for item in json.loads(capsys.readouterr().out)["items"]) == 60

    before = all_rows(folder)
    forget_snapshot(appliance.simulator)
    code, said, _ = appliance.sync(capsys)
    assert (code, said["sessions"]["new"], said["sessions"]["changed"], said["sessions"]["missing"]) == (0, 0, 0, 0)
    assert all_rows(folder) == before
    assert run(["rebuild"]) == 0
    assert all_rows(folder) == before


KEYS = [
    (0, "0"),
    (7, "7"),
    ("k" * 5_000, "k" * 5_000),
    ("a\0b", "a\0b"),
    ("\ud800", "\\ud800"),
    ("..", ".."),
    ("a/b?c#d e", "a/b?c#d e"),
    ("", None),
    (True, None),
    (1.5, None),
    ({"a": 1}, None),
    (None, None),
]


def test_a_key_of_any_kind_costs_no_other_session(
    appliance: Appliance, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that can be used is one; a session without one is kept whole in quarantine, and nothing is marked gone."""
    monkeypatch.setenv("SPSETL_DETAILS", "none")
    appliance.sync(capsys)
    forget_snapshot(appliance.simulator)
    odd = dict(zip(appliance.world.keys()[10:], KEYS, strict=False))
    appliance.tamper = of_items(lambda item: item | {"key": odd.get(item["key"], (item["key"],))[0]})

    _, said, _ = appliance.sync(capsys, "--lookback", str(24 * 60))

    assert (said["windows_differing"], said["quarantined"], said["sessions"]["missing"]) == (0, 5, 0)
    keys = {found for (found,) in ask(folder, "select session_key from sessions")}
    assert keys == set(appliance.world.keys()) | {expected for _, expected in KEYS if expected is not None}
    before = all_rows(folder)
    assert run(["rebuild"]) == 0
    assert all_rows(folder) == before


def test_details_of_odd_types_cost_no_row(
    appliance: Appliance, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key is its number however spelled; what has none is in quarantine, once, however often it comes."""
    world = appliance.world
    key = next(key for key in world if len(world.events(key)) > 4)
    events = [
        {"record_id": "12", "time": "noon", "content": {"not": "text"}},
        {"record_id": 1e3, "time": 10**30},
        {"record_id": 1.5, "content": "a"},
        {"content": "b"},
        "text",
        {"record_id": 13, "time": "2026-10-30T10:00:00.1234567", "channels_id": [1, 2]},
    ]

    def tamper(path: str, body: bytes) -> bytes:
        if not urlsplit(path).path.endswith(f"/{key}/events"):
            return body
        return json.dumps(json.loads(body) | {"items": events, "meta": {"match_count": len(events)}}).encode()

    appliance.tamper = tamper
    code, said, told = appliance.sync(capsys)
    assert (code, said["quarantined"]) == (0, 3)
    assert said["misfits"] == {"events.time": 2, "events.content": 1}
    assert "events.time 2" in told
    rows = ask(folder, f"select record_id, time_raw, extra from events where session_key = '{key}' order by 1")
    assert [(number, json.loads(extra or "null")) for number, _, extra in rows] == [
        (12, {"time": "noon", "content": {"not": "text"}}),
        (13, None),
        (1000, {"time": 1e30}),
    ]
    kept = ask(folder, "select raw from quarantine where table_name = 'events' and session_key is not null")
    assert sorted(raw for (raw,) in kept) == sorted(
        orjson.dumps(e, option=orjson.OPT_SORT_KEYS).decode() for e in events[2:5]
    )
    before = all_rows(folder)
    forget_snapshot(appliance.simulator)
    world.change(key, {"protocol": "SSH2"})
    assert appliance.sync(capsys)[0] == 0
    assert len(all_rows(folder)["quarantine"]) == len(before["quarantine"]) == 3
