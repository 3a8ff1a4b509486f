"""The command line as a user meets it: one line for what went wrong, the right exit code, nothing lost."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spsetl.appliance.client import Client
from spsetl.cli import run
from spsetl.settings import load_settings
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_sync

pytestmark = pytest.mark.usefixtures("alone", "two_tries")

SMALL = WorldSpec(sessions=60, days=6)


@pytest.fixture(scope="module")
def appliance() -> Iterator[Simulator]:
    """An appliance over https, which all tests of this module share."""
    with Simulator(World(SMALL), tls=True) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def published(appliance: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published warehouse."""
    folder = tmp_path_factory.mktemp("published")
    access = {"url": appliance.url, "username": appliance.username, "password": appliance.password}
    settings = load_settings(access | {"ca_file": appliance.ca_file, "data_dir": folder, "details": "none"}, environ={})
    run_sync(settings, runner=ThreadRunner())
    return folder / "warehouse.duckdb"


def use(monkeypatch: pytest.MonkeyPatch, simulator: Simulator, **more: str) -> None:
    """Set the environment for that appliance."""
    values = {"url": simulator.url, "username": simulator.username, "password": simulator.password}
    if simulator.ca_file:
        values["ca_file"] = str(simulator.ca_file)
    for name, value in (values | more).items():
        monkeypatch.setenv(f"SPSETL_{name.upper()}", value)


def complaint(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    """The one line that a command which fails with that code says."""
    capsys.readouterr()
    assert run(arguments) == code
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("spsetl: ")]
    assert len(lines) == 1
    assert "Traceback" not in said.err
    assert said.out == ""
    return lines[0]


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


WRONG: list[tuple[str, dict[str, str], int, str]] = [
    ("no url", {"url": ""}, 2, "SPSETL_URL"),
    ("a url without a scheme", {"url": "sps.example"}, 2, "scheme"),
    ("plain http to another host", {"url": "http://sps.example"}, 2, "https"),
    ("an unknown host", {"url": "https://no-such-host.invalid"}, 5, "no-such-host.invalid"),
    ("a refused connection", {"url": f"https://127.0.0.1:{closed_port()}"}, 5, "127.0.0.1"),
    ("a wrong password", {"password": "not-it"}, 4, "password"),
    ("a wrong CA", {"ca_file": ""}, 5, "SPSETL_CA_FILE"),
    ("a CA file that is not there", {"ca_file": "nowhere.pem"}, 2, "nowhere.pem"),
    ("a user without a password", {"password": ""}, 2, "SPSETL_PASSWORD"),
    ("a password without a user", {"username": ""}, 2, "SPSETL_USERNAME"),
    ("an unknown variable", {"usernam": "x"}, 2, "SPSETL_USERNAME"),
    ("a number that is none", {"concurrency": "many"}, 2, "SPSETL_CONCURRENCY"),
    ("unknown details", {"details": "channels,evnts"}, 2, "SPSETL_DETAILS"),
    ("a strategy that there is none of", {"strategy": "snapshots"}, 2, "SPSETL_STRATEGY"),
    ("a data directory below a file", {"data_dir": "file/data"}, 2, "SPSETL_DATA_DIR"),
]


@pytest.mark.parametrize(("values", "code", "named"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_settings_get_one_line_and_leave_the_copy_alone(
    appliance: Simulator,
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, str],
    code: int,
    named: str,
) -> None:
    """Each says what is wrong, ends with its own code, and the published file is as it was."""
    Path("file").touch()
    Path("data").mkdir()
    shutil.copyfile(published, "data/warehouse.duckdb")
    use(monkeypatch, appliance, **values)
    line = complaint(capsys, ["sync"], code)
    assert named in line
    assert "not-it" not in line
    assert Path("data/warehouse.duckdb").read_bytes() == published.read_bytes()


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error in spsetl.toml is found, and the right name said."""
    Path("spsetl.toml").write_text('urll = "https://sps.example"\n')
    line = complaint(capsys, ["status"], 2)
    assert "urll" in line
    assert "url" in line.replace("urll", "")


@pytest.mark.parametrize(
    ("quirks", "code", "named"),
    [
        (Quirks(search_right=False), 4, "Search"),
        (Quirks(html=1.0), 5, "proxy"),
        (Quirks(unavailable=1.0), 5, "SearchUnavailable"),
        (Quirks(bad_gateway=1.0), 5, "502"),
    ],
    ids=["missing right", "HTML", "busy for ever", "bad gateway"],
)
def test_what_the_appliance_refuses_is_said_in_one_line(
    quirks: Quirks, code: int, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rights, proxies' pages and endless trouble end with their own codes."""
    with Simulator(World(SMALL), quirks) as simulator:
        use(monkeypatch, simulator)
        assert named in complaint(capsys, ["sync"], code)
    assert not Path("data/warehouse.duckdb").exists()


def test_commands_that_do_not_exist_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown commands and options, and missing arguments."""
    for arguments in (["snyc"], ["sync", "--nope"], ["stats"], ["stats", "protocol", "--match", "sometimes"]):
        complaint(capsys, arguments, 2)


def test_a_copy_that_is_not_there_yet_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking before the first sync names the command that makes the copy."""
    for arguments in (["status"], ["stats", "protocol"], ["histogram"], ["sql", "select 1"]):
        assert "spsetl sync" in complaint(capsys, arguments, 2)


@pytest.fixture
def copy(appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A published copy in ./data; gives what `sync --json` said."""
    use(monkeypatch, appliance)
    assert run(["sync", "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_sync_ends_with_one_json_object(copy: Any) -> None:
    """With everything that a monitor wants to know."""
    assert copy["published"] is True
    assert copy["sessions"] == {"seen": 60, "new": 60, "changed": 0, "missing": 0}
    assert copy["requests"]["channels"] == 60
    assert copy["rows"]["sessions"] == 60
    assert {"run_id", "appliance", "strategy", "quarantined", "seconds"} <= copy.keys()


def test_status_tells_how_far_the_copy_is(copy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """For a person and for a program."""
    assert run(["status", "--json"]) == 0
    [known] = json.loads(capsys.readouterr().out)["appliances"]
    assert (known["sessions"], known["sessions_with_pending_details"], known["quarantined_rows"]) == (60, 0, 0)
    assert known["last_run_id"] == copy["run_id"]
    assert run(["status"]) == 0
    assert "60" in capsys.readouterr().out


def test_statistics_equal_the_appliances_own(
    copy: Any, appliance: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same JSON as /stats and /histogram, but for how long the login lasts."""
    with Client(load_settings().for_appliance()) as client:
        field = {"field": "recording.connection_policy", "sub_fields": "protocol"}
        theirs = client.get("/api/audit/sessions/stats", field, kind="stats")
        days = {"field": "protocol", "bin_size": "day", "start": "2026-10-26T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
        their_days = client.get("/api/audit/sessions/histogram", days, kind="histogram")
    assert run(["stats", "recording.connection_policy", "--sub-field", "protocol", "--format", "json"]) == 0
    ours = json.loads(capsys.readouterr().out)
    del theirs["meta"]["remaining_seconds"]
    assert ours == theirs
    period = ["--start", "2026-10-26T00:00:00Z", "--end", "2026-11-01T00:00:00Z"]
    assert run(["histogram", "protocol", "--bin-size", "day", *period, "--match", "contained", "--format", "json"]) == 0
    our_days = json.loads(capsys.readouterr().out)
    counts = [[(b["id"], b["start_count"]) for b in answer["body"]["buckets"]] for answer in (our_days, their_days)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_sql_answers_and_cannot_write(copy: Any, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Any question in three forms; nothing can be changed or read from the disk."""
    assert run(["sql", "select count(*) as sessions from sessions", "--format", form]) == 0
    said = capsys.readouterr().out
    assert "sessions" in said
    assert "60" in said
    assert run(["sql", "-- a comment\nselect 1 as one"]) == 0
    assert "one" in capsys.readouterr().out
    for query in ("delete from sessions", "select * from read_csv('/etc/passwd')", "select nothing from nowhere"):
        complaint(capsys, ["sql", query], 2)


def test_dry_run_shows_the_windows(
    appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And writes no copy."""
    use(monkeypatch, appliance)
    assert run(["sync", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["windows"][-1]["end"] is None
    assert not Path("data/warehouse.duckdb").exists()


@pytest.mark.parametrize("limit", [100_000, 300_000, 600_000])
def test_a_full_disk_gets_one_line_and_the_next_sync_goes_on(
    limit: int, appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it fills up: nothing half-written is published, and with space again all of it comes."""
    use(monkeypatch, appliance)
    code = (
        "import resource, signal, sys\n"
        "from spsetl.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv[1:] = ['sync']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert len([line for line in done.stderr.splitlines() if line.startswith("spsetl: cannot ")]) == 1
    assert "Traceback" not in done.stderr
    assert not Path("data/warehouse.duckdb").exists()
    assert run(["sync", "--json"]) == 0
    capsys.readouterr()
    assert run(["sql", "select (select count(*) from sessions), count(*) from channels", "--format", "csv"]) == 0
    channels = sum(len(appliance.world.channels(key)) for key in appliance.world)
    assert capsys.readouterr().out.splitlines()[-1] == f"60,{channels}"


def test_the_program_can_be_interrupted(appliance: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with one line and 130."""
    use(monkeypatch, appliance)
    code = (
        "import signal, sys\n"
        "from spsetl.cli import main\n"
        "from spsetl.warehouse import merge\n"
        "merge.merge_part = lambda *a, **k: signal.raise_signal(signal.SIGINT)\n"
        "sys.argv[1:] = ['sync']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 130
    assert [line for line in done.stderr.splitlines() if line.startswith("spsetl: interrupted")]
    assert "Traceback" not in done.stderr
