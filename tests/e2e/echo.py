"""A server behind OpenAI's API that streams what it was asked back: whatever an answer shall be can be said to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MODEL: Final = {"id": "echo", "object": "model", "owned_by": "tests", "max_model_len": 1_000_000}
CHUNKS: Final = 100
"""In how many pieces an answer comes, however long it is."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": [MODEL]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = request["messages"][-1]["content"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        size = max(1, len(text) // CHUNKS)
        for start in range(0, len(text), size):
            self._choice({"content": text[start : start + size]}, None)
        self._choice({}, "stop")
        self._event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": CHUNKS}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _choice(self, delta: dict[str, str], reason: str | None) -> None:
        self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def _event(self, content: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(content)}\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Tests say what they do; nobody reads a log of it."""


@contextmanager
def echo() -> Iterator[str]:
    """Serve until the block ends; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
