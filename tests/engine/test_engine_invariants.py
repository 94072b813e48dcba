"""Any traffic whatever: no token lost, doubled or crossed between sequences; cells add up; one end each."""

import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from assistant.engine.engine import Engine
from assistant.engine.kv_store import MIB, KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.model import DecodeError, KvCosts
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import FinishReason, GenerateRequest, Prefill, Priority
from tests.engine.support import Receiver, alone, request
from tests.fakes import FakeModel, NextToken, copying, mixed

N_CTX = 90
CURVES = (
    {1: 0.01, 2: 0.02, 4: 0.03, 8: 0.09, 16: 0.1, 32: 0.2},
    {1: 0.01, 2: 0.011, 4: 0.012, 8: 0.013, 16: 0.014, 32: 0.015},
)
prompts = st.builds(
    lambda prefix, tail: [20] * prefix + tail,
    st.sampled_from([0, 3, 20, 66]),
    st.lists(st.integers(20, 23), min_size=1, max_size=18),
)
ADAPTER = "tuned"
TIERS = (KvStoreOptions(), KvStoreOptions(ram_bytes=MIB), KvStoreOptions(ram_bytes=300))


class Traffic(RuleBasedStateMachine):
    """Requests come, are cancelled and fail while models are swapped, in a context that is too small for them.

    They belong to different people and adapters, share prefixes, are guessed ahead of, evicted and brought back.
    """

    @initialize(
        n_seq_max=st.integers(1, 5), max_running=st.sampled_from([None, 1, 3]), curve=st.sampled_from(CURVES),
        script=st.sampled_from([mixed, copying]), tiers=st.sampled_from(TIERS), on_disk=st.booleans(),
        costs=st.sampled_from([KvCosts(), KvCosts(held=0.001), KvCosts(0.001, 0.01, 0.1)]),
    )  # fmt: skip
    def begin(
        self, n_seq_max: int, max_running: int | None, curve: dict[int, float], script: NextToken,
        tiers: KvStoreOptions, on_disk: bool, costs: KvCosts,
    ) -> None:  # fmt: skip
        self.folder = tempfile.TemporaryDirectory()
        if on_disk:
            tiers = KvStoreOptions(tiers.ram_bytes, 2000, Path(self.folder.name))
        self.script = script
        self.costs = costs
        self.models = [FakeModel(n_ctx=N_CTX, n_seq_max=n_seq_max, next_token=script, kv_costs=costs)]
        self.models[0].adapters = {ADAPTER}
        self.n_seq_max = n_seq_max
        options = EngineOptions(max_running=max_running, queue_max=1000, queue_max_wait_s=1e9, kv_store=tiers)
        self.engine = Engine(options, clock=self.models[0].clock)
        self.add("0", StepCurve(curve, 32, step_s=0.1))
        self.engine.activate("0")
        self.requests: dict[str, tuple[GenerateRequest, Receiver]] = {}
        self.may_fail: set[str] = set()

    def add(self, key: str, curve: StepCurve | None = None) -> None:
        self.engine.add_model(key, self.models[-1], curve, fingerprint="the same weights")
        for lane in self.engine._lanes.values():
            lane.adapters.add(ADAPTER)

    @rule(
        tokens=prompts, max_tokens=st.integers(0, 30), priority=st.sampled_from(Priority), key=st.sampled_from("abc"),
        adapter=st.sampled_from([None, None, ADAPTER]), public=st.integers(0, 30),
    )  # fmt: skip
    def submit(
        self, tokens: list[int], max_tokens: int, priority: Priority, key: str, adapter: str | None, public: int
    ) -> None:
        asked = request(
            f"r{len(self.requests)}", tokens, max_tokens, priority=priority, key=key, adapter=adapter, scope=key,
            public=min(public, len(tokens)),
        )  # fmt: skip
        receiver = Receiver()
        self.engine.submit(asked, receiver)
        self.requests[asked.id] = (asked, receiver)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        open_ids = [name for name, (_, receiver) in self.requests.items() if not receiver.finished]
        if not open_ids:
            return
        name = data.draw(st.sampled_from(open_ids))
        assert self.engine.cancel(name)
        for _ in self.models:
            self.engine.step()
        assert self.requests[name][1].finished

    @rule(steps=st.integers(1, 12))
    def time_passes(self, steps: int) -> None:
        self.step(steps)

    def step(self, steps: int) -> None:
        for _ in range(steps):
            self.engine.step()

    @rule()
    def decode_fails(self) -> None:
        self.models[-1].errors = [DecodeError("bad luck")]
        self.may_fail.update(name for name, (_, receiver) in self.requests.items() if not receiver.finished)
        self.engine.step()
        self.models[-1].errors = []
        self.step(len(self.models))

    @rule()
    def model_has_no_room(self) -> None:
        self.models[-1].refusals = 1
        self.engine.step()
        self.models[-1].refusals = 0
        self.step(len(self.models))

    @rule()
    def swap(self) -> None:
        if len(self.models) > 2:
            return
        key = str(len(self.models))
        clock = self.models[0].clock
        self.models.append(
            FakeModel(
                n_ctx=N_CTX,
                n_seq_max=self.n_seq_max,
                next_token=self.script,
                clock=clock,
                kv_costs=self.costs,
            )
        )
        self.models[-1].adapters = {ADAPTER}
        before = self.engine.active
        self.add(key)
        self.engine.activate(key)
        assert before is not None
        self.engine.retire(before)

    @invariant()
    def cells_add_up(self) -> None:
        stats = self.engine.stats()
        assert stats.kv_cells_used + stats.kv_cells_cached == sum(
            model.cells_used for model in self.models if not model.closed
        )

    @invariant()
    def nothing_is_lost_doubled_or_crossed(self) -> None:
        for asked, receiver in self.requests.values():
            expected = self.expected(asked)
            assert receiver.tokens == expected[: len(receiver.tokens)]
            if receiver.reason is FinishReason.LENGTH:
                assert receiver.tokens == expected

    def expected(self, asked: GenerateRequest) -> list[int]:
        adapted = [] if asked.adapter is None else [len(asked.adapter)]
        return alone(asked.tokens, asked.max_tokens, N_CTX, lambda tokens: self.script([*adapted, *tokens]))

    @invariant()
    def only_failed_steps_end_in_errors(self) -> None:
        failed = {name for name, (_, receiver) in self.requests.items() if receiver.reason is FinishReason.ERROR}
        assert failed <= self.may_fail

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        self.drain()
        assert all(receiver.finished for _, receiver in self.requests.values())
        stats = self.engine.stats()
        assert (stats.in_system, stats.kv_cells_used) == (0, 0)
        assert all(model.open_samplers == 0 for model in self.models)
        assert [model.closed for model in self.models] == [True] * (len(self.models) - 1) + [False]
        self.nothing_is_lost_doubled_or_crossed()
        for _, receiver in self.requests.values():
            done = [event.done for event in receiver.events if isinstance(event, Prefill)]
            assert done == sorted(done) or self.engine.stats().preemptions
        self.engine.close()
        self.folder.cleanup()

    def drain(self) -> None:
        for _ in range(20_000):
            if not self.engine.step():
                if self.engine.stats().in_system == 0:
                    break
                time.sleep(0.001)  # a saved prefix is being read


Traffic.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
TestTraffic = Traffic.TestCase
