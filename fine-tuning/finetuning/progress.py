"""How far a stage is: in the run's row, as a bar on a terminal, as JSON lines elsewhere. And the wish to stop."""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from finetuning.errors import InterruptedRunError
from finetuning.runs import RunRecord

ROW_EVERY_S: Final = 2.0
LINE_EVERY_S: Final = 15.0
AWAY_EVERY_S: Final = 60.0
"""How often a database that is away is tried: an attempt may take seconds, in which nothing is learned."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's ``figures``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name}
        line |= {"message": record.getMessage(), **getattr(record, "figures", {})}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the handlers before are put back at the end."""
    stop = threading.Event()
    before = {kind: signal.signal(kind, lambda *_: stop.set()) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


class Progress:
    """Progress of one stage of a run. ``renew`` is called with every row that is written: see ``RunLock``."""

    def __init__(
        self,
        record: RunRecord,
        stage: str,
        stop: threading.Event,
        renew: Callable[[], None] = lambda: None,
        *,
        quiet: bool = False,
    ) -> None:
        self._record, self._stage, self.stop, self._renew = record, stage, stop, renew
        self._started = time.monotonic()
        self._row_due = self._line_due = 0.0
        self._logger = logging.getLogger(f"finetuning.{stage}")
        self._bar = _bar(stage) if sys.stderr.isatty() and not quiet else None

    def report(self, fraction: float, details: Mapping[str, Any] | None = None, **figures: Any) -> None:
        """The stage is ``fraction`` (0 to 1) done. Raises InterruptedRunError when the run is to stop.

        ``details`` stand in the run's row only: they are too much for a line.
        """
        self.show(fraction, details, **figures)
        self.check()

    def check(self) -> None:
        """Raises InterruptedRunError when the run is to stop."""
        if self.stop.is_set():
            raise InterruptedRunError("Stopped; the next run goes on from here.")

    def show(self, fraction: float, details: Mapping[str, Any] | None = None, **figures: Any) -> None:
        """Like ``report``, without looking at the wish to stop."""
        now = time.monotonic()
        eta = (now - self._started) * (1 - fraction) / fraction if fraction > 0.01 else None
        values = {"stage": self._stage, "fraction": round(fraction, 4), **figures}
        values["eta_s"] = figures.get("eta_s", None if eta is None else round(eta, 1))
        if now >= self._row_due or fraction >= 1:
            self._renew()
            written = self._record.advance({**values, **(details or {})})
            self._row_due = now + (ROW_EVERY_S if written else AWAY_EVERY_S)
        if self._bar is not None:
            self._bar.n = round(100 * fraction)
            self._bar.set_postfix({k: v for k, v in figures.items() if k != "eta_s"}, refresh=True)
        elif now >= self._line_due or fraction >= 1:
            self._line_due = now + LINE_EVERY_S
            self._logger.info("progress", extra={"figures": values})

    def close(self) -> None:
        """Leave the bar where it is."""
        if self._bar is not None:
            self._bar.close()


def _bar(stage: str) -> Any:
    from tqdm import tqdm

    layout = "{desc} {percentage:3.0f} %|{bar}| {elapsed} < {remaining} {postfix}"
    return tqdm(total=100, desc=f"{stage:9}", bar_format=layout, file=sys.stderr)
