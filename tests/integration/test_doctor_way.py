"""The way to an appliance as doctor looks at it: names, ports, proxies, TLS, and whatever hangs."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import trustme

from spsetl.doctor import Finding, examine
from spsetl.settings import Settings, load_settings
from spsetl.simulator import Simulator, World, WorldSpec
from tests.syncing import settings_for

NOW: Final = datetime.now(UTC)
TLS: Final = "TLS certificate"


def settings_of(folder: Path, url: str, **more: object) -> Settings:
    """Settings for an address where an appliance may be."""
    arguments = {"url": url, "username": "audit", "password": "sps-audit", "data_dir": folder / "data", "timeout": 5}
    return load_settings(arguments | more, environ={})


def on_the_way(settings: Settings, *, until: str = "login") -> dict[str, Finding]:
    """What is found up to that check, or to the first red one."""
    found: dict[str, Finding] = {}
    for finding in examine(settings):
        if finding.check == "data directory":
            break
        found[finding.check] = finding
        if finding.check == until:
            break
    return found


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that gives each connection to `serve`, and its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[str]:
    """A server that shows this certificate and knows no page; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def shake_hands(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                while secure.recv(65536):
                    secure.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            connection.close()

    with listening(shake_hands) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """A CA."""
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    """Its certificate in a file."""
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize("host", ["sps.nowhere.invalid", "sps..example", f"{'x' * 70}.example"])
def test_a_name_that_nobody_knows(tmp_path: Path, host: str) -> None:
    """Red, exit code 5, and nothing behind it is tried; also one that is none."""
    found = on_the_way(settings_of(tmp_path, f"https://{host}"))
    name = found["name"]
    assert (name.state, name.exit_code, list(found)) == ("red", 5, ["settings", "name"])
    assert f"{host} is unknown" in name.found
    assert name.next_step == "check SPSETL_URL and the name server"


def test_a_name_gives_its_addresses(tmp_path: Path) -> None:
    """Each of them, once."""
    name = on_the_way(settings_of(tmp_path, "http://localhost:1"))["name"]
    assert name.state == "green"
    assert "127.0.0.1" in name.facts["addresses"]
    assert len(set(name.facts["addresses"])) == len(name.facts["addresses"])


def test_a_port_that_is_closed(tmp_path: Path) -> None:
    """Red: the port or the appliance is not there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = on_the_way(settings_of(tmp_path, f"http://127.0.0.1:{port}"))["port"]
    assert (found.state, found.exit_code) == ("red", 5)
    assert "refuses connections" in found.found
    assert "SPSETL_URL" in found.next_step


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [(200, "green", "199 days left"), (20, "yellow", "19 days left"), (-3, "red", "expired 3 days ago")],
)
def test_days_left_of_the_certificate(
    ca: trustme.CA, ca_file: Path, tmp_path: Path, days: int, state: str, says: str
) -> None:
    """Green, yellow within 30 days of the end, red after it; the end is told in days."""
    end = NOW + timedelta(days=days)
    certificate = ca.issue_cert("127.0.0.1", not_before=NOW - timedelta(days=300), not_after=end)
    with tls_server(certificate) as url:
        found = on_the_way(settings_of(tmp_path, url, ca_file=ca_file), until=TLS)[TLS]
    assert found.state == state
    assert says in found.found
    assert found.exit_code == (5 if state == "red" else 0)
    assert ("renew the appliance's certificate" in found.next_step) == (state != "green")


def test_a_certificate_of_another_ca(ca_file: Path, tmp_path: Path) -> None:
    """Red in the client's words: the next step names the setting. Beside them stands the CA that is lacking."""
    with tls_server(trustme.CA(organization_name="Elsewhere").issue_cert("127.0.0.1")) as url:
        found = on_the_way(settings_of(tmp_path, url, ca_file=ca_file), until=TLS)[TLS]
    assert (found.state, found.exit_code) == ("red", 5)
    assert "not trusted" in found.found
    assert found.next_step.startswith("set SPSETL_CA_FILE")
    assert "Elsewhere" in found.found


def test_a_certificate_for_another_host(ca: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    """Red, and told are the hosts that it is made out for."""
    with tls_server(ca.issue_cert("sps.example.com")) as url:
        found = on_the_way(settings_of(tmp_path, url, ca_file=ca_file), until=TLS)[TLS]
    assert found.state == "red"
    assert found.next_step == "set SPSETL_URL to a name that it is made out for"
    assert "made out for sps.example.com by" in found.found


def test_a_certificate_that_nobody_checks(tmp_path: Path) -> None:
    """It is looked at all the same, and the setting is yellow."""
    with tls_server(trustme.CA().issue_cert("elsewhere.example")) as url:
        found = on_the_way(settings_of(tmp_path, url, verify_tls=False), until=TLS)
    assert "not checked" in found[TLS].found
    assert found["settings"].state == "yellow"


@pytest.mark.parametrize(("days", "state"), [(100, "green"), (10, "yellow"), (-2, "red")])
def test_days_left_of_our_own_certificate(tmp_path: Path, days: int, state: str) -> None:
    """The certificate that logs us in is told of, too, before the appliance refuses it."""
    with Simulator(World(WorldSpec(sessions=1, days=1)), tls=True) as simulator:
        own = tmp_path / "client.pem"
        leaf = trustme.CA().issue_cert(
            common_name="audit", not_before=NOW - timedelta(days=99), not_after=NOW + timedelta(days=days)
        )
        leaf.private_key_and_cert_chain_pem.write_to_path(str(own))
        settings = settings_for(simulator, tmp_path, username=None, password=None, client_cert=own, timeout=5)
        found = on_the_way(settings, until="client certificate")["client certificate"]
    assert found.state == state
    assert found.exit_code == (2 if state == "red" else 0)
    assert ("SPSETL_CLIENT_CERT" in found.next_step) == (state != "green")


def test_no_tls_where_tls_is_expected(tmp_path: Path) -> None:
    """Red at TLS, not at the login."""
    with Simulator(World(WorldSpec(sessions=1, days=1))) as simulator:
        found = on_the_way(settings_of(tmp_path, simulator.url.replace("http:", "https:"), timeout=2))
    assert list(found) == ["settings", "name", "port", TLS]
    assert (found[TLS].state, found[TLS].exit_code) == ("red", 5)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_hangs_does_not_hang_doctor(tmp_path: Path, scheme: str, drips: bool) -> None:
    """Neither one that takes connections and says nothing, nor one that sends a byte now and then for ever."""
    over = threading.Event()

    def hang(connection: socket.socket) -> None:
        with connection:
            if drips and scheme == "http":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while drips and not over.wait(0.05):
                try:
                    connection.sendall(b" " if scheme == "http" else b"\x16")
                except OSError:
                    return
            over.wait()

    began = time.monotonic()
    with listening(hang) as port:
        found = list(on_the_way(settings_of(tmp_path, f"{scheme}://127.0.0.1:{port}", timeout=0.4)).values())
        over.set()
    assert time.monotonic() - began < 2
    assert (found[-1].check, found[-1].state) == ("login" if scheme == "http" else TLS, "red")
    assert found[-1].exit_code == 5
    assert "SPSETL_TIMEOUT" in found[-1].next_step or (drips and scheme == "https")  # that is no TLS


@contextmanager
def proxy(target: str, *, lets_through: bool) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that leads every tunnel to the target, or none; its port, and the first lines it was sent."""
    asked: list[bytes] = []
    host, port = target.rsplit("/", 1)[1].split(":")

    def serve(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        asked.extend(head.split(b"\r\n"))
        if not lets_through:
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            connection.close()
            return
        onward = socket.create_connection((host, int(port)))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=pump, args=(onward, connection), daemon=True).start()
        pump(connection, onward)

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        source.close()
        target.close()

    with listening(serve) as own_port:
        yield own_port, asked


@pytest.mark.parametrize("lets_through", [True, False])
def test_a_proxy_is_named_and_gone_through(
    ca: trustme.CA, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lets_through: bool
) -> None:
    """Name, port and certificate are those that the client will meet; the proxy's password is not shown."""
    with (
        tls_server(ca.issue_cert("sps.example.com")) as target,
        proxy(target, lets_through=lets_through) as (port, asked),
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hushhush@127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        found = on_the_way(settings_of(tmp_path, "https://sps.example.com", ca_file=ca_file), until=TLS)
    assert f"the proxy http://127.0.0.1:{port} is in force, and looks up sps.example.com" in found["name"].found
    assert found["port"].state == ("green" if lets_through else "red")
    assert ("HTTPS_PROXY" in found["port"].next_step) is not lets_through
    assert b"CONNECT sps.example.com:443 HTTP/1.1" in {line.replace(b"HTTP/1.0", b"HTTP/1.1") for line in asked}
    assert any(line.lower().startswith(b"proxy-authorization: basic") for line in asked)
    assert not any("hushhush" in str(one.as_json()) for one in found.values())
    if lets_through:
        assert found[TLS].state == "green"
