import base64
from urllib.parse import quote

import pytest
import requests

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.browser import SESSIONS, Browser, Open, error


def test_a_login_sets_cookies_that_let_in(open_browser: Open) -> None:
    """session_id has 40 hex digits; without it there is 401; /api/info tells strangers less."""
    browser = open_browser()
    cookies = browser.http.cookies
    assert len(bytes.fromhex(cookies["session_id"])) == 20
    assert "ticket" in cookies
    assert "firmware_version" in browser.ask("/api/info")["body"]
    assert browser.ask(limit=1)["meta"]["remaining_seconds"] == 1200
    browser.http.cookies.clear()
    assert error(browser.get(SESSIONS)) == (401, "Unauthenticated")
    assert set(browser.ask("/api/info")["body"]) == {"hostname", "plugin_sdk_version"}


def test_a_login_ends_after_inactivity_only(open_browser: Open) -> None:
    """Each request renews it."""
    browser = open_browser(login_seconds=100)
    for _ in range(3):
        browser.simulator.advance_clock(90)
        assert browser.get(SESSIONS).status_code == 200
    browser.simulator.advance_clock(100)
    assert error(browser.get(SESSIONS)) == (401, "Unauthenticated")


def test_wrong_credentials_are_refused_and_block_in_the_end(open_browser: Open) -> None:
    """After 20 failures not even the right password helps, for ten minutes."""
    browser = open_browser()
    for _ in range(20):
        assert error(browser.log_in(("audit", "wrong"))) == (401, "AuthenticationFailure")
    assert error(browser.log_in()) == (401, "AuthenticationFailure")
    browser.simulator.advance_clock(601)
    assert browser.log_in().status_code == 200


def test_login_methods_and_utf8() -> None:
    """An unknown login method fails; names and passwords are UTF-8."""
    with Simulator(World(WorldSpec(sessions=1)), username="用户", password="pässwörd:with:colons") as simulator:
        header = "Basic " + base64.b64encode("用户:pässwörd:with:colons".encode()).decode()
        for method, status in (("local", 200), ("ldap", 200), ("unheard", 401)):
            url = f"{simulator.url}/api/authentication?login_method={method}"
            assert requests.get(url, headers={"Authorization": header}, timeout=10).status_code == status


def test_tls_and_client_certificates() -> None:
    """The certificate is the simulator's own CA's; a client certificate logs in where Basic is not used."""
    with Simulator(World(WorldSpec(sessions=1)), tls=True) as simulator:
        url = f"{simulator.url}/api/authentication?type=x509&login_method=x509"
        own, other = (str(simulator.issue_client_certificate(name)) for name in ("audit", "stranger"))
        trusted = str(simulator.ca_file)
        assert requests.get(url, verify=trusted, cert=own, timeout=10).status_code == 200
        assert requests.get(url, verify=trusted, cert=other, timeout=10).status_code == 401
        assert requests.get(url, verify=trusted, timeout=10).status_code == 401
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(simulator.url, timeout=10)
    assert simulator.ca_file is None


def test_the_list_shows_what_fields_ask_for(open_browser: Open) -> None:
    """Nothing by default; `*` lacks revision, hidden, phantom and links; dotted paths of both spellings work."""
    browser = open_browser()
    plain = browser.ask(limit=1)
    assert set(plain["items"][0]) == {"key", "meta"}
    assert (plain["meta"]["fields"], plain["meta"]["match_count"], plain["meta"]["parent"]) == ([], 30, "/api/audit")
    for item in browser.walk(f"{SESSIONS}?fields=*"):
        body = dict(browser.simulator.world.session(item["key"])["body"])
        for name in ("alerts", "channels", "events", "hidden", "indexing", "phantom", "revision", "trail_downloads"):
            del body[name]
        body.get("recording", {}).get("audit_trail", {}).pop("download", None)
        assert item["body"] == body
        assert item["meta"] == {"href": f"{SESSIONS}/{quote(item['key'], safe='')}"}
    chosen = browser.ask(fields="protocol,psm.target.address,revision,nonsense")["items"]
    for item in chosen:
        body = browser.simulator.world.session(item["key"])["body"]
        assert (item["body"]["protocol"], item["body"]["revision"]) == (body["protocol"], body["revision"])
        assert item["body"].get("recording", {}).get("target") == (
            {"ip": body["recording"]["target"]["ip"]} if "recording" in body else None
        )


@pytest.mark.parametrize(
    ("quirks", "star", "named"),
    [({}, False, True), ({"star_has_revision": True}, True, True), ({"revision_by_name": False}, False, False)],
)
def test_the_revision_may_be_hidden(open_browser: Open, quirks: dict[str, bool], star: bool, named: bool) -> None:
    """With and without the star, and always in the session's own answer."""
    browser = open_browser(**quirks)
    assert ("revision" in browser.ask(fields="*")["items"][0]["body"]) is star
    assert ("revision" in browser.ask(fields="*,revision")["items"][0]["body"]) is named
    assert ("revision" in browser.ask(fields="start_time,revision")["items"][0]["body"]) is named
    key = browser.simulator.world.keys()[0]
    assert "revision" in browser.get(f"{SESSIONS}/{quote(key, safe='')}").json()["body"]


def test_a_change_shows_at_once(open_browser: Open) -> None:
    """No list, however it was asked for before, shows an old version."""
    browser = open_browser()
    key = browser.simulator.world.keys()[4]
    for fields in ("*", "*,revision", "verdict,revision", "start_time,revision"):
        browser.ask(fields=fields)
    browser.simulator.world.change(key, verdict="CHANGED", start_time="2026-10-30T00:00:00Z")
    revision = browser.simulator.world.session(key)["body"]["revision"]
    for fields in ("*,revision", "verdict,revision,start_time"):
        body = next(item["body"] for item in browser.ask(fields=fields)["items"] if item["key"] == key)
        assert (body["verdict"], body["revision"], body["start_time"][:10]) == ("CHANGED", revision, "2026-10-30")
    assert browser.ask("/api/audit/sessions/_count", q="verdict:changed") == {"count": 1}


def test_results_stop_at_ten_thousand(open_browser: Open) -> None:
    """match_count, pages and offsets stop there; a larger offset brings page one again; limit is cut to 500."""
    browser = open_browser(spec=WorldSpec(sessions=10_200))
    first = browser.ask(limit=1000)
    assert (first["meta"]["match_count"], first["meta"]["limit"], len(first["items"])) == (10_000, 500, 500)
    assert first["meta"]["last"].startswith(f"{SESSIONS}?limit=500&offset=9500")
    last = browser.ask(offset=9900)
    assert (len(last["items"]), last["meta"]["next"]) == (100, None)
    assert browser.ask(offset=10_000)["items"] == []
    assert browser.ask(offset=10_001)["items"] == first["items"]
    assert browser.ask("/api/audit/sessions/_count") == {"count": 10_200}


def test_the_default_order_is_the_latest_first(open_browser: Open) -> None:
    """And absent values come last in every order."""
    browser = open_browser(sessions=60)
    keys = [item["key"] for item in browser.ask()["items"]]
    starts = [browser.simulator.world.find(key).start for key in keys]
    assert starts == sorted(starts, reverse=True)
    for sort in ("end_time", "-end_time"):
        ends = [item["body"]["end_time"] for item in browser.ask(fields="end_time", sort=sort)["items"]]
        assert None in ends
        assert all(end is None for end in ends[ends.index(None) :])


def test_ties_may_change_their_order() -> None:
    """Unstable ties shuffle sessions of one start from request to request, and nothing else."""
    with Simulator(World(WorldSpec(sessions=10, burst=200)), Quirks(ties="unstable")) as simulator:
        browser = Browser(simulator)
        lists = [[item["key"] for item in browser.ask(sort="start_time")["items"]] for _ in range(2)]
        browser.http.close()
    starts = [[simulator.world.find(key).start for key in keys] for keys in lists]
    assert lists[0] != lists[1]
    assert starts[0] == starts[1] == sorted(starts[0])


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"q": "(a"}, (400, "InvalidQuery")),
        ({"q": "server.port:many"}, (400, "InvalidQueryValue")),
        ({"start": "yesterday"}, (400, "InvalidQueryValue")),
        ({"sort": "bogus"}, (400, "InvalidQueryValue")),
        ({"limit": "-1"}, (400, "InvalidQueryValue")),
        ({"content": "sudo"}, (400, "InvalidQuery")),
        ({"format": "csv"}, (400, "InvalidQueryValue")),
        ({"snapshot": "gone"}, (404, "NotFound")),
    ],
)
def test_bad_parameters_are_refused(open_browser: Open, params: dict[str, str], expected: tuple[int, str]) -> None:
    """Each with its status and type, and the three parts of an error."""
    answer = open_browser().get(SESSIONS, **params)
    assert error(answer) == expected
    assert set(answer.json()["error"]) == {"type", "message", "details"}


def test_every_session_and_its_details_are_served_as_they_are(open_browser: Open) -> None:
    """Keys are quoted whole, also with slashes and colons; long details come in pages."""
    browser = open_browser(sessions=60)
    world = browser.simulator.world
    for key in world:
        path = f"{SESSIONS}/{quote(key, safe='')}"
        assert browser.ask(path)["body"] == world.session(key)["body"]
        channels = browser.walk(f"{path}/channels")
        assert [{"key": item["key"], "body": item["body"]} for item in channels] == world.channels(key)
        assert browser.walk(f"{path}/events") == world.events(key)
        assert browser.walk(f"{path}/alerts") == world.alerts(key)
    slashed = next(key for key in world if "/" in key)
    assert browser.get(f"{SESSIONS}/{slashed}").status_code == 404
    busy = max(world, key=lambda key: len(world.events(key)))
    page = browser.ask(f"{SESSIONS}/{quote(busy, safe='')}/events", limit=1000)
    assert (len(page["items"]), page["meta"]["limit"], "match_count" in page["meta"]) == (500, 500, False)
    sudo = browser.ask(f"{SESSIONS}/{quote(busy, safe='')}/events", q="record_id:[* TO 200] AND NOT content:sudo")
    assert sudo["items"] == [
        e for e in world.events(busy) if e["record_id"] <= 200 and "sudo" not in e["content"].split()
    ]
    assert error(browser.get(f"{SESSIONS}/no-such-key/events")) == (404, "NotFound")


def test_older_appliances_spell_differently(open_browser: Open) -> None:
    """psm, address, PSM, Unix seconds, dotted names in channels, and channels under their own name."""
    browser = open_browser(sessions=60, naming="psm", times="epoch", channels_wrapper="channels")
    world = browser.simulator.world
    for item in browser.ask(fields="*,revision")["items"]:
        body, truth = item["body"], world.session(item["key"])["body"]
        assert body["start_time"] == world.find(item["key"]).start // 1000
        assert body["client"]["address"] == truth["client"]["ip"]
        assert ("psm" in body) == ("recording" in truth)
        assert body["origin"] == {"RECORDING": "PSM"}.get(truth["origin"], truth["origin"])
        assert body.get("psm", {}).get("target", {}).get("address") == truth.get("recording", {}).get("target", {}).get(
            "ip"
        )
    channels = [
        c["body"] for key in world for c in browser.ask(f"{SESSIONS}/{quote(key, safe='')}/channels")["channels"]
    ]
    assert any("originator.address" in body and "connected.port" in body for body in channels)
    assert all(isinstance(body["start_time"], int) for body in channels)
    assert browser.ask(q="psm.verdict:accept* AND origin:PSM")["meta"]["match_count"] > 0
