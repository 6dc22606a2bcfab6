"""Check that an architecture is converted correctly: convert a small model of its kind, and compare it with torch.

This takes seconds and little memory, before the minutes for the model itself, and it prevents serving a model that
would silently answer differently.
"""

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from functions.generate.engines.model_files import write_errors_named
from functions.generate.engines.openvino.export.graph_passes import Unsupported
from functions.generate.engines.openvino.export.transformers_graph import trace_graph
from functions.generate.engines.openvino.library import genai, ov
from functions.generate.engines.openvino.model_spec import EXACT

_SMALL = 20_000_000
"""Parameters; a smaller model is compared itself."""
_WORDS = 512
_WINDOW = 8
_SIZES = {"vocab_size": _WORDS, "intermediate_size": 256, "sliding_window": _WINDOW, "max_position_embeddings": 2048}
"""Upper limits for a small model."""
_PROMPTS = (3, 4 * _WINDOW + 1)
"""Tokens. They are read together, and one is longer than the window."""
_NEW = 6
_TOLERANCE = 0.02
"""Of the spread of torch's logits. Rounding alone makes less than a thousandth,"""
_ROUNDING = 2e-4
"""and this, from what the graph adds to them."""


_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def convert_checked(model: Any) -> ov.Model:
    """Convert `model` to a graph. Raises Unsupported, with a reason, if its architecture is not converted correctly.

    Raises OSError if there is no room on the disk for the check.
    """
    try:
        if sum(parameter.numel() for parameter in model.parameters()) > _SMALL:
            small = _small(type(model), model.config)
            _compare(small, trace_graph(small))
            return trace_graph(model)
        made = trace_graph(model)
        _compare(model, made)
    except Unsupported:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # a disk's; Python's own, about missing sources, has none
            raise
        # transformers, torch and OpenVINO raise all kinds of errors for unsupported models.
        raise Unsupported(_reason(model, error)) from error
    return made


def _reason(model: Any, error: Exception) -> str:
    config = model.config.get_text_config()
    if any((getattr(config, name, None) or 0) > 1 for name in _EXPERTS):
        return "a mixture of experts"
    lines = str(error).strip().splitlines() or [""]
    return (
        f"an architecture, {type(model).__name__}, that can't be converted ({type(error).__name__}: {lines[0][:100]})"
    )


def _small(kind: Any, original: Any) -> Any:
    """Return a small model of the same architecture, with random weights that make every part of it matter."""
    config = copy.deepcopy(original)
    _shrink(config.get_text_config())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = kind(config).eval()
        with torch.no_grad():
            for parameter in made.parameters():
                noise = torch.randn_like(parameter)
                if parameter.dim() == 1:
                    parameter.add_(0.3 * noise)
                else:
                    parameter.copy_(2.0 * noise / parameter.shape[-1] ** 0.5)
    return made


def _shrink(config: Any) -> None:
    layers = config.num_hidden_layers
    lists = {name: value for name, value in vars(config).items() if isinstance(value, list) and len(value) == layers}
    kept = _of_each_kind(list(zip(*lists.values(), strict=True)) or [()] * layers)
    for name, values in lists.items():
        setattr(config, name, [values[place] for place in kept])
    config.num_hidden_layers = len(kept)
    for name, most in _SIZES.items():
        value = getattr(config, name, None)
        if isinstance(value, int):
            setattr(config, name, min(value, most))
    for name, value in list(vars(config).items()):
        if name.endswith("_token_id") and isinstance(value, int) and value >= _WORDS:
            setattr(config, name, 0)


def _of_each_kind(layers: list[tuple[Any, ...]]) -> list[int]:
    """Return the positions of the first layer of each kind, and of at least two layers."""
    first = {layers.index(layer) for layer in layers}
    return sorted(first | {0, min(1, len(layers) - 1)})


def _compare(model: Any, made: ov.Model) -> None:
    words = model.get_input_embeddings().num_embeddings
    generator = np.random.default_rng(0)
    prompts = [generator.integers(0, words, length) for length in _PROMPTS]
    with tempfile.TemporaryDirectory() as directory:
        with write_errors_named(Path(directory)):
            ov.save_model(made, Path(directory) / "openvino_model.xml", compress_to_fp16=False)
            model.config.save_pretrained(directory)
        answers = _continued(directory, prompts)
    for prompt, (tokens, found) in zip(prompts, answers, strict=True):
        ids = torch.tensor([[*prompt.tolist(), *tokens]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
        wanted = torch.log_softmax(logits, -1)
        chosen = wanted.gather(-1, torch.tensor(tokens)[:, None])[:, 0]
        off = torch.maximum((torch.tensor(found) - chosen).abs(), wanted.max(-1).values - chosen)
        if not bool((off <= _TOLERANCE * logits.std() + _ROUNDING).all()):
            raise Unsupported(f"an architecture, {type(model).__name__}, whose answers come out different here")


def _continued(directory: str, prompts: list[Any]) -> list[tuple[list[int], list[float]]]:
    """Return the next tokens and their log probabilities, as the engine computes them."""
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = 4 * len(prompts)
    pipeline = genai.ContinuousBatchingPipeline(directory, scheduler, "CPU", EXACT)
    config = genai.GenerationConfig(
        max_new_tokens=_NEW, ignore_eos=True, logprobs=1, eos_token_id=0, stop_token_ids={0}
    )
    handles = [
        pipeline.add_request(number, ov.Tensor(prompt[None].astype(np.int64)), config)
        for number, prompt in enumerate(prompts)
    ]
    while pipeline.has_non_finished_requests():
        pipeline.step()
    outputs = [handle.read_all()[0] for handle in handles]
    return [(list(output.generated_ids), list(output.generated_log_probs)) for output in outputs]
