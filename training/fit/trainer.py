"""Train on packed dialogues with transformers' Trainer, with logits and a loss for the owner's tokens only."""

import json
import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from functions.generate.engines.model_files import write_errors_named
from training.fit.gemma import wanted_tokens
from training.fit.monitor import Monitor
from training.fit.packing import IGNORED, Pack
from training.fit.workers import Map, count_workers, parallel_map
from training.settings import FitSettings

CHECKPOINTS = "checkpoints"
_STATE = "trainer_state.json"

Batch = dict[str, list[Pack]]
"""The packs of a step of the optimizer, or those that are evaluated at once, as `packs`."""


class PackTrainer(Trainer):  # type: ignore[misc]  # transformers exports it untyped
    """Trains on the packs of a step, `workers` at a time."""

    def __init__(self, *given: Any, monitor: Monitor, workers: int, **more: Any) -> None:
        super().__init__(*given, **more)
        self._monitor = monitor
        self._workers = workers
        self._map: Map[Any, Any] = map

    def train(self, *given: Any, **more: Any) -> Any:
        with parallel_map(self._workers) as self._map:
            return super().train(*given, **more)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._monitor.saving(), write_errors_named(folder):
                super()._save_checkpoint(model, trial)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # an incomplete checkpoint would keep the disk full
            raise

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> torch.Tensor:
        model.train()
        packs = inputs["packs"]
        learned = sum(map(count_learned, packs))
        if self._workers == 1:
            return torch.stack([self._backward(model, pack, learned) for pack in packs]).sum()
        weights = [weight for weight in model.parameters() if weight.requires_grad]

        def differentiate(pack: Pack) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
            loss = self._loss(model, pack) / learned
            return loss.detach(), torch.autograd.grad(loss, weights)

        losses, gradients = zip(*self._map(differentiate, packs), strict=True)
        for weight, *parts in zip(weights, *gradients, strict=True):
            weight.grad = sum(parts[1:], parts[0])  # in the order of the packs, whichever was computed first
        return torch.stack(losses).sum()

    def _backward(self, model: Any, pack: Pack, learned: int) -> torch.Tensor:
        loss = self._loss(model, pack) / learned
        self.accelerator.backward(loss)
        return loss.detach()

    def _loss(self, model: Any, pack: Pack) -> torch.Tensor:
        with self.compute_loss_context_manager():
            return pack_loss(model, pack)

    def prediction_step(self, model: Any, inputs: Batch, *_: Any, **__: Any) -> tuple[torch.Tensor, None, None]:
        """Return the loss of each pack; the Trainer takes the mean of all."""

        @torch.no_grad()
        def evaluate(pack: Pack) -> torch.Tensor:
            return self._loss(model, pack) / count_learned(pack)

        return torch.stack(list(self._map(evaluate, inputs["packs"]))), None, None

    def floating_point_ops(self, inputs: Batch) -> int:
        return 0  # the Trainer's estimate takes one sequence


def pack_loss(model: Any, pack: Pack) -> torch.Tensor:
    """Return the loss, in nats, summed over the learned tokens.

    A vocabulary can be a hundred times the model's width, so logits are computed for learned tokens only.
    """
    targets = pack["labels"][0, 1:]
    places = torch.nonzero(targets != IGNORED).flatten()
    with wanted_tokens(places):
        output = model(
            input_ids=pack["input_ids"], position_ids=pack["position_ids"], logits_to_keep=places, use_cache=False
        )
    return cross_entropy(output.logits[0].float(), targets[places], reduction="sum")


def count_learned(pack: Pack) -> int:
    """Return how many tokens of `pack` are learned."""
    return int((pack["labels"][:, 1:] != IGNORED).sum())


def make_trainer(
    model: Any, train: list[Pack], validation: list[Pack], settings: FitSettings, monitor: Monitor
) -> PackTrainer:
    """Make the trainer. Without a validation part, training does not stop early and ends with the last weights."""
    workers = count_workers(model, settings)
    validating = {"eval_strategy": "steps", "eval_steps": settings.evaluate_every, "load_best_model_at_end": True}
    arguments = TrainingArguments(
        output_dir=str(settings.out / CHECKPOINTS),
        per_device_train_batch_size=settings.packs,
        per_device_eval_batch_size=1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        num_train_epochs=settings.epochs,
        max_steps=settings.steps,
        save_strategy="steps",
        save_steps=settings.evaluate_every,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        metric_for_best_model="eval_loss",
        bf16=uses_bf16(settings),
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        **(validating if validation else {}),
    )
    trainer = PackTrainer(
        model,
        arguments,
        data_collator=lambda groups: {"packs": list(chain.from_iterable(groups))},
        train_dataset=[[pack] for pack in train],
        # In groups, as the Trainer cuts what is left of its own batches at the end and so would weight them less.
        eval_dataset=[validation[place : place + workers] for place in range(0, len(validation), workers)] or None,
        callbacks=[*([EarlyStoppingCallback(settings.patience)] if validation else []), monitor],
        monitor=monitor,
        workers=workers,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def uses_bf16(settings: FitSettings) -> bool:
    if settings.precision != "auto":
        return settings.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("amx_bf16") or torch.cpu.get_capabilities().get("avx512_bf16"))


def last_checkpoint(directory: Path) -> Path | None:
    """Return the newest complete checkpoint, if any: one with a state, which the Trainer writes last."""
    complete = [folder for folder in _checkpoints(directory) if _is_complete(folder / _STATE)]
    return max(complete, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def remove_incomplete_checkpoints(directory: Path) -> None:
    """Remove incomplete checkpoints, which a killed training leaves and which may be gigabytes large."""
    for folder in _checkpoints(directory):
        if not _is_complete(folder / _STATE):
            shutil.rmtree(folder, ignore_errors=True)


def _checkpoints(directory: Path) -> list[Path]:
    return list((directory / CHECKPOINTS).glob(f"{PREFIX_CHECKPOINT_DIR}-*"))


def _is_complete(state: Path) -> bool:
    try:
        json.loads(state.read_bytes())
    except (OSError, ValueError):
        return False
    return True
