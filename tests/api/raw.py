"""Clients that misbehave on purpose, which no HTTP library lets one be."""

import json
import socket
from collections.abc import Mapping
from typing import Any

from tests.servers import Backend


def connect(backend: Backend, *, receive_buffer: int | None = None) -> socket.socket:
    """A connection; with a small ``receive_buffer`` (bytes), its end of it fills after a few kilobytes."""
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", backend.port))
    return connection


def head(method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(path: str, body: Any, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole request with a JSON body."""
    content = json.dumps(body).encode()
    lengths = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    return head("POST", path, lengths | dict(headers or {})) + content


def rest(connection: socket.socket) -> bytes:
    """Everything until the server ends the connection, in whatever way."""
    received = bytearray()
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return bytes(received)
