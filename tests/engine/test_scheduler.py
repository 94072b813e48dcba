from assistant.engine.scheduler import Plan, Scheduler
from assistant.engine.sequence import AGEING_S, Sequence
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import Priority
from tests.engine.support import LINEAR, request


class Desk:
    """A scheduler without a model: steps end well and every finished prompt gets token 7."""

    def __init__(self, cells: int = 1000, n_seq_max: int = 4, max_running: int | None = None) -> None:
        curve = StepCurve(LINEAR, max_rows=512, step_s=0.16)
        self.scheduler = Scheduler(n_seq_max=n_seq_max, cells=cells, curve=curve, max_running=max_running)
        self.now = 0.0
        self.number = 0

    def arrive(self, name: str, tokens: list[int], priority: Priority = Priority.CHAT, key: str = "") -> Sequence:
        self.number += 1
        asked = request(name, tokens, 500, priority=priority, key=key)
        sequence = Sequence(asked, lambda event: None, self.now, self.number)
        self.scheduler.waiting.arrive(sequence)
        return sequence

    def step(self) -> Plan:
        plan = self.scheduler.plan(self.now)
        self.scheduler.advance(plan)
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            if span.outputs:
                sequence.append(7, self.now)
        return plan

    def end(self, sequence: Sequence) -> None:
        self.scheduler.remove(sequence, [])

    @property
    def running(self) -> list[str]:
        return list(self.scheduler.running)


def test_decoding_sequences_come_before_prompts_in_the_same_batch() -> None:
    desk = Desk()
    desk.arrive("stream", [1])
    desk.step()
    desk.now += 1
    desk.arrive("prompt", list(range(100, 200)))
    plan = desk.step()
    assert [(each.request.id, len(span.tokens)) for each, span in zip(plan.sequences, plan.spans, strict=True)] == [
        ("stream", 1),
        ("prompt", 15),
    ]


def test_prompts_share_the_rows_of_a_step_in_order() -> None:
    desk = Desk()
    desk.arrive("stream", [1])
    desk.step()
    desk.now += 1
    desk.arrive("first", list(range(100, 110)))
    desk.arrive("second", list(range(200, 300)))
    plan = desk.step()
    assert [len(span.tokens) for span in plan.spans] == [1, 10, 5]


def test_prompts_that_came_together_are_read_in_longer_steps() -> None:
    desk = Desk(n_seq_max=5)
    for name in range(4):
        desk.arrive(f"user {name}", [name + 1, *range(100 * name + 100, 100 * name + 150)])
    desk.now += 1
    assert [desk.step().rows for _ in range(3)] == [80, 48, 48], "the first streams after the first step"


def test_who_was_streaming_before_keeps_the_pace_whoever_comes_together() -> None:
    desk = Desk(n_seq_max=5)
    desk.arrive("stream", [1])
    desk.step()
    desk.now += 1
    for name in range(3):
        desk.arrive(f"user {name}", [name + 2, *range(100 * name + 100, 100 * name + 150)])
    assert [desk.step().rows for _ in range(5)] == [16] * 5


def test_autocomplete_is_admitted_before_chat_before_batch() -> None:
    desk = Desk(max_running=1)
    ended = desk.arrive("running", [1], Priority.AUTOCOMPLETE)
    desk.step()
    desk.arrive("batch", [2], Priority.BATCH)
    desk.arrive("chat", [3])
    desk.arrive("completion", [4], Priority.AUTOCOMPLETE)
    order = []
    for _ in range(3):
        desk.end(ended)
        desk.step()
        order += desk.running
        ended = desk.scheduler.running[desk.running[0]]
    assert order == ["completion", "chat", "batch"]


def test_a_user_who_asks_for_much_does_not_hold_up_another() -> None:
    desk = Desk(max_running=1)
    ended = desk.arrive("a0", [1] * 20, key="a")
    for n in range(1, 4):
        desk.arrive(f"a{n}", [n] * 20, key="a")
    desk.arrive("b0", [9] * 20, key="b")
    desk.step()
    desk.step()
    assert desk.running == ["a0"]
    desk.end(ended)
    desk.step()
    assert desk.running == ["b0"]


def test_one_users_requests_keep_their_order() -> None:
    desk = Desk(max_running=1)
    sequences = [desk.arrive(f"r{n}", [n] * (20 - n), key="a") for n in range(4)]
    order = []
    for _ in sequences:
        desk.step()
        order += desk.running
        desk.end(desk.scheduler.running[desk.running[0]])
    assert order == ["r0", "r1", "r2", "r3"]


def test_waiting_long_enough_beats_priority() -> None:
    desk = Desk(max_running=1)
    ended = desk.arrive("running", [1], Priority.AUTOCOMPLETE)
    desk.step()
    desk.arrive("batch", [2], Priority.BATCH)
    desk.now += 3 * AGEING_S
    desk.arrive("completion", [4], Priority.AUTOCOMPLETE)
    desk.end(ended)
    desk.step()
    assert desk.running == ["batch"]


def test_a_more_urgent_request_takes_the_place_of_the_youngest_of_the_lowest_priority() -> None:
    desk = Desk(max_running=2)
    desk.arrive("old", [1], Priority.BATCH)
    desk.arrive("young", [2], Priority.BATCH)
    desk.step()
    desk.arrive("chat", [3])
    desk.step()
    assert sorted(desk.running) == ["chat", "old"]
    assert desk.scheduler.counters.preemptions == 1


def test_equals_do_not_push_each_other_out() -> None:
    desk = Desk(max_running=1)
    desk.arrive("first", [1])
    desk.step()
    desk.arrive("second", [2])
    for _ in range(20):
        desk.step()
    assert desk.running == ["first"]


def test_a_prompt_is_not_admitted_while_its_cells_are_promised_to_others() -> None:
    desk = Desk(cells=200)
    desk.arrive("first", list(range(100)))
    desk.arrive("second", list(range(200, 260)))
    desk.step()
    assert desk.running == ["first"]


def test_idle_prefixes_go_before_anybody_is_preempted() -> None:
    desk = Desk(cells=200)
    gone = desk.arrive("gone", list(range(100)))
    for _ in range(10):
        desk.step()
    desk.end(gone)
    desk.arrive("next", list(range(300, 420)))
    for _ in range(20):
        desk.step()
    assert desk.running == ["next"]
    assert 0 < desk.scheduler.cache.cells.idle < 100
    assert desk.scheduler.counters.preemptions == 0


def test_the_youngest_goes_back_to_the_queue_when_cells_run_out() -> None:
    desk = Desk(cells=160)
    oldest = desk.arrive("oldest", [1] * 10)
    youngest = desk.arrive("youngest", [2] * 10)
    while desk.scheduler.counters.preemptions == 0:
        desk.step()
    assert desk.running == ["oldest"]
    written = len(youngest.tokens)
    assert youngest.seq_id is None
    desk.end(oldest)
    read = 0
    while len(youngest.tokens) == written:
        read += desk.step().rows
    assert desk.running == ["youngest"]
    assert read < written, "most of it was still in cells"


def test_a_prompt_that_is_being_read_is_shared_not_read_twice() -> None:
    desk = Desk()
    shared = list(range(100, 300))
    desk.arrive("first", [*shared, 1])
    desk.arrive("second", [*shared, 2])
    desk.step()
    assert desk.running == ["first"]
    rows = 0
    while "second" not in desk.running:
        rows += desk.step().rows
    assert desk.scheduler.running["second"].cached == 200


def test_streams_take_turns_where_fewer_rows_are_faster() -> None:
    desk = Desk(n_seq_max=8)
    desk.scheduler.curve = StepCurve({1: 0.1, 2: 0.2, 4: 0.3, 8: 0.9, 16: 1.0, 32: 1.7}, max_rows=512)
    for n in range(8):
        desk.arrive(f"r{n}", [n])
    desk.step()
    seen = [each.request.id for _ in range(2) for each in desk.step().sequences]
    assert sorted(seen) == sorted(f"r{n}" for n in range(8))
