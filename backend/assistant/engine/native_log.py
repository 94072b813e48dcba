"""llama.cpp's log as Python log records."""

import logging
import threading

native_logger = logging.getLogger("llama.cpp")

LEVELS = {3: logging.WARNING, 4: logging.ERROR}
"""ggml_log_level; what it calls information is debugging to us."""
CONTINUED = 5


class _Line(threading.local):
    """The log line that llama.cpp is writing on one thread, and the errors it has written there."""

    def __init__(self) -> None:
        self.text = ""
        self.level = logging.DEBUG
        self.errors: list[str] = []


class NativeLog:
    """Routes llama.cpp's log to logging and keeps its errors for messages of our own."""

    def __init__(self) -> None:
        self._line = _Line()
        self.callback: object = None

    def take_errors(self) -> str:
        """The errors logged on this thread since the last call, as one sentence."""
        errors = [line.split(": ", 1)[-1] for line in self._line.errors if "failed to load model" not in line]
        self._line.errors.clear()
        return "; ".join(dict.fromkeys(errors)) or "llama.cpp gives no reason"

    def write(self, level: int, text: bytes, _user_data: object) -> None:
        """The callback: a piece of a line, or one or more lines."""
        line = self._line
        if level != CONTINUED:
            line.level = LEVELS.get(level, logging.DEBUG)
        line.text += text.decode(errors="replace")
        if not line.text.endswith("\n"):
            return
        message, line.text = line.text.strip(), ""
        if line.level >= logging.ERROR:
            line.errors = [*line.errors[-9:], message]
        if message:
            native_logger.log(line.level, "%s", message)
