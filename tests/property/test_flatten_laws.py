"""Laws of flattening, against a boring reading that knows each field's outcome because it wrote the field."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spsetl.flatten import Flattener
from spsetl.schema import BY_NAME, DETAIL_TABLES, LINK_FIELDS, LIST_FIELDS, SESSIONS, Kind, Table

NOW = datetime(2026, 11, 1, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
Entries = list[tuple[int, str]]


@dataclass(frozen=True)
class Said:
    """A value as it comes, and what it is in its column and in `session_lists`; `fits` is False for a wrong shape."""

    raw: Any
    column: Any = None
    entries: Entries = field(default_factory=list)
    fits: bool = True


@dataclass(frozen=True)
class Placed:
    """A value at some spelling of a path; `rank` tells primary, aliases (in order) and unknown paths (None) apart."""

    keys: tuple[str, ...]
    said: Said
    path: str
    rank: int | None


def as_text(value: Any) -> str:
    """A scalar as the API writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def entries_of(values: list[Any]) -> Entries:
    """The rows of a list of scalars."""
    return [(i, as_text(value)) for i, value in enumerate(values) if value is not None]


def texts(*, is_list: bool) -> st.SearchStrategy[Said]:
    """What can be said at a text column."""
    single = (st.booleans() | st.integers(-9, 9) | TEXT).map(
        lambda v: Said(v, as_text(v), [(0, as_text(v))] if is_list else [])
    )
    several = st.lists(SCALARS, max_size=3).map(
        lambda v: Said(v, ",".join(t for _, t in entries_of(v)) if entries_of(v) else None, entries_of(v))
    )
    return single | several


def instants() -> st.SearchStrategy[Said]:
    """Times with an offset, and Unix seconds."""
    zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
    moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001 zones are drawn
    return moments.map(lambda m: Said(m.isoformat(), m.astimezone(UTC).replace(tzinfo=None))) | st.integers(
        1, 2**31
    ).map(lambda s: Said(s, datetime.fromtimestamp(s, UTC).replace(tzinfo=None)))


def canonical(value: Any) -> str:
    """JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def values_of(kind: Kind, *, is_list: bool) -> st.SearchStrategy[Said]:
    """What can be said at a column of that kind, in its right or in a wrong shape."""
    fitting: dict[Kind, st.SearchStrategy[Said]] = {
        Kind.TEXT: texts(is_list=is_list),
        Kind.INTEGER: st.integers(-(2**63), 2**63 - 1).flatmap(
            lambda n: st.sampled_from([Said(n, n), Said(str(n), n)])
        ),
        Kind.DOUBLE: st.floats(allow_nan=False, allow_infinity=False).flatmap(
            lambda x: st.sampled_from([Said(x, x), Said(repr(x), x)])
        ),
        Kind.BOOLEAN: st.booleans().flatmap(lambda b: st.sampled_from([Said(b, b), Said(str(b), b), Said(int(b), b)])),
        Kind.TIMESTAMP: instants(),
        Kind.JSON: JSON.filter(lambda v: v is not None).map(lambda v: Said(v, canonical(v))),
    }
    wrong: dict[Kind, list[Any]] = {
        Kind.INTEGER: ["soon", 1.5, True, 2**63, "1e3", " "],
        Kind.DOUBLE: ["NaN", True, "1e400", 10**400],
        Kind.BOOLEAN: ["yes", 2, 0.5],
        Kind.TIMESTAMP: ["soon", "2026-13-01", "+300000-01-01T00:00:00Z", True, 1_700_000_000_000, 10**30],
    }
    nothing = st.just(Said(None))
    if kind is Kind.JSON:
        return fitting[kind] | nothing
    objects = st.dictionaries(st.sampled_from("abc"), JSON, min_size=1, max_size=2).map(lambda v: Said(v, fits=False))
    if kind is Kind.TEXT:
        return fitting[kind] | nothing | objects
    lists = st.lists(SCALARS, min_size=1, max_size=3).map(lambda v: Said(v, fits=False))
    scalars = st.sampled_from(wrong[kind]).map(lambda v: Said(v, fits=False))
    return fitting[kind] | nothing | objects | lists | scalars


def spelled(path: str) -> st.SearchStrategy[tuple[str, ...]]:
    """The path nested, dotted, or partly so."""
    parts = path.split(".")
    joints = st.lists(st.booleans(), min_size=len(parts) - 1, max_size=len(parts) - 1)

    def join(dotted: list[bool]) -> tuple[str, ...]:
        keys = [parts[0]]
        for part, with_dot in zip(parts[1:], dotted, strict=True):
            keys[-1:] = [f"{keys[-1]}.{part}"] if with_dot else [keys[-1], part]
        return tuple(keys)

    return joints.map(join)


@st.composite
def known(draw: st.DrawFn) -> Placed:
    """A field of some column."""
    columns = [c for c in SESSIONS.columns if c.path and c.name not in {"recording_index_status", "start_time"}]
    column = draw(st.sampled_from([*columns, *(c for c in columns if c.path in LIST_FIELDS or c.aliases)]))
    spellings = [column.path, *column.aliases]
    rank = draw(st.integers(0, len(spellings) - 1))
    said = draw(values_of(column.kind, is_list=column.path in LIST_FIELDS))
    return Placed(draw(spelled(spellings[rank])), said, column.path, rank)


@st.composite
def unknown(draw: st.DrawFn) -> Placed:
    """A field that nobody knows, anywhere."""
    above = ["", "client.", "recording.target.", "psm.", "x.", "analytics.score.details.zz.", "zz."]
    path = draw(st.sampled_from(above)) + draw(st.sampled_from(["q1", "q2.deep", "q3"]))
    return Placed(draw(spelled(path)), Said(draw(JSON)), path, None)


LINKS = st.sampled_from(LINK_FIELDS).flatmap(
    lambda path: spelled(path).map(lambda keys: Placed(keys, Said("/api", "/api"), path, 0))
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, Any], list[Placed]]:
    """A session's body, and the fields in it."""
    start = Placed(("start_time",), Said(0, datetime(1970, 1, 1)), "start_time", 0)  # noqa: DTZ001 as columns hold it
    drawn = [start, *draw(st.lists(known() | unknown() | LINKS, max_size=12))]
    body: dict[str, Any] = {}
    leaves: set[tuple[str, ...]] = set()
    inner: set[tuple[str, ...]] = set()
    accepted = []
    for placed in drawn:
        above = {placed.keys[:n] for n in range(1, len(placed.keys))}
        if placed.keys in leaves | inner or above & leaves:
            continue
        put(body, placed.keys, placed.said.raw)
        leaves.add(placed.keys)
        inner |= above
        accepted.append(placed)
    return body, accepted


def put(body: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Put the value into the nested objects."""
    for key in keys[:-1]:
        body = body.setdefault(key, {})
    body[keys[-1]] = value


def expected_row(fields: list[Placed]) -> tuple[dict[str, Any], dict[str, Entries], dict[str, Any]]:
    """Columns, lists and extra, field by field."""
    columns: dict[str, Any] = {}
    lists: dict[str, Entries] = {}
    left = [f for f in fields if f.rank is None]
    for f in sorted((f for f in fields if f.rank is not None), key=lambda f: (f.rank, -len(f.keys), f.keys)):
        said = f.said
        if not said.fits:
            left.append(f)
        elif f.path in LINK_FIELDS or said.column is None:
            continue
        elif f.path not in columns:
            columns[f.path] = said.column
            lists |= {f.path: said.entries} if said.entries else {}
        elif (columns[f.path], lists.get(f.path, [])) != (said.column, said.entries):
            left.append(f)
    extra: dict[str, Any] = {}
    for f in left:
        put(extra, f.keys, f.said.raw)
    found = [(path, -len(keys), keys, v) for f in left for path, keys, v in lists_below(f.keys, f.said.raw)]
    for path, _, _, values in sorted(found, key=lambda item: item[:3]):
        lists.setdefault(path, entries_of(values))
    return columns, {path: entries for path, entries in lists.items() if entries}, extra


def lists_below(keys: tuple[str, ...], value: Any) -> Iterator[tuple[str, tuple[str, ...], list[Any]]]:
    """Every list of scalars below objects."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from lists_below((*keys, key), below)
    elif isinstance(value, list) and value and not any(isinstance(v, dict | list) for v in value):
        yield ".".join(keys), keys, value


def flattened(body: dict[str, Any], misfits: Counter[str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """The rows of one session; `misfits` is told what did not fit."""
    flattener = Flattener(appliance="a", run_id="r")
    flattener.add_sessions([{"key": "k", "body": body}], extracted_at=NOW)
    taken = flattener.take()
    if misfits is not None:
        misfits.update(flattener.quality.misfits)
    return {name: batch.to_pylist() for name, batch in taken.items()}


@given(documents())
def test_each_field_is_where_it_belongs(document: tuple[dict[str, Any], list[Placed]]) -> None:
    """Columns, lists and `extra` hold each field of the document, each where it belongs, and nothing else."""
    body, fields = document
    columns, lists, extra = expected_row(fields)

    misfits = Counter[str]()
    tables = flattened(body, misfits)
    (row,) = tables["sessions"]
    found: dict[str, Entries] = {}
    for entry in tables.get("session_lists", []):
        found.setdefault(entry["field"], []).append((entry["position"], entry["value"]))

    assert {c.path: row[c.name] for c in SESSIONS.columns if c.path and row[c.name] is not None} == columns
    assert found == lists
    assert row["extra"] == (canonical(extra) if extra else None)
    assert misfits == Counter(f"sessions.{f.path}" for f in fields if not f.said.fits)


def reordered(value: Any, draw: st.DrawFn) -> Any:
    """The same JSON with the keys of each object in another order."""
    if isinstance(value, dict):
        return {key: reordered(value[key], draw) for key in draw(st.permutations(list(value)))}
    return [reordered(v, draw) for v in value] if isinstance(value, list) else value


@given(documents(), st.data())
def test_order_of_keys_says_nothing(document: tuple[dict[str, Any], list[Placed]], data: st.DataObject) -> None:
    """The same document with its keys in another order is the same row, hash included."""
    body, _ = document
    one, other = flattened(body), flattened(reordered(body, data.draw))

    assert one["sessions"] == other["sessions"]
    assert rows_sorted(one) == rows_sorted(other)


def rows_sorted(tables: dict[str, list[dict[str, Any]]]) -> list[tuple[str, int, str]]:
    """The list rows, whose order in the table means nothing."""
    return sorted((row["field"], row["position"], row["value"]) for row in tables.get("session_lists", []))


MORE = ("time", "channel_id", "recording", "target", "index_status", "user", "server_username", "href", "events", "")
WORDS = st.sampled_from(MORE) | st.sampled_from(
    ("key", "body", "start_time", "client", "port", "client.port", "psm", "analytics", "score", "details", "record_id")
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    SCALARS | NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
)
ITEMS = st.lists(
    ANYTHING | st.fixed_dictionaries({"key": st.sampled_from([1, "2"]), "body": ANYTHING}), min_size=1, max_size=4
)


@given(ITEMS)
def test_any_answer_is_read_or_quarantined(items: list[Any]) -> None:
    """Whatever comes as a list of sessions, each item is a row or is in quarantine whole; batches keep their schema."""
    flattener = Flattener(appliance="a", run_id="r")
    flattener.add_sessions(items, extracted_at=NOW)
    taken = flattener.take()

    check_schemas(taken)
    kept = taken["sessions"]["session_key"].to_pylist() if "sessions" in taken else []
    raw = [json.loads(text) for text in taken["quarantine"]["raw"].to_pylist()] if "quarantine" in taken else []
    assert len(kept) == len(set(kept))
    for item in items:
        assert item in raw or str(item["key"]) in kept


@given(ITEMS, st.sampled_from(DETAIL_TABLES))
def test_any_details_are_read_or_quarantined(items: list[Any], table: Table) -> None:
    """Whatever comes as details, each item is a row, a repetition, or in quarantine whole."""
    flattener = Flattener(appliance="a", run_id="r")
    flattener.add_details(table, "s", items, extracted_at=NOW)
    taken = flattener.take()

    check_schemas(taken)
    distinct = {json.dumps(item, sort_keys=True) for item in items}
    assert len(distinct) <= sum(batch.num_rows for batch in taken.values()) <= len(items)
    keys = taken[table.name][table.key[-1]].to_pylist() if table.name in taken else []
    assert len(keys) == len(set(keys))


def check_schemas(taken: dict[str, Any]) -> None:
    """Each batch has the columns of its table."""
    for name, batch in taken.items():
        assert batch.schema == BY_NAME[name].arrow_schema
        batch.validate(full=True)


@given(st.lists(documents().map(lambda drawn: drawn[0]), min_size=1, max_size=8))
def test_a_session_is_the_same_among_others(bodies: list[dict[str, Any]]) -> None:
    """Sessions are read together, a column at a time, and whatever stands in one changes nothing for its neighbours."""
    items = [{"key": f"k{number}", "body": body, "meta": {"href": "/"}} for number, body in enumerate(bodies)]
    together = Flattener(appliance="a", run_id="r")
    together.add_sessions(items, extracted_at=NOW)
    alone: dict[str, list[Any]] = {}
    misfits = Counter[str]()
    for item in items:
        flattener = Flattener(appliance="a", run_id="r")
        flattener.add_sessions([item], extracted_at=NOW)
        for name, batch in flattener.take().items():
            alone.setdefault(name, []).extend(batch.to_pylist())
        misfits += flattener.quality.misfits

    assert by_row({name: batch.to_pylist() for name, batch in together.take().items()}) == by_row(alone)
    assert together.quality.misfits == misfits


def by_row(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """The rows of each table, in an order of their own."""
    return {name: sorted(map(repr, rows)) for name, rows in tables.items()}
