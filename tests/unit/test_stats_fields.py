"""Which column a field's name means, and how its values are written."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from spsetl import schema
from spsetl.analysis.lucene.fields import known_fields
from spsetl.analysis.population import check_field
from spsetl.errors import UsageError
from tests.statistics_oracle import Copy, Session, stats_of

SOME_TIME = datetime.fromisoformat("2024-02-29T12:34:56.789")
SPELLINGS = [
    (spelling, column.name)
    for column in schema.SESSIONS.columns
    for spelling in (column.path, *column.aliases, column.name)
    if spelling
]
PLAIN_COLUMNS = [column for column in schema.SESSIONS.columns if column.path not in schema.LIST_FIELDS]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy that each test fills."""
    made = Copy(tmp_path_factory.mktemp("fields") / "copy.duckdb")
    yield made
    made.close()


def counted(copy: Copy, field: str, **options: Any) -> dict[str, int]:
    """The values of a field, and how many sessions have each."""
    return {item["value"]: item["count"] for item in stats_of(copy, field, **options).as_json["items"]}


@pytest.mark.parametrize(("spelling", "column"), SPELLINGS)
def test_every_spelling_means_its_column(copy: Copy, spelling: str, column: str) -> None:
    """The path of the API, its older spellings and the column's own name are one and the same field."""
    check_field(spelling)

    _, rows = copy.rows("select field_column($1)", [spelling])

    assert rows == [(column,)]


def test_no_spelling_means_two_columns() -> None:
    """Each name of a field is that of one column."""
    assert len(known_fields()) == len({spelling for spelling, _ in SPELLINGS}) == len(set(SPELLINGS))


@pytest.mark.parametrize("field", schema.LIST_FIELDS)
def test_every_spelling_of_a_list_finds_its_values(copy: Copy, field: str) -> None:
    """A list-valued field is counted by the values in session_lists, however it is spelled."""
    copy.load([Session(SOME_TIME, lists={field: ["one", "two"]}), Session(SOME_TIME, lists={field: ["two", "two"]})])
    column = next(column for column in schema.SESSIONS.columns if column.path == field)

    for spelling in (field, column.name, *column.aliases):
        assert counted(copy, spelling) == {"two": 2, "one": 1}


@pytest.mark.parametrize("column", PLAIN_COLUMNS, ids=lambda column: column.name)
def test_every_other_field_has_one_value(copy: Copy, column: schema.Column) -> None:
    """A field that is no list is counted by its column."""
    value = {
        schema.Kind.BOOLEAN: True,
        schema.Kind.INTEGER: 7,
        schema.Kind.DOUBLE: 7.0,
        schema.Kind.TIMESTAMP: SOME_TIME,
    }.get(column.kind, "text")
    shown = {True: "true", 7: "7", SOME_TIME: "2024-02-29T12:34:56.789Z"}.get(value, str(value))
    copy.load([Session(SOME_TIME)])
    copy.connection.execute(f"update sessions set {column.name} = $1", [value])

    assert counted(copy, column.name) == {shown: 1}


@pytest.mark.parametrize(
    ("score", "shown"), [(21.0, "21"), (21.5, "21.5"), (0.0, "0"), (100.0, "100"), (-0.25, "-0.25"), (1e16, "1e+16")]
)
def test_numbers_are_written_as_the_appliance_does(copy: Copy, score: float, shown: str) -> None:
    """Whole numbers have no decimals, in a column as in the details of a score."""
    copy.load([Session(SOME_TIME, columns={"analytics_score_aggregated": score}, scores={"hostlogin": score})])

    assert counted(copy, "analytics.score.aggregated") == {shown: 1}
    assert counted(copy, "analytics.score.details.hostlogin.score") == {shown: 1}


def test_times_that_differ_stay_apart(copy: Copy) -> None:
    """Two times never share a text, not even where they differ by less than a millisecond."""
    finer = SOME_TIME.replace(microsecond=789_001)
    copy.load([Session(SOME_TIME), Session(SOME_TIME), Session(finer)])

    assert counted(copy, "start_time") == {"2024-02-29T12:34:56.789Z": 2, "2024-02-29T12:34:56.789001Z": 1}


def test_missing_sessions_count(copy: Copy) -> None:
    """What the appliance has deleted meanwhile is history, and counts."""
    copy.load([Session(SOME_TIME, columns={"protocol": "ssh", "missing_since": SOME_TIME}), Session(SOME_TIME)])

    assert counted(copy, "protocol") == {"ssh": 1}


def test_one_appliance_alone(copy: Copy) -> None:
    """Sessions of another appliance do not count when one is asked for, not even under the same key."""
    copy.load([Session(SOME_TIME, columns={"protocol": "ssh"}, lists={"analytics.tags": ["a"]}, appliance="one")])
    copy.connection.execute("insert into sessions select * replace ('two' as appliance) from sessions")
    copy.connection.execute(
        "insert into session_lists select * replace ('two' as appliance, 'b' as value) from session_lists"
    )

    assert counted(copy, "protocol") == {"ssh": 2}
    assert counted(copy, "protocol", appliance="one") == {"ssh": 1}
    assert counted(copy, "analytics.tags", appliance="two") == {"b": 1}
    assert counted(copy, "analytics.tags", sub_field="protocol") == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("field", "nearest"),
    [
        ("recording.conection_policy", "recording.connection_policy"),
        ("user.nmae", "user.name"),
        ("psm.channel_polcy", "psm.channel_policy"),
        ("protocoll", "protocol"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest(field: str, nearest: str) -> None:
    """The message names the field that may have been meant."""
    with pytest.raises(UsageError, match=re.escape(f"unknown field {field!r}; did you mean {nearest!r}?")):
        check_field(field)


def test_nothing_like_a_field_is_refused() -> None:
    """Where no field comes near, the message proposes none."""
    with pytest.raises(UsageError, match=r"^unknown field 'x\+y'$"):
        check_field("x+y")


def test_an_unknown_field_is_an_error_in_sql(copy: Copy) -> None:
    """Whoever calls the macro is told, and gets no empty answer, not even from an empty copy."""
    copy.load([])
    for field in ("nope", "user[.]name", "user_.*", "analytics.score.details"):
        with pytest.raises(UsageError, match="No matching columns"):
            copy.rows(f"from session_stats('{field}')")


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        ("session_stats($field)", {"recording_connection_policy"}),
        ("session_stats($field, sub_field := 'protocol')", {"recording_connection_policy", "protocol"}),
        ("session_histogram('day', field := $field)", {"recording_connection_policy", "start_time", "end_time"}),
    ],
)
def test_only_the_columns_of_the_question_are_read(copy: Copy, call: str, columns: set[str]) -> None:
    """The field is known before the plan is made, bound or not, so that no other column is scanned."""
    # Of a column that holds nothing, or one value, the plan knows without a look.
    hours = [timedelta(hours=n) for n in range(1, 4)]
    copy.load(
        [
            Session(SOME_TIME),
            *(
                Session(
                    SOME_TIME + hour,
                    SOME_TIME + 2 * hour,
                    columns={"protocol": f"protocol {hour}", "recording_connection_policy": f"policy {hour}"},
                )
                for hour in hours
            ),
        ]
    )
    for field in ("recording.connection_policy", "psm.connection_policy"):
        _, rows = copy.rows(f"explain (format json) from {call}", {"field": field})

        scans = list(_scans(json.loads(rows[0][1])))
        assert {table for table, _ in scans} == {"copied.main.sessions"}
        read = {name for _, names in scans for name in names}
        # A column that is only asked whether it is null can be read as a filter of the scan.
        assert read == columns or read == columns - {"recording_connection_policy"}


def _scans(node: Any) -> Iterator[tuple[str, list[str]]]:
    """The tables that a plan scans, and the columns of them."""
    if isinstance(node, list):
        for one in node:
            yield from _scans(one)
    elif isinstance(node, Mapping):
        told = node.get("extra_info", {})
        if "Table" in told:
            names = told.get("Projections", [])
            yield told["Table"], [names] if isinstance(names, str) else names
        yield from _scans(node.get("children", []))
