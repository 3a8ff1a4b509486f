import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests

from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec
from tests.browser import SESSIONS, SNAPSHOT, Open, error


def test_a_snapshot_stays_as_it_was(open_browser: Open) -> None:
    """Whatever arrives, changes or goes while it is walked; there is neither offset nor match_count."""
    browser = open_browser(sessions=90, snapshot_short_pages=True, snapshot_empty_last_page=True)
    world = browser.simulator.world
    before = {key: world.session(key)["body"] for key in world}
    snapshot = browser.ask(SNAPSHOT)["body"]["snapshot"]
    path = f"{SESSIONS}?snapshot={snapshot}&fields=*,revision&sort=start_time&limit=20"
    first = browser.ask(path)
    assert not {"offset", "match_count"} & set(first["meta"])
    world.add()
    world.change(world.keys()[50], verdict="LATER")
    world.delete(world.keys()[60])
    items, sizes, following = first["items"], [len(first["items"])], first["meta"]["next"]
    while following:
        page = browser.ask(following)
        items, following = items + page["items"], page["meta"]["next"]
        sizes.append(len(page["items"]))
    assert [item["key"] for item in items] == list(before)
    assert all(item["body"]["revision"] == before[item["key"]]["revision"] for item in items)
    assert all(item["body"]["verdict"] == before[item["key"]]["verdict"] for item in items)
    assert sizes[-1] == 0
    assert 0 < min(sizes[:-1]) < 20


def test_a_snapshot_belongs_to_one_and_dies_of_neglect(open_browser: Open) -> None:
    """The same User-Agent gets the same one again, another 429; after five minutes without a query it is gone."""
    browser = open_browser()
    snapshot = browser.ask(SNAPSHOT)["body"]["snapshot"]
    assert browser.ask(SNAPSHOT)["body"]["snapshot"] == snapshot
    browser.http.headers["User-Agent"] = "another"
    assert browser.get(SNAPSHOT).status_code == 429
    browser.simulator.advance_clock(299)
    assert browser.get(SESSIONS, snapshot=snapshot).status_code == 200
    browser.simulator.advance_clock(300)
    assert error(browser.get(SESSIONS, snapshot=snapshot)) == (404, "NotFound")
    assert browser.ask(SNAPSHOT)["body"]["snapshot"] != snapshot


@pytest.mark.parametrize(
    ("switch", "path"),
    [
        ("snapshots", SNAPSHOT),
        ("counts", f"{SESSIONS}/_count"),
        ("stats", f"{SESSIONS}/stats?field=protocol"),
        ("histogram", f"{SESSIONS}/histogram?field=protocol"),
    ],
)
def test_what_an_appliance_lacks_is_not_found(open_browser: Open, switch: str, path: str) -> None:
    """404 where it is switched off, 200 where it is not."""
    assert open_browser().get(path).status_code == 200
    assert error(open_browser(**{switch: False}).get(path)) == (404, "NotFound")


def test_rights_may_be_missing(open_browser: Open) -> None:
    """403 for searching, or only for the configuration."""
    assert error(open_browser(search_right=False).get(SESSIONS)) == (403, "Unauthorized")
    browser = open_browser(configuration_right=False)
    assert error(browser.get("/api/configuration/ssh/options")) == (403, "Unauthorized")
    assert browser.get(SESSIONS).status_code == 200


def test_both_shapes_of_the_clean_up_options(open_browser: Open) -> None:
    """As 8.0 and as 6.x have them, for each protocol."""
    new, old = open_browser(), open_browser(options_shape="audit.cleanup")
    for protocol in ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql"):
        path = f"/api/configuration/{protocol}/options"
        cleanup = new.ask(path)["body"]["channel_database_cleanup"]
        older = old.ask(path)["body"]["audit"]["cleanup"]
        assert older["enabled"] == cleanup["enabled"]
        assert older.get("channel_database_cleanup_days") == cleanup.get("days")
    assert error(new.get("/api/configuration/smtp/options")) == (404, "NotFound")


def test_failures_come_as_ordered(open_browser: Open) -> None:
    """Statuses, HTML of a proxy, a reset, half a body, a lost login; then all is well again."""
    browser = open_browser()
    for fault, status in (("unavailable", 500), ("bad_gateway", 502), ("service_unavailable", 503), ("log_out", 401)):
        browser.simulator.fail_next(fault)
        assert browser.get(SESSIONS).status_code == status
    browser.log_in()
    browser.simulator.fail_next(Fault.HTML)
    assert browser.get(SESSIONS).text.startswith("<!DOCTYPE html>")
    for fault in (Fault.RESET, Fault.HALF_BODY):
        browser.simulator.fail_next(fault)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            browser.get(SESSIONS, fields="*")
    browser.simulator.fail_next(Fault.HANG)
    with pytest.raises(requests.exceptions.ReadTimeout):
        browser.http.get(browser.simulator.url + SESSIONS, timeout=0.1)
    assert browser.get(SESSIONS).status_code == 200


def test_a_poisoned_session_always_fails_in_its_own_way(open_browser: Open) -> None:
    """Also on a day on which all others fail, until it is cured."""
    browser = open_browser(unavailable=1)
    path = f"{SESSIONS}/{quote(browser.simulator.world.keys()[0], safe='')}"
    browser.simulator.poison(browser.simulator.world.keys()[0], "404", "session", "events")
    assert [browser.get(path + below).status_code for below in ("", "/events", "/channels")] == [404, 404, 500]
    browser.simulator.cure(browser.simulator.world.keys()[0], "session")
    assert [browser.get(path + below).status_code for below in ("", "/events")] == [500, 404]


def test_power_may_go_and_come(open_browser: Open) -> None:
    """Without power connections are reset; with it again, one must log in anew."""
    browser = open_browser()
    browser.simulator.cut_power()
    with pytest.raises(requests.ConnectionError):
        browser.get(SESSIONS)
    browser.simulator.restore_power()
    assert browser.get(SESSIONS).status_code == 401


def test_the_hook_sees_each_request_and_may_change_the_world(open_browser: Open) -> None:
    """Before its answer; and it may choose a fault."""
    browser = open_browser()
    world, seen = browser.simulator.world, []

    def hook(kind: str, path: str, params: Any) -> Fault | None:
        seen.append((kind, path, params.get("offset")))
        if kind == "list":
            world.delete(world.keys()[0])
        return Fault.UNAVAILABLE if kind == "count" else None

    browser.simulator.on_request = hook
    assert browser.ask(offset=3)["meta"]["match_count"] == 29
    assert browser.get(f"{SESSIONS}/_count").status_code == 500
    assert seen == [("list", SESSIONS, "3"), ("count", f"{SESSIONS}/_count", None)]
    assert browser.simulator.requests == {"authentication": 1, "list": 1, "count": 1}


def test_large_answers_are_compressed_for_those_who_ask(open_browser: Open) -> None:
    """Small ones and switched off ones are not; the content is the same."""
    browser = open_browser()
    large = browser.get(SESSIONS, fields="*")
    assert large.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in browser.get("/api/info").headers
    browser.http.headers["Accept-Encoding"] = "identity"
    plain = browser.get(SESSIONS, fields="*")
    assert "Content-Encoding" not in plain.headers
    assert plain.json()["items"] == large.json()["items"]
    assert "Content-Encoding" not in open_browser(gzip=False).get(SESSIONS, fields="*").headers


def test_control_is_outside_the_api(open_browser: Open) -> None:
    """A night can be let pass and the requests counted over HTTP, without a login."""
    browser = open_browser()
    browser.http.cookies.clear()
    sessions = browser.ask("/simulator/world")["sessions"]
    night = browser.ask("/simulator/advance-night")
    assert night == {"now": "2026-11-02T00:00:00+00:00", "sessions": len(browser.simulator.world)}
    assert night["sessions"] != sessions
    assert browser.ask("/simulator/requests") == {"authentication": 1}
    assert browser.get("/simulator/other").status_code == 404


def test_it_stops_at_once_whatever_goes_on() -> None:
    """Open connections, a request that hangs and one that waits do not hold it up."""
    simulator = Simulator(World(WorldSpec(sessions=1)), Quirks(latency=30))
    simulator.start()
    simulator.fail_next(Fault.HANG)
    with requests.Session() as http:
        for _ in range(2):
            with pytest.raises(requests.exceptions.ReadTimeout):
                http.get(f"{simulator.url}/api/info", timeout=0.05)
        began = time.monotonic()
        simulator.stop()
        assert time.monotonic() - began < 0.2
        with pytest.raises(requests.ConnectionError):
            http.get(f"{simulator.url}/api/info", timeout=10)


def test_answers_of_several_connections_overlap() -> None:
    """With a latency, eight clients wait together, not one after the other."""
    with Simulator(World(WorldSpec(sessions=1)), Quirks(latency=0.1)) as simulator:
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: requests.get(f"{simulator.url}/api/info", timeout=10), range(8)))
        took = time.monotonic() - began
    assert [answer.status_code for answer in answers] == [200] * 8
    assert 0.1 <= took < 0.6


def test_a_taken_port_is_an_error() -> None:
    """And leaves nothing behind."""
    world = World(WorldSpec(sessions=1))
    with Simulator(world) as simulator:
        port = int(simulator.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            Simulator(world, port=port, tls=True).start()
