"""`--content` on the command line: what the copy of a whole world holds of its sessions' contents."""

import json
from pathlib import Path

import pytest

from spsetl.cli import run
from spsetl.simulator import Simulator, World, WorldSpec
from tests.syncing import ask, sync


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with its events and alerts, synced once."""
    made = tmp_path_factory.mktemp("content")
    with Simulator(World(WorldSpec(sessions=60, days=6))) as simulator:
        sync(simulator, made)
    return made


def test_stats_of_a_content_count_the_sessions_that_have_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A word of some event, in any case, gives the sessions with it; what is searched, and what not, goes to stderr."""
    [(word,)] = ask(
        folder,
        "select split_part(content, ' ', 1) from events where content is not null "
        "group by all order by count(distinct session_key), 1 limit 1",
    )
    [(wanted,)] = ask(
        folder,
        f"select count(distinct session_key) from (select session_key, action || ' ' || content as said from events "
        f"union all select session_key, matched_action || ' ' || matched_content from alerts) "
        f"where contains(lower(said), lower('{word}'))",
    )
    [(unsearched,)] = ask(folder, "select count(*) from session_details where events_status <> 'fetched'")

    options = ["--content", word.upper(), "--format", "json", "--data-dir", str(folder)]
    assert run(["stats", "origin", *options]) == 0
    said = capsys.readouterr()
    assert run(["histogram", "--bin-size", "year", *options]) == 0
    bins = json.loads(capsys.readouterr().out)["body"]["buckets"]

    assert 0 < wanted < 60
    assert sum(item["count"] for item in json.loads(said.out)["items"]) == wanted
    assert sum(each["start_count"] for each in bins) == wanted
    assert "not the recorded screen" in said.err
    assert f"{unsearched} of the 60 sessions" in said.err


@pytest.mark.parametrize("command", [["stats", "protocol"], ["histogram"]])
def test_a_wrong_expression_is_wrong_usage(
    folder: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one line with the position."""
    assert run([*command, "--q", "protocol:ssh AND usr.name:x", "--data-dir", str(folder)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "unknown field 'usr.name' at position 18 of q: did you mean 'user.name'?" in said.err
    assert said.err.count("\n") == 1
