import http.client
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from spsetl.simulator import Fault, WorldSpec
from tests.browser import SESSIONS, Browser, Open, error

KINDS = ("channels", "events", "alerts", "trail_downloads", "indexing")
COUNT = f"{SESSIONS}/_count"


def path_of(key: str, kind: str) -> str:
    """Where the details of a session are."""
    return f"{SESSIONS}/{quote(key, safe='')}/{kind}"


def totals(browser: Browser) -> dict[str, int]:
    """What the control path tells of details."""
    return browser.ask("/simulator/details")


def test_downloads_are_served_as_they_are(open_browser: Open) -> None:
    """Plain items in pages with a count; most lists are empty, also those of sessions without a recording."""
    browser = open_browser(spec=WorldSpec(sessions=200, days=5), detail_limit=2)
    world = browser.simulator.world
    key = next(key for key in world if world.trail_downloads(key))
    for number in range(5):
        world.download(key, username=f"auditor{number}")
    walked = {each: browser.walk(path_of(each, "trail_downloads")) for each in world}
    assert walked == {each: world.trail_downloads(each) for each in world}
    assert 0 < sum(map(bool, walked.values())) < len(world) / 2
    first = browser.ask(path_of(key, "trail_downloads"))
    assert (len(first["items"]), first["meta"]["match_count"]) == (2, len(walked[key]))
    assert first["meta"]["parent"] == f"{SESSIONS}/{quote(key, safe='')}"
    assert error(browser.get(path_of("no-such-key", "trail_downloads"))) == (404, "NotFound")


def test_a_download_shows_though_the_revision_stays(open_browser: Open) -> None:
    """Whoever asks again only when the revision has grown will miss it."""
    browser = open_browser()
    world = browser.simulator.world
    key = next(key for key in world if world.indexing(key))
    listed = browser.ask(fields="*,revision")["items"]
    before = browser.ask(path_of(key, "trail_downloads"))["items"]
    world.download(key, username="olga", ip_address="10.9.9.9", from_api=True)
    after = browser.ask(path_of(key, "trail_downloads"))["items"]
    assert after[:-1] == before
    assert (after[-1]["username"], after[-1]["ip_address"], after[-1]["from_api"]) == ("olga", "10.9.9.9", True)
    assert browser.ask(fields="*,revision")["items"] == listed


def test_indexing_is_a_list_of_at_most_one(open_browser: Open) -> None:
    """None before the indexer began; 404 where there is no recording at all."""
    browser = open_browser(sessions=60)
    world = browser.simulator.world
    sizes = set()
    for key in world:
        answer, job = browser.get(path_of(key, "indexing")), world.indexing(key)
        if "recording" in world.session(key)["body"]:
            assert answer.json()["items"] == ([job] if job else [])
            sizes.add(answer.json()["meta"]["match_count"])
        else:
            assert error(answer) == (404, "NotFound")
            assert job is None
            sizes.add(None)
    assert sizes == {None, 0, 1}


@pytest.mark.parametrize("kind", ["trail_downloads", "indexing"])
def test_an_appliance_may_lack_an_endpoint(open_browser: Open, kind: str) -> None:
    """404 for every session, while the others are there."""
    browser = open_browser(**{kind: False})
    for key in browser.simulator.world:
        statuses = {each: browser.get(path_of(key, each)).status_code for each in KINDS}
        assert statuses.pop(kind) == 404
        assert {status for each, status in statuses.items() if each != "indexing"} == {200}


def test_older_appliances_write_the_time_of_a_download_in_seconds(open_browser: Open) -> None:
    """As they do all times."""
    browser = open_browser(times="epoch")
    world = browser.simulator.world
    key = next(key for key in world if world.indexing(key))
    world.download(key)
    assert browser.ask(path_of(key, "trail_downloads"))["items"][-1]["time"] == int(world.now.timestamp())


def test_a_session_with_very_many_events_is_served_page_by_page(open_browser: Open) -> None:
    """250,000 of them, no page of which makes more than it shows; the revision has grown."""
    browser = open_browser()
    world = browser.simulator.world
    key = next(key for key in world if world.events(key))
    before = world.session(key)["body"]["revision"]
    world.give_events(key, 250_000)
    path = path_of(key, "events")
    first = browser.ask(path, limit=500)
    last = browser.ask(first["meta"]["last"])
    assert (last["meta"]["offset"], len(last["items"]), last["meta"]["next"]) == (249_500, 500, None)
    middle = browser.ask(path, limit=500, offset=124_750)
    assert browser.ask(middle["meta"]["next"])["meta"]["offset"] == 125_250
    expected = world.events(key)
    assert len(expected) == 250_000
    assert first["items"] + middle["items"] + last["items"] == (
        expected[:500] + expected[124_750:125_250] + expected[-500:]
    )
    assert browser.ask(f"{SESSIONS}/{quote(key, safe='')}")["body"]["revision"] == before + 1


def test_all_pages_bring_all_events_beyond_ten_thousand(open_browser: Open) -> None:
    """Unless the appliance ignores large offsets there, too: then page one comes again."""
    browser, forgetful = open_browser(detail_limit=4000), open_browser(detail_limit=4000, detail_offset_limit=10_000)
    for each in (browser, forgetful):
        each.simulator.world.give_events(each.simulator.world.keys()[0], 14_500)
    world = browser.simulator.world
    path = path_of(world.keys()[0], "events")
    assert browser.walk(path) == world.events(world.keys()[0])
    first = world.events(world.keys()[0])[:4000]
    assert forgetful.ask(path, offset=12_000)["items"] == forgetful.ask(path)["items"] == first
    assert forgetful.ask(path, offset=8000)["meta"]["offset"] == 8000


def test_details_asked_for_twice_are_told(open_browser: Open) -> None:
    """By kind, session and revision: another kind, another session or a grown revision is no repetition."""
    browser = open_browser()
    simulator, world = browser.simulator, browser.simulator.world
    one, other = [key for key in world if world.indexing(key)][:2]
    for key in (one, other):
        for kind in KINDS:
            browser.ask(path_of(key, kind))
    assert totals(browser) == {"asked": 10, "repeated": 0}
    assert simulator.repeated_details == {}
    revision = world.session(one)["body"]["revision"]
    for _ in range(2):
        browser.ask(path_of(one, "alerts"), offset=0)
    browser.ask(path_of(other, "indexing"))
    repeated = {("alerts", one, revision): 3, ("indexing", other, world.session(other)["body"]["revision"]): 2}
    assert simulator.repeated_details == repeated
    world.change(one, verdict="LATER")
    browser.ask(path_of(one, "alerts"))
    assert simulator.repeated_details == repeated
    assert totals(browser) == {"asked": 11, "repeated": 2}
    browser.ask(path_of(one, "alerts"))
    assert simulator.repeated_details == repeated | {("alerts", one, revision + 1): 2}


def test_what_brought_nothing_or_only_a_part_is_no_repetition(open_browser: Open) -> None:
    """Later pages, filtered lists, errors, and all kinds of faults."""
    browser = open_browser()
    simulator, world = browser.simulator, browser.simulator.world
    key = next(key for key in world if world.indexing(key))
    log = next(key for key in world if world.session(key)["body"]["origin"] == "LOG")
    path = path_of(key, "events")
    browser.ask(path, offset=1)
    browser.ask(path, q="record_id:[0 TO *]")
    assert browser.get(path, limit="many").status_code == 400
    assert browser.get(path_of(log, "indexing")).status_code == 404
    for fault in (Fault.UNAVAILABLE, Fault.BAD_GATEWAY, Fault.SERVICE_UNAVAILABLE, Fault.HTML):
        simulator.fail_next(fault)
        browser.get(path)
    for fault in (Fault.RESET, Fault.HALF_BODY):
        simulator.fail_next(fault)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            browser.get(path)
    simulator.on_request = lambda kind, _path, _params: Fault.LOG_OUT if kind == "events" else None
    assert browser.get(path).status_code == 401
    simulator.on_request = None
    assert totals(browser) == {"asked": 0, "repeated": 0}
    browser.log_in()
    browser.ask(path)
    assert totals(browser) == {"asked": 1, "repeated": 0}
    assert simulator.repeated_details == {}


def test_whole_answers_count_also_where_the_connection_ends_with_them(open_browser: Open) -> None:
    """A client that asks for `Connection: close` is one that has its answer."""
    browser = open_browser()
    key = browser.simulator.world.keys()[0]
    for _ in range(2):
        assert browser.http.get(
            browser.simulator.url + path_of(key, "channels"), headers={"Connection": "close"}, timeout=10
        ).ok
    assert totals(browser) == {"asked": 1, "repeated": 1}


def test_a_client_that_has_gone_was_told_nothing(open_browser: Open) -> None:
    """Who hangs up before the answer may ask again."""
    browser = open_browser(latency=0.3)
    key = browser.simulator.world.keys()[0]
    address = urlsplit(browser.simulator.url)
    hasty = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies)
    hasty.request("GET", path_of(key, "channels"), headers={"Cookie": cookies})
    hasty.close()
    browser.ask(path_of(key, "channels"))
    assert browser.simulator.requests["channels"] == 2
    assert totals(browser) == {"asked": 1, "repeated": 0}


@pytest.mark.parametrize(("drift", "counted"), [(0, 30), (7, 37), (-7, 23), (-100, 0)])
def test_a_count_may_be_wrong(open_browser: Open, drift: int, counted: int) -> None:
    """By so many, never below zero; the list's own count is right."""
    browser = open_browser(count_drift=drift)
    assert browser.ask(COUNT) == {"count": counted}
    assert browser.ask()["meta"]["match_count"] == 30


def test_ranges_of_dates_may_not_be_taken(open_browser: Open) -> None:
    """400 wherever `q` is read, and only for dates."""
    taking, refusing = open_browser(), open_browser(date_ranges=False)
    q = "start_time:[2026-10-30T00:00:00+00:00 TO 2026-10-31T00:00:00.000Z}"
    start, end = datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)
    world = taking.simulator.world
    inside = [key for key in world if start <= datetime.fromisoformat(world.session(key)["body"]["start_time"]) < end]
    listed = [item["key"] for item in taking.ask(sort="start_time", q=q)["items"]]
    assert listed == inside
    assert taking.ask(COUNT, q=q) == {"count": len(inside)}
    assert 0 < len(inside) < len(world)
    for path in (SESSIONS, COUNT, f"{SESSIONS}/stats?field=protocol", f"{SESSIONS}/histogram?field=protocol"):
        assert taking.get(path, q=q).status_code == 200
        assert error(refusing.get(path, q=q)) == (400, "InvalidQuery")
        assert refusing.get(path, q="duration:[1 TO 5]").status_code == 200


@pytest.mark.parametrize("quirks", [{}, {"naming": "psm"}, {"revision_by_name": False}], ids=str)
@pytest.mark.parametrize(
    "fields",
    [
        "start_time,revision,protocol,user.name,client.ip,client.port,recording.session_id,hidden,phantom",
        "start_time",
        "revision",
        "server.address,server.name,active,end_time",
        "psm.connection_policy,verdict,duration",
    ],
)
def test_short_lists_show_what_the_sessions_have(open_browser: Open, fields: str, quirks: dict[str, Any]) -> None:
    """Field by field the value of the session's own document, nothing where it has none, and nothing else."""
    browser = open_browser(sessions=120, **quirks)
    for key in browser.simulator.world.keys()[:3]:
        browser.simulator.world.change(key, {"user.name": 'a%b"\n', "client": None, "server.name": ["x", 1]})
    items = browser.ask(fields=fields)["items"]
    assert len(items) == 120
    for item in items:
        own = browser.simulator.world.session(item["key"])["body"]
        assert item["body"] == _respelled(_projected(own, fields, quirks), quirks)
        assert json.dumps(item["body"]) == json.dumps(item["body"], sort_keys=True)


def _projected(body: dict[str, Any], fields: str, quirks: dict[str, Any]) -> dict[str, Any]:
    """The part of a body that fields name, in today's spelling."""
    chosen: dict[str, Any] = {}
    for asked in fields.split(","):
        name = asked.replace("psm.", "recording.").replace("address", "ip")
        parent, _, child = name.rpartition(".")
        place = body.get(parent) if parent else body
        if isinstance(place, dict) and child in place and (child, quirks) != ("revision", {"revision_by_name": False}):
            (chosen.setdefault(parent, {}) if parent else chosen)[child] = place[child]
    return chosen


def _respelled(body: dict[str, Any], quirks: dict[str, Any]) -> dict[str, Any]:
    """As 5.x spells it, if it does."""
    if quirks.get("naming") != "psm":
        return body
    return {
        {"recording": "psm"}.get(name, name): (
            {{"ip": "address"}.get(part, part): inner for part, inner in value.items()}
            if isinstance(value, dict) and name in {"client", "server"}
            else value
        )
        for name, value in body.items()
    }
