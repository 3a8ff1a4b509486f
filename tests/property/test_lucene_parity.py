"""`q` finds in the copy what the appliance that it was copied from finds: the simulated one, which shares no code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl.analysis.lucene.compile import compile_query
from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.cli import run
from spsetl.schema import LIST_FIELDS
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.simulator.documents import canonical, scalars
from spsetl.simulator.search import Filter, Search
from tests.browser import SESSIONS, Browser
from tests.statistics_oracle import histogram_of
from tests.syncing import sync

SPEC = WorldSpec(sessions=240, days=12, hostile_text=0.1, unknown_fields=0.2, offsets=0.2)
# A kind of each feature of the language; each finds some of the sessions and not all.
EXPRESSIONS = (
    "protocol:ssh",
    "protocol:ssh AND NOT verdict:ACCEPT",
    "protocol:(ssh OR rdp) AND verdict:accept",
    "protocol:(ssh rdp) -verdict:accept",
    "+verdict:accept protocol:rdp",
    "(protocol:ssh OR protocol:rdp) AND (origin:LOG OR origin:VAULT)",
    "user.server_username:root",
    "psm.connection_policy:ssh-policy-?",
    "recording.connection_policy:*-policy-1 OR target.address:10.110.100.1*",
    'recording.session_id:"svc/*" OR session_id:svc\\/*policy-0\\:*',
    "analytics.score.details.keystroke.score:[70 TO *]",
    "analytics.score.aggregated:{20 TO 80} AND analytics.scripted:false",
    "client.port:>=40000 AND duration:<600",
    "start_time:[2026-10-24 TO 2026-10-26}",
    "start_time:{2026-10-24T12:00:00+02:00 TO 2026-10-28T00:00:00.000-05:00]",
    "end_time:2026-10-25 OR creation_time:>2026-10-29",
    "_exists_:analytics.tags",
    "NOT deny_reason:* AND recording.index_status:(INDEXED NOT_INDEXED)",
    "active:true OR vault.is_emergency:true",
    'ssh AND "root"^2',
    "protocol:ssh && !verdict:accept",
    "protocol:rdp || origin:LOG",
    "protocol:ssh OR verdict:accept AND origin:LOG",
    "client.ip:[10.30.7.10 TO 10.30.7.100]",
    'client.ip:"10.20.0.0/16" AND NOT target.address:10.110.100.32\\/28',
    "start_time:[2026-10-31||-7d/d TO 2026-10-31||-1d/d}",
    "end_time:>=2026-11-01||-1w\\/w",
    "start_time:2026-10 AND score:>50",
)
TEXTS = (
    "protocol",
    "verdict",
    "user.name",
    "name",
    "gateway_username",
    "server.name",
    "psm.connection_policy",
    "channel_policy",
    "recording.verdict",
    "recording.session_id",
    "recording.audit_trail.archive.server",
    "recording.archive.path",
    "recording.index_status",
    "vault.account_name",
    "trail_download_link",
    *LIST_FIELDS,
)
ADDRESSES = ("client.ip", "server.address", "recording.server_local.ip", "psm.target.address")
NUMBERS = (
    "duration",
    "port",
    "client.port",
    "revision",
    "content_reference_id",
    "analytics.score.aggregated",
    "analytics.score.details.keystroke.score",
)
TIMES = ("start_time", "end_time", "creation_time", "psm.archive.date", "vault.created.timestamp", "vault.expired")
TRUTHS = ("active", "hidden", "archived", "analytics.scripted", "vault.is_emergency")
# Objects: everything below them.
OBJECTS = ("vault", "log", "user", "recording.audit_trail", "analytics.score.details", "psm.target")
OPERATORS = (" AND ", " OR ", " ", " AND NOT ", " && ", " || ", " -", " !", " OR NOT ")
_PROTECTED = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/<>\s])')


class Both:
    """A simulated appliance and the published copy of it.

    `values` are what sessions have, by field, in the appliance's own words; times and numbers too.
    """

    def __init__(self, simulator: Simulator, browser: Browser, folder: Path, warehouse: Warehouse) -> None:
        self.simulator, self.browser, self.folder, self.warehouse = simulator, browser, folder, warehouse
        self.values = values_of(simulator.world)

    def __repr__(self) -> str:
        return "Both()"  # all the values would make a failure unreadable

    def find(self, q: str, wanted: str = "") -> tuple[set[str], set[str]]:
        """The sessions that the appliance finds, and those that the copy finds; its expression may be another."""
        search = Search(self.simulator.world, Quirks())
        theirs = {session.key for session in search.matches(Filter(q=wanted or q))}
        condition = compile_query(q, now=self.simulator.world.now)
        _, rows = self.warehouse.rows(f"select session_key from sessions where {condition.sql}", condition.parameters)
        return theirs, {key for (key,) in rows}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A world, synced once."""
    folder = tmp_path_factory.mktemp("lucene")
    with Simulator(World(SPEC)) as simulator:
        sync(simulator, folder, details="none")
        browser = Browser(simulator)
        with browser.http, open_warehouse(folder) as warehouse:
            yield Both(simulator, browser, folder, warehouse)


def values_of(world: World) -> dict[str, list[str]]:
    """The values of each field, or one that no session has."""
    search = Search(world, Quirks())
    found = {}
    for field in (*TEXTS, *ADDRESSES, *NUMBERS, *TIMES):
        values = (search.value(session, canonical(field)) for session in search.world.by_start())
        found[field] = sorted({str(scalar) for value in values for scalar in scalars(value)}) or ["nothing"]
    return found


@pytest.mark.parametrize("q", EXPRESSIONS)
def test_stats_of_an_expression_are_those_of_the_appliance(
    both: Both, q: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`spsetl stats --q` prints the appliance's own answer, and the expression leaves out some sessions but not all."""
    theirs = both.browser.ask(f"{SESSIONS}/stats", field="user.name", q=q)
    del theirs["meta"]["remaining_seconds"]

    assert run(["stats", "user.name", "--q", q, "--format", "json", "--data-dir", str(both.folder)]) == 0
    ours = json.loads(capsys.readouterr().out)

    assert ours == theirs
    assert 0 < len(both.find(q)[1]) < SPEC.sessions


@pytest.mark.parametrize("field", ["protocol", "user.server_username", "analytics.score.details.command.score"])
def test_sub_fields_and_ranges_of_time_narrow_further(
    both: Both, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--q`, a sub-field, a start and an end the answer is that of the appliance, for lists too."""
    bounds = {"start": "2026-10-22", "end": "2026-10-29"}
    asked = {"field": field, "sub_fields": "user.server_username", "size": "3", **bounds}
    theirs = both.browser.ask(f"{SESSIONS}/stats", q="verdict:accept NOT protocol:rdp", **asked)
    del theirs["meta"]["remaining_seconds"]

    options = ["--sub-field", "user.server_username", "--size", "3", "--start", "2026-10-22", "--end", "2026-10-29"]
    wanted = ["--q", "verdict:accept NOT protocol:rdp", "--match", "contained", "--format", "json"]
    assert run(["stats", field, *options, *wanted, "--data-dir", str(both.folder)]) == 0

    assert json.loads(capsys.readouterr().out) == theirs


@pytest.mark.parametrize("q", EXPRESSIONS[::4])
def test_histograms_of_an_expression_are_those_of_the_appliance(both: Both, q: str) -> None:
    """With `q`, bins and both counts are the appliance's."""
    asked = {"field": "protocol", "bin_size": "day", "start": "2026-10-20", "end": "2026-10-31"}
    theirs = both.browser.ask(f"{SESSIONS}/histogram", q=q, **asked)

    ours = histogram_of(
        both.warehouse,
        field="protocol",
        start="2026-10-20",
        end="2026-10-31",
        match="contained",
        q=q,
        now=both.simulator.world.now,
    )

    assert ours.as_json["body"] == theirs["body"]


def escaped(value: str) -> str:
    """The value as a word."""
    return _PROTECTED.sub(r"\\\1", value)


def quoted(value: str) -> str:
    """The value as a phrase."""
    inner = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{inner}"'


@st.composite
def words(draw: st.DrawFn, values: list[str]) -> str:
    """A value in some case, as a word or a phrase, or with wildcards in it."""
    value = draw(st.sampled_from(values))
    value = draw(st.sampled_from([value, value.upper(), value.lower()]))
    way = draw(st.sampled_from(["word", "phrase", "start", "end", "one"]))
    if way == "phrase" or not value.isprintable() or not value:
        return quoted(value)
    at = draw(st.integers(0, len(value) - 1))
    return {
        "word": escaped(value),
        "start": escaped(value[:at]) + "*",
        "end": "*" + escaped(value[at:]),
        "one": escaped(value[:at]) + "?" + escaped(value[at + 1 :]),
    }[way]


@st.composite
def spans(draw: st.DrawFn, values: list[str]) -> str:
    """A range between two of the values, which may be empty."""
    low, high = (draw(st.sampled_from([*values, "*"])) for _ in range(2))
    plain = draw(st.booleans()) and not _PROTECTED.search(low.replace(":", "") + high.replace(":", "").replace("-", ""))
    low, high = (end if plain or end == "*" else quoted(end) for end in (low, high))
    if draw(st.booleans()) and low not in {"*", ""} and not plain:
        return draw(st.sampled_from([">", ">=", "<", "<="])) + low
    return f"{draw(st.sampled_from('[{'))}{low} TO {high}{draw(st.sampled_from(']}'))}"


@st.composite
def networks(draw: st.DrawFn, values: list[str]) -> str:
    """A network around one of the values."""
    bits = draw(st.integers(8, 32))
    return quoted(f"{draw(st.sampled_from(values))}/{bits}")


@st.composite
def calculated(draw: st.DrawFn) -> str:
    """A range of times that are worked out."""
    steps = st.lists(st.sampled_from(["-1M", "-3d", "+36h", "/d", "/w", "/M", "/y", "/h", "+90m", "-20s"]), max_size=3)
    anchors = st.sampled_from(["now", "now", "2026-10-25||", "2026-10-31T10:30:00+02:00||", "2026-10||"])
    low, high = (draw(anchors) + "".join(draw(steps)) for _ in range(2))
    return f"{draw(st.sampled_from('[{'))}{low} TO {high}{draw(st.sampled_from(']}'))}"


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of others."""
    several = st.lists(inner.map(lambda text: f"({text})"), min_size=2, max_size=3)
    return (
        st.tuples(st.sampled_from(OPERATORS), several).map(lambda pair: pair[0].join(pair[1]))
        | st.tuples(st.sampled_from(["NOT ", "-", "!", "+", ""]), inner).map(lambda pair: f"{pair[0]}({pair[1]})")
        | inner.map(lambda text: f"({text})")
    )


@st.composite
def leaves(draw: st.DrawFn, both: Both) -> str:
    """What an expression says of one field, or of none."""
    field = draw(st.sampled_from([*TEXTS, *ADDRESSES, *NUMBERS, *TIMES, *TRUTHS, *OBJECTS, ""]))
    if not field:
        return draw(words(both.values["user.name"]) | st.sampled_from(["*", "*:*", "rdp", "ACC*", "?oot", "h264"]))
    if field in OBJECTS or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([f"_exists_:{field}", f"{field}:*"]))
    if field in TRUTHS:
        return f"{field}:" + draw(st.sampled_from(["true", "False", "t*", "?alse"]))
    values = both.values[field]
    if field in ADDRESSES:
        return f"{field}:{draw(spans(values) | words(values) | networks(values))}"
    if field in TIMES and draw(st.booleans()):
        return f"{field}:{draw(calculated())}"
    one = spans(values) | (words(values) if field in TEXTS else st.sampled_from(values).map(quoted))
    return f"{field}:" + draw(one | joined(one).map(lambda text: f"({text})"))


def expressions(both: Both) -> st.SearchStrategy[str]:
    """Expressions of the grammar, about what sessions have."""
    return st.recursive(leaves(both), joined, max_leaves=4)


@settings(max_examples=100)
@given(data=st.data())
def test_any_expression_finds_what_the_appliance_finds(both: Both, data: st.DataObject) -> None:
    """Whatever the expression, the copy finds the sessions that the appliance finds."""
    q = data.draw(expressions(both))

    theirs, ours = both.find(q)

    assert ours == theirs


@pytest.mark.parametrize(
    "q",
    ["carbon_grams:[20 TO 60}", "labels:PRI*", 'labels:"ünknown, LABEL"', "ticketing.approver.level:>1", "ticketing:2",
     "ticketing.ids:*", "recording.codec:h264", "NOT _exists_:labels"],
)  # fmt: skip
def test_fields_that_no_column_holds_are_asked_by_path(both: Both, q: str) -> None:
    """With `extra.` before its path, a field that nobody has heard of is found as the appliance finds it."""
    renamed = re.sub(r"(carbon_grams|labels|ticketing|recording\.codec)", r"extra.\1", q)

    theirs, ours = both.find(renamed, q)

    assert ours == theirs
    assert ours
