"""Prints what is posted to it, to try notifications without a service: `listen.py [PORT]`, 9000 by default."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 9000


class Listener(BaseHTTPRequestHandler):
    """Takes everything, and shows it."""

    def do_POST(self) -> None:
        """Show it."""
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
        print(text, flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
        """Say nothing but what is posted."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if sys.argv[1:] else PORT
    try:
        with ThreadingHTTPServer(("127.0.0.1", port), Listener) as server:
            print(f"listening on http://127.0.0.1:{server.server_port}, stop with Ctrl-C", file=sys.stderr, flush=True)
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"listen.py: cannot listen on port {port}: {error.strerror}")
