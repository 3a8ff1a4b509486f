"""What a host shows of its certificates, and which of them can be trusted."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from spsetl.appliance.certificates import check_connection, fetch_certificates, find_root, is_about_trust
from spsetl.errors import ConnectError, SpsetlError
from spsetl.settings.access import Access
from spsetl.simulator import Simulator, World, WorldSpec


def access(url: str, ca_file: Path | None = None) -> Access:
    """The appliance there."""
    return Access(url=url, appliance="x", ca_file=ca_file)


@pytest.fixture(scope="module")
def appliance() -> Iterator[Simulator]:
    """An appliance that shows its CA with its certificate."""
    with Simulator(World(WorldSpec(sessions=1, days=1)), tls=True) as simulator:
        yield simulator


@contextmanager
def shaking_hands(*pem: trustme.Blob) -> Iterator[str]:
    """A host that shows these certificates, and nothing after the handshake; gives its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pem[0].tempfile() as key, pem[1].tempfile() as chain, socket.create_server(("127.0.0.1", 0)) as listener:
        context.load_cert_chain(chain, key)

        def serve() -> None:
            try:
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(1)
            except OSError:
                return  # the other side has seen enough

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_certificates_are_read_without_trust(appliance: Simulator) -> None:
    """Whom they are for, until when, and the CA at the end of the chain, which is the one to trust."""
    own, ca = fetch_certificates(access(appliance.url))

    assert set(own.names) == {"localhost", "127.0.0.1"}
    assert own.fingerprint.replace(":", "") == sha256(ssl.PEM_cert_to_DER_cert(own.pem)).hexdigest().upper()
    assert (own.is_self_signed, own.issuer) == (False, ca.subject)
    assert find_root([own, ca]) is ca
    assert appliance.ca_file is not None
    assert ca.pem.split() == appliance.ca_file.read_text().split()


def test_root_that_is_shown_makes_the_connection_trusted(appliance: Simulator, tmp_path: Path) -> None:
    """Without it the connection fails for want of trust, with it as the CA file it does not."""
    with pytest.raises(SpsetlError) as refused:
        check_connection(access(appliance.url))
    assert is_about_trust(refused.value)

    root = find_root(fetch_certificates(access(appliance.url)))
    assert root is not None
    (tmp_path / "ca.pem").write_text(root.pem)
    check_connection(access(appliance.url, tmp_path / "ca.pem"))


def test_host_that_keeps_its_ca_to_itself_shows_no_root() -> None:
    """A certificate that another signed cannot be trusted alone."""
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1")
    with shaking_hands(leaf.private_key_pem, leaf.cert_chain_pems[0]) as url:
        shown = fetch_certificates(access(url))

    assert len(shown) == 1
    assert find_root(shown) is None


def test_nothing_to_look_at_is_explained(appliance: Simulator) -> None:
    """A port that nobody listens at, or that speaks no TLS, is an error in one line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with Simulator(World(WorldSpec(sessions=1, days=1))) as plain:
        for url in (closed, plain.url.replace("http:", "https:")):
            with pytest.raises(ConnectError, match="cannot be looked at") as refused:
                fetch_certificates(access(url))
            assert str(refused.value).isprintable()
