"""What a browser test may do to the servers behind its page: ``POST /NAME`` on an address of its own."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Action = Callable[[], object]


@contextmanager
def controls(actions: Mapping[str, Action]) -> Iterator[str]:
    """Serve the actions by name until the block ends; gives the address. What is answered has been done."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            action = actions.get(self.path.strip("/"))
            if action is not None:
                action()
            self.send_response(404 if action is None else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what they do; nobody reads a log of it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
