"""`q` counts exactly what the appliance's language means, or refuses, and says so where it is misread easily."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl.analysis.lucene.compile import compile_query
from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.cli import run
from spsetl.errors import UsageError
from tests.published import publish_sessions

pytestmark = pytest.mark.usefixtures("no_settings")

NOW = datetime(2026, 11, 18, 14, 30, 15, 500_000)  # noqa: DTZ001 as the tables hold it
PAGE = (Path(__file__).parents[2] / "sql" / "Q.md").read_text("utf-8")
ADDRESSES = (
    *("10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.10", "10.0.0.50", "10.0.0.51", "10.0.0.255", "10.0.1.0", "9.255.0.0"),
    *("192.168.0.7", "255.255.255.255", "0.0.0.1", "fe80::1", "FE80:0:0:0:0:0:0:00ff", "2001:db8::", "2001:db8:0:1::5"),
    *("2001:db8::ffff:10.0.0.1", "::", "::1", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:10.0.0.2"),
)  # fmt: skip
NO_ADDRESSES = (
    *("", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.1 ", "10.0.0.1x", "1::2::3", "1:2:3::4::5:6", ":::", "12345::"),
    *("1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "::1:2:3:4:5:6:7:8", "fe80::1%eth0", "::10.0.0.256", "gateway", ":1", "1:"),
)
VALUES = (*ADDRESSES, *NO_ADDRESSES, None)
SESSIONS: list[dict[str, Any]] = [
    {
        "client_ip": address,
        "protocol": ("SSH", "RDP", "ICA")[number % 3],
        "verdict": "ACCEPT" if number % 2 else "DENY",
        "user_name": ("root", "and", "ssh", "gateway")[number % 4],
        "start_time": NOW - timedelta(days=number, hours=number, milliseconds=number % 2 * 500),
        "duration": number,
        "analytics_score_aggregated": float(number * 3),
        "active": number % 5 == 0,
    }
    for number, address in enumerate(VALUES)
]  # fmt: skip
Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published copy."""
    return publish_sessions(tmp_path_factory.mktemp("exact"), SESSIONS)


@pytest.fixture(scope="module")
def warehouse(folder: Path) -> Iterator[Warehouse]:
    """The copy, open."""
    with open_warehouse(folder) as warehouse:
        yield warehouse


def asked(folder: Path, capsys: pytest.CaptureFixture[str], q: str) -> tuple[list[int], str]:
    """The numbers of the sessions that the command finds, and what it says beside them."""
    code = run(["search", q, "--data-dir", str(folder), "--columns", "session_key", "--limit", "0", "--format", "csv"])
    said = capsys.readouterr()
    assert code == 0, said.err
    found = [int(row[0].removeprefix("key-")) for row in csv.reader(io.StringIO(said.out[said.out.index("\n") + 1 :]))]
    return sorted(found), said.err


def numbers(passes: Callable[[Row], bool]) -> list[int]:
    """The numbers of the sessions that pass, by plain Python."""
    return [number for number, session in enumerate(SESSIONS) if passes(session)]


def counted(warehouse: Warehouse, q: str, now: datetime = NOW) -> list[int]:
    """The numbers of the sessions that the library finds."""
    found = compile_query(q, now=now)
    _, rows = warehouse.rows(f"select session_key from sessions where {found.sql}", found.parameters)
    return sorted(int(key.removeprefix("key-")) for (key,) in rows)


def address_of(text: str | None) -> int | None:
    """An address as a number, IPv4 as the part of IPv6 that stands for it; None for what is none."""
    try:
        found: IPv4Address | IPv6Address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return int(ip_address(f"::ffff:{found}"))
    return None if found.scope_id else int(found)


def between(low: str, high: str) -> Callable[[Row], bool]:
    """Whether the client's address is one of these."""
    first, last = address_of(low), address_of(high)
    assert first is not None
    assert last is not None

    def passes(session: Row) -> bool:
        address = address_of(session["client_ip"])
        return address is not None and first <= address <= last

    return passes


@pytest.mark.parametrize(
    ("q", "low", "high"),
    [
        ("client.ip:[10.0.0.1 TO 10.0.0.50]", "10.0.0.1", "10.0.0.50"),
        ("client.ip:{10.0.0.1 TO 10.0.0.50}", "10.0.0.2", "10.0.0.49"),
        ("client.ip:[10.0.0.1 TO 10.0.0.50}", "10.0.0.1", "10.0.0.49"),
        ('client.address:{"10.0.0.1" TO "10.0.0.50"]', "10.0.0.2", "10.0.0.50"),
        ("client.ip:(>=10.0.0.9 AND <10.0.0.255)", "10.0.0.9", "10.0.0.254"),
        ("client.ip:[* TO 10.0.0.2]", "::", "10.0.0.2"),
        ('client.ip:"10.0.0.0/24"', "10.0.0.0", "10.0.0.255"),
        ("client.ip:10.0.0.0\\/24", "10.0.0.0", "10.0.0.255"),
        ("client.ip:10.0.0.7\\/24", "10.0.0.0", "10.0.0.255"),
        ("client_ip:10.0.0.1\\/32", "10.0.0.1", "10.0.0.1"),
        ("client.ip:0.0.0.0\\/0", "::ffff:0.0.0.0", "255.255.255.255"),
        ('client.ip:"2001:db8::/32"', "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("client.ip:fe80\\:\\:\\/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("client.ip:[fe80::1 TO fe80::ff]", "fe80::1", "fe80::ff"),
        ('client.ip:"FE80:0::ff"', "fe80::ff", "fe80::ff"),
        ('client.ip:"::ffff:10.0.0.2"', "10.0.0.2", "10.0.0.2"),
        ("client.ip:10.0.0.2", "10.0.0.2", "10.0.0.2"),
        ('"10.0.0.0/24"', "10.0.0.0", "10.0.0.255"),
    ],
)
def test_addresses_are_compared_as_addresses(
    folder: Path, capsys: pytest.CaptureFixture[str], q: str, low: str, high: str
) -> None:
    """Ranges and networks; text that is no address is in none of them."""
    assert asked(folder, capsys, q) == (numbers(between(low, high)), "")
    assert asked(folder, capsys, f"NOT {q}") == (numbers(lambda s: not between(low, high)(s)), "")


def test_text_that_is_no_address_is_found_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its whole value or a pattern, as any other text."""
    assert asked(folder, capsys, "client.ip:gateway")[0] == numbers(lambda s: s["client_ip"] == "gateway")
    assert asked(folder, capsys, "client.ip:10.0.0.*")[0] == numbers(
        lambda s: (s["client_ip"] or "").startswith("10.0.0.")
    )


def is_ssh(session: Row) -> bool:
    """A leaf of an expression."""
    return bool(session["protocol"] == "SSH")


def is_accepted(session: Row) -> bool:
    """Another."""
    return bool(session["verdict"] == "ACCEPT")


def is_long(session: Row) -> bool:
    """A third."""
    return bool(session["duration"] >= 20)


A, B, C = "protocol:ssh", "verdict:accept", "duration:>=20"


@pytest.mark.parametrize(
    ("q", "passes"),
    [
        (f"{A} && {B}", lambda s: is_ssh(s) and is_accepted(s)),
        (f"({A})&&({B})", lambda s: is_ssh(s) and is_accepted(s)),
        (f"{A} || {B}", lambda s: is_ssh(s) or is_accepted(s)),
        (f"!{A}", lambda s: not is_ssh(s)),
        (f"{A} && !{B}", lambda s: is_ssh(s) and not is_accepted(s)),
        (f"{A} !{B}", lambda s: is_ssh(s) and not is_accepted(s)),
        (f"+{A} {B}", is_ssh),
        (f"+{A} -{B} {C}", lambda s: is_ssh(s) and not is_accepted(s)),
        (f"{A} {B} -{C}", lambda s: (is_ssh(s) or is_accepted(s)) and not is_long(s)),
        (f"-{A} -{B}", lambda s: not is_ssh(s) and not is_accepted(s)),
        (f"{C} && ({A} || (!{B}))", lambda s: is_long(s) and (is_ssh(s) or not is_accepted(s))),
        (f"{C} && (!{A})", lambda s: is_long(s) and not is_ssh(s)),
        ("protocol:(ssh && !rdp)", is_ssh),
        ("protocol:(ssh || ica)", lambda s: s["protocol"] in {"SSH", "ICA"}),
        (f"({A})^2 AND {B}^0.5", lambda s: is_ssh(s) and is_accepted(s)),
        ("key:key-0003 OR session_key:key\\-0004", lambda s: s["duration"] in {3, 4}),
        ("key:key-000?", lambda s: s["duration"] < 10),
        ("score:[9 TO 30}", lambda s: 9 <= s["analytics_score_aggregated"] < 30),
        ("score:>=100", lambda s: s["analytics_score_aggregated"] >= 100),
        ("duration:{3 TO 6]", lambda s: 3 < s["duration"] <= 6),
        ("\\u0072oot", lambda s: s["user_name"] == "root"),
        ("protocol:[ica TO rdp]", lambda s: s["protocol"] != "SSH"),
    ],
)
def test_operators_are_those_of_the_language(
    folder: Path, capsys: pytest.CaptureFixture[str], q: str, passes: Callable[[Row], bool]
) -> None:
    """In both spellings, as prefixes, in groups and in a field's group; nothing needs a note."""
    assert asked(folder, capsys, q) == (numbers(passes), "")


@pytest.mark.parametrize(
    ("q", "passes", "note"),
    [
        ("protocol=ssh", lambda _: False, "field:value"),
        ("protocol != ssh", lambda s: s["user_name"] == "ssh" or is_ssh(s), "field:value"),
        ("ssh and accept", lambda s: s["user_name"] in {"and", "ssh"} or is_ssh(s) or is_accepted(s), "write AND"),
        ("protocol:(ssh or ica)", lambda s: s["protocol"] in {"SSH", "ICA"}, "write OR"),
        ("not ssh", lambda s: s["user_name"] == "ssh" or is_ssh(s), "write NOT"),
        ("duration > 5", lambda s: s["duration"] == 5, "field:>value"),
        ("ssh&&accept", lambda _: False, "blanks"),
        (f"{A} OR {B} AND {C}", lambda s: is_accepted(s) and is_long(s), "parentheses"),
        (f"{A} OR NOT {B}", lambda s: is_ssh(s) and not is_accepted(s), "parentheses"),
        (f"{A} AND {B} {C}", lambda s: is_ssh(s) and is_accepted(s), "parentheses"),
        ("client.ip:10.0.0.0/24", between("10.0.0.0", "10.0.0.255"), "\\/"),
    ],
)
def test_what_is_misread_easily_draws_one_note(
    folder: Path, capsys: pytest.CaptureFixture[str], q: str, passes: Callable[[Row], bool], note: str
) -> None:
    """It is read as the language reads it, and one line says so, for each command and for the library."""
    found, said = asked(folder, capsys, q)
    assert found == numbers(passes)
    assert said.replace("no session found\n", "").count("\n") == 1
    assert note in said
    for command in (["stats", "protocol", "--q", q], ["histogram", "--q", q]):
        assert run([*command, "--data-dir", str(folder)]) == 0
        told = capsys.readouterr().err
        assert (told.count("\n"), note in told) == (1, True)
    with open_warehouse(folder) as warehouse, pytest.warns(UserWarning, match="q") as warned:
        assert len(warehouse.search(q, columns=["session_key"])) == len(found)
    assert len(warned) == 1


def test_content_in_an_expression_says_what_is_searched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No session of this copy has events, which is said with the answer; not of those alone that are found."""
    for command in (["search", 'content:"rm -rf"'], ["stats", "protocol", "--q", "NOT content:rm"]):
        assert run([*command, "--data-dir", str(folder)]) == 0
        assert f"not the recorded screen; {len(SESSIONS)} of the {len(SESSIONS)} sessions" in capsys.readouterr().err


SPAN = timedelta
DAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
MINUTE = NOW.replace(second=0, microsecond=0)


@pytest.mark.parametrize(
    ("q", "first", "after"),
    [
        ("start_time:[now-7d/d TO now]", DAY - SPAN(days=7), NOW + SPAN(milliseconds=1)),
        ("start_time:>=now-7d", NOW - SPAN(days=7), None),
        ("start_time:>now-7d\\/d", DAY - SPAN(days=6), None),
        ("start_time:{now-7d/d TO now/d}", DAY - SPAN(days=6), DAY),
        ("start_time:[* TO now-1d/d]", None, DAY),
        ("start_time:<now-1d\\/d", None, DAY - SPAN(days=1)),
        ("start_time:[now/w TO now+1h/h]", DAY - SPAN(days=2), NOW.replace(hour=16, minute=0, second=0, microsecond=0)),
        ("start_time:[now-1m/m TO now/m}", MINUTE - SPAN(minutes=1), MINUTE),
        ("start_time:[2026-10-01||+1M/d TO *]", datetime(2026, 11, 1), None),  # noqa: DTZ001
        ("start_time:[* TO 2026-10-01||+1M/d]", None, datetime(2026, 11, 2)),  # noqa: DTZ001
        ("start_time:[* TO 2026-10-01||+1M]", None, datetime(2026, 11, 1, 0, 0, 0, 1000)),  # noqa: DTZ001
        ("start_time:[* TO 2026-10-31T00:00:00Z||-1M]", None, datetime(2026, 9, 30, 0, 0, 0, 1000)),  # noqa: DTZ001
        ("start_time:{2026-10-01||/M TO *}", datetime(2026, 11, 1), None),  # noqa: DTZ001
        ("start_time:[2026-10 TO 2026-10]", datetime(2026, 10, 1), datetime(2026, 11, 1)),  # noqa: DTZ001
        ("start_time:2026", datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
        ('start_time:"now-1M/y"', datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
        ("start_time:[now-1y/y+5d TO now-2h]", datetime(2025, 1, 6), NOW - SPAN(hours=2, milliseconds=-1)),  # noqa: DTZ001
    ],
)
def test_date_math(warehouse: Warehouse, q: str, first: datetime | None, after: datetime | None) -> None:
    """A rounded end is there whole or left out whole, as Elasticsearch has it."""
    wanted = numbers(
        lambda s: (first is None or s["start_time"] >= first) and (after is None or s["start_time"] < after)
    )
    assert counted(warehouse, q) == wanted


def test_now_is_the_moment_of_asking(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line, without anything said."""
    assert asked(folder, capsys, "start_time:[now-1000y TO now+100y/d]") == (numbers(lambda _: True), "")
    assert asked(folder, capsys, "start_time:>now+100y") == ([], "no session found\n")


@pytest.mark.parametrize(
    ("q", "at"),
    [
        ("root~", 1),
        ("user.name:root~1", 11),
        ('"a b"~3', 1),
        ("ssh AND user.name:/ro.*/", 19),
        ("client.ip:10.0.0.0/24 OR client.ip:10.1.0.0/16", 19),
        ("client.ip:[10.0.0 TO 10.0.0.9]", 12),
        ("client.ip:[gateway TO *]", 12),
        ("client.ip:10.0.0.0\\/33", 11),
        ("client.ip:>=10.0.0.0\\/24", 13),
        ("[1 TO 5]", 1),
        ("client:[1 TO 5]", 8),
        ("active:[false TO true]", 8),
        ("duration:[1 5]", 10),
        ("start_time:>now-7x", 13),
        ("start_time:>now-7d\\/2d", 13),
        ("start_time:>2026-13-01", 13),
        ("start_time:>now-99999999y", 13),
        ("protocol:ssh&&verdict:accept", 22),
        ("ssh - rdp", 5),
        ("! ssh", 1),
        ("--ssh", 2),
        ("NOT NOT ssh", 5),
        ("ssh &&", 7),
        ("user.name:corp\\user", 15),
        ("ssh^high", 4),
        ("user.\\*:root", 1),
        ("content:su*", 9),
        ("content:[a TO b]", 9),
        ("root\\", 5),
    ],
)
def test_what_cannot_be_answered_exactly_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], q: str, at: int
) -> None:
    """Wrong usage, in one line that says where."""
    assert run(["search", q, "--data-dir", str(folder)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert f"position {at}" in said.err


@given(text=st.from_regex(r"[0-9a-fA-F:.]{1,24}", fullmatch=True) | st.ip_addresses().map(str) | st.text(max_size=12))
@settings(max_examples=200)
def test_addresses_are_read_as_python_reads_them(warehouse: Warehouse, text: str) -> None:
    """The number of an address in SQL, or none."""
    _, [(ours,)] = warehouse.rows("select as_address($text)", {"text": text})
    theirs = address_of(text)
    assert ours == (None if theirs is None else f"{theirs:032x}")


def examples(name: str) -> list[str]:
    """The expressions of a table of the page about `q`, in the code of its first column."""
    table = PAGE.split(f"<!-- {name} -->")[1].split(f"<!-- {name}: end -->")[0]
    return [found.replace("\\|", "|") for found in re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)]


@pytest.mark.parametrize("q", examples("understood"))
def test_what_the_page_says_is_understood_is(warehouse: Warehouse, q: str) -> None:
    """Answered, without a note."""
    counted(warehouse, q)
    assert compile_query(q).notes == ()


@pytest.mark.parametrize("q", examples("noted"))
def test_what_the_page_says_draws_a_note_does(warehouse: Warehouse, q: str) -> None:
    """Answered, with one."""
    counted(warehouse, q)
    assert len(compile_query(q).notes) == 1


@pytest.mark.parametrize("q", examples("refused"))
def test_what_the_page_says_is_refused_is(q: str) -> None:
    """With its position."""
    with pytest.raises(UsageError, match="at position"):
        compile_query(q)


def leaves() -> st.SearchStrategy[tuple[str, Callable[[Row], bool]]]:
    """Expressions of one condition, and what they mean in plain Python."""
    ends = st.sampled_from(ADDRESSES)
    ranges = st.tuples(ends, ends).map(lambda pair: (f'client.ip:["{pair[0]}" TO "{pair[1]}"]', between(*pair)))
    networks = st.tuples(ends, st.integers(0, 128)).map(lambda pair: network(*pair))
    words = st.sampled_from([(A, is_ssh), (B, is_accepted), (C, is_long), ("*", lambda _: True)])
    return ranges | networks | words


def network(address: str, bits: int) -> tuple[str, Callable[[Row], bool]]:
    """The network of so many bits around an address."""
    found = ip_network(f"{address}/{min(bits, ip_address(address).max_prefixlen)}", strict=False)
    return f'client.ip:"{found}"', between(str(found[0]), str(found[-1]))


Clause = tuple[str, str, tuple[str, Callable[[Row], bool]]]


def joined(clauses: list[Clause]) -> tuple[str, Callable[[Row], bool]]:
    """Clauses side by side, in a group: each with an operator before it, and with a prefix."""
    text = "".join(f" {operator} {prefix}{inner}" for operator, prefix, (inner, _) in clauses)[len(clauses[0][0]) + 1 :]

    def passes(session: Row) -> bool:
        musts, options, excluded = [], [], []
        for number, (_, prefix, (_, inner)) in enumerate(clauses):
            following = clauses[number + 1][0] if number + 1 < len(clauses) else ""
            is_joined = following in {"AND", "&&"} or (number > 0 and clauses[number][0] in {"AND", "&&"})
            kind = excluded if prefix in {"-", "!", "NOT "} else musts if prefix == "+" or is_joined else options
            kind.append(inner(session))
        return all(musts) and not any(excluded) and (bool(musts) or not options or any(options))

    return f"({text.strip()})", passes


def expressions() -> st.SearchStrategy[tuple[str, Callable[[Row], bool]]]:
    """Expressions of the grammar, and what they mean."""
    operators, prefixes = (
        st.sampled_from(["", "AND", "&&", "OR", "||"]),
        st.sampled_from(["", "", "+", "-", "!", "NOT "]),
    )

    def several(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(st.tuples(operators, prefixes, inner), min_size=1, max_size=4).map(joined)

    return st.recursive(leaves(), several, max_leaves=6)


@settings(max_examples=150)
@given(expression=expressions())
def test_any_expression_counts_what_plain_python_counts(
    warehouse: Warehouse, expression: tuple[str, Callable[[Row], bool]]
) -> None:
    """Addresses, networks, ranges and every operator, as the classic parser of Lucene puts clauses together."""
    q, passes = expression
    assert counted(warehouse, q) == numbers(passes)


@pytest.mark.parametrize("joint", [" ", " AND ", " -", " OR "])
def test_many_words_cost_one_scan(warehouse: Warehouse, joint: str) -> None:
    """However many words without a field there are, each table is read as often as for two of them."""
    scans = [
        compile_query(joint.join(f"{mark}word{number}" for number in range(many))).sql.count(" from ")
        for many in (2, 20)
        for mark in ("", "*")
    ]
    assert scans[:2] == scans[2:]
    assert counted(warehouse, joint.join(["root", *(f"word{number}" for number in range(19))])) == (
        numbers(lambda s: s["user_name"] == "root") if joint != " AND " else []
    )


def test_too_many_words_are_refused() -> None:
    """Of words without a field as many as can be looked for; of others as many as the appliance takes."""
    with pytest.raises(UsageError, match="words without a field"):
        compile_query(" ".join(f"word{number}" for number in range(51)))
    compile_query(" ".join(f"duration:{number}" for number in range(1024)))
    with pytest.raises(UsageError, match="1,024"):
        compile_query(" ".join(f"duration:{number}" for number in range(1025)))
