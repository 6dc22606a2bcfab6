"""The model card of an exported model: what it is, from what it was made, how good it is, under which licence."""

from functions.generate.card import ModelCard
from training.evaluation import Evaluation
from training.manifest import Manifest
from training.settings import FitSettings


def model_card(
    card: ModelCard, fitted: FitSettings, manifest: Manifest, evaluation: Evaluation | None, difference: float
) -> str:
    """Markdown with the front matter that Hugging Face's tools read. Names no person and no path."""
    return f"""\
---
language: ru
library_name: transformers
pipeline_tag: text-generation
tags: [timokha, dialogue]
---

# {card.name}

A language model with the voice of one person, made by `timokha train` from that person's chats.
Serve it with `timokha generate --model DIRECTORY`.

- **Prompt format**: `{card.format}` (`timokha.json` says so to the engine).
- **Licence of the base model**: {card.licence or "see the base model"} {card.licence_url}
- **Data**: {manifest.train} training, {manifest.validation} validation and {manifest.test} test dialogues,
  SHA-256 `{manifest.data_sha256}`.
- **Training**: {fitted.method}, learning rate {fitted.learning_rate:g}, seed {fitted.seed}.
- **Parity**: read back, its bits per byte differ by {difference:.2%} from the trained model's.

{manifest.consent}

## Scores

{_scores(evaluation)}
"""


def _scores(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return "Not evaluated: run `timokha train evaluate`, then export again."
    rows = [f"| {name} | {score.before:.3f} | {score.after:.3f} |" for name, score in evaluation.scores.items()]
    return "\n".join(["| score | before | after |", "| --- | --- | --- |", *rows])
