"""Monitor a training: show its smoothed loss and the time left; stop on request or if the loss is not finite."""

from collections import deque
from contextlib import AbstractContextManager, ExitStack
from math import isfinite
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from events.errors import TimokhaError
from training.progress import ProgressBars, ProgressStage, Stopped

_SMOOTHED = 20
"""Steps."""
_LOGGED = {"loss": "loss", "grad_norm": "gradient", "eval_loss": "validation loss"}


class Monitor(TrainerCallback):  # type: ignore[misc]  # transformers exports it untyped
    """Shows the progress of the stage `training`; once `stopped`, saves a checkpoint after the step and ends training.

    Raises TimokhaError for a loss or gradient that is not finite, before a checkpoint stores such weights.
    """

    def __init__(self, bars: ProgressBars, training: ProgressStage, stopped: Stopped) -> None:
        self._bars = bars
        self._training = training
        self._stopped = stopped
        self._losses: deque[float] = deque(maxlen=_SMOOTHED)
        self._validation_loss: float | None = None
        self._open = ExitStack()
        self._validating: ProgressStage | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._training.total = state.max_steps
        for entry in state.log_history:
            self._add(entry)
        best = state.best_model_checkpoint
        if best and (moved := Path(args.output_dir) / Path(best).name).is_dir():
            state.best_model_checkpoint = str(moved)  # the training's directory may have been moved
        self._training.show(state.global_step, self._note())

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._training.show(state.global_step, self._note())
        if self._stopped():
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        for key, name in _LOGGED.items():
            if not isfinite(logs.get(key, 0)):
                raise TimokhaError(
                    f"the {name} became {logs[key]} at step {state.global_step}: start anew in another TRAINING_OUT "
                    f"with a lower TRAINING_LEARNING_RATE than {args.learning_rate:g}, or with TRAINING_PRECISION=fp32"
                )
        self._add(logs)
        self._training.show(self._training.done, self._note())

    def on_prediction_step(self, args: Any, state: Any, control: Any, eval_dataloader: Any, **_: Any) -> None:
        if self._validating is None:
            self._validating = self._open.enter_context(self._bars.stage("Validating", len(eval_dataloader)))
        self._validating.advance()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._open.close()
        self._validating = None

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._bars.check()

    def saving(self) -> AbstractContextManager[ProgressStage]:
        return self._bars.stage("Saving a checkpoint")

    def _add(self, logs: dict[str, float]) -> None:
        if "loss" in logs:
            self._losses.append(logs["loss"])
        self._validation_loss = logs.get("eval_loss", self._validation_loss)

    def _note(self) -> str:
        loss = f"loss {sum(self._losses) / len(self._losses):.3f}" if self._losses else ""
        return loss if self._validation_loss is None else f"{loss} (val. {self._validation_loss:.3f})"
