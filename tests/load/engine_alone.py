"""The engine without a server around it: the same requests, in this process, with nothing but a clock at the end."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.engine.engine import Engine
from assistant.engine.kv_store import MIB, KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.llama import ModelOptions, load_model
from assistant.engine.types import Finished, FinishReason, GenerateRequest, Sampling, Token, TokenEvent
from codellama_core import ggml
from tests.load.clients import RequestFailedError
from tests.load.prompts import Prompts
from tests.load.servers import FILTERS, Machine, Setup

PATIENCE_S = 600.0
KV_RAM_MIB = 2048
"""As our server has by default: without it, idle prefixes stay in the cells."""


@dataclass(slots=True)
class Answer:
    """Receives the events of one request: when each token came, in monotonic seconds."""

    sent_at: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    reason: FinishReason | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self, event: TokenEvent) -> None:
        if isinstance(event, Token):
            self.arrivals.append(time.monotonic())
        elif isinstance(event, Finished):
            self.reason = event.reason
            self.over.set()

    @property
    def ttft(self) -> float:
        return self.arrivals[0] - self.sent_at


class EngineAlone:
    """Takes completions as the servers do, and gives them to the engine as our server would."""

    def __init__(self, engine: Engine, prompts: Prompts) -> None:
        self._engine = engine
        self._prompts = prompts
        self._numbers = 0

    def ask_all(self, bodies: Sequence[dict[str, Any]]) -> list[Answer]:
        """All at once. Raises RequestFailedError when an answer does not reach its limit."""
        requests = [self._request(body) for body in bodies]
        answers = [Answer() for _ in requests]
        for request, answer in zip(requests, answers, strict=True):
            answer.sent_at = time.monotonic()
            self._engine.submit(request, answer)
        for answer in answers:
            if not answer.over.wait(PATIENCE_S) or answer.reason is not FinishReason.LENGTH:
                raise RequestFailedError(f"the engine ended a request with {answer.reason}")
        return answers

    def _request(self, body: dict[str, Any]) -> GenerateRequest:
        self._numbers += 1
        sampling = Sampling(
            temperature=body["temperature"], top_p=body["top_p"], top_k=int(FILTERS["top_k"]), min_p=FILTERS["min_p"],
            seed=body["seed"], logit_bias=tuple((int(token), bias) for token, bias in body["logit_bias"].items()),
        )  # fmt: skip
        tokens = tuple(self._prompts.with_bos(body["prompt"]))
        stops = frozenset(self._prompts.ends)
        return GenerateRequest(f"alone-{self._numbers}", tokens, body["max_tokens"], sampling, stops)


@contextlib.contextmanager
def engine_alone(machine: Machine, setup: Setup, sequences: int, prompts: Prompts) -> Iterator[EngineAlone]:
    """An engine with the options our server would give it, closed at the end."""
    ggml.load_cpu_variants()
    options = ModelOptions(
        n_ctx=setup.cells, n_seq_max=sequences, threads=machine.threads, kv_type=machine.kv_type
    )  # fmt: skip
    engine = Engine(EngineOptions(kv_store=KvStoreOptions(KV_RAM_MIB * MIB)))
    engine.start()  # before it measures: what computes on two threads of ours has two teams of OpenMP's
    try:
        engine.add_model("alone", load_model(machine.model, options))
        engine.activate("alone")
        yield EngineAlone(engine, prompts)
    finally:
        engine.close()
