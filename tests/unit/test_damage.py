"""A work database that the disk has spoilt is found out before it is published, and says what to do."""

from pathlib import Path

import duckdb
import pytest

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.warehouse.work import WorkDatabase

PLACES = 24


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A work database with sessions and events enough for many blocks."""
    path = tmp_path_factory.mktemp("good") / "work.duckdb"
    with WorkDatabase(path, published=path.with_name("none")) as work:
        work.connection.execute(
            "insert into sessions (appliance, session_key, user_name, row_hash, start_time) "
            "select 'sps', 'key' || i, md5(i::text), md5((i * 7)::text), timestamp '2026-11-01' + to_seconds(i) "
            "from range(20_000) r(i)"
        )
        work.connection.execute(
            "insert into events (appliance, session_key, record_id, content) "
            "select 'sps', 'key' || (i % 20_000), i, md5(i::text) || md5((i * 3)::text) from range(40_000) r(i)"
        )
        work.checkpoint()
    return path.read_bytes()


def fingerprint(path: Path) -> list[object]:
    """All contents of all tables."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return [
            connection.execute(f"select bit_xor(hash(t)) from {table.name} t").fetchall() for table in schema.TABLES
        ]


@pytest.mark.parametrize("place", range(PLACES))
def test_what_passes_can_be_read_whole(place: int, good: bytes, tmp_path: Path) -> None:
    """Wherever the damage is: either it is an error that names the file, or nothing that a reader sees is spoilt."""
    path = tmp_path / "work.duckdb"
    path.write_bytes(good)
    expected = fingerprint(path)
    at = 4096 + (len(good) - 8192) * place // PLACES
    path.write_bytes(good[:at] + b"\xa5" * 512 + good[at + 512 :])
    complaint = read_all(path)
    if complaint is None:
        assert fingerprint(path) == expected
    else:
        assert "is damaged" in complaint
        assert "delete it" in complaint


def read_all(path: Path) -> str | None:
    """What is wrong with a work database, if anything."""
    try:
        with WorkDatabase(path, published=path.with_name("none")) as work:
            work.read_all()
    except StorageError as error:
        return str(error)
    return None


def test_some_of_those_places_are_read(good: bytes, tmp_path: Path) -> None:
    """The test above is about something: the middle of the file holds rows."""
    path = tmp_path / "work.duckdb"
    found = 0
    for place in range(0, PLACES, 4):
        at = 4096 + (len(good) - 8192) * place // PLACES
        path.write_bytes(good[:at] + b"\xa5" * 512 + good[at + 512 :])
        found += read_all(path) is not None
    assert found >= 3


def test_a_file_cut_in_half_says_what_to_do(good: bytes, tmp_path: Path) -> None:
    """Not that there is no space."""
    path = tmp_path / "work.duckdb"
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(StorageError, match="delete it"), WorkDatabase(path, published=tmp_path / "none") as work:
        work.read_all()
