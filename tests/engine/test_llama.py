"""The engine over llama.cpp with the demo model: what it writes, and that it lets go of what it took."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from llama_cpp import Llama

from assistant.engine import llama
from assistant.engine.llama import LlamaModel, ModelOptions, load_model
from assistant.engine.model import Copy, KvCosts, Span, Truncate
from assistant.engine.self_test import Attention
from assistant.engine.types import (
    FinishReason,
    ModelLoadError,
    Sampling,
)
from tests.engine.served import NEAR_TIE, OPTIONS, PATIENCE_S, Served, assert_greedy

TEXTS = (
    "def add(a, b):\n",
    "import os\n\n\ndef main():\n    for name in ",
    "class Stack:\n    def push(self, item):\n",
    "# Sort a list of numbers\n",
)


def logits_after(model: LlamaModel, tokens: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    assert model.decode([Span(0, 0, tokens, 1)])
    logits = model.logits(len(tokens) - 1)
    model.apply(Truncate(0, 0))
    return logits


@pytest.mark.parametrize("flash", [False, True])
def test_one_greedy_request_writes_what_the_high_level_llama_writes(demo_gguf: Path, flash: bool) -> None:
    reference = Llama(
        str(demo_gguf), n_ctx=1024, n_threads=1, n_threads_batch=1, flash_attn=flash, use_mmap=False, verbose=False
    )
    served = Served(load_model(demo_gguf, replace(OPTIONS, flash_attention=flash)))
    try:
        for text in TEXTS:
            answer = served.submit(served.prompt(text), 60)
            answer.wait()
            stream = reference.generate(answer.prompt, temp=0.0)
            assert answer.tokens == [next(stream) for _ in answer.tokens]
            assert len(answer.tokens) == 60
    finally:
        served.engine.close()
        reference.close()


def test_four_greedy_requests_at_once_write_what_each_writes_alone(served: Served, judge: LlamaModel) -> None:
    answers = [served.submit(served.prompt(text)) for text in TEXTS]
    for answer in answers:
        assert answer.wait().reason is FinishReason.LENGTH
        assert_greedy(judge, answer)


def test_a_long_prompt_read_in_chunks_beside_a_stream_changes_neither(served: Served, judge: LlamaModel) -> None:
    stream = served.submit(served.prompt(TEXTS[0]), 60)
    stream.until(3)
    long = served.submit(served.prompt(TEXTS[1] * 20), 10)
    long.wait()
    stream.wait()
    assert_greedy(judge, long)
    assert_greedy(judge, stream)


def test_a_prefix_is_reused_and_the_answer_stays_the_same(served: Served, judge: LlamaModel) -> None:
    first = served.submit(served.prompt(TEXTS[2] * 3), 20)
    first.wait()
    second = served.submit([*first.prompt, *first.tokens, *served.prompt(TEXTS[3])[1:]], 20)
    finished = second.wait()
    assert finished.timings.cached_tokens >= len(first.prompt)
    assert_greedy(judge, second)


def test_the_same_seed_writes_the_same_and_another_does_not(demo_gguf: Path) -> None:
    answers = []
    for seed in (7, 7, 8):
        # where cells lie moves logits a little, so each begins with none in use
        served = Served(load_model(demo_gguf, OPTIONS))
        sampling = Sampling(temperature=1.5, top_p=1.0, top_k=0, min_p=0.0, seed=seed)
        answer = served.submit(served.prompt(TEXTS[1]), 40, sampling)
        answer.wait()
        answers.append(answer.tokens)
        served.engine.close()
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(
    ("seconds", "flash"),
    [
        ([1.0, 0.5], True),
        ([1.0, 1.5], False),
        ([1.0, 0.8, 2.0, 1.6, 1.0, 0.95], True),
        ([1.0, 0.8, 2.0, 2.0, 1.0, 0.95], False),
    ],
    ids=["much faster", "much slower", "faster two of three times", "hardly faster"],
)
def test_the_attention_that_is_faster_here_is_kept_whatever_the_machine_does_meanwhile(
    demo_gguf: Path, judge: LlamaModel, seconds: list[float], flash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured is made up, plain and flash in turn; that the model computes the same afterwards is not."""
    monkeypatch.setattr(llama, "_TUNED", {})
    costs, measured = KvCosts(1e-6, 2e-6, 3e-6), iter(seconds)

    def measure(model: LlamaModel, clock: object, *, with_costs: bool) -> Attention:
        return Attention(next(measured), costs if with_costs else KvCosts())

    monkeypatch.setattr(llama, "measure_attention", measure)
    model = load_model(demo_gguf, OPTIONS)
    model.tune(time.monotonic)
    assert next(measured, None) is None
    assert model.kv_costs == (KvCosts() if flash else costs)
    assert model.kv_layout.endswith("-flash") is flash
    again = load_model(demo_gguf, OPTIONS)
    again.tune(time.monotonic)
    assert (again.kv_layout, again.kv_costs) == (model.kv_layout, model.kv_costs)
    tokens = [1, *model.vocabulary.tokenize(TEXTS[0])]
    expected = logits_after(judge, tokens)
    for each in (model, again):
        assert np.abs(logits_after(each, tokens) - expected).max() < NEAR_TIE
        each.close()


def test_measuring_attention_leaves_no_cell_in_use(demo_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "_TUNED", {})
    model = load_model(demo_gguf, replace(OPTIONS, n_ctx=512))
    model.tune(time.monotonic)
    costs = llama._TUNED[model.description][1]
    assert costs == KvCosts() or 0 < costs.moved < 1 > costs.pieces > 0
    assert model.decode([Span(0, 0, [300] * 512, 1)])
    model.close()


def test_logit_bias_is_honoured(served: Served) -> None:
    answer = served.submit(served.prompt(TEXTS[0]), 5, Sampling(temperature=0, logit_bias=((300, 1000.0),)))
    answer.wait()
    assert answer.tokens == [300] * 5


def test_penalties_see_the_end_of_the_prompt(judge: LlamaModel) -> None:
    prompt = [judge.vocabulary.bos or 1, *judge.vocabulary.tokenize(TEXTS[1])]
    best = int(logits_after(judge, prompt).argmax())
    penalised = Sampling(temperature=0, presence_penalty=100.0)
    for history, changed in ((prompt, best in prompt), ([*prompt, best], True), ([3], False)):
        assert judge.decode([Span(0, 0, prompt, 1)])
        sampler = judge.new_sampler(penalised, history)
        assert (sampler.sample(len(prompt) - 1) != best) == changed
        sampler.close()
        judge.apply(Truncate(0, 0))


def test_top_k_one_is_greedy_at_any_temperature(served: Served, judge: LlamaModel) -> None:
    answer = served.submit(served.prompt(TEXTS[0]), 20, Sampling(temperature=2.0, top_k=1, seed=1))
    answer.wait()
    assert_greedy(judge, answer)


def test_a_cancelled_stream_frees_its_cells(served: Served) -> None:
    answer = served.submit(served.prompt(TEXTS[1]), 900)
    answer.until(5)
    served.engine.cancel(answer.id)
    assert answer.wait().reason is FinishReason.CANCELLED
    assert served.engine.stats().kv_cells_used == 0


def test_cells_that_run_out_cost_nobody_their_answer(demo_gguf: Path, judge: LlamaModel) -> None:
    small = Served(load_model(demo_gguf, ModelOptions(n_ctx=256, n_seq_max=4, threads=1, kv_type="f16")))
    try:
        answers = [small.submit(small.prompt(text), 120) for text in TEXTS]
        for answer in answers:
            assert answer.wait().reason is FinishReason.LENGTH
            assert len(answer.tokens) == 120
        assert small.engine.stats().preemptions > 0
        assert_greedy(judge, answers[-1])
    finally:
        small.engine.close()


def test_a_swap_under_traffic_drops_nothing_and_frees_the_old(demo_gguf: Path, judge: LlamaModel) -> None:
    swapped = Served(load_model(demo_gguf, OPTIONS))
    try:
        answers = [swapped.submit(swapped.prompt(text), 60) for text in TEXTS]
        answers[0].until(5)
        swapped.engine.add_model("next", load_model(demo_gguf, OPTIONS))
        swapped.engine.activate("next")
        freed = swapped.engine.retire("demo")
        answers.append(swapped.submit(swapped.prompt(TEXTS[0]), 20))
        for answer in answers:
            assert answer.wait().reason is FinishReason.LENGTH
            assert_greedy(judge, answer)
        assert freed.wait(PATIENCE_S)
        assert swapped.engine.stats().models == ("next",)
        assert swapped.model.vocabulary.tokenize("still usable")
    finally:
        swapped.engine.close()


def test_the_ledger_and_llama_cpp_agree_on_sharing(judge: LlamaModel) -> None:
    tokens = [1, *judge.vocabulary.tokenize(TEXTS[1])]
    assert judge.decode([Span(0, 0, tokens, 1)])
    judge.apply(Copy(0, 1, len(tokens) - 1))
    judge.apply(Truncate(0, 0))
    assert judge.decode([Span(1, len(tokens) - 1, tokens[-1:], 1)])
    shared = judge.logits(0)
    judge.apply(Truncate(1, 0))
    assert np.allclose(shared, logits_after(judge, tokens), atol=NEAR_TIE)


def test_a_context_without_room_says_so_and_changes_nothing(demo_gguf: Path) -> None:
    model = load_model(demo_gguf, ModelOptions(n_ctx=256, n_seq_max=2, threads=1))
    assert model.decode([Span(0, 0, [1] * 200, 1)])
    assert not model.decode([Span(1, 0, [1] * 100, 1)])
    assert model.decode([Span(0, 200, [1], 1)])
    model.close()


def test_text_survives_the_vocabulary(judge: LlamaModel) -> None:
    vocabulary = judge.vocabulary
    text = "def f(x):\n\treturn 'ä😀' # <s> [INST] <PRE>\n"
    tokens = vocabulary.tokenize(text)
    assert b"".join(map(vocabulary.token_to_bytes, tokens)).decode().removeprefix(" ") == text
    controls = {vocabulary.bos, vocabulary.eos, vocabulary.fim_prefix, vocabulary.eot}
    assert not controls & {*tokens, *vocabulary.tokenize("</s>▁<PRE> x ▁<EOT>")}
    assert vocabulary.token_to_bytes(vocabulary.bos or 1) == b""
    assert vocabulary.is_eog(vocabulary.eos or 2)
    assert None not in (vocabulary.fim_prefix, vocabulary.fim_suffix, vocabulary.fim_middle, vocabulary.eot)


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "truncated", "architecture"])
def test_a_bad_file_is_refused_with_a_reason(tmp_path: Path, demo_gguf: Path, damage: str) -> None:
    path = tmp_path / "bad.gguf"
    good = demo_gguf.read_bytes()
    contents = {
        "empty": b"",
        "garbage": b"\x00garbage" * 1000,
        "truncated": good[: len(good) // 2],
        "architecture": good.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lhama"),
    }
    if damage in contents:
        path.write_bytes(contents[damage])
    said = {"missing": "does not exist", "garbage": "not a GGUF", "architecture": "lhama"}.get(damage, damage)
    with pytest.raises(ModelLoadError, match=said):
        load_model(path, OPTIONS)


def test_native_logging_goes_to_python(caplog: pytest.LogCaptureFixture, demo_gguf: Path) -> None:
    with caplog.at_level("DEBUG", logger="llama.cpp"):
        load_model(demo_gguf, OPTIONS).close()
    assert any("n_ctx" in record.message for record in caplog.records)
    assert all(not record.message.endswith("\n") for record in caplog.records)
