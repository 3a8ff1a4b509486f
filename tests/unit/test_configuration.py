"""Reading the configuration: every shape that a version gives, no secret, and nothing believed that is no answer."""

import re
from typing import Any

import pytest

from spsetl.errors import BadAnswerError, LoginError, NotFoundError, RightsError, UnavailableError
from spsetl.extract.policies import (
    PROTOCOLS,
    decode_policies,
    decode_retention,
    fetch_configuration,
    policies_path,
    seal_policy,
)


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ({"channel_database_cleanup": {"enabled": True, "days": 365}}, 365),
        ({"channel_database_cleanup": {"enabled": False}}, None),
        ({"channel_database_cleanup": {"enabled": False, "days": 365}}, None),
        ({"audit": {"cleanup": {"enabled": True, "channel_database_cleanup_days": 10}}}, 10),
        ({"audit": {"cleanup": {"enabled": False, "channel_database_cleanup_days": 10}}}, None),
        ({"channel_database_cleanup": {"enabled": True, "days": "soon"}}, None),
        ({"channel_database_cleanup": {"enabled": True, "days": 0}}, None),
        ({"audit": None, "service": {"enabled": True}}, None),
    ],
)
def test_retention_of_either_shape(options: dict[str, Any], days: int | None) -> None:
    """As 8.0 has it and as 6.x has it; None where there is no clean-up, or nothing that could be read."""
    assert decode_retention(options) == days
    (policy,) = decode_policies({"key": "options", "body": options, "meta": {}}, "options")
    assert (policy.key, policy.name, policy.retention_days) == ("options", None, days)


def test_policies_as_the_guide_shows_them() -> None:
    """The key may be a number; the name is the body's."""
    body = {"name": "default", "timeout": 600}
    answer = {"items": [{"key": "-30211", "body": body}, {"key": 7, "body": {}}], "meta": {"next": None}}
    first, second = decode_policies(answer, "settings_policies")
    assert (first.key, first.name, first.body) == ("-30211", "default", body)
    assert (second.key, second.name, second.retention_days) == ("7", None, None)
    assert policies_path("vnc", "settings_policies") == "/api/configuration/vnc/settings_policies"


def test_no_value_stays() -> None:
    """But the name: each other field is a hash, those that are not named as fields together are one."""
    body = {"name": "x", "password": "one", "timeout": 600, "enabled": True, "": 1, "s3cret as a name": {"a": 2}}
    policies = decode_policies({"items": [{"key": "a", "body": body}, {"key": "b", "body": body}]}, "connections")
    first, second = (seal_policy(policy, "connections", b"key").body for policy in policies)
    assert first.pop("name") == second.pop("name") == "x"
    assert list(first) == ["password", "timeout", "enabled", "other"]
    values = [*first.values(), *second.values()]
    assert len(set(values)) == len(values)  # nor does it show that two policies have the same
    assert all(re.fullmatch("hmac:[0-9a-f]{32}", value) for value in values)
    assert seal_policy(policies[0], "connections", b"key").body == {"name": "x", **first}
    assert seal_policy(policies[0], "connections", b"other key").body != {"name": "x", **first}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"items": None},
        {"items": {"a": {}}},
        {"items": [None]},
        {"items": [{"key": "a"}]},
        {"items": [{"key": "a", "body": []}]},
        {"items": [{"body": {}}]},
        {"items": [{"key": "", "body": {}}]},
        {"items": [{"key": True, "body": {}}]},
        {"items": [{"key": "a", "body": {}}, {"key": None, "body": {}}]},
    ],
)
def test_an_answer_of_another_shape_is_not_believed(answer: Any) -> None:
    """One policy that cannot be read makes all of the answer unreadable: it must not seem to be gone."""
    with pytest.raises(BadAnswerError, match="connections is not as documented"):
        decode_policies(answer, "connections")
    with pytest.raises(BadAnswerError, match="options is not as documented"):
        decode_policies(answer, "options")


class Appliance:
    """Answers each request for the configuration, or fails as it is told."""

    def __init__(self, failures: dict[str, Exception]) -> None:
        self.failures = failures
        self.asked: list[str] = []

    def get(self, path: str, *, kind: str) -> dict[str, Any]:
        """One answer."""
        assert kind == "configuration"
        place = path.removeprefix("/api/configuration/")
        self.asked.append(place)
        if place in self.failures:
            raise self.failures[place]
        return {"key": "options", "body": {}} if place.endswith("/options") else {"items": []}


@pytest.mark.parametrize(
    ("failure", "forbidden", "failures"),
    [
        (RightsError("no"), list(PROTOCOLS), []),
        (UnavailableError("busy"), [], ["all policies are as they were last seen: busy"]),
    ],
)
def test_where_the_first_request_fails_nothing_more_is_asked(
    failure: Exception, forbidden: list[str], failures: list[str]
) -> None:
    """The right is missing for all, or the appliance is ill: it is told once."""
    appliance = Appliance({"ssh/options": failure})
    found = fetch_configuration(appliance, concurrency=8, seal=b"")  # type: ignore[arg-type]
    assert appliance.asked == ["ssh/options"]
    assert (found.read, found.forbidden, found.failures) == ({}, forbidden, failures)


def test_what_fails_later_ends_its_protocol_alone() -> None:
    """A kind that is not there counts as empty; a login that has ended ends it all."""
    later: dict[str, Exception] = {
        "ssh/connections": RightsError("no"),
        "rdp/settings_policies": UnavailableError("busy"),
        "vnc/connections": NotFoundError("none"),
    }
    appliance = Appliance(later)
    found = fetch_configuration(appliance, concurrency=2, seal=b"")  # type: ignore[arg-type]
    assert len(appliance.asked) == len(set(appliance.asked)) == 4 * len(PROTOCOLS) - 2
    assert (found.forbidden, len(found.failures)) == (["ssh"], 1)
    assert len(found.read) == 4 * len(PROTOCOLS) - 4
    assert found.read["vnc", "connections"] == []
    with pytest.raises(LoginError):
        fetch_configuration(Appliance({"ica/options": LoginError("ended")}), concurrency=2, seal=b"")  # type: ignore[arg-type]
