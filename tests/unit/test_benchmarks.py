"""What the benchmark's figures stand on: windows that hold all, checksums that tell copies apart, pinned rivals."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final

import duckdb
import pytest

from tests.benchmarks.appliances import Appliance
from tests.benchmarks.comparing import note_contents
from tests.benchmarks.contents import Contents, truth_contents
from tests.benchmarks.programs import Measured, Program, fresh, run
from tests.benchmarks.results import Verdict

_RIVALS: Final = Path(__file__).parents[1] / "benchmarks" / "rivals"
_PIN: Final = re.compile(r"[\w.-]+==[\w.]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")
_NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", sorted(_RIVALS.glob("*.txt")), ids=lambda path: path.stem)
def test_rivals_are_pinned(path: Path) -> None:
    """Each package of a rival has one version and a SHA-256 at least, and nothing says where to fetch it."""
    text = path.read_text(encoding="utf-8")

    assert [pin for pin in re.split(r"\n(?=\S)", text.strip()) if not _PIN.fullmatch(pin)] == []
    assert "://" not in text


@pytest.mark.parametrize("sessions", [10, 50_000, 1_000_000])
def test_windows_follow_each_other(sessions: int) -> None:
    """The windows given to rivals have no gap, no overlap, and hold all days of the world."""
    appliance = Appliance("", 0, sessions, 0.0, _NOW, 30, StringIO(), StringIO())
    bounds = [re.findall(r"\d{4}-\S+Z", query) for query in appliance.filters()]

    assert all(before[1] == after[0] for before, after in pairwise(bounds))
    assert datetime.fromisoformat(bounds[0][0]) <= _NOW - timedelta(days=30)
    assert datetime.fromisoformat(bounds[-1][1]) > _NOW


@pytest.mark.parametrize(("result", "is_met"), [(1.99, False), (2.0, True), (2.01, True)])
def test_target_is_met_from_its_bound_on(result: float, is_met: bool) -> None:
    """A ratio that is to be at least so much is met at it, and one that is to be at most so much up to it."""
    assert Verdict.at_least("it", result, 2).is_met is is_met
    assert Verdict.at_most("it", -result, -2).is_met is is_met


def test_checksum_tells_copies_apart(tmp_path: Path) -> None:
    """It is the same in any order, and another with another value, a row more or a null."""
    plain = _contents(tmp_path, "('a', 'x'), ('b', 'y')")

    assert plain == _contents(tmp_path, "('b', 'y'), ('a', 'x')")
    for other in ("('a', 'x'), ('b', 'z')", "('a', 'x')", "('a', 'x'), ('b', null)"):
        assert plain != _contents(tmp_path, other)


def test_difference_once_seen_stays() -> None:
    """A system that was wrong in one run is not made right by the next."""
    truth: Contents = {"sessions": (2, "00")}
    measured = Measured("it")
    for found in (truth, {"sessions": (1, "00")}, truth):
        note_contents(measured, found, truth)

    assert measured.contents["summary"] == "1: DIFFERENT in sessions"


def test_memory_is_the_program_s_own(tmp_path: Path) -> None:
    """What the measuring process holds is not counted; what the programs of a pipe hold is added up."""
    ballast = bytearray(200 * 2**20)
    hold = [
        "python3",
        "-I",
        "-S",
        "-c",
        "import sys; x = bytearray(60 * 2**20); sys.stdout.write(sys.stdin.read() + 'x')",
    ]
    one = run(Program("one", [hold], fresh(tmp_path / "one")))
    two = run(Program("two", [hold, hold], fresh(tmp_path / "two")))
    del ballast

    assert 60 < one.megabytes < 100
    assert 120 < two.megabytes < 200
    assert two.stdout == "xx"


def test_failed_program_fails_the_measurement(tmp_path: Path) -> None:
    """A program that ends with another code is no measurement, and its last words are told."""
    program = Program(
        "it", [["python3", "-I", "-S", "-c", "raise SystemExit('no such thing')"]], fresh(tmp_path / "it")
    )
    with pytest.raises(RuntimeError, match="no such thing"):
        run(program)


def _contents(folder: Path, rows: str) -> Contents:
    columns = "start_us, end_us, protocol, client_ip, policy, score, revision"
    nothing = ", ".join(f"null as {name}" for name in columns.split(", "))
    query = f"select session_key, {nothing}, verdict, 'u' as user_name from (values {rows}) t(session_key, verdict)"
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{folder}/sessions.parquet' (format parquet)")
    return truth_contents(folder)
