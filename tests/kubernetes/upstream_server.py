"""A backend of a few lines for the nginx tests: echoes what reached it, and streams when it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STREAMS = ("/api/generations/", "/v1/", "/chat", "/generate", "/infill")
PATIENCE_S = 20.0


class Upstream(ThreadingHTTPServer):
    """``second_chunk`` holds a stream back after its first chunk until a test has read that one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.second_chunk = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self._switch()
        elif "stream" in self.headers:
            self._stream()
        else:
            self._echo()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _echo(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Frame-Options", "SAMEORIGIN")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        arrived = self.server.second_chunk.wait(PATIENCE_S)
        self.wfile.write(b"data: second\n\n" if arrived else b"data: too late\n\n")
        self.close_connection = True

    def _switch(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(b"switched:" + self.rfile.readline())
        self.close_connection = True


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Serve until the block ends."""
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.second_chunk.set()
            server.shutdown()
            thread.join()
