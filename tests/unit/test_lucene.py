"""`q` and `--content` as conditions on sessions: what they find, and how they complain."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.analysis.lucene.compile import compile_query, content_condition
from spsetl.analysis.lucene.fields import known_fields
from spsetl.analysis.population import Population
from spsetl.errors import UsageError
from tests.statistics_oracle import Copy, Session, stats_of

START = datetime.fromisoformat("2024-03-01T12:00")
SESSIONS = (
    Session(
        START,
        columns={"protocol": "SSH", "user_name": "50%_off\\", "duration": 0, "recording_session_id": "svc/a:b (c)"},
        lists={"analytics.tags": ("night shift", "pci"), "labels": ("Blue",)},
        scores={"keystroke": 70.0, "command": 12.5},
    ),
    Session(
        datetime.fromisoformat("2024-03-02T23:59:59.999500"),
        columns={"protocol": "rdp", "user_name": "50xyoff", "duration": 2**53 + 1, "client_ip": "fe80::1"},
    ),
    Session(
        datetime.fromisoformat("2024-03-03"),
        columns={
            "user_name": "",
            "active": True,
            "extra": '{"sizes": {"a/b": 5, "~c": "10"}, "dotted.name": "x", "list": [{"deep": "Y"}], "null": null}',
            "analytics_scripted_results": '{"clockmaster": {"result": false, "reason": "too regular"}}',
        },
    ),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Three sessions: 0, 1 and 2."""
    made = Copy(tmp_path_factory.mktemp("lucene") / "copy.duckdb")
    made.load(SESSIONS)
    made.connection.execute("insert into events (appliance, session_key, record_id, action, content) values "
        "('sps', 'key-0', 1, 'rm -rf /', '$ rm -rf /'), ('sps', 'key-1', 1, 'ls', null)")  # fmt: skip
    made.connection.execute("insert into alerts (appliance, session_key, record_id, matched_action, matched_content) "
        "values ('sps', 'key-1', 1, null, 'Titel: RM 100%'), ('other', 'key-2', 1, 'rm', 'rm')")  # fmt: skip
    made.connection.execute("insert into detail_fetches by name select appliance, session_key, 'events' as kind, "
        "'fetched' as status from sessions where session_key <> 'key-2'")  # fmt: skip
    yield made
    made.close()


def found(copy: Copy, condition: Any) -> str:
    """The numbers of the sessions that a condition finds; it must be true or false for each."""
    _, rows = copy.rows(f"select session_key[5:], {condition.sql} from sessions order by 1", condition.parameters)
    assert all(passes in {True, False} for _, passes in rows)
    return "".join(number for number, passes in rows if passes)


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        ("protocol:ssh", "0"),
        ("NOT protocol:ssh", "12"),
        ("protocol:(ssh rdp)", "01"),
        ("-protocol:ssh", "12"),
        ("*", "012"),
        ("*:*", "012"),
        ("user.name:50%_off\\\\", "0"),
        ("user.name:50%?off*", "0"),
        ("user.name:50?_off*", "0"),
        ("user.name:50??off*", "01"),
        ("user.name:50\\**", ""),
        ('user.name:"50*"', ""),
        ('user.name:""', "2"),
        ("user_name:*", "012"),
        ("_missing_:protocol", "2"),
        ("_exists_:protocol", "01"),
        ("protocol:{rdp TO z]", "0"),
        ("protocol:[RDP TO *]", "01"),
        ("duration:0", "0"),
        ("duration:<1e3", "0"),
        ("duration:9007199254740993", "1"),
        ("duration:>9007199254740992", "1"),
        ("duration:[-5 TO 5]", "0"),
        ("duration:[5 TO -5]", ""),
        ("duration:[* TO *]", "01"),
        ("start_time:2024-03-02", "1"),
        ("start_time:2024-03-02T23:59:59.999Z", "1"),
        ("start_time:2024-03-01T13:00:00+01:00", "0"),
        ("start_time:1709294400", "0"),
        ("start_time:1709294400000", "0"),
        ("start_time:[2024-03-01 TO 2024-03-02]", "01"),
        ("start_time:[2024-03-01 TO 2024-03-02}", "0"),
        ("start_time:{2024-03-01 TO *]", "12"),
        ("start_time:>2024-03-02T23:59:59.999", "2"),
        ("start_time:<=2024-03-02T23:59:59.999", "01"),
        ("start_time:2024-03-02T23*", "1"),
        ("active:TRUE", "2"),
        ("tags:pci", None),
        ("analytics.tags:PCI", "0"),
        ("analytics_tags:night*", "0"),
        ("analytics.tags:(pci AND night*)", "0"),
        ("NOT analytics.tags:pci", "12"),
        ("analytics.score.details.keystroke.score:[70 TO *]", "0"),
        ("analytics.score.details.keystroke:>70", ""),
        ("analytics.score.details:12.5", "0"),
        ("analytics:pci", "0"),
        ("analytics.scripted_results.clockmaster.reason:too*", "2"),
        ("analytics.scripted_results:false", "2"),
        ("client.address:fe80\\:\\:1", "1"),
        ("client.ip:[fe80::1 TO fe80::2]", "1"),
        ("client:*", "1"),
        ("extra.sizes.a/b:5.0", "2"),
        ("extra.sizes.a\\/b:5.0", "2"),
        ("extra.sizes.~c:[9 TO 11]", None),
        ("extra.sizes.\\~c:[9 TO 11]", "2"),
        ("extra.sizes:>9", "2"),
        ("extra.list:y", "2"),
        ("extra:x", "2"),
        ("_exists_:extra.null", ""),
        ("NOT extra.sizes.nothing:1", "012"),
        ("blue", "0"),
        ("y", "2"),
        ("70", "0"),
        ("true", "2"),
        ('"too regular"', "2"),
        ("appliance:sps AND session_key:key\\-1", "1"),
        ("ssh^2 OR nothing", "0"),
        ("protocol:(ssh OR duration:>5)", "01"),
        ("content:rm", "01"),
        ('content:"RM -rf"', "0"),
        ("content:(rm AND ls)", "1"),
        ("content:* AND NOT content:titel", "0"),
        ("NOT content:rm", "2"),
        ("events.content:rm", "0"),
        ('psm.alerts.matched_content:"rm 100%"', "1"),
        ("alerts.matched_action:*", ""),
        ("-ssh", "12"),
        ("too* OR nothing OR (blue AND NOT rdp)", "02"),
    ],
)  # fmt: skip
def test_expressions_find_what_they_mean(copy: Copy, q: str, numbers: str | None) -> None:
    """Words, wildcards, phrases, ranges, lists, scores, objects and JSON; None where the expression is refused."""
    if numbers is None:
        with pytest.raises(UsageError):
            compile_query(q)
    else:
        assert found(copy, compile_query(q)) == numbers


@pytest.mark.parametrize(
    ("q", "complaint"),
    [
        ("protocl:ssh", "unknown field 'protocl' at position 1 of q: did you mean 'protocol'?"),
        ("protocol:ssh AND usr.name:x", "unknown field 'usr.name' at position 18 of q: did you mean 'user.name'?"),
        ("_exists_:nope", "unknown field 'nope' at position 10"),
        ("(protocol:ssh OR  zzz:1)", "unknown field 'zzz' at position 19 of q: (what no column holds"),
        ("start_time:[2024-03-01T10:00:00+02:00 TO *] zzz:1", "unknown field 'zzz' at position 45"),
        ("protocol:ssh)", "position 13, from ')' on"),
        ('protocol:"ssh', "position 10, from '\"ssh' on: is a quote open?"),
        ("a AND OR b", "position 7, from 'OR b' on"),
        ("client.ip:fe80::1", "position 16, from ':1' on"),
        ("(protocol:ssh", "position 14, its end"),
        ("protocol:ssh AND", "position 17, its end"),
        ("duration:[1 TO", "position 15, its end"),
        ("  ", "is empty"),
        ("duration:long", "position 10: the field holds numbers, and 'long' is none"),
        ("duration:nan", "the field holds numbers"),
        ("protocol:x duration:[5 TO many]", "position 27"),
        ("active:perhaps", "position 8: the field is true or false"),
        ("start_time:[yesterday TO *]", "position 13: cannot read 'yesterday' as a time"),
        ("start_time:>9999-12-31", "position 13: '9999-12-31' is too far off"),
        ("user.name:bob~", "position 11: fuzzy words (~) are not supported"),
        ('"a b"~2', "position 1: distances of words (~) are not supported"),
        ("user.name:/b.*/", "position 11: regular expressions are not supported"),
        ("content:su*", "position 9: * and ? are not supported in contents"),
        ('content:""', "position 9: the text to look for is empty"),
        ("extra.sizes:[5 TO many]", "position 13: one end of the range is a number"),
        ('client.ip:"10.0.0.0/255.0.0.0"', "position 11: '10.0.0.0/255.0.0.0' is no network"),
        ("\ud800", "no UTF-8"),
        ("_exists_:(a b)", "position 10: a word is expected"),
        ("(" * 5000 + "a" + ")" * 5000, "nested too deeply"),
        ("NOT " * 5000 + "a", "position 5, from 'NOT NOT"),
    ],
)
def test_what_is_wrong_is_named_with_its_position(q: str, complaint: str) -> None:
    """Positions count from 1; a field that is nearly right is guessed."""
    with pytest.raises(UsageError) as refused:
        compile_query(q)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("field", known_fields())
def test_every_field_is_understood_in_every_spelling(copy: Copy, field: str) -> None:
    """Whatever `stats` can count by, `q` can ask for."""
    assert found(copy, compile_query(f"(NOT _exists_:{field}) OR {field}:*")) == "012"


@given(text=st.text(max_size=40))
def test_any_text_is_refused_or_answered(copy: Copy, text: str) -> None:
    """DuckDB understands whatever the compiler lets through."""
    try:
        condition = compile_query(text)
    except UsageError:
        return
    found(copy, condition)


@given(text=st.text(max_size=40))
def test_nothing_that_a_person_writes_gets_into_the_sql(copy: Copy, text: str) -> None:
    """In quotes, any text at all is a value and nothing else."""
    value = text.replace("\\", "\\\\").replace('"', '\\"')
    phrase = compile_query(f'user.name:"{value}"')
    assert phrase.sql == compile_query("user.name:x").sql
    assert phrase.parameters == {"q0": text}
    names = [str(session.columns["user_name"]) for session in SESSIONS]
    assert found(copy, phrase) == "".join(str(at) for at, name in enumerate(names) if name == text.lower())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("rm", "01"),
        ("RM -rf", "0"),
        ("rf rm", "0"),
        ('"rm -rf"', "0"),
        ('"rf rm"', ""),
        ("100%", "1"),
        ("1%0", ""),
        ("$", "0"),
        ("ls titel", ""),
    ],
)
def test_content_is_searched_in_events_and_alerts(copy: Copy, text: str, numbers: str) -> None:
    """All words within one event or one alert of the session, in any case and as parts of longer words."""
    assert found(copy, content_condition(text)) == numbers


def test_content_goes_with_an_expression(copy: Copy) -> None:
    """Both narrow the sessions that are counted."""
    stats = stats_of(copy, "protocol", q="NOT duration:0", content="rm")
    assert stats.rows == [("rdp", 1, 0)]


def test_content_says_what_it_is_not(copy: Copy) -> None:
    """Not the recorded screen; sessions without events in the copy are counted, if any are asked for."""
    [notice] = Population(content="rm").notices(copy)
    assert "not the recorded screen; 1 of the 3 sessions" in notice
    assert Population(content="rm", q="protocol:*").notices(copy) == [notice.partition(";")[0]]
    assert Population(content="rm", start="2024-03-03").notices(copy)[0].count("1 of the 1 sessions") == 1
    assert Population(q="content:rm").notices(copy) == [notice]
    assert Population(q="protocol:*").notices(copy) == []
    with pytest.raises(UsageError, match="is empty"):
        content_condition(' "" ')
