"""The macros that a published file brings along, called from DuckDB 1.2.2, which many tools still embed."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.statistics_oracle import Copy, Session

OLD_PYTHON: Final = Path(__file__).parents[2] / ".venv-duckdb-1.2.2" / "bin" / "python"
FIELDS: Final = (
    "psm.channel_policy",
    "client.port",
    "analytics.score.aggregated",
    "active",
    "start_time",
    "user.server_username",
    "analytics.score.details.keystroke.score",
)
OVERLAP: Final = "match := 'overlap', start_at := '2024-03-30', end_at := timestamp '2024-04-01', appliance := 'sps'"
CALLS: Final = (
    *(f"session_stats('{field}', size := 2, now_at := '2024-04-02')" for field in FIELDS),
    *(f"session_stats('active', sub_field := '{field}', size := 2, {OVERLAP})" for field in FIELDS),
    *(f"session_stats('{field}', sub_field := 'analytics.tags')" for field in FIELDS),
    *(
        f"session_histogram('{bin_size}', time_zone := '{zone}', now_at := '2024-04-02')"
        for bin_size in ("hour", "day", "week", "month", "year")
        for zone in ("UTC", "Europe/Budapest", "America/Havana", "Asia/Kolkata")
    ),
    *(f"session_histogram('day', field := '{field}', {OVERLAP})" for field in FIELDS),
    *(f"session_stats('{field}', sub_field := 'active', among := 'of_one_port')" for field in FIELDS),
    "session_histogram('day', among := 'of_one_port', now_at := '2024-04-02')",
    "session_histogram('second')",
    "session_stats('nope')",
)
# Runs in both versions. The zone of the session must not matter.
ASK: Final = """
import duckdb, json, sys
con = duckdb.connect(sys.argv[1], read_only=True)
con.execute("set TimeZone = 'Asia/Tokyo'")
con.execute("create temp view of_one_port as select * from sessions where client_port = 21")
answers = {}
for call in json.loads(sys.argv[2]):
    try:
        answers[call] = [[str(value) for value in row] for row in con.execute(f"from {call}").fetchall()]
    except duckdb.Error as error:
        answers[call] = str(error).splitlines()[0]
print(json.dumps([duckdb.__version__, answers]))
"""


def ask(python: Path, database: Path) -> tuple[str, dict[str, Any]]:
    """The version of that interpreter's DuckDB, and its answer to each call."""
    done = subprocess.run(
        [str(python), "-I", "-c", ASK, str(database), json.dumps(CALLS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    version, answers = json.loads(done.stdout)
    return version, answers


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with 200 sessions around a change of clocks, some still active."""
    begin = datetime.fromisoformat("2024-03-28")
    sessions = [
        Session(
            begin + timedelta(minutes=37 * number, milliseconds=number),
            None if number % 9 == 0 else begin + timedelta(minutes=37 * number + 11 * (number % 50)),
            {
                "recording_channel_policy": f"policy-{number % 4}",
                "client_port": 20 + number % 3 if number % 5 else None,
                "analytics_score_aggregated": number % 7 / 2,
                "active": number % 9 == 0,
            },
            {"user.server_username": ["root", f"user-{number % 3}", "root"], "analytics.tags": ["a"] * (number % 3)},
            {"keystroke": number % 2 / 4},
            "sps" if number % 4 else "other",
        )
        for number in range(200)
    ]
    path = tmp_path_factory.mktemp("old") / "copy.duckdb"
    copy = Copy(path)
    copy.load(sessions)
    copy.connection.execute("checkpoint copied")
    copy.close()
    return path


def test_old_duckdb_answers_as_the_new_one_does(database: Path) -> None:
    """Each call gives the same rows, or the same complaint, under both versions."""
    if not OLD_PYTHON.exists():
        pytest.fail("no environment with DuckDB 1.2.2: `make test` makes it, or `make .venv-duckdb-1.2.2/.made`")
    old_version, old = ask(OLD_PYTHON, database)
    _, new = ask(Path(sys.executable), database)

    assert old_version == "1.2.2"
    assert old == new
    complaints = {call: answer for call, answer in new.items() if isinstance(answer, str)}
    assert set(complaints) == {"session_histogram('second')", "session_stats('nope')"}
    assert all(new.values())
