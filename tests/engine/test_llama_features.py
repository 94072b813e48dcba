"""What the engine over llama.cpp adds to plain decoding: guesses, grammars, logprobs, saved cells, adapters."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_cpp import Llama

from assistant.engine import llama_sampler
from assistant.engine.kv_store import MIB, KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.llama import LlamaModel, ModelOptions, load_model
from assistant.engine.model import Span, Truncate
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import FinishReason, InvalidGrammarError, ModelLoadError, Sampling
from tests.engine.served import NEAR_TIE, OPTIONS, PATIENCE_S, Served, assert_greedy
from tests.servers import eventually

FLAT = {rows: 0.1 + rows / 1e6 for rows in (1, 2, 4, 8, 16, 32)}
REPEATED = "def first(a, b):\n    return a + b\n\n\ndef second(a, b):\n    return a - b\n\n\n" * 3
OBJECT = 'root ::= "{\\"name\\": \\"" [a-z]{1,8} "\\", \\"age\\": " [0-9]{1,2} "}"'


@pytest.fixture
def guessing(demo_gguf: Path) -> Served:
    """An engine that is told that guesses cost nothing."""
    return Served(load_model(demo_gguf, OPTIONS), curve=StepCurve(FLAT, 512))


def test_guesses_change_no_greedy_token(guessing: Served, judge: LlamaModel, demo_gguf: Path) -> None:
    reference = Llama(
        str(demo_gguf), n_ctx=1024, n_threads=1, n_threads_batch=1, flash_attn=True, use_mmap=False, verbose=False
    )
    try:
        answers = [guessing.submit(guessing.prompt(REPEATED[cut:]), 80) for cut in (0, 9, 30)]
        for answer in answers:
            answer.wait()
            assert_greedy(judge, answer)
        alone = guessing.submit(guessing.prompt(REPEATED), 60)
        timings = alone.wait().timings
        stream = reference.generate(alone.prompt, temp=0.0)
        assert alone.tokens == [next(stream) for _ in alone.tokens]
        assert timings.accepted_tokens > 10
    finally:
        guessing.engine.close()
        reference.close()


def test_guesses_change_no_sampled_token_of_a_seed(guessing: Served, served: Served) -> None:
    """Each token is one draw, guessed or not; a draw next to a border may fall otherwise in another batch shape."""
    prompt = guessing.prompt(REPEATED)
    samplings = [Sampling(temperature=0.7, seed=seed) for seed in range(20)]
    try:
        pairs = [(guessing.submit(prompt, 30, each), served.submit(prompt, 30, each)) for each in samplings]
        for pair in pairs:
            for answer in pair:
                answer.wait()
        assert sum(one.tokens == other.tokens for one, other in pairs) >= 18
        assert len({tuple(one.tokens) for one, _ in pairs}) > 3
        assert guessing.engine.stats().accepted_tokens > 0
    finally:
        guessing.engine.close()


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(temperature=1.5, seed=3)])
def test_a_grammar_is_followed_to_its_end(served: Served, sampling: Sampling) -> None:
    vocabulary = served.model.vocabulary
    answer = served.submit(served.prompt("The person is "), 60, sampling, grammar=OBJECT, stop_tokens=vocabulary.eog)
    assert answer.wait().reason is FinishReason.STOP
    text = b"".join(map(vocabulary.token_to_bytes, answer.tokens)).decode()
    assert set(json.loads(text)) == {"name", "age"}


def test_a_grammar_may_name_tokens(served: Served) -> None:
    wanted = served.model.vocabulary.tokenize("def add(a, b): return a + b")
    grammar = "root ::= " + " ".join(f"<[{token}]>" for token in wanted)
    answer = served.submit(served.prompt("x"), 60, grammar=grammar, stop_tokens=served.model.vocabulary.eog)
    assert answer.wait().reason is FinishReason.STOP
    assert answer.tokens == wanted


def test_no_control_token_slips_through_a_grammar_as_text(served: Served) -> None:
    vocabulary = served.model.vocabulary
    assert vocabulary.eot is not None
    pull = Sampling(temperature=0, logit_bias=((vocabulary.eot, 1000.0),))
    answer = served.submit(served.prompt("x"), 20, pull, grammar='root ::= "<" [^>]* ">"', stop_tokens=vocabulary.eog)
    answer.wait()
    assert answer.tokens
    assert all(vocabulary.token_to_bytes(token) for token in answer.tokens)


@pytest.mark.parametrize(
    "grammar",
    [
        "", " ", "other ::= \"x\"", "root ::= missing", "root ::= root \"x\"", "root ::= \"x\" )", "\0",
        'root ::= "x"{100000000}', 'root ::= "a" !<[7]>',
    ],
)  # fmt: skip
def test_a_bad_grammar_is_refused_before_it_runs(served: Served, grammar: str) -> None:
    with pytest.raises(InvalidGrammarError):
        served.submit(served.prompt("x"), 5, grammar=grammar)


@settings(max_examples=150, deadline=None, database=None)
@given(st.text('root::=|()[]"*+?<>!^-\\x \n0123', max_size=60))
def test_no_grammar_text_brings_the_process_down(served: Served, text: str) -> None:
    with contextlib.suppress(InvalidGrammarError):
        served.submit(served.prompt("x"), 3, grammar=text).wait()


def test_a_grammar_that_no_token_can_meet_ends_with_an_error_and_the_engine_goes_on(served: Served) -> None:
    grammar = "root ::= <[400]> <[1]>"  # BOS is never sampled
    finished = served.submit(served.prompt("x"), 5, grammar=grammar).wait()
    assert finished.reason is FinishReason.UNMET
    assert "grammar" in str(finished.error)
    assert served.submit(served.prompt("x"), 5).wait().reason is FinishReason.LENGTH


def test_an_ambiguous_grammar_ends_its_own_request_and_not_the_engine(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times as many ways to go on with each bracket."""
    monkeypatch.setattr(llama_sampler, "SLOWEST_S", 0.2)
    levels = [f"l{n} ::= " + " | ".join(f'"[" l{n + 1} "{c}"' for c in "abc") for n in range(16)]
    grammar = "\n".join(["root ::= l0", *levels, 'l16 ::= "x"'])
    finished = served.submit(served.prompt("x"), 40, grammar=grammar).wait()
    assert finished.reason is FinishReason.UNMET
    assert "ambiguous" in str(finished.error)
    assert served.submit(served.prompt("x"), 5).wait().reason is FinishReason.LENGTH


def test_log_probabilities_are_those_of_the_logits(served: Served, judge: LlamaModel) -> None:
    answer = served.submit(served.prompt(REPEATED[:40]), 5, logprobs=3)
    answer.wait()
    rows, start = answer.prompt, 0
    for token in answer.told:
        assert judge.decode([Span(0, start, rows, 1)])
        logits = judge.logits(len(rows) - 1).astype(np.float64)
        expected = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        assert token.logprob == pytest.approx(expected[token.id], abs=NEAR_TIE)
        assert token.top[0][0] == token.id
        assert len(token.top) == 3
        assert [value for _, value in token.top] == sorted((value for _, value in token.top), reverse=True)
        rows, start = [token.id], start + len(rows)
    judge.apply(Truncate(0, 0))


def test_saved_cells_give_the_same_logits_wherever_they_are_restored(judge: LlamaModel) -> None:
    tokens = judge.vocabulary.tokenize(REPEATED)[:120]
    assert judge.decode([Span(0, 0, tokens, 0)])
    saved = bytes(judge.save(0))
    assert judge.decode([Span(0, len(tokens), [5], 1)])
    expected = judge.logits(0)
    judge.apply(Truncate(0, 0))
    assert judge.decode([Span(1, 0, tokens[:50], 0)])  # the cells are elsewhere now
    assert judge.restore(3, saved)
    assert judge.decode([Span(3, len(tokens), [5], 1)])
    assert np.array_equal(judge.logits(0), expected)
    for seq_id in (1, 3):
        judge.apply(Truncate(seq_id, 0))


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_cells_are_refused_and_the_sequence_stays_empty(judge: LlamaModel, damage: str) -> None:
    tokens = judge.vocabulary.tokenize(REPEATED)[:80]
    assert judge.decode([Span(0, 0, tokens, 1)])
    expected = judge.logits(len(tokens) - 1)
    saved = bytes(judge.save(0))
    judge.apply(Truncate(0, 0))
    bad = {"cut": saved[: len(saved) // 2], "garbage": b"\xff" * len(saved), "empty": b""}[damage]
    assert not judge.restore(0, bad)
    assert judge.decode([Span(0, 0, tokens, 1)])
    assert np.array_equal(judge.logits(len(tokens) - 1), expected)
    judge.apply(Truncate(0, 0))


def test_a_conversation_that_was_evicted_comes_back_from_disk_after_a_restart(
    demo_gguf: Path, judge: LlamaModel, tmp_path: Path
) -> None:
    tiers = EngineOptions(kv_store=KvStoreOptions(0, 64 * MIB, tmp_path))
    small = ModelOptions(n_ctx=512, n_seq_max=4, threads=1, kv_type="f16")
    first = Served(load_model(demo_gguf, small), tiers)
    prompt = first.prompt(REPEATED)
    first.submit(prompt, 10).wait()
    first.submit(first.prompt("import os\n" * 80), 10).wait()
    first.engine.close()
    again = Served(load_model(demo_gguf, small), tiers)
    try:
        answer = again.submit([*prompt, 40, 41], 20)
        assert answer.wait().timings.cached_tokens >= len(prompt)
        assert_greedy(judge, answer)
    finally:
        again.engine.close()


def test_requests_with_an_adapter_and_without_run_side_by_side(
    demo_gguf: Path, judge: LlamaModel, tmp_path: Path
) -> None:
    file = tmp_path / "adapter.gguf"
    write_lora(file)
    both = Served(load_model(demo_gguf, OPTIONS))
    try:
        with pytest.raises(ModelLoadError):
            both.engine.add_adapter("demo", "bad", demo_gguf)
        both.engine.add_adapter("demo", "tuned", file)
        prompt = both.prompt(REPEATED)
        answers = [both.submit(prompt, 40, adapter=adapter) for adapter in (None, "tuned", None, "tuned")]
        for answer in answers:
            answer.wait()
        assert answers[0].tokens == answers[2].tokens
        assert answers[1].tokens == answers[3].tokens
        assert answers[0].tokens != answers[1].tokens
        assert_greedy(judge, answers[0])
        judge.add_adapter("tuned", file)
        judge.use_adapter("tuned")
        assert_greedy(judge, answers[1])
        judge.use_adapter(None)
        judge.remove_adapter("tuned")
        both.engine.remove_adapter("demo", "tuned")
    finally:
        both.engine.close()


def test_the_engine_of_a_model_that_is_gone_lets_go_of_everything(demo_gguf: Path, tmp_path: Path) -> None:
    file = tmp_path / "adapter.gguf"
    write_lora(file)
    served = Served(load_model(demo_gguf, OPTIONS))
    served.engine.add_adapter("demo", "tuned", file)
    served.submit(served.prompt(REPEATED), 200, grammar=OBJECT)
    served.engine.add_model("next", load_model(demo_gguf, OPTIONS))
    served.engine.activate("next")
    assert served.engine.retire("demo").wait(PATIENCE_S)
    eventually("only the next is left", lambda: served.engine.stats().models == ("next",))
    served.engine.close()


def write_lora(path: Path) -> None:
    """A random LoRA of rank 4 on the attention of the demo model's first layer."""
    random = np.random.default_rng(7)
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for name in ("attn_q", "attn_v"):
        writer.add_tensor(f"blk.0.{name}.weight.lora_a", random.normal(0, 0.3, (4, 256)).astype(np.float32))
        writer.add_tensor(f"blk.0.{name}.weight.lora_b", random.normal(0, 0.3, (256, 4)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_the_infill_sampler_prefers_the_end_to_an_unlikely_token(served: Served) -> None:
    vocabulary = served.model.vocabulary
    assert vocabulary.eot is not None
    ends = vocabulary.eog
    bias = ((vocabulary.eot, 12.0),)
    prompt = served.prompt(REPEATED[:60])
    plain, infill = (
        [served.submit(prompt, 30, Sampling(1.0, 1.0, 40, 0.0, seed=seed, logit_bias=bias, infill=on), stop_tokens=ends)
         for seed in range(12)]
        for on in (False, True)
    )  # fmt: skip
    for answer in (*plain, *infill):
        answer.wait()
    assert sum(len(answer.tokens) for answer in infill) != sum(len(answer.tokens) for answer in plain)
