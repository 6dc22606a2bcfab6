"""Train on packed dialogues with transformers' Trainer, with logits and a loss for the owner's tokens only."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from functions.generate.engines.model_files import write_errors_named
from training.fit.monitor import Monitor
from training.fit.packing import IGNORED, Pack
from training.settings import FitSettings

CHECKPOINTS = "checkpoints"
_STATE = "trainer_state.json"


class PackTrainer(Trainer):  # type: ignore[misc]  # transformers exports it untyped
    """Trains on one pack at a time."""

    def __init__(self, *given: Any, monitor: Monitor, **more: Any) -> None:
        super().__init__(*given, **more)
        self._monitor = monitor

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._monitor.saving(), write_errors_named(folder):
                super()._save_checkpoint(model, trial)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # an incomplete checkpoint would keep the disk full
            raise

    def compute_loss(
        self,
        model: Any,
        inputs: Pack,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        loss = pack_loss(model, inputs) / (num_items_in_batch or count_learned(inputs))
        return (loss, {"loss": loss}) if return_outputs else loss


def pack_loss(model: Any, pack: Pack) -> torch.Tensor:
    """Return the loss, in nats, summed over the learned tokens.

    A vocabulary can be a hundred times the model's width, so logits are computed for learned tokens only.
    """
    targets = pack["labels"][0, 1:]
    places = torch.nonzero(targets != IGNORED).flatten()
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
    validating = {"eval_strategy": "steps", "eval_steps": settings.evaluate_every, "load_best_model_at_end": True}
    arguments = TrainingArguments(
        output_dir=str(settings.out / CHECKPOINTS),
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=settings.packs,
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
        data_collator=lambda packs: packs[0],  # a batch is one pack
        train_dataset=train,
        eval_dataset=validation or None,
        callbacks=[*([EarlyStoppingCallback(settings.patience)] if validation else []), monitor],
        monitor=monitor,
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
