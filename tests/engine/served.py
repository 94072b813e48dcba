"""The engine over llama.cpp on its own thread, and a judge of what it writes."""

import queue
from typing import Any

from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.llama import LlamaModel, ModelOptions
from assistant.engine.model import Span, Truncate
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import Finished, GenerateRequest, Sampling, Token, TokenEvent
from tests.engine.support import LINEAR

OPTIONS = ModelOptions(n_ctx=1024, n_seq_max=8, threads=1, kv_type="f16")
GREEDY = Sampling(temperature=0)
NEAR_TIE = 0.05
"""Logits closer than this may change places when a row is computed in another batch shape."""
PATIENCE_S = 300
"""When a lost event is called lost; a busy machine is merely slow."""


class Served:
    """An engine on its own thread, and a way to wait for whole answers."""

    def __init__(self, model: LlamaModel, options: EngineOptions | None = None, curve: StepCurve | None = None) -> None:
        self.model = model
        self.engine = Engine(options)
        self.engine.add_model("demo", model, curve or StepCurve(LINEAR, model.n_batch), fingerprint="demo")
        self.engine.activate("demo")
        self.engine.start()
        self.number = 0

    def prompt(self, text: str) -> list[int]:
        return [self.model.vocabulary.bos or 1, *self.model.vocabulary.tokenize(text)]

    def submit(self, tokens: list[int], max_tokens: int = 40, sampling: Sampling = GREEDY, **more: Any) -> "Answer":
        self.number += 1
        answer = Answer(f"r{self.number}", tokens)
        request = GenerateRequest(answer.id, tuple(tokens), max_tokens, sampling, **more)
        self.engine.submit(request, answer.receive)
        return answer


class Answer:
    def __init__(self, name: str, prompt: list[int]) -> None:
        self.id = name
        self.prompt = prompt
        self.events: queue.Queue[TokenEvent] = queue.Queue()
        self.told: list[Token] = []

    @property
    def tokens(self) -> list[int]:
        return [each.id for each in self.told]

    def receive(self, event: TokenEvent) -> None:
        self.events.put(event)

    def until(self, tokens: int) -> None:
        while len(self.told) < tokens:
            event = self.events.get(timeout=PATIENCE_S)
            if isinstance(event, Token):
                self.told.append(event)

    def wait(self) -> Finished:
        while True:
            event = self.events.get(timeout=PATIENCE_S)
            if isinstance(event, Token):
                self.told.append(event)
            elif isinstance(event, Finished):
                return event


def assert_greedy(model: LlamaModel, answer: Answer) -> None:
    """Every token is, teacher-forced, the most likely one, or within a near tie of it."""
    rows, start = answer.prompt, 0
    for token in answer.tokens:
        assert model.decode([Span(0, start, rows, 1)])
        logits = model.logits(len(rows) - 1)
        assert logits.max() - logits[token] < NEAR_TIE
        rows, start = [token], start + len(rows)
    model.apply(Truncate(0, 0))
