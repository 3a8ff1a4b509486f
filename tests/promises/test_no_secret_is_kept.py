"""No value of a policy is stored, whatever its name; that one has changed is seen all the same."""

import base64
import json
import shutil
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl.cli import run
from spsetl.simulator import Simulator, World, WorldSpec
from tests.syncing import ask, sync

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAsecret\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "pre-shared-key": "sec-01-psk",
    "pwd": "sec-02-pwd",
    "community": "sec-03-community",
    "encryption_key": "sec-04-encryption",
    "access_key": "sec-05-access",
    "pairs": [{"name": "password", "value": "sec-06-pair"}],
    "server": "ldap://binder:sec-07-url@ldap.example.com/",
    "certificate": base64.b64encode(PEM.encode()).decode(),
    "snmp": {"v3": {"auth": ["sec-08-deep", {"x": "sec-09-deeper"}]}},
    "as keys": {"sec-10-key": True},
    "sec-11 beside": 1,
    "pin": 86420975310,
    "name": {"text": "sec-12-no-name"},
}
TRACES = [b"sec-%02d" % number for number in range(1, 13)] + [base64.b64encode(PEM.encode())[:40], b"86420975310"]
PLACE = ("ssh", "connections", "mine")
SMALL = WorldSpec(sessions=30, days=3)


def traces(folder: Path) -> set[bytes]:
    """What of the secrets is in any file below the folder, and in any value of any table."""
    content = b""
    for path in folder.rglob("*"):
        if path.is_file():
            content += path.read_bytes()
        if path.suffix == ".parquet":
            content += repr(duckdb.sql(f"from '{path}'").fetchall()).encode()
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                names = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
                content += repr([connection.execute(f"from {s}.{t}").fetchall() for s, t in names]).encode()
    return {trace for trace in TRACES if trace in content}


def versions(folder: Path, key: str = "mine") -> list[Any]:
    """The bodies of one policy, the oldest first."""
    rows = ask(folder, f"select body from policies where policy_key = '{key}' order by valid_from")
    return [json.loads(body) for (body,) in rows]


@pytest.fixture
def world() -> World:
    """One with a policy that is full of secrets, in each kind of place."""
    made = World(SMALL)
    made.policies.put(*PLACE, SECRETS)
    made.policies.put("rdp", "channel_policies", "mine-too", {**SECRETS, "name": "two"})
    made.policies.put("vnc", "settings_policies", "mine-three", SECRETS)
    made.policies.put("ssh", "options", "options", {**SECRETS, "audit": {"cleanup": SECRETS}})
    return made


def test_no_value_is_stored_anywhere(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the lake nor in a database, a report, a log or the quarantine; only names, keys and retention are."""
    caplog.set_level("DEBUG")
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
    assert run(["report", "--data-dir", str(tmp_path)]) == 0
    assert run(["quarantine", "--raw", "--data-dir", str(tmp_path)]) == 0
    assert traces(tmp_path) == set()
    said = "".join(capsys.readouterr()) + caplog.text
    assert not [trace for trace in TRACES if trace.decode() in said]
    assert ask(tmp_path, "select name from policies where policy_key = 'mine-too'") == [("two",)]
    [body] = versions(tmp_path)
    assert set(body) == {"access_key", "certificate", "community", "encryption_key", "name", "other", "pairs", "pin",
                         "pwd", "server", "snmp"}  # fmt: skip
    assert all(value.startswith("hmac:") for value in body.values())
    assert len(set(body.values())) == len(body)


def test_a_change_is_seen_by_its_hash(world: World, tmp_path: Path) -> None:
    """And what has not changed is there once, with one key that nobody else may read."""
    key = tmp_path / "work" / "policies.key"
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        first = key.read_bytes()
        sync(simulator, tmp_path, details="none")
        world.policies.put(*PLACE, {**SECRETS, "pwd": "sec-02-pwd-2"})
        sync(simulator, tmp_path, details="none")
        before, after = versions(tmp_path)
        assert len(versions(tmp_path, "mine-too")) == 1
    assert {name for name in before if before[name] != after[name]} == {"pwd"}
    assert key.read_bytes() == first
    assert len(set(first)) > 8
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    expected = ask(tmp_path, "from policies order by all")
    assert run(["rebuild", "--data-dir", str(tmp_path)]) == 0
    assert ask(tmp_path, "from policies order by all") == expected


def test_equal_values_of_two_copies_have_unlike_hashes(world: World, tmp_path: Path) -> None:
    """So nobody can tell a value by trying, without the key."""
    with Simulator(world) as simulator:
        sync(simulator, tmp_path / "a", details="none")
        sync(simulator, tmp_path / "b", details="none")
    assert not set(versions(tmp_path / "a")[0].values()) & set(versions(tmp_path / "b")[0].values())


@pytest.mark.parametrize("left", [None, b"", b"short"])
def test_a_lost_key_is_one_new_version_of_each(left: bytes | None, world: World, tmp_path: Path) -> None:
    """Nothing breaks: a folder restored from its lake alone, or a key cut short by a power cut."""
    key = tmp_path / "work" / "policies.key"
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        policies = ask(tmp_path, "select count(*) from policies")[0][0]
        key.unlink()
        if left is not None:
            key.write_bytes(left)
        assert sync(simulator, tmp_path, details="none").rows["policies"] == policies
        assert sync(simulator, tmp_path, details="none").rows["policies"] == 0
    assert ask(tmp_path, "select count(*), count(valid_to) from policies") == [(2 * policies, policies)]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_what_an_older_version_has_kept_can_be_got_rid_of(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version replaces it; without the lake's policies, a rebuild leaves nothing of it: see upgrading.md."""
    with Simulator(world) as simulator:
        with monkeypatch.context() as patch:
            patch.setattr("spsetl.extract.policies.seal_policy", lambda policy, *_, **__: policy)
            sync(simulator, tmp_path, details="none")
        assert traces(tmp_path)
        sync(simulator, tmp_path, details="none")
        old, new = versions(tmp_path)
        assert old == json.loads(json.dumps(SECRETS))
        assert all(value.startswith("hmac:") for value in new.values())
        shutil.rmtree(tmp_path / "lake" / "policies")
        assert run(["rebuild", "--data-dir", str(tmp_path)]) == 0
        report = sync(simulator, tmp_path, details="none")
    assert report.is_complete
    assert len(versions(tmp_path)) == 1
    assert traces(tmp_path) == set()
