"""The simulated configuration over HTTP, as the guide shows it."""

import pytest

from tests.browser import Open, error

ROOT = "/api/configuration"
PROTOCOLS = ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql")
KINDS = ("connections", "channel_policies", "settings_policies")


def test_policies_as_a_list_and_one_by_one(open_browser: Open) -> None:
    """`items[].{key, body, meta}`; a policy alone has the same body; no link leads to another page."""
    browser = open_browser()
    for protocol in PROTOCOLS:
        for kind in KINDS:
            here = f"{ROOT}/{protocol}/{kind}"
            answer = browser.ask(here)
            assert (answer["meta"]["href"], answer["meta"]["next"]) == (here, None)
            assert answer["items"]
            for item in answer["items"]:
                assert item["meta"]["href"] == f"{here}/{item['key']}"
                alone = browser.ask(item["meta"]["href"])
                assert (alone["key"], alone["body"]) == (item["key"], item["body"])
                assert alone["meta"]["parent"] == here


@pytest.mark.parametrize(
    "path", ["smtp/connections", "ssh", "ssh/connections/nobody", "ssh/options/options", "ssh/access", ""]
)
def test_what_is_not_configured_is_not_found(open_browser: Open, path: str) -> None:
    """404 for unknown protocols, kinds and keys."""
    assert error(open_browser().get(f"{ROOT}/{path}")) == (404, "NotFound")


def test_a_version_can_lack_a_protocol_and_a_user_its_right(open_browser: Open) -> None:
    """404 for the one, 403 for the other, 200 for the rest."""
    browser = open_browser(configured_protocols=PROTOCOLS[:-1], forbidden_protocols=("rdp",))
    for kind in ("options", *KINDS):
        assert error(browser.get(f"{ROOT}/mssql/{kind}")) == (404, "NotFound")
        assert error(browser.get(f"{ROOT}/rdp/{kind}")) == (403, "Unauthorized")
        assert browser.get(f"{ROOT}/ssh/{kind}").status_code == 200


def test_a_night_changes_what_is_answered(open_browser: Open) -> None:
    """A settings policy's time-out grows, and a connection policy is there."""
    browser = open_browser()
    before = [browser.ask(f"{ROOT}/ssh/{kind}")["items"] for kind in ("settings_policies", "connections")]
    browser.simulator.advance_night()
    browser.log_in()
    after = [browser.ask(f"{ROOT}/ssh/{kind}")["items"] for kind in ("settings_policies", "connections")]
    assert after[0][0]["body"]["timeout"] == before[0][0]["body"]["timeout"] + 60
    assert len(after[1]) == len(before[1]) + 1
