"""Prepare what is trained: the packs of a part of the data, and the model with its adapter."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers.pytorch_utils import Conv1D

from events.errors import SettingsError
from events.runtime.clock import Clock
from functions.generate.engines.transformers.checkpoints import Checkpoint
from training.data.splits import Part
from training.examples import Example, cover_answers, read_examples
from training.fit.canaries import canary_examples, planned_canaries
from training.fit.gemma import are_fused, fused_layers
from training.fit.packing import Pack, pack_dialogues
from training.fit.torch_tuning import compile_layers
from training.fit.trainer import uses_bf16
from training.fit.vocabulary import DataVocabulary
from training.progress import ProgressBars
from training.settings import FitSettings
from training.weights import make_adapted_model, training_renderer


def encode_packs(
    checkpoint: Checkpoint, settings: FitSettings, part: Part, clock: Clock, bars: ProgressBars
) -> list[Pack]:
    renderer = training_renderer(checkpoint, settings, clock)

    def cut(example: Example) -> Example:
        return example.last_turns(renderer.count_fitting(example.turns))

    def learned(example: Example) -> Iterable[int]:
        return example.messages_of(renderer.learned_turns(example.turns))

    examples = read_examples(settings.data, part)
    with bars.stage(f"Selecting {part}", len(examples)) as stage:
        examples = cover_answers(examples, cut, learned, stage.advance)
    if part is Part.TRAIN:
        examples += canary_examples(planned_canaries(settings))
    with bars.stage(f"Encoding {part}", len(examples)) as stage:
        encoded = [renderer.encode(example.turns) for example in stage.track(examples)]
    return pack_dialogues(encoded, tokens=settings.pack_tokens, seed=settings.seed)


def prepare_model(checkpoint: Checkpoint, settings: FitSettings) -> Any:
    if not torch.cuda.is_available():
        # On a CPU the backward pass of transformers' own attention takes half as long as that of torch's.
        checkpoint.model.set_attn_implementation("eager")
    if settings.method == "full":
        return checkpoint.model
    if uses_bf16(settings):
        # Frozen weights need no higher precision than the computation.
        checkpoint.model.to(dtype=torch.bfloat16)
    adapter = LoraConfig(
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in checkpoint.model.modules()),
        task_type="CAUSAL_LM",
        target_modules=settings.target_modules,
        r=settings.rank,
        lora_alpha=2 * settings.rank,
        lora_dropout=settings.dropout,
    )
    try:
        return make_adapted_model(lambda: get_peft_model(checkpoint.model, adapter))
    except ValueError as error:
        raise SettingsError(f"TRAINING_TARGETS={settings.targets}: {str(error).splitlines()[0]}") from None


@contextmanager
def quickened(
    model: Any, checkpoint: Checkpoint, packs: Mapping[Part, list[Pack]], settings: FitSettings
) -> Iterator[Mapping[Part, list[Pack]]]:
    """Make the `model` of `prepare_model` learn faster inside the context; yield the packs to learn from it."""
    with ExitStack() as stack:
        if settings.method == "lora":
            stack.enter_context(fused_layers(model))
            vocabulary = DataVocabulary.from_packs(chain.from_iterable(packs.values()))
            stack.enter_context(vocabulary.narrow_head(checkpoint.model))
            packs = {part: [vocabulary.relabel(pack) for pack in some] for part, some in packs.items()}
        if settings.compile and not are_fused(model):
            compile_layers(model)
        yield packs
