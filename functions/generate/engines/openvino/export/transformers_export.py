"""A model directory for the OpenVINO engine from whatever transformers reads. Needs torch; serving does not."""

from pathlib import Path
from typing import Any

import torch

from events.runtime.clock import Clock
from functions.generate.engines.openvino.export.graph_passes import Unsupported
from functions.generate.engines.openvino.export.prepared import ServableModel, not_servable, write
from functions.generate.engines.openvino.export.rehearsal import convert_checked
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.serving_file_writer import end_token_ids
from functions.generate.engines.transformers.checkpoints import Checkpoint, load_checkpoint
from functions.generate.engines.transformers.engine import context_of, end_tokens, format_of
from functions.generate.models.vocabulary import read_used_tokens
from functions.generate.settings import Vocabulary


def export(
    source: str,
    directory: Path,
    *,
    bits: int | None,
    vocabulary: Vocabulary = Vocabulary.TALK,
    revision: str | None = None,
    clock: Clock,
) -> str | None:
    """Write `source` (see `load_checkpoint`) to `directory`, its weights in `bits` bits, or unchanged if None.

    Returns a remark, if there is one to make (see `export.prepared.write`).

    Raises SettingsError, one line, if it can't be read or this engine can't serve its kind, and OSError.
    """
    checkpoint = load_checkpoint(source, dtype=torch.float32, revision=revision)
    described = describe(checkpoint, clock)
    try:
        model = convert_checked(checkpoint.model)
    except Unsupported as error:
        raise not_servable(checkpoint.card.name, error) from None
    config = checkpoint.model.config.to_json_string()
    tokenizer = _tokenizer(checkpoint).backend_tokenizer
    servable = ServableModel(model, tokenizer, config, described, used=read_used_tokens(Path(source)))
    return write(servable, directory, bits=bits, vocabulary=vocabulary)


def describe(checkpoint: Checkpoint, clock: Clock) -> ServingInfo:
    """Raises SettingsError, one line, if its chat template can't be followed."""
    tokenizer = _tokenizer(checkpoint)
    return ServingInfo(
        card=checkpoint.card,
        context=_context(checkpoint.model),
        ends=_ends(checkpoint, clock),
        bos_token_id=tokenizer.bos_token_id,
        special_ids=tuple(tokenizer.all_special_ids),
        special_tokens=tokenizer.special_tokens_map,
        chat_template=tokenizer.chat_template,
    )


def _context(model: Any) -> int:
    """Less than the model's own where it would turn all its positions anew beyond so many tokens.

    Here they belong to several requests, and those that have been read are kept.
    """
    rope = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
    limits = [int(rope["original_max_position_embeddings"])] if rope.get("rope_type") == "longrope" else []
    return min([context_of(model), *limits])


def _ends(checkpoint: Checkpoint, clock: Clock) -> tuple[int, ...]:
    """Also the tokens that say more than the format's end: two newlines, or a full stop and a newline."""
    form = format_of(checkpoint.card, checkpoint.tokenizer, clock)
    return end_token_ids(_tokenizer(checkpoint).backend_tokenizer, form.end, end_tokens(checkpoint, form))


def _tokenizer(checkpoint: Checkpoint) -> Any:
    return checkpoint.tokenizer
