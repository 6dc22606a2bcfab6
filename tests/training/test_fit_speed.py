"""What makes a training fast changes nothing that it learns."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from rich.console import Console
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from events.runtime.clock import SystemClock
from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FormatName
from tests.training.conftest import gemma3, gpt2
from tests.training.test_fit import stop_after
from training.fit.command import fit
from training.fit.gemma import fused_layers
from training.fit.operations import ROWS
from training.fit.trainer import pack_loss
from training.fit.workers import count_workers, parallel_map
from training.settings import FitSettings

QUIET = Console(quiet=True)
WORDS = 600


def llama(words):
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=words, **shape, num_key_value_heads=1))


def adapted(model):
    """With an adapter that changes what the model says."""
    model.set_attn_implementation("eager")
    adapter = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=4, lora_alpha=8, init_lora_weights=False)
    return get_peft_model(model, adapter)


def pack(*lengths):
    """Dialogues of these lengths, of which every third token is not learned."""
    ids = torch.randint(0, WORDS, (1, sum(lengths)), generator=torch.Generator().manual_seed(0))
    labels = torch.where(torch.arange(sum(lengths))[None] % 3 == 0, -100, ids)
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    return {"input_ids": ids, "position_ids": positions, "labels": labels}


def loss_and_gradients(model, given):
    loss = pack_loss(model, given)
    return loss, torch.autograd.grad(loss, [weight for weight in model.parameters() if weight.requires_grad])


@pytest.mark.parametrize("lengths", [(5,), (7, 1, 9), (ROWS + 1, 3, 2 * ROWS)])
@pytest.mark.parametrize("window", [8, 200, 4096])
def test_fused_layers_have_the_loss_and_the_gradients_of_the_models_own(lengths, window):
    torch.manual_seed(1)
    model = adapted(gemma3(WORDS))
    for layer in model.get_base_model().model.layers:
        layer.self_attn.sliding_window = window if layer.self_attn.is_sliding else None
    model.config.sliding_window = window
    for norm in (module for name, module in model.named_modules() if name.endswith("norm")):
        torch.nn.init.normal_(norm.weight, std=0.3)
    expected, of_weights = loss_and_gradients(model, pack(*lengths))
    with fused_layers(model):
        loss, gradients = loss_and_gradients(model, pack(*lengths))
        assert "forward" in vars(model.get_base_model().model.layers[0])
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    for one, other in zip(gradients, of_weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=float(other.abs().max()) * 1e-5)
    assert "forward" not in vars(model.get_base_model().model.layers[0]), "the model is as it was"


def test_fused_layers_in_bfloat16_are_as_near_to_the_true_gradients_as_the_models_own():
    torch.manual_seed(1)
    model = adapted(gemma3(WORDS))
    given = pack(150, 20)
    _, exact = loss_and_gradients(model, given)
    model.get_base_model().to(torch.bfloat16)
    for name, weight in model.named_parameters():
        if "lora" in name:
            weight.data = weight.data.float()

    def distance():
        with torch.autocast("cpu", torch.bfloat16):
            _, gradients = loss_and_gradients(model, given)
        return float(sum((one - true).square().sum() for one, true in zip(gradients, exact, strict=True)))

    plain = distance()
    with fused_layers(model):
        assert distance() < 1.5 * plain


@pytest.mark.parametrize("make", [gpt2, llama], ids=["gpt2", "llama"])
def test_layers_of_other_models_are_left_as_they_are(make):
    model = adapted(make(WORDS).eval())
    expected, of_weights = loss_and_gradients(model, pack(20, 7))
    with fused_layers(model):
        loss, gradients = loss_and_gradients(model, pack(20, 7))
    assert torch.equal(loss, expected)
    assert all(torch.equal(one, other) for one, other in zip(gradients, of_weights, strict=True))


@pytest.mark.parametrize("change", [{"dropout": 0.1}, {"targets": ["q_proj"]}])
def test_layers_with_another_adapter_are_left_as_they_are(change):
    targets = change.get("targets", "all-linear")
    adapter = LoraConfig(task_type="CAUSAL_LM", target_modules=targets, r=4, lora_dropout=change.get("dropout", 0))
    model = get_peft_model(gemma3(WORDS), adapter)
    with fused_layers(model):
        assert "forward" not in vars(model.get_base_model().model.layers[0])


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def models_directory(place, model, tokenizer):
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    ModelCard(name="tiny", format=FormatName.DIALOGUE, preamble=True, licence="CC0-1.0").write(place)
    return place


def settings(data, base, out, **chosen):
    fast = {"steps": 6, "evaluate_every": 3, "pack_tokens": 256, "context_tokens": 128, "learning_rate": 5e-3}
    return FitSettings.read(data=data, model=str(base), out=out, precision="fp32", **{**fast, **chosen})


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("make", [gemma3, llama], ids=["gemma3", "llama"])
def test_packs_that_are_computed_at_once_teach_the_same_as_one_after_the_other(data, tokenizer, tmp_path, make):
    torch.manual_seed(1)
    base = models_directory(tmp_path / "base", make(len(tokenizer)), tokenizer)
    at_once = [fit(settings(data, base, tmp_path / name), console=QUIET, clock=SystemClock()) for name in "ab"]
    torch.set_num_threads(1)
    alone = fit(settings(data, base, tmp_path / "alone"), console=QUIET, clock=SystemClock())
    losses = [[entry["loss"] for entry in one.history if "loss" in entry] for one in (*at_once, alone)]
    assert losses[0] == losses[1], "the same, whichever pack was ready first"
    assert losses[0] == pytest.approx(losses[2], rel=1e-4)
    assert at_once[0].best_loss == pytest.approx(alone.best_loss, rel=1e-4)
    saved = [load_file(tmp_path / name / "model/adapter_model.safetensors") for name in "ab"]
    assert all(torch.equal(weight, saved[1][name]) for name, weight in saved[0].items())


@pytest.mark.usefixtures("two_threads")
def test_a_training_with_packs_at_once_that_was_stopped_goes_on_to_the_same_bytes(
    data, tokenizer, tmp_path, monkeypatch
):
    torch.manual_seed(1)
    base = models_directory(tmp_path / "base", gemma3(len(tokenizer)), tokenizer)
    fit(settings(data, base, tmp_path / "whole"), console=QUIET, clock=SystemClock())
    halves = settings(data, base, tmp_path / "halves")
    stop_after(4, halves, monkeypatch)
    fit(halves, console=QUIET, clock=SystemClock())
    saved = [load_file(tmp_path / name / "model/adapter_model.safetensors") for name in ("whole", "halves")]
    assert all(torch.equal(weight, saved[1][name]) for name, weight in saved[0].items())


def test_only_as_many_packs_are_computed_at_once_as_there_are_threads_and_packs(data, tmp_path, two_threads):
    model = adapted(gemma3(WORDS))
    if torch.cuda.is_available():
        assert count_workers(model, settings(data, tmp_path, tmp_path)) == 1
        return
    assert count_workers(model, settings(data, tmp_path, tmp_path)) == 2
    assert count_workers(model, settings(data, tmp_path, tmp_path, packs=1)) == 1
    assert count_workers(model, settings(data, tmp_path, tmp_path, packs=8)) == 2
    assert count_workers(model, settings(data, tmp_path, tmp_path, method="full")) == 1
    compiling = settings(data, tmp_path, tmp_path, compile=True)
    assert count_workers(model, compiling) == 1
    with fused_layers(model):
        assert count_workers(model, compiling) == 2, "there is nothing left to compile"
    assert count_workers(adapted(gpt2(WORDS)), settings(data, tmp_path, tmp_path)) == 1, "it drops out at random"


def test_a_map_returns_results_in_order_on_threads_of_its_own_and_passes_errors_on(two_threads):
    with parallel_map(2) as both:
        assert list(both(lambda one: (one, torch.get_num_threads()), [1, 2, 3])) == [(1, 1), (2, 1), (3, 1)]
        with pytest.raises(ZeroDivisionError):
            list(both(lambda one: 1 // one, [1, 0]))
    assert torch.get_num_threads() == 2
