"""How much waits before it is merged."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from spsetl.sync.gathering import Gathering, gather_files


class Merging:
    """Merges take as long as they are told; nothing else takes time."""

    def __init__(self, *, most: int = 100, seconds: Sequence[float] = ()) -> None:
        self.now = 0.0
        self.merged: list[list[str]] = []
        self._seconds = list(seconds)
        self.gathering = Gathering[str](self._merge, most=most, clock=lambda: self.now)

    def _merge(self, parts: list[str]) -> None:
        self.merged.append(parts)
        self.now += self._seconds.pop(0) if self._seconds else 0.0


def test_until_they_are_many_sessions() -> None:
    """At least as many as allowed, whatever time it is; the rest at the end, and nothing twice."""
    merging = Merging(most=10)
    for name, sessions in [("a", 9), ("b", 1), ("c", 25), ("d", 1)]:
        merging.gathering.add(name, {}, sessions=sessions)
    assert merging.merged == [["a", "b"], ["c"]]
    merging.gathering.merge()
    merging.gathering.merge()
    assert merging.merged == [["a", "b"], ["c"], ["d"]]


def test_until_they_are_many_bytes(tmp_path: Path) -> None:
    """The files' sizes count."""
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(bytes(5 * 2**20))
    small.write_bytes(b"x")
    merging = Merging()
    for number, files in enumerate([{"a": [str(small)]}, {"a": [str(large)], "b": [str(large)]}, {"a": [str(small)]}]):
        merging.gathering.add(str(number), files, sessions=0)
    assert merging.merged == [["0", "1"]]


@pytest.mark.parametrize(("took", "wait"), [(0.1, 0.5), (1.0, 4.0), (60.0, 5.0)])
def test_a_slow_merge_is_followed_by_a_long_wait(took: float, wait: float) -> None:
    """Four times as long as merging took, within bounds: a killed sync fetches again what waited."""
    merging = Merging(seconds=[took])
    merging.now = 0.6
    merging.gathering.add("a", {}, sessions=1)
    assert merging.merged == [["a"]]
    merging.now += 0.9 * wait
    merging.gathering.add("b", {}, sessions=1)
    assert merging.merged == [["a"]]
    merging.now += 0.2 * wait
    merging.gathering.add("c", {}, sessions=1)
    assert merging.merged == [["a"], ["b", "c"]]


def test_files_of_parts_by_table() -> None:
    """In the order of the parts."""
    found = gather_files([{"sessions": ["1"], "quarantine": ["2"]}, {}, {"sessions": ["3", "4"]}])
    assert found == {"sessions": ["1", "3", "4"], "quarantine": ["2"]}
