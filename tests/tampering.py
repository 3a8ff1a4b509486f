"""A proxy before a simulated appliance that changes its answers on the way, byte by byte if need be."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from spsetl.simulator import Simulator

Tamper = Callable[[str, bytes], bytes]
"""Is told the path that was asked for, and the body of the answer."""

_PASSED_ON = ("Content-Type", "Set-Cookie", "Date")


@contextmanager
def tampering(simulator: Simulator, tamper: Tamper) -> Iterator[str]:
    """The address of the proxy."""
    host = urlsplit(simulator.url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers

        def do_GET(self) -> None:
            connection = HTTPConnection(host)
            kept = {name: value for name, value in self.headers.items() if name not in ("Host", "Accept-Encoding")}
            connection.request("GET", self.path, headers=kept)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            if answer.status == 200:
                body = tamper(self.path, body)
            self.send_response_only(answer.status)
            for name in _PASSED_ON:
                for value in answer.headers.get_all(name, []):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def of_items(change: Callable[[Any], Any]) -> Tamper:
    """Changes each item of the list of sessions, in place or by what it returns."""

    def tamper(path: str, body: bytes) -> bytes:
        if urlsplit(path).path != "/api/audit/sessions":
            return body
        page = json.loads(body)
        page["items"] = [change(item) for item in page["items"]]
        return json.dumps(page).encode()

    return tamper


def of_raw_items(odd: dict[str, bytes]) -> Tamper:
    """Puts text into the body of the sessions with these keys, in front of what is there: it need not be JSON."""

    def tamper(path: str, body: bytes) -> bytes:
        if urlsplit(path).path != "/api/audit/sessions" or b"fields=%2A" not in path.encode():
            return body
        page = json.loads(body)
        items = []
        for item in page["items"]:
            text = json.dumps(item).encode()
            if item["key"] in odd:
                text = text.replace(b'"body": {', b'"body": {' + odd[item["key"]] + b", ", 1)
            items.append(text)
        return b'{"items": [' + b",".join(items) + b'], "meta": ' + json.dumps(page["meta"]).encode() + b"}"

    return tamper
