"""Write a model for the OpenVINO engine to a directory, without torch and transformers."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from events.errors import SettingsError
from functions.generate.engines import tokenizer_file
from functions.generate.engines.model_files import write_errors_named
from functions.generate.engines.openvino import renumbering
from functions.generate.engines.openvino.batch_invariance import ALIAS_BITS
from functions.generate.engines.openvino.export import head
from functions.generate.engines.openvino.export.equalizing import equalize
from functions.generate.engines.openvino.export.graph_passes import Unsupported, share_constants, strip_aliases
from functions.generate.engines.openvino.export.head import OtherHead
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ov
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models import vocabulary as vocabularies
from functions.generate.settings import Vocabulary

CHATS = Path(vocabularies.__file__).with_name("chats.txt")
"""A sample of what models read."""


@dataclass(frozen=True, slots=True)
class ServableModel:
    model: ov.Model
    """As `export.transformers_graph.trace_graph` makes it, its weights in float32."""
    tokenizer: Any
    """A `tokenizers.Tokenizer`."""
    config: str
    """config.json, which GenAI reads."""
    described: ServingInfo
    used: Collection[int] = ()
    """The tokens of the data that the model was trained on."""


def write(
    servable: ServableModel, directory: Path, *, bits: int | None, vocabulary: Vocabulary = Vocabulary.TALK
) -> str | None:
    """Write to `directory`, with weights in `bits` bits, or unchanged if None; changes the model. Raises OSError.

    Return a remark, one line, if the vocabulary should have been narrowed but could not be.
    """
    model, described, order, remark = servable.model, servable.described, None, None
    if vocabulary is Vocabulary.TALK:
        try:
            described, order = _narrow(model, servable.tokenizer, described, servable.used)
        except OtherHead:
            remark = f"{described.card.name} keeps its whole vocabulary: how it computes logits is not known here"
    if bits is not None:
        quantize(model, bits, equalize(model, _sample(servable, order)))
    if servable.tokenizer.get_vocab_size() <= 1 << ALIAS_BITS:
        strip_aliases(model)
    share_constants(model)
    directory.mkdir(parents=True, exist_ok=True)
    with write_errors_named(directory):
        ov.save_model(model, directory / "openvino_model.xml", compress_to_fp16=False)
        (directory / "config.json").write_text(servable.config, encoding="utf-8")
        tokenizer_file.write(servable.tokenizer, directory)
        if order is not None:
            renumbering.write(directory, order)
    described.write(directory)
    return remark


def _sample(servable: ServableModel, order: head.Tokens | None) -> list[int]:
    """Return chats for the model to read, in its own ids."""
    begin = servable.described.bos_token_id
    said = servable.tokenizer.encode(CHATS.read_text(encoding="utf-8"), add_special_tokens=False).ids
    tokens = [*([] if begin is None else [begin]), *said][: servable.described.context]
    return tokens if order is None else np.argsort(order)[tokens].tolist()


def _narrow(
    model: ov.Model, tokenizer: Any, described: ServingInfo, used: Collection[int]
) -> tuple[ServingInfo, head.Tokens | None]:
    """Narrow the head of `model` to what talk needs, in place; return `described` with its rows, and its own order.

    `tokenizer` is a `tokenizers.Tokenizer`; `used` are the tokens of the owner's data. The model keeps its whole
    vocabulary, and the order is None, where talk needs that. Raises OtherHead if it isn't known how to narrow it.
    """
    always = {*described.ends, *described.special_ids, *used}
    tokens = vocabularies.tokens_to_keep(tokenizer, always=always, size=head.count_rows(model))
    if tokens is None:
        return described, None
    order = head.narrow_head(model, np.array(tokens, dtype=np.int32))
    return described.model_copy(update={"rows": len(tokens)}), order


def not_servable(name: str, error: Unsupported) -> SettingsError:
    """Return the error for the model `name`, which this engine can't run."""
    return SettingsError(
        f"{name} has {error}, which the openvino engine can't run: set GENERATE_ENGINE=transformers, or "
        "GENERATE_ENGINE=openai and have a server run it"
    )
