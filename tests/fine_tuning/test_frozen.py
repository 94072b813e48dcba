"""Frozen quantized layers with LoRA compute, and learn, what PEFT does with the same weights stored whole."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional
from transformers import LlamaForCausalLM

from finetuning.base_model import LINEARS, BaseModel
from finetuning.config import TrainSettings
from finetuning.frozen import (
    AdaptedLinear,
    EightBitLinear,
    FourBitLinear,
    FrozenLinear,
    FrozenProduct,
    LoraProduct,
    Scratch,
    frozen_linear,
)
from finetuning.frozen_llama import adapted_llama
from finetuning.frugal import FrugalMlp, FrugalNorm, target_loss
from finetuning.learner import Learner
from finetuning.memory import BITS, Mode, need
from finetuning.packing import Pack

SETTINGS = TrainSettings(warmup_steps=0, learning_rate=3e-3)
MODES = pytest.mark.parametrize("mode", BITS)
WIDTHS = pytest.mark.parametrize("bits", BITS.values())


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    state = torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_rng_state(state)


def double(*size: int) -> torch.Tensor:
    return torch.randn(*size, dtype=torch.float64, requires_grad=True)


def layer(bits: int, rows: int = 128, columns: int = 48) -> FrozenLinear:
    return frozen_linear(torch.randn(rows, columns), bits, Scratch(torch.float64))


def whole(layer: FrozenLinear) -> torch.Tensor:
    """A copy of the weight that the layer computes with."""
    return layer.dense() * (1 if layer.row_scale is None else layer.row_scale[:, None])


def pack(tokens: int, seed: int = 0) -> Pack:
    ids = torch.randint(3, 4000, (1, tokens), generator=torch.Generator().manual_seed(seed))
    return Pack(ids, torch.arange(tokens)[None], torch.arange(tokens - 1), ids[0, 1:])


@pytest.mark.parametrize(("bits", "error"), [(8, 0.01), (4, 0.1)])
def test_quantizing_changes_a_weight_by_little(bits: int, error: float) -> None:
    weight = torch.randn(128, 256)
    difference = whole(frozen_linear(weight, bits, Scratch(torch.float32))) - weight
    assert difference.norm() < error * weight.norm()


@WIDTHS
def test_rows_of_zeros_stay_zero(bits: int) -> None:
    assert not whole(frozen_linear(torch.zeros(64, 8), bits, Scratch(torch.float32))).any()


def test_a_matrix_whose_rows_do_not_make_blocks_keeps_eight_bits() -> None:
    assert frozen_linear(torch.randn(96, 8), 4, Scratch(torch.float32)).row_scale is not None


def test_layers_that_share_a_scratch_each_get_their_own_weight() -> None:
    scratch = Scratch(torch.float32)
    small, large = (frozen_linear(torch.randn(rows, 8), 8, scratch) for rows in (64, 128))
    first = whole(small)
    whole(large)
    assert torch.equal(whole(small), first)


@WIDTHS
def test_gradients_of_the_products_are_those_of_finite_differences(bits: int) -> None:
    frozen = layer(bits, rows=64, columns=5)
    x, a, b, change = double(3, 5), double(2, 5), double(64, 2), double(3, 64)
    lora: Callable[..., torch.Tensor] = LoraProduct.apply
    product: Callable[..., torch.Tensor] = FrozenProduct.apply
    assert gradcheck(lambda *given: lora(*given, 2.0), (x, a, b))
    assert gradcheck(lambda *given: product(*given, frozen), (x, change))


def test_gradients_of_norm_and_loss_are_those_of_finite_differences() -> None:
    norm = FrugalNorm(torch.randn(6, dtype=torch.float64), 1e-5)
    head, targets = torch.randn(7, 6, dtype=torch.float64), torch.tensor([0, 6, 3])
    assert gradcheck(norm, (double(2, 3, 6),))
    assert gradcheck(lambda hidden: target_loss(hidden, head, targets), (double(3, 6),))


def test_the_loss_of_many_targets_is_that_of_all_at_once() -> None:
    hidden, head, targets = torch.randn(600, 16), torch.randn(50, 16), torch.randint(50, (600,))
    expected = functional.cross_entropy(hidden @ head.T, targets, reduction="sum")
    assert target_loss(hidden, head, targets).item() == pytest.approx(expected.item(), rel=1e-5)


class Mlp(nn.Module):
    """Three linears as Llama has them."""

    def __init__(self, *linears: nn.Module) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = linears

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner: torch.Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return inner


def adapted(model: nn.Module) -> PeftModel:
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["gate_proj", "up_proj", "down_proj"])
    config._register_custom_module({FrozenLinear: AdaptedLinear})
    torch.manual_seed(1)
    tuned = get_peft_model(model, config).double()
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    return tuned


@WIDTHS
def test_an_mlp_has_the_outputs_and_gradients_of_pefts(bits: int) -> None:
    frozen = [layer(bits, 128, 64), layer(bits, 128, 64), layer(bits, 64, 128)]
    stored = [nn.Linear(each.in_features, each.out_features, bias=False, dtype=torch.float64) for each in frozen]
    for linear, each in zip(stored, frozen, strict=True):
        linear.weight.data = whole(each)
    results = []
    for model in (adapted(FrugalMlp(Mlp(*frozen))), adapted(Mlp(*stored))):
        x = torch.linspace(-1, 1, 2 * 5 * 64, dtype=torch.float64).view(2, 5, 64).requires_grad_()
        output = model(x)
        output.square().sum().backward()
        results.append([output, x.grad, *(p.grad for p in model.parameters() if p.requires_grad)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def stored_llama(folder: Path, tuned: PeftModel) -> LlamaForCausalLM:
    """The model as transformers loads it, with the weights that ``tuned`` computes with."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    frozen = tuned.get_base_model()
    for number, of_model in enumerate(model.model.layers):
        for name in LINEARS:
            adapted = frozen.model.layers[number].get_submodule(name)
            of_model.get_submodule(name).weight.data = whole(adapted.base_layer)
    return model


@MODES
def test_a_model_has_the_loss_and_gradients_of_pefts(demo_hf: Path, mode: Mode) -> None:
    learner = Learner(demo_hf, SETTINGS, torch.float32, mode)
    learner.accumulate(pack(80, seed=1))
    learner.step(79, 0, 10)
    tuned = get_peft_model(stored_llama(demo_hf, learner.model), learner.model.peft_config["default"])
    set_peft_model_state_dict(tuned, learner.adapter())
    ids = pack(96).ids
    loss = functional.cross_entropy(tuned(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="sum")
    loss.backward()  # type: ignore[no-untyped-call]
    assert learner.accumulate(pack(96)) == pytest.approx(loss.item(), rel=1e-5)
    theirs = [p.grad for p in tuned.parameters() if p.requires_grad]
    for parameter, expected in zip(learner.parameters, theirs, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-3, atol=1e-4)


@MODES
def test_a_fresh_adapter_is_the_one_that_peft_makes(demo_hf: Path, mode: Mode) -> None:
    ours = adapted_llama(demo_hf, SETTINGS, torch.float32, mode)
    plain = LlamaForCausalLM.from_pretrained(demo_hf, dtype=torch.float32, local_files_only=True)
    targets = [name.rpartition(".")[2] for name in LINEARS]
    torch.manual_seed(SETTINGS.seed)
    config = LoraConfig(r=SETTINGS.rank, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM")
    theirs = get_peft_model_state_dict(get_peft_model(plain, config))
    mine = get_peft_model_state_dict(ours)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@MODES
def test_peft_loads_what_was_written_and_computes_the_same_logits(demo_hf: Path, tmp_path: Path, mode: Mode) -> None:
    learner = Learner(demo_hf, SETTINGS, torch.float32, mode)
    learner.accumulate(pack(80))
    learner.step(79, 0, 10)
    learner.write_adapter(learner.adapter(), tmp_path)
    loaded = PeftModel.from_pretrained(stored_llama(demo_hf, learner.model), str(tmp_path))
    ids = pack(64, seed=2).ids
    with torch.no_grad():
        torch.testing.assert_close(learner.model(input_ids=ids).logits, loaded(input_ids=ids).logits, rtol=0, atol=2e-3)


@MODES
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_evaluation_changes_nothing_for_the_steps_after_it(demo_hf: Path, mode: Mode, dtype: torch.dtype) -> None:
    gradients = []
    for evaluated in (False, True):
        learner = Learner(demo_hf, SETTINGS, dtype, mode)
        learner.accumulate(pack(16))
        learner.step(15, 0, 10)
        if evaluated:
            learner.evaluate([pack(16, seed=2)])
        learner.accumulate(pack(16, seed=3))
        gradients.append([p.grad for p in learner.parameters])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert any(gradient.any() for gradient in gradients[0])


@pytest.mark.parametrize(
    ("mode", "products", "made_dense"),
    [("fast", {"q_proj": 11, "up_proj": 12, "down_proj": 12}, {"q_proj": 11, "up_proj": 12, "down_proj": 11}),
     ("lean", {"q_proj": 18, "up_proj": 18, "down_proj": 12}, {"q_proj": 11, "up_proj": 11, "down_proj": 11})],
)  # fmt: skip
def test_a_layer_is_computed_again_without_its_last_product_and_made_dense_once_for_that_and_backward(
    demo_hf: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, products: dict[str, int], made_dense: dict[str, int]
) -> None:
    learner = Learner(demo_hf, SETTINGS, torch.float32, mode)
    layers = {id(each): name for name, each in learner.model.named_modules() if isinstance(each, FrozenLinear)}
    asked, made = Counter[str](), Counter[str]()

    def counted(counter: Counter[str], method: Any) -> Any:
        def count(layer: FrozenLinear, *rest: torch.Tensor) -> Any:
            counter[layers[id(layer)].split(".")[-2]] += 1
            return method(layer, *rest)

        return count

    monkeypatch.setattr(FrozenLinear, "dense", counted(asked, FrozenLinear.dense))
    for kind in (EightBitLinear, FourBitLinear):
        monkeypatch.setattr(kind, "dequantize", counted(made, kind.dequantize))
    learner.accumulate(pack(16))
    assert products == {name: asked[name] for name in products}
    assert made_dense == {name: made[name] for name in made_dense}


def test_a_layer_keeps_for_its_backward_pass_what_the_arithmetic_counts(demo: BaseModel) -> None:
    learner = Learner(demo.folder, SETTINGS, torch.float32, "fast")
    parameters = {each.untyped_storage().data_ptr() for each in learner.model.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        learner.loss(pack(256))
    found = sum(size for where, (size, _) in kept.items() if where not in parameters)
    counted = need(demo.shape, SETTINGS.model_copy(update={"sequence_length": 256}), "float32", "fast").saved
    assert found == pytest.approx(counted, rel=0.06)
