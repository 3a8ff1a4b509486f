import socket
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import decode_details, decode_list, detail_path
from spsetl.errors import ConnectError
from spsetl.settings.access import Access
from tests.appliances import SECRET, Connect, Start, ask, refusal

pytestmark = pytest.mark.usefixtures("without_sleeps")


@pytest.mark.parametrize("key", ["svc/a/ssh:1", "_x", "a%2Fb", "50%", "ключ", "a b+c", "channels", "a?b#c&d"])
def test_details_of_any_key_are_found(start_appliance: Start, connect_client: Connect, key: str) -> None:
    """Whatever characters a key has, its session's details are those of that session."""
    simulator = start_appliance()
    simulator.world.add(key)

    page = decode_details(connect_client(simulator).get(detail_path(key, "channels"), kind="channels"), "channels")

    assert len(page.items) == len(simulator.world.channels(key))


def test_links_are_followed_to_the_last_page(start_appliance: Start, connect_client: Connect) -> None:
    """A page's link leads to the next page, with all of the query."""
    client = connect_client(start_appliance(page_limit=7))
    page, keys = ask(client), []

    while True:
        keys += [item["key"] for item in page.items]
        if page.next is None:
            break
        page = decode_list(client.get(page.next, kind="sessions"))

    assert len(set(keys)) == len(keys) == 30


def test_own_ca_is_trusted(start_appliance: Start, connect_client: Connect) -> None:
    """With the CA that signed it, the appliance's certificate is good."""
    assert ask(connect_client(start_appliance(tls=True))).match_count == 30


def test_unknown_ca_is_refused_at_once(start_appliance: Start, connect_client: Connect, tmp_path: Path) -> None:
    """Without the right CA no login is sent, nothing is tried twice, and the message names the setting."""
    simulator = start_appliance(tls=True)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))

    for ca_file in (None, other):
        client = connect_client(simulator, ca_file=ca_file)
        assert "SPSETL_CA_FILE" in refusal(client, ConnectError)
        assert client.requests_by_kind == {"login": 1}
    assert simulator.requests.total() == 0


def test_certificate_for_another_name_is_refused(start_appliance: Start, connect_client: Connect) -> None:
    """A certificate that is not made out for the address is refused, though its CA is known."""
    simulator = start_appliance(tls=True)
    simulator.url = simulator.url.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(ConnectError):
        ask(connect_client(simulator))

    assert simulator.requests.total() == 0


def test_unchecked_tls_warns_nobody(
    start_appliance: Start, connect_client: Connect, recwarn: pytest.WarningsRecorder
) -> None:
    """With the check switched off the connection works, and urllib3 does not warn at each request."""
    client = connect_client(start_appliance(tls=True), verify_tls=False, ca_file=None)

    assert ask(client).match_count == 30
    assert not recwarn.list


def test_plain_http_at_a_tls_port_is_explained(start_appliance: Start, connect_client: Connect) -> None:
    """Https spoken to a port without TLS is told as such, and not tried again."""
    simulator = start_appliance()
    simulator.url = simulator.url.replace("http://", "https://")
    client = connect_client(simulator)

    assert "TLS" in refusal(client, ConnectError)
    assert client.requests_by_kind == {"login": 1}


def test_refused_port_is_explained(start_appliance: Start, connect_client: Connect) -> None:
    """A port that nobody listens at is tried three times and named."""
    simulator = start_appliance()
    client = connect_client(simulator)
    simulator.stop()

    assert "SPSETL_URL" in refusal(client, ConnectError)
    assert client.requests_by_kind == {"login": 3}


def test_unknown_host_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not exist is told at once."""
    monkeypatch.setenv("NO_PROXY", "*")

    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    access = Access(url="https://sps.invalid", appliance="x", username="u", password=SecretStr(SECRET))
    with Client(access) as client:
        assert "sps.invalid" in refusal(client, ConnectError)
        assert client.requests_by_kind == {"login": 1}
